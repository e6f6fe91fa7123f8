"""``genpaxos check``: its arguments and its printing."""

import argparse

from genpaxos.cli.arguments import natural, positive, seconds_or_forever
from genpaxos.cli.output import EXIT_NO, EXIT_UNDECIDED, terminal
from genpaxos.view.encoding import print_json

HELP = "check that what a machine's table calls commuting commutes"


def add_arguments(check: argparse.ArgumentParser) -> None:
    """Declare what the command takes. The defaults are those of :class:`commutativity.check.Scope`."""
    check.epilog = (
        "Exit status: 0 proved within the scope, 1 refuted, 3 nothing found but the scope was not finished. "
        "Raise what the report says was too small, or lower --depth."
    )
    check.add_argument("machine", metavar="MODULE:CLASS")
    check.add_argument("--depth", type=natural, help="of the states: commands from the start (default: 3 or what fits)")
    check.add_argument("--states", type=positive, default=200, help="at most so many states, the nearest first")
    check.add_argument("--commands", type=positive, default=40, help="at most so many small commands per operation")
    check.add_argument("--trials", type=positive, default=300_000, help="at most so many pairs, over all states")
    check.add_argument(
        "--seconds", type=seconds_or_forever, default=60.0, metavar="S", help="end after so long; inf for never"
    )
    check.add_argument("--examples", type=natural, default=200, help="larger cases to draw beyond the small scope")
    check.add_argument("--seed", type=int, default=0, help="of what is drawn")
    check.add_argument("--one-process", action="store_true", help="start no others to try two hash seeds")
    check.add_argument("--json", action="store_true")


def run(arguments: argparse.Namespace) -> int:
    """Print the report; its conclusion is the exit status."""
    from commutativity.check import Conclusion, Scope, check
    from genpaxos.runtime.config import load_machine
    from genpaxos.view.progress import ProgressBar

    scope = Scope(
        depth=arguments.depth,
        states_max=arguments.states,
        commands_max=arguments.commands,
        trials_max=arguments.trials,
        seconds_max=arguments.seconds,
    )
    with ProgressBar(terminal(errors=True)) as bar:
        report = check(
            load_machine(arguments.machine),
            scope=scope,
            examples=arguments.examples,
            seed=arguments.seed,
            hash_seeds=not arguments.one_process,
            progress=bar,
        )
    if arguments.json:
        print_json(report.to_json())
    else:
        terminal().print(report)
    return {Conclusion.PROVED: 0, Conclusion.REFUTED: EXIT_NO, Conclusion.UNDECIDED: EXIT_UNDECIDED}[report.conclusion]
