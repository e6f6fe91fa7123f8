"""Elections by quorum-connectedness: the partitions of the Omni-Paxos paper, one-way links, and no thrashing.

Ng, Haridi and Carbone, *Omni-Paxos: Breaking the Barriers of Partial Connectivity* (EuroSys 2023).
"""

from __future__ import annotations

from itertools import permutations

import pytest

from genpaxos.core.ballot import ZERO, Ballot
from genpaxos.core.election import Election, Timing
from genpaxos.core.messages import Heartbeat
from genpaxos.core.quorum import QuorumSystem, mask_of
from genpaxos.core.settings import Settings
from genpaxos.examples.bank import Bank
from genpaxos.simulation.cluster import SimulatedCluster

B1 = Ballot(1, 0)


def election(node: int, replicas: int = 3, now_ms: float = 0.0) -> Election:
    return Election(node, QuorumSystem.majority(replicas), Timing(), tuple(range(replicas)), now_ms)


def beat(
    promised: Ballot = B1, *, leading: bool = False, quorum: bool = True, heard: int = 0b111, follows: bool = False
) -> Heartbeat:
    return Heartbeat(promised, promised, 0, 0, leading, quorum, heard, follows)


def hear(made: Election, sender: int, message: Heartbeat, now_ms: float) -> None:
    made.heard(sender, now_ms)
    made.on_heartbeat(sender, message, now_ms)


def test_a_replica_that_is_heard_no_more_counts_as_gone_after_an_election_time() -> None:
    made = election(0)
    hear(made, 1, beat(), 100.0)
    assert made.heard_mask(599.0) == 0b011
    assert made.heard_mask(600.0) == 0b001


def test_connected_means_that_both_hear_each_other() -> None:
    made = election(0)
    hear(made, 1, beat(heard=0b110), 0.0)
    assert made.connected_mask(1.0) == 0b001
    assert not made.has_quorum(1.0)
    hear(made, 1, beat(heard=0b011), 2.0)
    assert made.has_quorum(3.0)


def test_without_a_quorum_nobody_campaigns() -> None:
    made = election(0)
    assert not made.should_campaign(False, 10_000.0)


def test_the_first_in_rank_campaigns_first_and_the_others_wait() -> None:
    makers = [election(node) for node in range(3)]
    for made in makers:
        for peer in range(3):
            if peer != made._node:
                hear(made, peer, beat(ZERO), 0.0)
    assert [made.should_campaign(False, 150.0) for made in makers] == [True, False, False]
    assert [made.should_campaign(False, 250.0) for made in makers] == [True, True, False]
    assert [made.should_campaign(False, 450.0) for made in makers] == [True, True, True]


def test_the_head_start_of_the_first_counts_from_when_a_quorum_is_connected() -> None:
    """However long the others took to come up: else whoever is nearest to a majority would be the first."""
    made = election(1)
    assert not made.should_campaign(False, 3_000.0)
    for peer in (0, 2):
        hear(made, peer, beat(ZERO), 3_010.0)
    assert not made.should_campaign(False, 3_100.0)
    assert made.should_campaign(False, 3_250.0)


def test_a_coordinator_that_is_heard_and_has_a_quorum_is_followed() -> None:
    made = election(1)
    hear(made, 0, beat(leading=True), 1000.0)
    hear(made, 2, beat(), 1000.0)
    assert made.hears_coordinator(1400.0)
    assert not made.should_campaign(False, 1400.0)


@pytest.mark.parametrize("wrong", [{"leading": False}, {"leading": True, "quorum": False}])
def test_one_that_does_not_lead_or_has_lost_its_quorum_is_replaced_although_it_is_heard(wrong: dict[str, bool]) -> None:
    made = election(1)
    for now_ms in (0.0, 400.0, 800.0, 1200.0):
        hear(made, 0, beat(leading=wrong["leading"], quorum=wrong.get("quorum", True)), now_ms)
        hear(made, 2, beat(), now_ms)
    assert not made.hears_coordinator(1200.0)
    assert made.should_campaign(False, 1200.0)


