"""What a single fault of a link does to a cluster that is otherwise well."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from genpaxos.examples.bank import Bank
from tests.soak.cluster import SoakCluster

pytestmark = pytest.mark.cluster

HEARD_MS = 500
"""Whoever was heard within this time is heard: a heartbeat comes every 100 ms."""
HEALED_S = 3.0


async def hears(cluster: SoakCluster, node: int, peer: int, within_s: float) -> bool:
    """Whether a replica is seen, within a time, to hear a peer."""
    end_s = asyncio.get_running_loop().time() + within_s
    while asyncio.get_running_loop().time() < end_s:
        rows = await asyncio.to_thread(cluster.status)
        if rows[node]["last_seen_ms"][str(peer)] < HEARD_MS:
            return True
        await asyncio.sleep(0.05)
    return False


@pytest.mark.parametrize("end", ["both ends", "the source's end"])
def test_a_link_that_breaks_is_dialled_anew_and_carries_again(end: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with SoakCluster(Bank, tmp_path, replicas=3) as cluster:
            client = await cluster.client()
            await client.submit(Bank.deposit("alice", 1))
            coordinator = await asyncio.to_thread(cluster.coordinator)
            assert coordinator is not None
            follower = (coordinator + 1) % 3
            link = cluster.network.link(follower, coordinator)
            if end == "both ends":
                link.break_connections()
            else:
                link.break_at_source()
                # The new connection takes the routing id of the dead one over, so that there need not be any silence.
                await asyncio.sleep(2 * HEARD_MS / 1000)
            assert await hears(cluster, coordinator, follower, HEALED_S)

    asyncio.run(scenario())
