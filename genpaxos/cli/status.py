"""``genpaxos status``: its arguments and its printing."""

import argparse

from genpaxos.cli.arguments import seconds
from genpaxos.cli.output import EXIT_NO, terminal
from genpaxos.view.encoding import print_json

HELP = "show the replicas: quorum, coordinator, ballot, counts"


def add_arguments(status: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    status.add_argument("cluster", help="the cluster file")
    status.add_argument("--timeout", type=seconds, default=1.0, metavar="S")
    status.add_argument("--json", action="store_true")


def run(arguments: argparse.Namespace) -> int:
    """Print what each replica says; 1 if there is no quorum."""
    from genpaxos.runtime.config import ClusterConfig
    from genpaxos.runtime.status import ask_status
    from genpaxos.view.cluster import ClusterStatus

    snapshot = ask_status(ClusterConfig.load(arguments.cluster), timeout_s=arguments.timeout)
    status = ClusterStatus.from_json(snapshot)
    quorum, reason = status.quorum
    if arguments.json:
        print_json({"quorum": quorum, "quorum_reason": reason, "coordinator": status.coordinator, **snapshot})
    else:
        from genpaxos.view.status import StatusView

        terminal().print(StatusView(status))
    return 0 if quorum else EXIT_NO
