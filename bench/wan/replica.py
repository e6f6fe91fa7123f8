"""``genpaxos serve``, dialling its peers through links: ``python -m bench.wan.replica CLUSTER NODE ROUTES``.

Replicas compare their cluster files, addresses included, so all are given the same one, which says where each listens.
As under a name service only *dialling* differs, and the one thing replaced is where ``zmq.Socket.connect`` leads.
``ROUTES`` is a JSON object: address in the cluster file -> address to dial.
"""

import json
import sys
from collections.abc import Mapping
from typing import Any

import zmq

from genpaxos.cli import main


def reroute(routes: Mapping[str, str]) -> None:
    """From now on, dial elsewhere."""
    connect = zmq.Socket.connect

    def dial(socket: "zmq.Socket[bytes]", address: str) -> Any:
        return connect(socket, routes[address])

    zmq.Socket.connect = dial  # type: ignore[method-assign,assignment]


if __name__ == "__main__":
    cluster, node, routes = sys.argv[1:]
    reroute(json.loads(routes))
    sys.exit(main(["serve", cluster, node]))
