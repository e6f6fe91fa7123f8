"""The partial partitions of Omni-Paxos, on the real replicas and with the timing of production.

Source: Ng, Haridi and Carbone, *Omni-Paxos: Breaking the Barriers of Partial Connectivity* (EuroSys 2023), §2: quorum
loss, constrained election, chained. In each of them a fresh command is committed within four election timeouts, and
then ballots come to rest: at most two start in the next twenty.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations

import pytest

from genpaxos.core.ballot import Policy
from genpaxos.core.election import Timing
from genpaxos.core.settings import Settings
from genpaxos.examples.bank import Bank
from genpaxos.simulation.cluster import SimulatedCluster
from genpaxos.simulation.network import Link
from genpaxos.simulation.snapshots import SnapshotRules

ELECTION_MS = Timing().election_ms
RECOVERY_MS = 4 * ELECTION_MS
QUIET_MS = 20 * ELECTION_MS
BALLOTS_MAX = 2


def led(replicas: int, policy: Policy = Policy.LEADER_ORDERED) -> SimulatedCluster:
    """A cluster at rest, coordinated by replica 0."""
    cluster = SimulatedCluster(Bank, Settings(replicas, policy), seed=1)
    cluster.run_for(50)
    cluster.campaign(0)
    cluster.run_for(1_500)
    assert coordinators(cluster) == [0]
    return cluster


def coordinators(cluster: SimulatedCluster) -> list[int]:
    """Who leads the highest ballot anyone has promised."""
    highest = max(replica.acceptor.promised for replica in cluster.alive())
    return [r.node for r in cluster.alive() if r.coordinator.leading and r.coordinator.ballot == highest]


def ballots(cluster: SimulatedCluster) -> int:
    """The number of the highest ballot: how many were started, or more."""
    return max(replica.acceptor.promised for replica in cluster.alive()).number


def keep(cluster: SimulatedCluster, *links: Link) -> None:
    """Only these links are left, in both directions."""
    kept = {one for link in links for one in (link, link[::-1])}
    cluster.cut(link for link in permutations(range(cluster.settings.replicas), 2) if link not in kept)


def answers(cluster: SimulatedCluster, limit_ms: float) -> bool:
    pending = cluster.submit(Bank.deposit("alice", 1))
    return cluster.run_until(lambda: pending.result is not None, limit_ms)


def lag(cluster: SimulatedCluster, node: int, *, behind: int = 5) -> None:
    """Cut a replica off while the others go on without it."""
    cluster.cut(link for link in permutations(range(cluster.settings.replicas), 2) if node in link)
    for _ in range(behind):
        assert answers(cluster, RECOVERY_MS)
    replica = cluster.replicas[node]
    assert replica is not None
    assert replica.history.committed == 0


def quorum_loss(cluster: SimulatedCluster) -> None:
    """Everybody is connected to the last replica and to nobody else; it still hears the coordinator."""
    hub = cluster.settings.replicas - 1
    keep(cluster, *((node, hub) for node in range(hub)))


def quorum_loss_one_way(cluster: SimulatedCluster) -> None:
    """The coordinator is heard by everybody, and hears nobody."""
    cluster.cut((node, 0) for node in range(1, cluster.settings.replicas))


def constrained_election(cluster: SimulatedCluster) -> None:
    """The coordinator is gone for everybody; only the last replica has a quorum, and it is behind."""
    hub = cluster.settings.replicas - 1
    lag(cluster, hub)
    keep(cluster, *((node, hub) for node in range(1, hub)))


def chained(cluster: SimulatedCluster) -> None:
    """Each replica is connected to its neighbours only; the coordinator is at one end."""
    keep(cluster, *((node, node + 1) for node in range(cluster.settings.replicas - 1)))


@pytest.mark.parametrize("policy", list(Policy))
@pytest.mark.parametrize("replicas", [3, 5])
@pytest.mark.parametrize("partition", [quorum_loss, quorum_loss_one_way, constrained_election, chained])
def test_a_partial_partition_is_survived_and_ballots_come_to_rest(
    partition: Callable[[SimulatedCluster], None], replicas: int, policy: Policy
) -> None:
    cluster = led(replicas, policy)
    partition(cluster)
    end_ms = cluster.now_ms + RECOVERY_MS
    assert answers(cluster, RECOVERY_MS)
    cluster.run_for(end_ms - cluster.now_ms)
    before = ballots(cluster)
    cluster.run_for(QUIET_MS)
    assert ballots(cluster) - before <= BALLOTS_MAX
    assert answers(cluster, RECOVERY_MS), "and it goes on working"


def test_the_hub_of_a_star_replaces_a_coordinator_that_it_still_hears() -> None:
    cluster = led(5)
    quorum_loss(cluster)
    assert answers(cluster, RECOVERY_MS)
    cluster.run_for(QUIET_MS)
    assert coordinators(cluster) == [4]


def test_the_only_one_with_a_quorum_leads_although_it_was_behind() -> None:
    cluster = led(5)
    constrained_election(cluster)
    assert answers(cluster, RECOVERY_MS)
    assert coordinators(cluster) == [4]
    replica = cluster.replicas[4]
    assert replica is not None
    assert replica.history.committed >= 5


def test_the_coordinator_at_the_end_of_a_short_chain_stays() -> None:
    cluster = led(3)
    chained(cluster)
    cluster.run_for(QUIET_MS)
    assert coordinators(cluster) == [0]


def test_without_a_quorum_nothing_is_committed_and_no_ballot_is_started() -> None:
    cluster = led(5)
    keep(cluster, (0, 1), (2, 3))
    before = ballots(cluster)
    assert not answers(cluster, QUIET_MS)
    assert ballots(cluster) == before


def test_a_state_is_asked_of_another_when_its_sender_no_longer_hears() -> None:
    """A cut in one direction: the sender is heard all the while, so its silence about the state says nothing."""
    cluster = SimulatedCluster(Bank, Settings(3), seed=1, snapshots=SnapshotRules(3, chunk_bytes=20))
    cluster.run_for(50)
    cluster.campaign(0)
    lag(cluster, 2, behind=9)
    cluster.cut([])
    replica = cluster.replicas[2]
    assert replica is not None
    while replica.assembly.sender is None:
        cluster.run_for(0.1)
    sender = replica.assembly.sender
    assert sender is not None
    cluster.cut([(2, sender)])
    assert cluster.run_until(lambda: replica.history.committed >= 9, RECOVERY_MS)
