"""What clients leave behind on real replicas, and what is sent to those that do not read."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
import zmq

from genpaxos import LocalCluster, connect_sync
from genpaxos.core.intake import TAKEN_BYTES_MAX
from genpaxos.core.sessions import born
from genpaxos.runtime import wire
from genpaxos.runtime.connections import Connections
from genpaxos.runtime.greeter import Expected
from genpaxos.runtime.pending import Session
from tests.runtime.clusters import rows, wait_until
from tests.runtime.shelf import Shelf

PARTS, PART = 10, "x" * 50_000
MB = 1_000_000


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(Shelf, replicas=3) as made:
        with made.client_sync() as client:
            for _ in range(PARTS):
                client.submit(Shelf.put(PART))
        yield made


def largest(cluster: LocalCluster, what: str) -> int:
    return max(int(row[what]) for row in rows(cluster).values())


@pytest.mark.cluster
def test_clients_that_read_something_large_and_leave_leave_nothing_behind(cluster: LocalCluster) -> None:
    for _ in range(16):
        with connect_sync(cluster.config) as client:
            assert len(client.submit(Shelf.get())) == PARTS * len(PART)
    wait_until(lambda: largest(cluster, "results_bytes") < 5 * MB, "results are dropped")
    assert largest(cluster, "sessions") < 12, "eight clients with half a megabyte are enough to end their sessions"


@pytest.mark.cluster
def test_to_a_client_that_does_not_read_no_more_is_sent_and_no_more_is_kept_for_it(
    cluster: LocalCluster,
) -> None:
    before = largest(cluster, "dropped")
    context: zmq.Context[Any] = zmq.Context()
    try:
        sockets = [context.socket(zmq.DEALER) for _ in cluster.config.replicas]
        for socket, replica in zip(sockets, cluster.config.replicas, strict=True):
            socket.setsockopt(zmq.RCVHWM, 1)
            socket.connect(replica.address)

        cluster_text = Expected.of(cluster.config, None).text

        def ask_for_all() -> None:
            for sequence in range(1, 60):
                request = wire.request("deaf", [sequence], [orjson.dumps(["get", [], 0])], None, cluster_text)
                for socket in sockets:
                    socket.send(request)

        ask_for_all()
        wait_until(lambda: largest(cluster, "results_bytes") > 4 * MB, "results are kept")

        def dropped() -> bool:
            ask_for_all()  # what waited too long for room is not taken up: it must be asked for again
            return largest(cluster, "dropped") > before

        wait_until(dropped, "answers are dropped")
        with connect_sync(cluster.config) as client:
            client.submit(Shelf.put(""))
        assert largest(cluster, "results_bytes") <= TAKEN_BYTES_MAX + 5 * MB
    finally:
        context.destroy(linger=0)


def test_a_session_tells_when_it_was_born_if_a_replica_has_said() -> None:
    assert born(Session.born(255).client) == 255
    assert born(Session.born(None).client) is None
    names = {Session.born(2**31).client for _ in range(1_000)}
    assert len(names) == 1_000
    assert all(len(name) <= 19 and wire.client_name(name) for name in names)


def test_a_replica_that_reads_nothing_is_sent_a_bounded_number_of_bytes() -> None:
    """Nobody answers the pings."""
    context: zmq.Context[Any] = zmq.Context()
    deaf = context.socket(zmq.ROUTER)
    deaf.setsockopt(zmq.RCVHWM, 1)
    port = deaf.bind_to_random_port("tcp://127.0.0.1")

    async def send() -> int:
        connections = Connections([f"tcp://127.0.0.1:{port}"], lambda _, __: None)
        connections.open()
        try:
            while not connections._sockets[0].poll(1_000, zmq.POLLOUT):
                pass
            for token in range(1, 40):
                connections.send(b"x" * MB)
                if connections.wants_ping:
                    connections.ping(0, token, b"ping")
            under_way = connections._credits[0].under_way
            connections.echoed(0, 40)
            assert connections._credits[0].under_way == 0
            return under_way
        finally:
            connections.close()

    try:
        assert 3 * MB < asyncio.run(send()) <= 4 * 1024 * 1024
    finally:
        context.destroy(linger=0)


@pytest.mark.cluster
def test_a_client_with_many_large_results_outstanding_gets_them_all(cluster: LocalCluster) -> None:
    """More than may be unacknowledged, in answers larger than may be under way."""
    with connect_sync(cluster.config, timeout_s=60.0) as client:
        client.submit_many([Shelf.put(PART)] * 10)
        size = len(client.submit(Shelf.get()))
        assert size >= MB
        assert {len(text) for text in client.submit_many([Shelf.get() for _ in range(20)])} == {size}
