"""What the tests of real replica processes share: conditions instead of sleeps, raw sockets, evidence."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import orjson
import zmq

from genpaxos import Client, LocalCluster
from genpaxos.demo.evidence import ReplicaEvidence, collect
from genpaxos.runtime.query import NoAnswer, ask_each

T = TypeVar("T")


def wait_until(condition: Callable[[], T], what: str, timeout_s: float = 20.0) -> T:
    """Poll until the condition gives something true, and return that; fails the test after ``timeout_s``."""
    end_s = time.monotonic() + timeout_s
    while not (found := condition()):
        assert time.monotonic() < end_s, f"not within {timeout_s:g} s: {what}"
        time.sleep(0.02)
    return found


class Stranger:
    """A raw DEALER to one replica: sends whatever it is told to."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], address: str, routing_id: bytes | None) -> None:
        self._socket = context.socket(zmq.DEALER)
        self._socket.setsockopt(zmq.LINGER, 0)
        if routing_id is not None:
            self._socket.setsockopt(zmq.ROUTING_ID, routing_id)
        self._socket.connect(address)

    def send(self, *frames: bytes) -> None:
        self._socket.send_multipart(frames)

    def receive(self, timeout_s: float = 10.0) -> list[Any]:
        """The next message; fails the test if there is none."""
        assert self._socket.poll(int(timeout_s * 1000)), "no answer"
        answer: list[Any] = orjson.loads(self._socket.recv())
        return answer

    def ask(self, *frames: bytes) -> list[Any]:
        """Send, and give the answer."""
        self.send(*frames)
        return self.receive()

    def alive(self) -> None:
        """The replica still answers this very connection."""
        self.send(b'["ping",7]')
        wait_until(lambda: self.receive()[:2] == ["pong", 7], "a pong")


@contextmanager
def stranger(cluster: LocalCluster, node: int = 0, routing_id: bytes | None = None) -> Iterator[Stranger]:
    """Somebody with a socket and bad manners."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    try:
        yield Stranger(context, cluster.config.replicas[node].address, routing_id)
    finally:
        context.destroy(linger=0)


class Deaf(Client):
    """A client that loses every reply as long as it is ``deaf``, though not the news of who coordinates."""

    deaf = True

    def _on_message(self, node: int, payload: bytes) -> None:
        if not (self.deaf and payload.startswith(b'["reply"')):
            super()._on_message(node, payload)


def rows(cluster: LocalCluster) -> dict[int, dict[str, Any]]:
    """The status of the replicas that answer, by number."""
    answers = ask_each([replica.address for replica in cluster.config.replicas], "status", timeout_s=0.5)
    return {node: row for node, row in enumerate(answers) if not isinstance(row, NoAnswer)}


def coordinator(cluster: LocalCluster, other_than: int | None = None) -> int:
    """The replica that coordinates, once there is one."""

    def found() -> list[int]:
        return [node for node, row in rows(cluster).items() if row["role"] == "coordinator" and node != other_than]

    return wait_until(found, "a coordinator")[0]


def agreement(cluster: LocalCluster) -> list[ReplicaEvidence]:
    """All replicas run, without a fault, and hold the same log, each command once, and the same state."""
    nodes = range(len(cluster.config.replicas))
    assert all(cluster.processes.running(node) for node in nodes)
    evidence = collect(cluster.config)
    assert [row["error"] for row in rows(cluster).values()] == [None for _ in nodes]
    first = evidence[0]
    for replica in evidence:
        assert replica.ids == first.ids
        assert replica.state_sha256 == first.state_sha256
        assert len(set(replica.ids)) == len(replica.ids) == replica.applied
        assert replica.pending == 0
    return evidence
