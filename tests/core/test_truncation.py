"""What is cut off stays what it was: exactly once, across ballots, in flat memory (protocol §8)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genpaxos.core.answers import FORGOTTEN
from genpaxos.core.ballot import FastQuorums, Policy
from genpaxos.core.messages import (
    Bodies,
    Fetch,
    Phase1a,
    Phase1b,
    Phase2b,
    Propose,
    SnapshotChunk,
)
from genpaxos.core.quorum import EVERYBODY
from genpaxos.examples.bank import Bank
from tests.core.bench import Bench, body
from tests.core.test_replica import COMMANDS, act, events
from tests.core.test_snapshot import POLICIES, assert_same, behind, isolate, run

# Exactly once across the cut ----------------------------------------------------------------------------------------


def test_a_retry_of_what_is_cut_off_gets_its_first_result_and_does_not_run_again() -> None:
    bench = behind(count=3)
    bench.run_for(900)
    bench.replies.clear()
    for node in range(3):
        bench.propose(Bank.deposit("alice", 1), [node], "c:2")
        assert bench.replies.pop("c:2") == [None, None]
    bench.run_for(300)
    assert_same(bench)
    assert bench.cents(0) == {"alice": 3}


def test_a_retry_of_what_is_cut_off_and_acknowledged_is_told_so() -> None:
    bench = Bench().led_by(0)
    run(bench, 2)
    bench.step(0, clients=[("client", Propose(["c:3"], [body(Bank.deposit("alice", 1), 2)], EVERYBODY))])
    bench.run_for(200)
    bench.take_snapshot(0, times=2)
    bench.propose(Bank.deposit("alice", 1), [0], "c:2")
    assert bench.replies["c:2"] == FORGOTTEN
    bench.run_for(200)
    assert bench.cents(0) == {"alice": 3}


@pytest.mark.parametrize("by", ["votes", "propose", "bodies"])
def test_what_is_cut_off_is_taken_up_again_from_nobody(by: str) -> None:
    """A replica that lags may still have it in its tail or its pool, and send it on."""
    bench = behind()
    ballot, bodies = bench[0].coordinator.ballot, [body(Bank.deposit("alice", 1))]
    message = {
        "votes": Phase2b(ballot, ["c:4"], [7], 0),
        "propose": Propose(["c:4"], bodies),
        "bodies": Bodies(["c:4"], bodies),
    }[by]
    for node in (0, 1):
        bench.step(node, peers=[(2, message)])
    bench.run_for(900)
    assert_same(bench)
    assert bench[0].history.committed == 6


def test_what_lags_in_a_tail_is_not_decreed_again_by_a_coordinator_that_has_cut_it_off() -> None:
    bench = Bench().led_by(0)  # 1 is of the pinned quorum, so it votes
    isolate(bench, 1)
    for name in ("c:2", "c:3"):
        bench.propose(Bank.deposit("alice", 1), [1], name)
    run(bench, 4)
    for other in (0, 2):
        bench.take_snapshot(other, times=2)
    bench.cut.clear()
    bench.flights.clear()
    assert list(bench[1].history.tail) == ["c:2", "c:3"]
    bench.crash(0)
    bench.campaign(2)
    bench.stabilize()
    assert bench[2].coordinator.leading
    bench.run_for(600)
    assert bench.cents(1) == bench.cents(2) == {"alice": 4}
    assert bench[2].history.committed == 4


def test_a_second_command_under_an_acknowledged_number_does_not_keep_a_replica_from_starting() -> None:
    """A client gives number 1 to two commands, and acknowledges it; the acknowledgement runs ahead of the second."""
    bench = Bench().led_by(0)
    bench.propose(Bank.deposit("alice", 1), name="x/c:1")
    bench.run_for(100)
    for node in (0, 1):
        bench.step(node, clients=[("client", Propose(["y/c:1"], [body(Bank.deposit("bob", 1))], EVERYBODY))])
    bench.flights.clear()
    for node in (0, 1):
        bench.step(node, clients=[("client", Propose(["z/c:2"], [body(Bank.deposit("carol", 1), 1)], EVERYBODY))])
    bench.deliver(0, 1)
    assert bench.cents(1) == {"alice": 1, "carol": 1}
    bench.take_snapshot(1)
    bench.crash(1)
    bench.restart(1)
    assert list(bench[1].history.tail) == ["y/c:1", "z/c:2"]
    bench.run_for(900)
    assert_same(bench)
    assert bench.cents(1) == {"alice": 1, "bob": 1, "carol": 1}


# Ballots across the cut ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("policy", "fast"), POLICIES)
def test_a_coordinator_behind_the_cut_of_a_reporter_catches_up_in_phase_1(policy: Policy, fast: FastQuorums) -> None:
    bench = behind(bench=Bench(3, policy, fast))
    bench.propose(Bank.deposit("bob", 1), [0, 1])
    bench.deliver(0, 1)
    bench.flights.clear()
    bench.crash(0)
    bench.campaign(2)
    bench.run_for(3000)
    assert bench[1].history.committed == bench[2].history.committed
    run(bench, 2)
    bench.run_for(500)
    assert bench.cents(1) == bench.cents(2)
    assert bench.cents(1)["alice"] == 8


def test_a_coordinator_that_installs_a_state_in_phase_1_keeps_what_its_own_report_says() -> None:
    bench = Bench(5).led_by(0)
    isolate(bench, 1)
    bench.propose(Bank.deposit("bob", 1), [1], "d:1")  # its vote: it is of the pinned quorum 0, 1, 2
    run(bench, 4)
    for other in (0, 2, 3, 4):
        bench.take_snapshot(other, times=2)
    bench.cut.clear()
    bench.flights.clear()
    bench.crash(0)
    bench.campaign(1)
    bench.stabilize()
    assert bench[1].coordinator.leading
    assert bench[1].history.base == 4
    bench.run_for(300)
    assert all(bench.cents(node) == {"alice": 4, "bob": 1} for node in (1, 2, 3, 4))


def test_a_coordinator_killed_when_it_stores_a_state_in_phase_1_starts_no_ballot_it_forgets() -> None:
    """Phase 1 ends in the step that installs the state: nothing of the new ballot may be on its disk without it."""
    bench = behind()
    bench.crash(0)
    bench.campaign(2)
    bench.deliver(2, 1, Phase1a)
    bench.deliver(1, 2, Phase1b)
    bench.deliver(2, 1, Fetch)
    bench.uncaptured.add(2)
    bench.deliver(1, 2, SnapshotChunk)
    assert bench.replicas[2] is None
    bench.restart(2)
    assert (bench[2].history.length, bench[2].history.committed) == (0, 0)
    bench.run_for(2500)
    assert bench.cents(1) == bench.cents(2) == {"alice": 6}


def test_an_acceptor_behind_the_cut_joins_the_ballot_of_a_new_coordinator() -> None:
    bench = behind()
    bench.crash(0)
    bench.campaign(1)
    bench.run_for(1500)
    assert bench[1].coordinator.leading
    assert bench[2].acceptor.current
    run(bench, 2)
    bench.run_for(300)
    assert bench.cents(1) == bench.cents(2) == {"alice": 8}


# Memory -------------------------------------------------------------------------------------------------------------


def test_what_is_cut_off_takes_no_memory() -> None:
    bench = Bench().led_by(0)
    for _ in range(5):
        run(bench, 20)
        for node in range(3):
            bench.take_snapshot(node)
    bench.run_for(200)
    for node in range(3):
        replica = bench[node]
        assert replica.history.committed == 100
        sizes = [replica.history.ids, replica.history.digests, replica.history.positions, replica.proposals.known]
        assert [len(held) for held in sizes] == [20] * 4
        assert not [*replica.answers.routes, *replica.pool, *replica.learner._votes, *replica.learner._learned]
        assert len(bench.disks[node]) < 30


# Any order of events ------------------------------------------------------------------------------------------------

node = st.integers(0, 2)
snapshots = st.lists(
    st.tuples(st.integers(0, 40), st.sampled_from(["capture", "adopt", "take", "uncaptured"]), node), max_size=16
)


@pytest.mark.parametrize(("policy", "fast"), POLICIES)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(events=events, snapshots=snapshots)
def test_whatever_happens_with_snapshots_replicas_agree(
    policy: Policy, fast: FastQuorums, events: list[tuple[str, Any, Any]], snapshots: list[tuple[int, str, int]]
) -> None:
    """Agreement is checked in every step by the bench; in the end everything proposed has run everywhere, once."""
    bench = Bench(3, policy, fast, chunk_bytes=100).led_by(0)
    captured: dict[int, Any] = {}
    for at, event in enumerate(events):
        for when, what, which in snapshots:
            if when == at:
                _snapshot(bench, captured, what, which)
        if event[0] == "crash":
            captured.pop(event[1], None)
        act(bench, *event)
    bench.unsynced.clear()
    bench.uncaptured.clear()
    for which in set(range(3)) - set(bench.up):
        bench.restart(which)
    bench.run_for(900)
    proposed = sorted({event[1] for event in events if event[0] == "propose"})
    for number in proposed:
        bench.propose(COMMANDS[number], name=f"c:{number + 1}")
    bench.run_for(3000)
    assert_same(bench)
    assert bench[0].history.committed == len(proposed)


def _snapshot(bench: Bench, captured: dict[int, Any], what: str, which: int) -> None:
    if what == "uncaptured":
        bench.uncaptured.add(which)
    elif which not in bench.up:
        return
    elif what == "capture":
        captured[which] = bench.capture(which)
    elif what == "take":
        captured.pop(which, None)
        bench.take_snapshot(which, times=2)
    elif which in captured:
        held = captured.pop(which)
        if held.index > bench[which].history.base:  # otherwise a received state has replaced it, and ended the copy
            bench.adopt(which, held)
