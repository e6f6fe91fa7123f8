"""A replica that missed much comes back over slow links: what it missed is sent about once, and commands go on."""

from __future__ import annotations

import pytest

from genpaxos.core.ballot import Policy
from genpaxos.core.messages import Bodies
from genpaxos.core.serving import CHUNK_BYTES_MAX
from genpaxos.core.settings import Settings
from genpaxos.examples.register import Registers
from genpaxos.simulation.cluster import SimulatedCluster
from genpaxos.simulation.network import CALM, Weather, wire_bytes
from genpaxos.simulation.snapshots import NO_SNAPSHOTS, SnapshotRules

RATE = 2_000.0
"""Bytes per millisecond: a chunk takes a quarter of a second, four retry intervals."""
TEXT = "x" * 30_000
REPEATED = 5
"""Chunks sent again before it is known how long one takes."""


def world(policy: Policy, replicas: int, missing: int, commands: int, snapshots: SnapshotRules) -> SimulatedCluster:
    """A cluster that executed so many large commands without one replica, on links that are slow from now on."""
    settings = Settings(replicas, policy, settle_commands=8)
    cluster = SimulatedCluster(Registers, settings, seed=1, snapshots=snapshots)
    assert cluster.run_until(cluster.leads, 2_000)
    cluster.run_for(500)
    assert cluster.replicas[0] is not None
    assert cluster.replicas[0].coordinator.leading
    cluster.crash(missing)
    cluster.run_for(1_500)
    calls = [cluster.submit(Registers.write("a", f"{n}{TEXT}")) for n in range(commands)]
    assert cluster.run_until(lambda: all(call.result is not None for call in calls), 20_000)
    cluster.run_for(200)
    cluster.network.weather = Weather(delay_ms=CALM.delay_ms, bytes_per_ms=RATE)
    return cluster


def back(cluster: SimulatedCluster, missing: int) -> tuple[float, int, list[float]]:
    """Let it come back: how long that takes, how many bytes of catch-up are sent, how long commands take meanwhile."""
    before = {replica.node: replica.serving.served_bytes for replica in cluster.alive()}
    committed = max(replica.history.committed for replica in cluster.alive())
    cluster.restart(missing)
    start_ms, latencies = cluster.now_ms, []
    while (lagging := cluster.replicas[missing]) is None or lagging.history.committed < committed:
        assert cluster.now_ms - start_ms < 60_000, "it does not come back"
        call = cluster.submit(Registers.read("b"))
        assert cluster.run_until(lambda call=call: call.result is not None, 5_000)  # type: ignore[misc]
        assert call.answered_ms is not None
        latencies.append(call.answered_ms - call.invoked_ms)
        cluster.run_for(20)
    served = sum(replica.serving.served_bytes - before.get(replica.node, 0) for replica in cluster.alive())
    return cluster.now_ms - start_ms, served, latencies


@pytest.mark.parametrize("policy", [Policy.LEADER_ORDERED, Policy.CLASSIC])
@pytest.mark.parametrize(("replicas", "missing"), [(3, 2), (3, 0), (5, 4)], ids=["one", "coordinator", "of-five"])
def test_what_a_replica_missed_is_sent_about_once(policy: Policy, replicas: int, missing: int) -> None:
    cluster = world(policy, replicas, missing, 300, NO_SNAPSHOTS)
    took_ms, served, latencies = back(cluster, missing)
    missed = 300 * len(TEXT)
    assert missed * 0.9 < served < missed * 1.05 + REPEATED * CHUNK_BYTES_MAX
    assert took_ms < 2.5 * missed / RATE
    assert sorted(latencies)[len(latencies) * 9 // 10] < 100


def test_a_state_is_sent_about_once_as_well() -> None:
    cluster = world(Policy.LEADER_ORDERED, 3, 2, 300, SnapshotRules(100, (5.0, 5.0)))
    took_ms, served, _ = back(cluster, 2)
    assert served < 150 * len(TEXT) + REPEATED * CHUNK_BYTES_MAX
    assert took_ms < 10_000


def test_a_link_carries_what_it_can() -> None:
    cluster = SimulatedCluster(Registers, Settings(3), seed=1, weather=Weather(delay_ms=(1, 1), bytes_per_ms=10.0))
    arrived: list[float] = []
    message = cluster.submit(Registers.write("a", "x" * 1_000))
    assert message.result is None
    start_ms = cluster.now_ms
    for _ in range(3):
        cluster.network.send(0, 1, lambda _sender, _message: arrived.append(cluster.now_ms - start_ms), _bodies(900))
    cluster.run_for(1_000)
    size = wire_bytes(_bodies(900))
    assert arrived == pytest.approx([size / 10 + 1, 2 * size / 10 + 1, 3 * size / 10 + 1])


def _bodies(size: int) -> Bodies:
    return Bodies(["c:1"], [["write", ["x" * size], 0]])
