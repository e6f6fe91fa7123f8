"""``genpaxos rejoin``: its arguments and its printing."""

import argparse

from genpaxos.cli.arguments import seconds
from genpaxos.view.encoding import print_json

HELP = "let a replica whose data was lost or damaged come back, as a new incarnation"


def add_arguments(rejoin: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    rejoin.add_argument("cluster", help="the cluster file")
    rejoin.add_argument("node", type=int, help="the replica's number, from 0; it must be stopped")
    rejoin.add_argument("--timeout", type=seconds, default=5.0, metavar="S", help="how long to wait for the others")
    rejoin.add_argument("--json", action="store_true")


def run(arguments: argparse.Namespace) -> int:
    """Prepare the directory, and say what to do next."""
    from genpaxos.runtime.config import ClusterConfig
    from genpaxos.runtime.rejoin import prepare_rejoin

    config = ClusterConfig.load(arguments.cluster)
    incarnation, aside = prepare_rejoin(config, arguments.node, timeout_s=arguments.timeout)
    if arguments.json:
        print_json({"node": arguments.node, "incarnation": incarnation, "aside": None if aside is None else str(aside)})
        return 0
    if aside is not None:
        print(f"the old data is kept in {aside}")
    print(f"replica {arguments.node} will come back as incarnation {incarnation}: start it with `genpaxos serve`")
    return 0