def test_nobody_campaigns_while_a_neighbour_with_a_quorum_vouches_for_the_coordinator() -> None:
    """The chained partition: one cut link beside a working coordinator starts no election."""
    made = election(2)
    for now_ms in range(0, 3000, 100):
        hear(made, 1, beat(follows=True), float(now_ms))
        assert not made.should_campaign(False, now_ms + 1.0)


def test_a_new_ballot_gets_one_election_time_to_get_going() -> None:
    made = election(1)
    hear(made, 2, beat(ZERO), 1000.0)
    made.saw_ballot(Ballot(4, 0), 1000.0)
    assert not made.should_campaign(False, 1400.0)
    hear(made, 2, beat(ZERO), 1450.0)
    assert made.should_campaign(False, 1500.0)


def test_the_next_ballot_is_above_all_that_was_seen_and_its_own() -> None:
    made = election(1)
    made.saw_ballot(Ballot(4, 0), 0.0)
    assert made.next_ballot(Ballot(7, 2)) == Ballot(8, 1)
    assert made.next_ballot(ZERO) == Ballot(5, 1)


@pytest.mark.parametrize("preference", [(0, 1, 2), (1, 0, 2)])
def test_the_preference_decides_who_is_first(preference: tuple[int, ...]) -> None:
    cluster = SimulatedCluster(Bank, Settings(3, preference=preference), seed=1)
    cluster.run_for(1000)
    assert coordinators(cluster) == [preference[0]]


# Partitions ---------------------------------------------------------------------------------------------------------


def started(replicas: int = 5, seed: int = 1) -> SimulatedCluster:
    """A cluster that replica 0 coordinates, because it was the first to try."""
    cluster = SimulatedCluster(Bank, Settings(replicas), seed=seed)
    cluster.run_for(50)
    cluster.campaign(0)
    cluster.run_for(2000)
    assert coordinators(cluster) == [0]
    return cluster


def coordinators(cluster: SimulatedCluster) -> list[int]:
    """Who leads the highest ballot anyone has promised."""
    highest = max(replica.acceptor.promised for replica in cluster.alive())
    return [r.node for r in cluster.alive() if r.coordinator.leading and r.coordinator.ballot == highest]


def ballots(cluster: SimulatedCluster) -> int:
    return max(replica.acceptor.promised for replica in cluster.alive()).number


def keep_only(cluster: SimulatedCluster, *links: tuple[int, int]) -> None:
    """Cut every link but these, in both directions."""
    kept = {link for a, b in links for link in ((a, b), (b, a))}
    cluster.cut(link for link in permutations(range(cluster.settings.replicas), 2) if link not in kept)


def answers(cluster: SimulatedCluster, limit_ms: float = 4000, to: tuple[int, ...] = ()) -> bool:
    """Whether a command gets through now."""
    pending = cluster.submit(Bank.deposit("alice", 1), to=to)
    return cluster.run_until(lambda: pending.result is not None, limit_ms)


def test_quorum_loss_the_hub_takes_over_from_a_coordinator_that_is_alive_but_has_no_quorum() -> None:
    """Omni-Paxos, *quorum loss*: only replica 2 is connected to a quorum; the coordinator is heard by it, yet
    replaced.
    """
    cluster = started()
    keep_only(cluster, (2, 0), (2, 1), (2, 3), (2, 4))
    assert answers(cluster)
    cluster.run_for(1500)
    assert coordinators(cluster) == [2]


def test_constrained_election_one_with_an_outdated_log_can_still_become_coordinator() -> None:
    """Omni-Paxos, *constrained election*: the coordinator is gone, and only replica 2 has a quorum, although it missed
    the newest commands.
    """
    cluster = started()
    cluster.cut({(0, 2), (1, 2), (3, 2), (4, 2)})
    assert all(answers(cluster) for _ in range(3))
    assert cluster.replicas[2] is not None
    assert cluster.replicas[2].history.committed < 3
    keep_only(cluster, (2, 1), (2, 3), (2, 4))
    assert answers(cluster)
    assert coordinators(cluster) == [2]
    assert cluster.replicas[2].history.committed >= 3


