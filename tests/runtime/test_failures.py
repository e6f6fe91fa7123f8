"""Commands that raise what they have not declared, against real replicas: nobody stops, and clients hear why."""

from __future__ import annotations

import asyncio
import pickle
import re
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import quantiles
from typing import Any, TypeVar

import pytest

from commutativity import CommutativityTable, Machine, operation
from genpaxos import Client, LocalCluster, NoQuorum, OperationFailed, Unknown, connect
from genpaxos.core.failures import OPERATION_FAILED
from genpaxos.runtime import wire
from genpaxos.runtime.config import ClusterConfig, ReplicaConfig
from tests.runtime.clusters import agreement, rows, wait_until

T = TypeVar("T")


class Shop(Machine):
    """Sells, and breaks."""

    table = CommutativityTable("""
               count  change
        count    .      x
        change   x      x
    """)

    def __init__(self) -> None:
        self.stock: dict[str, int] = {}

    @operation(item="change")
    def take(self, item: str, count: int) -> int:
        """Fails for what is not there, having taken it."""
        self.stock[item] = self.stock.get(item, 0) - count
        if self.stock[item] < 0:
            raise LookupError(f"{item} is out of stock")
        return self.stock[item]

    @operation(item="change")
    def put(self, item: str, count: int) -> None:
        """More of an item."""
        self.stock[item] = self.stock.get(item, 0) + count

    @operation(everything="count")
    def fire(self) -> int:
        """What each replica has to stop for."""
        raise OSError("the shop is on fire" + "!" * 3_000)


def with_client(config: ClusterConfig, scenario: Callable[[Client], Awaitable[T]], **options: Any) -> T:
    async def main() -> T:
        async with connect(config, **options) as client:
            return await scenario(client)

    return asyncio.run(main())


@pytest.mark.cluster
def test_a_hundred_failures_beside_load_stop_nobody_and_delay_nobody_for_long() -> None:
    async def scenario(client: Client) -> list[float]:
        await client.submit(Shop.put("bread", 1))
        waits: list[float] = []
        done = False

        async def load(number: int) -> None:
            while not done:
                began_s = time.monotonic()
                await client.submit(Shop.put(f"item {number}", 1))
                waits.append(time.monotonic() - began_s)

        loads = [asyncio.create_task(load(number)) for number in range(8)]
        for _ in range(50):
            with pytest.raises(OperationFailed, match="take raised LookupError: cake is out of stock") as found:
                await client.submit(Shop.take("cake", 5))
        together = [client.start(Shop.take("bread", 2)) for _ in range(50)]
        ended = await asyncio.gather(*(one.future for one in together), return_exceptions=True)
        assert {type(end) for end in ended} == {OperationFailed}
        assert await client.submit(Shop.take("bread", 1)) == 0, "others of that operation go on"
        done = True
        await asyncio.gather(*loads)
        error = found.value
        assert (error.operation, error.type_name, error.text) == ("take", "LookupError", "cake is out of stock")
        assert error.id
        return waits

    with LocalCluster(Shop, replicas=3) as cluster:
        waits = with_client(cluster.config, scenario)
        assert quantiles(waits, n=100)[98] <= 1.0
        agreement(cluster)
        failed = [row["failed"] for row in rows(cluster).values()]
        assert failed == [100] * 3
        assert all("LookupError" in row["last_failure"] for row in rows(cluster).values())
        cluster.kill(1)
        cluster.restart(1)
        wait_until(lambda: rows(cluster).get(1, {}).get("failed") == 100, "the journal to be replayed")
        with_client(cluster.config, lambda client: client.submit(Shop.put("bread", 1)))
        agreement(cluster)


