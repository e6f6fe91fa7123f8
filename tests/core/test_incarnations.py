"""Rejoining after the loss of stable storage: a replica comes back as a new incarnation, or not at all."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genpaxos.core.ballot import CLASSIC, ZERO, Ballot, FastQuorums, Policy
from genpaxos.core.incarnations import LOWEST, outdated
from genpaxos.core.messages import (
    Phase1a,
    Phase1b,
    Phase2a,
    Phase2b,
    Rejoin,
    RejoinAck,
)
from genpaxos.core.records import Readmitted, Rejoining
from genpaxos.examples.bank import Bank
from tests.core.bench import Bench
from tests.core.test_replica import COMMANDS, act, events
from tests.core.test_snapshot import POLICIES, assert_same, isolate, run


def lost(node: int, replicas: int = 3, **options: Any) -> Bench:
    """A replica that has lost its disk, in a cluster that has run three commands; it has said nothing yet."""
    bench = Bench(replicas, **options).led_by(0)
    run(bench, 3)
    bench.lose(node)
    return bench


def acknowledge(bench: Bench, node: int, by: list[int]) -> None:
    """The exchange of one announcement with some of the others."""
    replica = bench[node]
    announcement = replica.incarnations.announcement()
    assert announcement is not None
    bench.hand_over([(node, peer, announcement[0]) for peer in by])
    bench.deliver(None, node, RejoinAck)


@pytest.mark.parametrize(("policy", "fast"), POLICIES)
def test_a_replica_that_lost_its_disk_comes_back_and_holds_what_the_others_hold(
    policy: Policy, fast: FastQuorums
) -> None:
    bench = lost(2, policy=policy, fast=fast)
    assert bench[2].incarnations.rejoining
    bench.run_for(1500)
    assert not bench[2].incarnations.rejoining
    assert [bench[node].incarnations.known for node in range(3)] == [[0, 0, 1]] * 3
    run(bench, 2)
    bench.run_for(300)
    assert_same(bench)
    assert bench.cents(2) == {"alice": 5}


def test_the_coordinator_itself_comes_back_under_the_coordinator_that_followed_it() -> None:
    bench = lost(0)
    bench.run_for(2500)
    assert not bench[0].incarnations.rejoining
    run(bench, 2)
    bench.run_for(300)
    assert_same(bench)


def test_it_comes_back_by_a_snapshot_where_the_log_is_cut() -> None:
    bench = Bench(chunk_bytes=100).led_by(0)
    run(bench, 5)
    for node in (0, 1):
        bench.take_snapshot(node, times=2)
    bench.lose(2)
    bench.run_for(2000)
    assert not bench[2].incarnations.rejoining
    assert bench[2].history.base == 5
    assert_same(bench)


def test_until_it_is_back_it_promises_votes_and_coordinates_nothing() -> None:
    bench = lost(1)
    ballot = bench[0].coordinator.ballot
    bench.propose(Bank.deposit("bob", 1), [1])
    bench.step(1, peers=[(2, Phase1a(Ballot(9, 2), 0)), (0, bench[0].coordinator.phase2a(1))])
    said = [type(message) for _, _, message in bench.take(1)]
    assert not {Phase1b, Phase2a, Phase2b, Phase1a} & set(said)
    assert bench[1].acceptor.accepted == ZERO < ballot
    isolate(bench, 0)
    bench.run_for(3000)
    assert bench[1].acceptor.accepted == ZERO
    assert not bench[1].coordinator.leading
    beat = bench[2].election.beats[1]
    assert beat is not None
    assert (beat.heard, beat.quorum) == (0, False), "nobody may count on it for a quorum"


def test_it_enters_no_ballot_that_the_others_had_promised_when_they_acknowledged() -> None:
    """It may have voted there: only a ballot above all those, whose phase 1 went without it, is safe."""
    bench = lost(1)
    ballot = bench[0].coordinator.ballot
    acknowledge(bench, 1, [0, 2])
    assert bench[1].incarnations.floor == ballot
    bench.flights.clear()
    bench.step(1, peers=[(0, bench[0].coordinator.phase2a(1))])
    assert bench[1].acceptor.accepted == ZERO
    bench.run_for(400)
    assert bench[1].acceptor.accepted == bench[0].coordinator.ballot > ballot


def test_one_acknowledgement_is_no_quorum() -> None:
    bench = lost(1, 5)
    acknowledge(bench, 1, [0, 2])
    assert bench[1].incarnations.floor == ZERO
    acknowledge(bench, 1, [4])
    assert bench[1].incarnations.floor == bench[0].coordinator.ballot


def test_an_acknowledgement_is_on_the_disk_before_it_leaves() -> None:
    bench = lost(1)
    bench.step(0, peers=[(1, Rejoin(1, ZERO))])
    assert Readmitted(1, 1) in bench.disks[0]
    bench.crash(0)
    bench.restart(0)
    assert bench[0].incarnations.known == [0, 1, 0]
    assert not bench[0].incarnations.admits(1, 0, Phase2b(Ballot(1, 0), [], [], 1))


def test_what_others_have_written_down_survives_in_their_snapshots() -> None:
    bench = lost(1)
    acknowledge(bench, 1, [0, 2])
    bench.run_for(500)
    for node in range(3):
        bench.take_snapshot(node)
        bench.crash(node)
        bench.restart(node)
        assert bench[node].incarnations.known == [0, 1, 0]
    assert not bench[1].incarnations.rejoining, "it has entered a ballot, and its snapshot says so"


def test_a_rejoining_replica_that_has_a_snapshot_but_no_ballot_is_still_rejoining_after_a_crash() -> None:
    bench = Bench().led_by(0)
    run(bench, 5)
    for node in (0, 1):
        bench.take_snapshot(node, times=2)
    bench.lose(2)
    bench.step(2, peers=[(0, bench._chunk(0, 0))])
    assert bench[2].history.base == 5
    bench.crash(2)
    bench.restart(2)
    assert bench[2].incarnations.rejoining
    bench.step(2, peers=[(1, Phase1a(Ballot(9, 1), 0))])
    assert not bench.take(2, 1, Phase1b)
    bench.run_for(2000)
    assert_same(bench)


@pytest.mark.parametrize("after_ms", [1, 61, 130, 250, 400])
def test_a_rejoining_replica_that_crashes_goes_on_where_it_was(after_ms: int) -> None:
    bench = lost(2)
    bench.run_for(after_ms)
    bench.crash(2)
    bench.restart(2)
    bench.run_for(2000)
    assert not bench[2].incarnations.rejoining
    run(bench, 1)
    bench.run_for(300)
    assert_same(bench)


def test_a_replica_that_loses_its_disk_twice_is_yet_another_incarnation() -> None:
    bench = lost(2)
    bench.run_for(150)
    bench.lose(2)
    bench.run_for(1500)
    assert bench[0].incarnations.known == [0, 0, 2]
    assert_same(bench)


def test_messages_of_a_former_incarnation_are_not_taken() -> None:
    bench = Bench().led_by(0)
    run(bench, 3)
    bench.propose(Bank.deposit("bob", 1), [1])
    [vote] = bench.take(1, 0, Phase2b)
    bench.lose(1)
    acknowledge(bench, 1, [0, 2])
    bench.propose(Bank.deposit("bob", 1), [0], "c:4")
    bench.hand_over([vote])
    assert not bench[0].learner.learned_fast("c:4")
    assert bench[0].history.committed == 3
    bench.run_for(900)
    assert_same(bench)


def test_of_a_later_incarnation_only_that_it_is_one_is_taken_before_it_is_known() -> None:
    bench = Bench().led_by(0)
    incarnations = bench[0].incarnations
    assert not incarnations.admits(1, 1, Phase2b(Ballot(1, 0), [], [], 1))
    assert incarnations.admits(1, 1, Rejoin(1, ZERO))


def test_a_choice_that_rests_on_a_lost_vote_is_found_by_the_ballot_that_goes_without_it() -> None:
    """Chosen by 0 and the former 1. Had the new 1 answered phase 1, its empty report could have hidden it."""
    bench = Bench().led_by(0)
    bench.propose(Bank.deposit("bob", 1), [0, 1])
    bench.deliver(1, 0)
    assert bench[0].executor.applied == 1, "learned by 0, with the vote of 1"
    bench.flights.clear()
    bench.lose(1)
    isolate(bench, 0)
    bench.run_for(3000)
    assert not bench[1].coordinator.leading
    assert not bench[2].coordinator.leading, "two that know nothing of it are no quorum"
    bench.cut.clear()
    bench.run_for(2500)
    assert_same(bench)
    assert bench.cents(2) == {"bob": 1}


def test_a_report_of_a_former_incarnation_does_not_count_once_another_report_tells_of_the_new_one() -> None:
    def report(*incarnations: int) -> Phase1b:
        return Phase1b(Ballot(5, 0), ZERO, CLASSIC, 0, 1, [], [], [], incarnations)

    assert outdated({0: report(), 1: report(), 2: report(0, 0, 1)}) == []
    assert outdated({0: report(0, 0, 1), 2: report()}) == [2]
    assert outdated({0: report(0, 2, 0), 1: report(0, 1, 0), 2: report()}) == [1]


def test_phase_1_takes_no_report_of_an_incarnation_that_is_over_whichever_comes_first() -> None:
    for first in ("old", "witness"):
        bench = Bench(5).led_by(0)
        bench.campaign(4)
        asked = bench.take(4, kind=Phase1a)
        bench.hand_over([flight for flight in asked if flight[1] == 3])
        old = bench.take(3, 4, Phase1b)
        bench.lose(3)
        acknowledge(bench, 3, [0, 1, 2])
        bench.hand_over([flight for flight in asked if flight[1] == 0])
        witness = bench.take(0, 4, Phase1b)
        bench.hand_over(old + witness if first == "old" else witness + old)
        assert not bench[4].coordinator.leading
        assert 3 in bench[4].coordinator.promises.unanswered(5)


# Two at once --------------------------------------------------------------------------------------------------------


def test_two_replicas_of_five_come_back_at_once() -> None:
    bench = Bench(5).led_by(0)
    run(bench, 3)
    bench.lose(3)
    bench.lose(4)
    bench.run_for(2500)
    assert not bench[3].incarnations.rejoining
    assert not bench[4].incarnations.rejoining
    assert bench[0].incarnations.known == [0, 0, 0, 1, 1]
    run(bench, 2)
    bench.run_for(300)
    assert_same(bench)


def test_a_replica_that_is_rejoining_vouches_for_no_other() -> None:
    bench = lost(3, 5)
    bench.lose(4)
    bench.step(3, peers=[(4, Rejoin(1, ZERO))])
    assert not bench.take(3, 4, RejoinAck)
    assert bench[3].incarnations.known == [0, 0, 0, 1, 1]


def test_two_of_three_that_lost_their_disks_do_not_come_back() -> None:
    """No majority is left that forgot nothing: to go on would be to guess."""
    bench = lost(1)
    bench.lose(2)
    bench.run_for(3000)
    assert bench[1].incarnations.rejoining
    assert bench[2].incarnations.rejoining
    assert not any(bench[node].coordinator.leading for node in (1, 2))


def test_an_acknowledgement_by_what_is_now_a_former_incarnation_counts_no_more() -> None:
    """1 acknowledges 3, then loses its disk; 0 acknowledges the new 1 before it hears of 3. So the new 1 knows nothing
    of 3, and 3 must not rest on what the former 1 wrote down: phase 1 could go through 1 with a report of the former 3.
    """
    bench = lost(3, 5)
    acknowledge(bench, 3, [1])
    bench.lose(1)
    bench.step(0, peers=[(1, Rejoin(1, ZERO))])
    acknowledge(bench, 3, [0, 2])
    incarnations = bench[3].incarnations
    assert incarnations.known[1] == 1, "told by 0"
    assert incarnations.floor == ZERO
    acknowledge(bench, 3, [4])
    assert incarnations.floor != ZERO


def test_an_acknowledgement_of_a_former_incarnation_that_comes_late_does_not_count() -> None:
    bench = lost(3, 5)
    incarnations = bench[3].incarnations
    bench.step(3, peers=[(0, RejoinAck(1, Ballot(1, 0), [0, 1, 0, 1, 0]))])
    bench.step(
        3, peers=[(1, RejoinAck(1, Ballot(1, 0), [0, 0, 0, 1, 0])), (2, RejoinAck(1, Ballot(1, 0), [0, 0, 0, 1, 0]))]
    )
    assert incarnations.floor == ZERO
    bench.step(3, peers=[(1, RejoinAck(1, Ballot(1, 0), [0, 1, 0, 1, 0]))])
    assert incarnations.floor == Ballot(1, 0)


def test_an_acknowledgement_for_another_incarnation_does_not_count() -> None:
    bench = lost(2)
    bench.lose(2)
    bench.step(2, peers=[(0, RejoinAck(1, Ballot(1, 0), [0, 0, 1])), (1, RejoinAck(1, Ballot(1, 0), [0, 0, 1]))])
    assert bench[2].incarnations.floor == ZERO


def test_a_cluster_that_never_had_a_ballot_has_a_floor_below_every_ballot() -> None:
    bench = Bench()
    bench.lose(2)
    acknowledge(bench, 2, [0, 1])
    assert bench[2].incarnations.floor == LOWEST
    bench.run_for(2500)
    run(bench, 1)
    bench.run_for(300)
    assert_same(bench)


def test_the_record_of_a_replica_comes_first_in_its_snapshot() -> None:
    bench = lost(2)
    bench.run_for(1500)
    bench.take_snapshot(2)
    stored = bench.snapshots[2]
    assert stored is not None
    assert stored.snapshot.records[0] == Rejoining(1)


# Any order of events ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", [Policy.LEADER_ORDERED, Policy.CLASSIC, Policy.COORDINATED])
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(
    events=events,
    losses=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 4)), max_size=4),
    cuts=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 4)), max_size=8),
)
def test_whatever_happens_a_minority_may_lose_its_disks(
    policy: Policy, events: list[tuple[str, Any, Any]], losses: list[tuple[int, int]], cuts: list[tuple[int, int]]
) -> None:
    """At most two of five are coming back at a time; in the end all hold everything that was proposed, once."""
    bench = Bench(5, policy).led_by(0)
    for at, event in enumerate(events):
        for when, which in losses:
            coming = [n for n in range(5) if n not in bench.up or bench[n].incarnations.rejoining]
            if when == at and len({*coming, which}) <= 2:
                bench.lose(which)
        for when, which in cuts:
            if when == at and which in bench.up:
                bench.take_snapshot(which, times=2)
        act(bench, *event)
    bench.unsynced.clear()
    for which in set(range(5)) - set(bench.up):
        bench.restart(which)
    bench.run_for(2500)
    proposed = sorted({event[1] for event in events if event[0] == "propose"})
    for number in proposed:
        bench.propose(COMMANDS[number], name=f"c:{number + 1}")
    bench.run_for(3000)
    assert not any(bench[which].incarnations.rejoining for which in range(5))
    assert_same(bench)
    assert bench[0].history.committed == len(proposed)