def test_chained_a_cut_link_beside_a_working_coordinator_starts_no_election() -> None:
    """Omni-Paxos, *chained*: 0 – 1 – 2 with the link 0 – 2 cut. Elections by reachability livelock here, each end
    deposing the other.
    """
    cluster = started(3)
    before = ballots(cluster)
    cluster.cut({(0, 2), (2, 0)})
    cluster.run_for(6000)
    assert coordinators(cluster) == [0]
    assert ballots(cluster) - before <= 1, "at most the pinned quorum is named anew"
    assert answers(cluster, to=(0, 1))


def test_a_longer_chain_keeps_its_coordinator_or_gets_one_that_stays() -> None:
    """0 – 1 – 2 – 3 – 4: 0 loses its quorum; one of the middle takes over, and stays."""
    cluster = started()
    keep_only(cluster, (0, 1), (1, 2), (2, 3), (3, 4))
    assert answers(cluster, 6000)
    cluster.run_for(3000)
    settled, before = coordinators(cluster), ballots(cluster)
    cluster.run_for(5000)
    assert coordinators(cluster) == settled
    assert ballots(cluster) == before


@pytest.mark.parametrize("link", [(0, 1), (1, 0), (0, 2), (2, 0), (1, 2), (2, 1)])
def test_a_one_way_link_makes_no_elections_thrash(link: tuple[int, int]) -> None:
    """Bug pattern 14. Whichever direction fails, commands get through, and ballots come to rest."""
    cluster = started(3)
    before = ballots(cluster)
    cluster.cut({link})
    cluster.run_for(8000)
    assert ballots(cluster) - before <= 2
    settled = ballots(cluster)
    assert answers(cluster)
    cluster.run_for(4000)
    assert ballots(cluster) == settled


@pytest.mark.parametrize("direction", ["out", "in"])
def test_a_coordinator_that_is_only_heard_or_only_hears_is_replaced_once(direction: str) -> None:
    cluster = started()
    others = [1, 2, 3, 4]
    cluster.cut({(0, n) for n in others} if direction == "out" else {(n, 0) for n in others})
    before = ballots(cluster)
    cluster.run_for(6000)
    assert coordinators(cluster) == [1]
    assert ballots(cluster) - before <= 2
    assert answers(cluster)
    cluster.cut(())
    cluster.run_for(3000)
    assert coordinators(cluster) == [1], "who comes back does not take over"


def test_without_a_quorum_nobody_leads_and_with_one_again_somebody_does() -> None:
    cluster = started(3)
    cluster.crash(1)
    cluster.crash(2)
    before = ballots(cluster)
    assert not answers(cluster, 3000)
    assert ballots(cluster) == before, "no ballot is started in vain"
    cluster.restart(2)
    assert answers(cluster)


def test_ballots_rest_while_nothing_fails() -> None:
    cluster = started()
    before = ballots(cluster)
    cluster.run_for(20_000)
    assert ballots(cluster) == before


def test_masks_say_who_is_heard() -> None:
    cluster = started(3)
    replica = cluster.replicas[1]
    assert replica is not None
    assert replica.election.heard_mask(cluster.processes[1].clock.now_ms) == mask_of([0, 1, 2])
    assert replica.election.connected_mask(cluster.processes[1].clock.now_ms) == 0b111


def test_a_heartbeat_that_was_overtaken_is_not_believed() -> None:
    election = Election(0, QuorumSystem.majority(3), Timing(), range(3), 0.0)
    newer, older = _beat(Ballot(2, 1)), _beat(Ballot(1, 2))
    for beat in (newer, older):
        election.on_heartbeat(1, beat, 10.0)
    assert election.beats[1] is newer
    election.on_heartbeat(1, older, 10.0 + Timing().election_ms)
    assert election.beats[1] is older, "its disk was restored, or lost the end of its journal"
    election.came_back(1, 1)
    election.on_heartbeat(1, _beat(ZERO), 20.0)
    assert election.beats[1] is not None, "it has lost its data, and its promises with it"
    election.came_back(1, 1)
    assert election.beats[1] is not None, "that was known"


def _beat(promised: Ballot) -> Heartbeat:
    return Heartbeat(promised, promised, 0, 0, False, True, 0b111, True)
