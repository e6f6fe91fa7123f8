"""``genpaxos serve`` in a network that a test owns: it dials where the environment says.

Replicas compare their cluster files, addresses included, so each must be given the same one; and each must reach its
peers through links of its own. So the file says where the replicas listen, and only *dialling* differs, as it does
under a name service: the one thing replaced is where ``zmq.Socket.connect`` leads. What is served is the product as it
is.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import zmq

from genpaxos.cli import main

ROUTES = "SOAK_ROUTES"
"""Environment: a JSON object, address in the cluster file -> address to dial."""
MUTATION = "SOAK_MUTATION"
"""Environment: an error of :mod:`tests.simulation.mutations` to put into the replica, to see whether a run finds it."""


def reroute(routes: Mapping[str, str]) -> None:
    """From now on, dial elsewhere."""
    connect = zmq.Socket.connect

    def dial(socket: zmq.Socket[bytes], address: str) -> Any:
        return connect(socket, routes[address])

    zmq.Socket.connect = dial  # type: ignore[method-assign,assignment]


def put_in(mutation: str) -> None:
    """From now on, be wrong."""
    import pytest

    from tests.simulation import mutations

    getattr(mutations, mutation)(pytest.MonkeyPatch())


if __name__ == "__main__":
    if MUTATION in os.environ:
        put_in(os.environ[MUTATION])
    reroute(json.loads(os.environ[ROUTES]))
    raise SystemExit(main())
