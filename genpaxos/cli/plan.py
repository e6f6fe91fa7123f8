"""``genpaxos plan``: its arguments and its printing."""

import argparse

from genpaxos.cli.arguments import POLICIES

HELP = "recommend a coordinator and a quorum to pin, from the round trips between regions"


def add_arguments(plan: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    plan.add_argument(
        "file", metavar="RTT-FILE", help="lines like 'VA-CA 60', in ms, or a matrix under a heading; -: standard input"
    )
    plan.add_argument(
        "--interference", type=_percent, default=2.0, metavar="PERCENT", help="of the commands (default: 2)"
    )
    plan.add_argument("--policy", choices=POLICIES, action="append", help="only this one; may be repeated")
    plan.add_argument("--limit", type=_count, default=6, metavar="N", help="list so many plans (default: 6)")
    plan.add_argument("--json", action="store_true")


def run(arguments: argparse.Namespace) -> int:
    """Print the recommendation. Raises :class:`genpaxos.plan.RttError`, or ``OSError``."""
    from genpaxos.core.ballot import Policy
    from genpaxos.plan import read_rtt, recommend

    policies = [Policy(name) for name in arguments.policy or POLICIES]
    recommendation = recommend(read_rtt(arguments.file), interference=arguments.interference / 100, policies=policies)
    found = recommendation.to_json(arguments.limit)
    if arguments.json:
        from genpaxos.view.encoding import print_json

        print_json(found)
    else:
        from rich.console import Console

        from genpaxos.view.plan import PlanView

        console = Console()
        console.print(PlanView(found))
        console.print(found["cluster_file"], end="", soft_wrap=True, markup=False, highlight=False)
    return 0


def _percent(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 100:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 100")
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return value
