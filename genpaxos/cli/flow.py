"""``genpaxos flow``: its arguments and its printing."""

import argparse

from genpaxos.cli.output import terminal
from genpaxos.view.encoding import print_json

HELP = "draw a message flow of the Paxos family; without NAME, list them all"


def add_arguments(flow: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    flow.add_argument("name", nargs="?", metavar="NAME")
    flow.add_argument(
        "--policy",
        choices=["classic", "leader-ordered", "coordinated", "uncoordinated"],
        help="recover collisions so, where the flow allows it (default: the first that the list names)",
    )
    flow.add_argument("--json", action="store_true", help="print the messages, what was learned, and the graphs")


def run(arguments: argparse.Namespace) -> int:
    """Print one flow, or the list of all."""
    from genpaxos.core.ballot import Policy
    from genpaxos.family import FLOWS, find

    if arguments.name is None:
        if arguments.json:
            print_json([flow.to_json() for flow in FLOWS.values()])
        else:
            width = max(map(len, FLOWS)) + 2
            for flow in FLOWS.values():
                print(f"{flow.name:{width}}{flow.protocol}: {flow.title} ({', '.join(flow.policies)})")
        return 0
    trace = find(arguments.name).run(arguments.policy and Policy(arguments.policy)).to_json()
    if arguments.json:
        print_json(trace)
    else:
        from genpaxos.view.flow import FlowView

        terminal().print(FlowView.from_json(trace))
    return 0
