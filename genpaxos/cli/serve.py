"""``genpaxos serve``: its arguments and its printing."""

import argparse
import os
import sys
from typing import TYPE_CHECKING

from genpaxos.cli.output import EXIT_NO

if TYPE_CHECKING:
    from genpaxos.runtime.server import Server

HELP = "run one replica; Ctrl-C or SIGTERM stops it"


def add_arguments(serve: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    serve.add_argument("cluster", help="the cluster file")
    serve.add_argument("node", type=int, help="the replica's number, from 0")
    serve.add_argument("--create", action="store_true", help="make the directory of a replica that has never run")
    serve.add_argument("--attached", action="store_true", help="stop when standard input is closed")


def run(arguments: argparse.Namespace) -> int:
    """Serve until stopped; 1 if the replica ended by a fault."""
    import signal
    import threading

    from genpaxos.runtime.config import ClusterConfig
    from genpaxos.runtime.identity import create_directory
    from genpaxos.runtime.server import Server

    config = ClusterConfig.load(arguments.cluster)
    if arguments.create:
        create_directory(config, arguments.node)
    for number in (signal.SIGINT, signal.SIGTERM):  # an exception in an operation would pass for the operation's own
        signal.signal(number, lambda caught, _: os._exit(128 + caught))  # before it serves: as good as kill -9
    server = Server(config, arguments.node, report=lambda line: print(line, file=sys.stderr, flush=True))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: server.stop())
    if arguments.attached:
        threading.Thread(target=_stop_with_parent, args=(server,), daemon=True).start()
    print(
        f"replica {arguments.node} of {config.name!r} listens on {config.replicas[arguments.node].address}", flush=True
    )
    server.run()
    return 0 if server.fault is None else EXIT_NO


def _stop_with_parent(server: "Server") -> None:
    """Wait for the end of standard input: whoever started this replica is gone."""
    while os.read(0, 1024):
        pass
    server.stop()