@pytest.mark.cluster
def test_clients_hear_at_once_why_the_replicas_stopped() -> None:
    async def scenario(client: Client) -> None:
        for command in (Shop.fire(), Shop.put("bread", 1)):
            began_s = time.monotonic()
            with pytest.raises(NoQuorum, match="stopped") as found:
                await client.submit(command, timeout_s=60)
            assert time.monotonic() - began_s < 30
            text = str(found.value)
            assert "OSError: the shop is on fire" + "!" * 3_000 in text
            assert re.search(r"needed; replicas? [0-2, ]+: MachineFaultError: Shop\.fire\(\)", text)

    with LocalCluster(Shop, replicas=3) as cluster:
        with_client(cluster.config, scenario)
        stopped = [row for row in rows(cluster).values() if row["role"] == "stopped"]
        assert len(stopped) >= 2
        assert all("!" * 3_000 in row["error"] for row in stopped)


# Without replicas ---------------------------------------------------------------------------------------------------


@pytest.fixture
def nowhere(tmp_path: Path) -> ClusterConfig:
    """A cluster none of whose replicas runs."""
    replicas = tuple(ReplicaConfig(f"ipc://{tmp_path}/{n}", tmp_path / str(n)) for n in range(3))
    return ClusterConfig("nowhere", "genpaxos.examples.bank:Bank", replicas)


def pong(**more: Any) -> bytes:
    greeting = {"coordinator": None, "ballot": [1, 0], "quorum": False, "fault": None, **more}
    return wire.dumps(["pong", 1, greeting])


def test_one_stopped_replica_of_three_is_no_reason_to_give_up(nowhere: ClusterConfig) -> None:
    async def scenario(client: Client) -> None:
        client._on_message(0, pong(fault="it broke."))
        client._on_message(1, pong(quorum=True))
        client._on_message(2, pong(quorum=True))
        with pytest.raises(Unknown, match=r"replica 0: it broke\)\. It may") as found:
            await client.submit(Shop.put("bread", 1), timeout_s=0.2)
        assert not isinstance(found.value, NoQuorum)

    with_client(nowhere, scenario)


def test_when_too_few_replicas_are_left_nobody_is_waited_for(nowhere: ClusterConfig) -> None:
    async def scenario(client: Client) -> None:
        client._on_message(0, pong(fault="it broke."))
        client._on_message(1, pong(fault="so did this."))
        client._on_message(2, pong())
        with pytest.raises(NoQuorum, match="0, 1 stopped; 2 of 3 are needed; replica 0: it broke; replica 1: so did"):
            await client.submit(Shop.put("bread", 1), timeout_s=3_600)
        client._on_message(1, pong(fault="it broke."))
        with pytest.raises(NoQuorum, match=r"needed; replicas 0, 1: it broke\. It may"):
            await client.submit(Shop.put("bread", 1), timeout_s=3_600)
        client._on_message(0, pong(quorum=True))  # started again
        client._on_message(1, pong(quorum=True))
        with pytest.raises(Unknown) as found:
            await client.submit(Shop.put("bread", 1), timeout_s=0.2)
        assert "broke" not in str(found.value)

    with_client(nowhere, scenario)


def test_who_waits_because_commands_keep_failing_is_told_so(nowhere: ClusterConfig) -> None:
    async def scenario(client: Client) -> None:
        for node in range(3):
            client._on_message(node, pong(quorum=True, held={"take": "commands of 'take' are taken in slowly"}))
        with pytest.raises(Unknown, match="commands of 'take' are taken in slowly"):
            await client.submit(Shop.take("bread", 1), timeout_s=0.2)
        with pytest.raises(Unknown) as found:
            await client.submit(Shop.put("bread", 1), timeout_s=0.2)
        assert "slowly" not in str(found.value)

    with_client(nowhere, scenario)


def test_a_failure_keeps_its_fields(nowhere: ClusterConfig) -> None:
    async def scenario(client: Client) -> OperationFailed:
        started = client.start(Shop.take("bread", 1))
        result = [OPERATION_FAILED, "shop.errors.Empty: no bread: none at all"]
        client._on_message(0, wire.dumps(["reply", [started.id], [result]]))
        with pytest.raises(OperationFailed) as found:
            await started
        assert found.value.id == started.id
        return found.value

    error = with_client(nowhere, scenario)
    for failed in (error, pickle.loads(pickle.dumps(error))):
        assert (failed.operation, failed.type_name) == ("take", "shop.errors.Empty")
        assert failed.text == "no bread: none at all"
