"""The command line: a module per command, of argument parsing and printing only.

Each has ``HELP``, ``add_arguments`` and ``run``, and is named after its command. To print the help of any, all are
imported; so heavy imports wait until a command runs.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Protocol

from genpaxos.cli import (
    call,
    check,
    demo,
    explain,
    explore,
    flow,
    graph,
    init,
    plan,
    rejoin,
    serve,
    simulate,
    status,
    verify,
)
from genpaxos.cli.output import EXIT_INTERRUPTED, EXIT_NO, complain
from genpaxos.errors import GenpaxosError
from genpaxos.view.encoding import make_printable


class CommandModule(Protocol):
    """What a command's module has."""

    HELP: str
    __name__: str

    def add_arguments(self, parser: argparse.ArgumentParser, /) -> None:
        """Declare what the command takes."""

    def run(self, arguments: argparse.Namespace, /) -> int:
        """Run it; returns the exit status."""


COMMANDS: tuple[CommandModule, ...] = (
    demo,
    init,
    serve,
    rejoin,
    call,
    status,
    verify,
    graph,
    check,
    explain,
    explore,
    simulate,
    plan,
    flow,
)
"""In the order in which the help lists them."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    make_printable(sys.stdout, sys.stderr)
    arguments = _parser().parse_args(argv)
    if argv is None and arguments.run is serve.run:
        from genpaxos.runtime.hashing import restart_with_fixed_seed

        restart_with_fixed_seed()
    try:
        status: int = arguments.run(arguments)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
        return EXIT_NO
    except (GenpaxosError, OSError) as error:
        return complain(error)
    except (ValueError, TypeError) as error:
        from commutativity import InvalidCommand, TableError

        if not isinstance(error, (InvalidCommand, TableError)):
            raise
        return complain(error)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="genpaxos",
        description="Replicate a program's commands with Generalized Paxos.",
        epilog="Exit status: 0 yes, 1 no or failed, 2 wrong usage, 3 neither (call: outcome unknown; check: scope not "
        "finished), 130 interrupted.",
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in COMMANDS:
        name = command.__name__.rpartition(".")[2]
        made = commands.add_parser(name, help=command.HELP, description=command.HELP)
        made.set_defaults(run=command.run)
        command.add_arguments(made)
    return parser
