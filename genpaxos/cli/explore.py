"""``genpaxos explore``: its arguments and its printing."""

import argparse
import math
import os

from genpaxos.cli.arguments import POLICIES, natural, positive, seconds_or_forever
from genpaxos.cli.output import EXIT_NO, terminal
from genpaxos.view.encoding import print_json

HELP = "model-check the core: every order of events in a small scope"


def add_arguments(explore: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    explore.add_argument("--policy", choices=POLICIES, default=POLICIES[0])
    explore.add_argument("--fast-quorum", choices=["pinned", "any"], default="pinned")
    explore.add_argument("--acceptors", type=positive, default=3)
    explore.add_argument("--commands", type=positive, default=2)
    explore.add_argument("--commuting", action="store_true", help="commands that commute (default: that interfere)")
    explore.add_argument("--ballots", type=positive, default=2)
    explore.add_argument("--crashes", type=natural, default=0, help="restarts, in all, from what was persisted")
    explore.add_argument("--states-max", type=positive, default=20_000_000, help="give up beyond so many")
    explore.add_argument(
        "--seconds-max", type=seconds_or_forever, default=math.inf, help="give up after so long (default: never)"
    )
    explore.add_argument("--workers", type=positive, help="processes that share the work (default: one per core)")
    explore.add_argument("--json", action="store_true")


def run(arguments: argparse.Namespace) -> int:
    """Explore, and print what was found; 1 unless the scope was finished without a violation."""
    from genpaxos.core.ballot import FastQuorums, Policy
    from genpaxos.explore import Scope, explore
    from genpaxos.view.exploration import ExplorationView, StateCounter

    scope = Scope(
        policy=Policy(arguments.policy),
        fast=FastQuorums(arguments.fast_quorum),
        acceptors=arguments.acceptors,
        commands=arguments.commands,
        interfering=not arguments.commuting,
        ballots=arguments.ballots,
        crashes=arguments.crashes,
        states_max=arguments.states_max,
    )
    console = terminal()
    with StateCounter(console, silent=arguments.json) as counter:
        found = explore(
            scope,
            workers=arguments.workers or os.cpu_count() or 1,
            seconds_max=arguments.seconds_max,
            progress=counter,
        )
    if arguments.json:
        print_json(found.to_json())
    else:
        console.print(ExplorationView(found.to_json()))
    return 0 if found.complete and found.violation is None else EXIT_NO  # a scope not finished proves nothing
