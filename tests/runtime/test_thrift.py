"""A client sends its commands to those alone that may vote for them, as soon as replicas have told who they are."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from genpaxos import Client, LocalCluster, connect
from genpaxos.core.ballot import Policy
from genpaxos.examples.bank import Bank
from genpaxos.runtime import wire
from genpaxos.runtime.config import ClusterConfig, ReplicaConfig
from tests.runtime.clusters import agreement, coordinator, rows, wait_until

To = Collection[int] | None


@pytest.fixture
def nowhere(tmp_path: Path) -> ClusterConfig:
    """A cluster of five, none of which runs."""
    replicas = tuple(ReplicaConfig(f"ipc://{tmp_path}/{n}", tmp_path / str(n)) for n in range(5))
    return ClusterConfig("nowhere", "genpaxos.examples.bank:Bank", replicas)


class Watched(Client):
    """Keeps to whom requests went."""

    def watch(self) -> list[To]:
        sent: list[To] = []
        send = self._connections.send

        def noted(payload: bytes, to: To = None) -> None:
            if wire.is_request(payload):
                sent.append(None if to is None else sorted(to))
            send(payload, to)

        self._connections.send = noted  # type: ignore[method-assign]
        return sent


def tell(client: Client, node: int = 0, **more: Any) -> None:
    greeting = {"coordinator": 0, "ballot": [1, 0], "quorum": True, "fault": None, "pinned": [], **more}
    client._on_message(node, wire.dumps(["pong", 1, greeting]))


def with_watched(config: ClusterConfig, scenario: Callable[[Watched, list[To]], Awaitable[None]], **how: Any) -> None:
    async def main() -> None:
        async with Watched(config, **how) as client:
            await scenario(client, client.watch())

    asyncio.run(main())


async def sent_by(client: Client, sent: list[To]) -> To:
    """To whom the next command goes."""
    sent.clear()
    client.start(Bank.deposit("alice", 1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert len(sent) == 1
    return sent[0]


def test_commands_go_to_all_until_the_quorum_is_known_and_then_to_its_members(nowhere: ClusterConfig) -> None:
    async def scenario(client: Watched, sent: list[To]) -> None:
        assert await sent_by(client, sent) is None
        tell(client)
        assert await sent_by(client, sent) is None, "nobody has said who is pinned"
        tell(client, 1, pinned=[0, 1, 3])
        assert await sent_by(client, sent) == [0, 1, 3]
        tell(client, 2)
        assert await sent_by(client, sent) == [0, 1, 3], "one that has not entered the ballot yet knows no better"

    with_watched(nowhere, scenario)


def test_a_home_outside_the_quorum_is_sent_them_too(nowhere: ClusterConfig) -> None:
    async def scenario(client: Watched, sent: list[To]) -> None:
        tell(client, pinned=[0, 1, 3])
        assert await sent_by(client, sent) == [0, 1, 3, 4]

    with_watched(nowhere, scenario, home=4)


def test_the_quorum_of_a_higher_ballot_takes_its_place_and_a_lower_one_does_not(nowhere: ClusterConfig) -> None:
    async def scenario(client: Watched, sent: list[To]) -> None:
        tell(client, pinned=[0, 1, 3], ballot=[3, 0])
        tell(client, pinned=[0, 1, 2], ballot=[2, 0])
        assert await sent_by(client, sent) == [0, 1, 3]
        tell(client, ballot=[4, 0])
        assert await sent_by(client, sent) is None, "whom it pins is not known"
        tell(client, pinned=[0, 2, 4], ballot=[4, 0])
        assert await sent_by(client, sent) == [0, 2, 4]
        tell(client, pinned=[1, 2, 4], ballot=[4, 1], coordinator=1)
        assert await sent_by(client, sent) == [1, 2, 4]

    with_watched(nowhere, scenario)


def test_what_is_not_answered_goes_to_all(nowhere: ClusterConfig) -> None:
    async def scenario(client: Watched, sent: list[To]) -> None:
        tell(client, pinned=[0, 1, 3])
        assert await sent_by(client, sent) == [0, 1, 3]
        sent.clear()
        await asyncio.sleep(0.3)
        assert set(sent) == {None}

    with_watched(nowhere, scenario, retry_s=0.1)


def test_in_classic_ballots_commands_go_to_the_home_alone_as_ever(nowhere: ClusterConfig) -> None:
    async def scenario(client: Watched, sent: list[To]) -> None:
        tell(client)
        assert await sent_by(client, sent) == [0]

    with_watched(replace(nowhere, policy=Policy.CLASSIC), scenario)


@pytest.mark.cluster
@pytest.mark.parametrize("pinned", [True, False], ids=["member", "other"])
def test_the_death_of_a_replica_costs_a_thrifty_client_one_retry_at_most(pinned: bool) -> None:
    with LocalCluster(Bank, replicas=3) as cluster:

        async def main() -> None:
            async with Watched(cluster.config, retry_s=2.0) as client:
                sent = client.watch()
                await client.submit(Bank.deposit("alice", 1))
                leader = coordinator(cluster)
                members = rows(cluster)[leader]["pinned"]
                while (await sent_by(client, sent)) is None:
                    await asyncio.sleep(0.05)
                assert await sent_by(client, sent) == sorted(members)
                cluster.kill(next(n for n in range(3) if n != leader and (n in members) is pinned))
                slowest = 0.0
                for _ in range(150):
                    started_s = time.monotonic()
                    await client.submit(Bank.deposit("alice", 1))
                    slowest = max(slowest, time.monotonic() - started_s)
                    await asyncio.sleep(0.01)
                assert slowest < 2.0, "no retry was needed"

        asyncio.run(main())
        for node in range(3):
            if node not in rows(cluster):
                cluster.restart(node)
        wait_until(lambda: len(rows(cluster)) == 3, "all are back")
        agreement(cluster)


@pytest.mark.cluster
def test_replicas_outside_the_quorum_have_everything_a_moment_later() -> None:
    with LocalCluster(Bank, replicas=3) as cluster:

        async def main() -> None:
            async with connect(cluster.config) as client:
                await client.submit_many([Bank.deposit("alice", 1)] * 2_000)

        asyncio.run(main())
        wait_until(lambda: {row["committed"] for row in rows(cluster).values()} == {2_000}, "all have all", 2.0)
        agreement(cluster)
