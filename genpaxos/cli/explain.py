"""``genpaxos explain``: its arguments and its printing."""

import argparse

from genpaxos.cli.output import terminal
from genpaxos.view.encoding import print_json

HELP = "say why two commands do or do not commute"


def add_arguments(explain: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    explain.add_argument("machine", metavar="MODULE:CLASS")
    explain.add_argument("first", help="such as 'deposit alice 5'")
    explain.add_argument("second")
    explain.add_argument("--json", action="store_true")


def run(arguments: argparse.Namespace) -> int:
    """Print the reason."""
    from commutativity.explain import explain
    from genpaxos.runtime.call import parse_call
    from genpaxos.runtime.config import load_machine

    machine = load_machine(arguments.machine)
    found = explain(machine, parse_call(machine, arguments.first), parse_call(machine, arguments.second))
    if arguments.json:
        print_json(found.to_json())
    else:
        terminal().print(found)
    return 0
