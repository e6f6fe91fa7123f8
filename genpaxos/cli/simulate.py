"""``genpaxos simulate``: its arguments and its printing."""

import argparse
from typing import TYPE_CHECKING

from genpaxos.cli.arguments import CLIMATES, POLICIES, positive
from genpaxos.cli.output import EXIT_NO, terminal
from genpaxos.view.encoding import print_json

if TYPE_CHECKING:
    from genpaxos.simulation.campaign import Selection

HELP = "run the replicas where everything fails"


def add_arguments(simulate: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    which = simulate.add_mutually_exclusive_group()
    which.add_argument("--seed", type=int, help="replay one seed")
    which.add_argument("--seeds", type=positive, default=200, metavar="N", help="run so many (default: 200)")
    simulate.add_argument("--from", type=int, default=0, dest="first", metavar="SEED", help="the first of them")
    simulate.add_argument("--workers", type=positive, metavar="N", help="processes (default: one per core)")
    simulate.add_argument("--policy", choices=POLICIES, help="only this one (default: as the seed draws)")
    simulate.add_argument("--climate", choices=CLIMATES, help="only this kind of world (default: as the seed draws)")
    simulate.add_argument("--trace", action="store_true", help="with --seed: print everything that happens")
    simulate.add_argument("--json", action="store_true")


def run(arguments: argparse.Namespace) -> int:
    """Run one seed or many, and print what was found; 1 if an invariant was violated."""
    from genpaxos.core.ballot import Policy
    from genpaxos.simulation.campaign import Selection
    from genpaxos.simulation.marks import Mark
    from genpaxos.simulation.swarm import Climate
    from genpaxos.simulation.violations import Invariant

    selection = Selection(
        arguments.climate and Climate(arguments.climate), arguments.policy and Policy(arguments.policy)
    )
    texts = {mark.name.lower(): str(mark) for mark in Mark}, {rule.name.lower(): str(rule) for rule in Invariant}
    if arguments.seed is not None:
        return _simulate_one(arguments, selection, *texts)
    return _simulate_many(arguments, selection, *texts)


def _simulate_one(
    arguments: argparse.Namespace, selection: "Selection", marks: dict[str, str], invariants: dict[str, str]
) -> int:
    from genpaxos.simulation.run import run
    from genpaxos.simulation.shrink import shrink
    from genpaxos.simulation.swarm import draw_plan
    from genpaxos.simulation.tape import Tape
    from genpaxos.view.simulation import RunView

    plan = draw_plan(arguments.seed, selection.climate, selection.policy)
    tape = Tape(plan.replicas) if arguments.trace else None
    outcome = run(plan, tape=tape)
    found = outcome.to_json()
    if not outcome.ok:
        found["failure"]["shrunk"] = shrink(outcome).to_json()
    if arguments.json:
        print_json(found | ({"trace": tape.lines()} if tape is not None else {}))
    else:
        for line in tape.lines() if tape is not None else ():
            print(line)
        terminal().print(RunView(found, marks, invariants))
    return 0 if outcome.ok else EXIT_NO


def _simulate_many(
    arguments: argparse.Namespace, selection: "Selection", marks: dict[str, str], invariants: dict[str, str]
) -> int:
    from genpaxos.simulation.campaign import campaign
    from genpaxos.view.progress import ProgressBar
    from genpaxos.view.simulation import CampaignView

    seeds = range(arguments.first, arguments.first + arguments.seeds)
    console = terminal()
    with ProgressBar(console, silent=arguments.json) as bar:
        report = campaign(seeds, selection, workers=arguments.workers, progress=bar).to_json()
    if arguments.json:
        print_json(report)
    else:
        console.print(CampaignView(report, marks, invariants))
    return EXIT_NO if report["violations"] else 0
