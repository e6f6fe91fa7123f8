"""``genpaxos init``: its arguments and its printing."""

import argparse

from genpaxos.cli.arguments import positive

HELP = "scaffold a machine, its test and a cluster file"


def add_arguments(init: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    init.add_argument("directory")
    init.add_argument("--replicas", type=positive, default=3)
    init.add_argument("--port", type=positive, default=7_600, help="the first one's; the others follow")


def run(arguments: argparse.Namespace) -> int:
    """Write the files, and say what was written."""
    from genpaxos.runtime.scaffold import scaffold

    for line in scaffold(arguments.directory, arguments.replicas, arguments.port):
        print(line)
    return 0
