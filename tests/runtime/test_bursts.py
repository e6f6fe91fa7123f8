"""What one client hands over at once: it leaves in portions, ends together, and a question survives who goes away."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import zmq

from genpaxos import Client, Disconnected, LocalCluster, Rejected
from genpaxos.core.runs import RUN_OPERATIONS_MAX
from genpaxos.examples.bank import Bank
from genpaxos.runtime import query, wire
from genpaxos.runtime.config import ClusterConfig, ReplicaConfig
from genpaxos.runtime.connections import dealer

pytestmark = pytest.mark.cluster


def config(directory: Path) -> ClusterConfig:
    """One replica that is not there."""
    replica = ReplicaConfig(f"ipc://{directory}/nobody", directory / "0")
    return ClusterConfig("bursts", "genpaxos.examples.bank:Bank", (replica,))


def test_a_burst_leaves_in_portions_and_the_rest_when_the_loop_comes_round(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        async with Client(config(tmp_path)) as client:
            sizes: list[int] = []

            def send(payload: bytes, _to: int | None = None) -> None:
                if wire.is_request(payload):
                    sizes.append(len(wire.proposal(payload)[0].ids))

            monkeypatch.setattr(client._connections, "send", send)
            started = [client.start(Bank.deposit("a", 1)) for _ in range(2 * RUN_OPERATIONS_MAX + 3)]
            assert sizes == [RUN_OPERATIONS_MAX, RUN_OPERATIONS_MAX]
            await asyncio.sleep(0)
            assert sizes == [RUN_OPERATIONS_MAX, RUN_OPERATIONS_MAX, 3]
        for submission in started:
            with pytest.raises(Disconnected):
                await submission

    asyncio.run(scenario())


def test_many_that_are_on_their_way_when_the_client_is_closed_end_as_disconnected(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Client(config(tmp_path)) as client:
            waiting = asyncio.create_task(client.submit_many([Bank.deposit("a", 1)] * 10))
            await asyncio.sleep(0)
        with pytest.raises(Disconnected):
            await waiting

    asyncio.run(scenario())


def test_one_of_many_that_cannot_be_encoded_leaves_the_others_to_be_executed() -> None:
    async def scenario() -> None:
        async with LocalCluster(Bank, replicas=1) as cluster:
            client = await cluster.client()
            listed = [Bank.deposit("a", 1), Bank.deposit("x" * wire.COMMAND_BYTES_MAX, 1), Bank.deposit("a", 2)]
            with pytest.raises(Rejected, match="a command has at most"):
                await client.submit_many(listed)
            assert await client.submit(Bank.balance("a")) == 3

    asyncio.run(scenario())


def test_a_replica_that_goes_away_before_it_is_asked_is_asked_when_it_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    refused: list[int] = []

    class Leaving(zmq.Socket[bytes]):
        def send(self, *arguments: Any, **named: Any) -> Any:
            if not refused:
                refused.append(1)
                raise zmq.Again
            return super().send(*arguments, **named)

    def leaving(context: Any, address: str) -> Any:
        monkeypatch.setattr(context, "_socket_class", Leaving)
        return dealer(context, address)

    with LocalCluster(Bank, replicas=1) as cluster:
        monkeypatch.setattr(query, "dealer", leaving)
        assert query.ask(cluster.config.replicas[0].address, "status")["node"] == 0
    assert refused
