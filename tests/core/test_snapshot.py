"""Snapshots, truncation and catching up by a snapshot (protocol §8), on the bench: every message by hand."""

from __future__ import annotations

from typing import Any

import pytest

from genpaxos.core.ballot import FastQuorums, Policy
from genpaxos.core.executor import MachineFaultError
from genpaxos.core.messages import (
    Fetch,
    Phase2a,
    Phase2b,
    SnapshotChunk,
)
from genpaxos.examples.bank import Bank
from tests.core.bench import Bench

POLICIES = [
    (Policy.LEADER_ORDERED, FastQuorums.PINNED),
    (Policy.LEADER_ORDERED, FastQuorums.ANY),
    (Policy.CLASSIC, FastQuorums.PINNED),
    (Policy.COORDINATED, FastQuorums.ANY),
    (Policy.UNCOORDINATED, FastQuorums.ANY),
]


def isolate(bench: Bench, node: int) -> None:
    others = [peer for peer in range(bench.settings.replicas) if peer != node]
    bench.cut |= {(node, peer) for peer in others} | {(peer, node) for peer in others}


def run(bench: Bench, count: int, who: str = "alice") -> list[str]:
    """Some deposits that reach all but the isolated, and are committed there."""
    others = bench.settings.replicas - 1
    alone = {node for node in bench.up if sum(receiver == node for _, receiver in bench.cut) == others}
    names = [bench.propose(Bank.deposit(who, 1), [n for n in bench.up if n not in alone]) for _ in range(count)]
    bench.run_for(150)
    return names


def behind(node: int = 2, count: int = 6, bench: Bench | None = None, **options: Any) -> Bench:
    """A replica that has missed ``count`` commands, which the others have cut off their logs."""
    bench = (bench or Bench(**options)).led_by(0)
    isolate(bench, node)
    run(bench, count)
    for other in bench.up:
        if other != node:
            bench.take_snapshot(other, times=2)
            assert bench[other].history.base == count
    bench.flights.clear()
    bench.cut.clear()
    return bench


def learn_fast_at_1(bench: Bench) -> str:
    """A deposit to bob that replica 1 of five learns by the votes of the pinned quorum 0, 1, 2, and executes ahead of
    its commit index."""
    name = bench.propose(Bank.deposit("bob", 5), [0, 1, 2])
    bench.deliver(2, 1)
    bench.deliver(0, 1)
    assert list(bench[1].executor.ahead) == [name]
    return name


def assert_same(bench: Bench) -> None:
    """All hold the same log, whatever of it they have cut off, and the same state."""
    first = bench[0]
    assert not first.executor.ahead
    for node in bench.up:
        replica, history = bench[node], bench[node].history
        assert history.committed == history.length == first.history.committed
        assert history.log_sum(history.committed) == first.history.log_sum(first.history.committed)
        assert replica.executor.machine.snapshot() == first.executor.machine.snapshot()
        assert replica.executor.sessions.to_json() == first.executor.sessions.to_json()
        assert replica.executor.sums() == first.executor.sums()
        assert not history.tail
        assert not replica.executor.waiting


# A replica starts from its snapshot ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("policy", "fast"), POLICIES)
def test_a_replica_started_from_its_snapshot_is_the_replica_it_was(policy: Policy, fast: FastQuorums) -> None:
    """Promise, accepted ballot, decrees behind the index and tail are never part of what is cut."""
    bench = Bench(3, policy, fast).led_by(0)
    run(bench, 4)
    bench.propose(Bank.withdraw("alice", 1), [1])
    bench.propose(Bank.deposit("bob", 2), [1])
    before = bench[1]
    bench.adopt(1, bench.capture(1))
    bench.propose(Bank.deposit("carol", 3), [1])  # in the journal behind the snapshot
    bench.crash(1)
    bench.restart(1)
    after = bench[1]
    assert (after.acceptor.promised, after.acceptor.accepted) == (before.acceptor.promised, before.acceptor.accepted)
    assert (after.acceptor.kind, after.acceptor.step) == (before.acceptor.kind, before.acceptor.step)
    assert list(after.history.tail.items()) == list(before.history.tail.items())
    assert after.history.committed == after.history.base == before.history.committed
    assert after.history.length == before.history.length
    assert after.history.log_sum(4) == before.history.log_sum(4)
    assert after.history._index == before.history._index
    assert bench.cents(1) == {"alice": 4}
    bench.run_for(900)
    assert_same(bench)


def test_what_ran_ahead_of_a_snapshot_is_neither_skipped_nor_repeated() -> None:
    """Learned fast and executed, but not committed, when the state was captured."""
    bench = Bench(5).led_by(0)
    run(bench, 2)
    learn_fast_at_1(bench)
    ahead = bench[1]
    assert (list(ahead.executor.ahead), ahead.history.committed) == (["c:3"], 2)
    bench.adopt(1, bench.capture(1))
    bench.crash(1)
    bench.restart(1)
    again = bench[1]
    assert list(again.executor.ahead) == ["c:3"]
    assert bench.cents(1) == {"alice": 2, "bob": 5}
    bench.run_for(200)
    assert (again.history.committed, again.executor.applied) == (3, 3)
    assert_same(bench)


def test_what_the_sender_ran_ahead_comes_along_and_runs_once() -> None:
    """Its index lies behind the snapshot's: the receiver has executed it already when it is decreed there."""
    bench = behind(4, bench=Bench(5))
    learn_fast_at_1(bench)
    assert list(bench[1].executor.ahead) == ["c:7"]
    bench.take_snapshot(1)
    bench.flights.clear()
    bench.step(1, peers=[(4, Fetch(1))])
    bench.deliver(1, 4, SnapshotChunk)
    assert list(bench[4].executor.ahead) == ["c:7"]
    assert bench.cents(4) == {"alice": 6, "bob": 5}
    bench.run_for(300)
    assert_same(bench)
    assert bench[4].executor.applied == 7


def test_a_retry_of_what_ran_ahead_of_the_snapshot_is_answered_at_once() -> None:
    """It is in no history of this replica's, yet it has run: it must not wait for being run again."""
    bench = behind(4, bench=Bench(5))
    learn_fast_at_1(bench)
    bench.take_snapshot(1)
    bench.flights.clear()
    bench.replies.clear()
    bench.step(1, peers=[(4, Fetch(1))])
    bench.deliver(1, 4, SnapshotChunk)
    bench.propose(Bank.deposit("bob", 5), [4], "c:7")
    assert bench.replies == {"c:7": [None, None]}
    assert not bench[4].answers.routes


def test_a_client_that_waits_is_answered_when_the_result_comes_by_a_snapshot() -> None:
    """Committed there, or run ahead of it: both have run, and will not run here."""
    bench = behind(4, bench=Bench(5))
    learn_fast_at_1(bench)
    bench.take_snapshot(1)
    bench.flights.clear()
    bench.replies.clear()
    bench.propose(Bank.deposit("alice", 1), [4], "c:4")
    bench.propose(Bank.deposit("bob", 5), [4], "c:7")
    assert not bench.replies
    bench.step(1, peers=[(4, Fetch(1))])
    bench.deliver(1, 4, SnapshotChunk)
    assert bench.replies == {"c:4": [None, None], "c:7": [None, None]}
    assert not bench[4].answers.routes


def test_a_state_that_the_machine_does_not_take_stops_the_replica_and_says_which_machine() -> None:
    class Stubborn(Bank):
        def restore(self, state: Any) -> None:
            raise ValueError(f"not today: {state}")

    bench = Bench(machine=Stubborn).led_by(0)
    run(bench, 2)
    bench.adopt(1, bench.capture(1))
    with pytest.raises(MachineFaultError, match=r"Stubborn\.restore\(\) raised ValueError"):
        bench.restart(1)


# A replica behind the cut -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("policy", "fast"), POLICIES)
@pytest.mark.parametrize("chunk_bytes", [7, 2**20])
def test_a_replica_behind_the_cut_catches_up_by_a_snapshot(policy: Policy, fast: FastQuorums, chunk_bytes: int) -> None:
    bench = behind(bench=Bench(4, policy, fast, chunk_bytes=chunk_bytes))
    bench.run_for(1200 if chunk_bytes > 7 else 2500)
    assert bench[2].history.base >= 6
    run(bench, 3)
    bench.run_for(500)
    assert_same(bench)
    assert bench.cents(2) == {"alice": 9}


def test_a_received_state_is_on_the_disk_before_anything_is_said() -> None:
    bench = behind()
    bench.step(0, peers=[(2, Fetch(1))])
    bench.deliver(0, 2, SnapshotChunk)
    assert bench[2].history.committed == 6
    bench.crash(2)
    bench.restart(2)
    assert (bench[2].history.base, bench.cents(2)) == (6, {"alice": 6})


def test_a_crash_before_a_received_state_is_stored_leaves_the_replica_as_it_was() -> None:
    """Records of that step follow the new state. Replayed on the old one they would be decrees at wrong indices, and
    a commit index over what was never there: commands lost without a trace."""
    bench = behind()
    isolate(bench, 2)
    run(bench, 3)
    bench.flights.clear()
    bench.cut.clear()
    before = bench[2]
    for first in (1, 7):
        bench.step(0, peers=[(2, Fetch(first))])
    [(_, _, chunk)] = bench.take(0, 2, SnapshotChunk)
    [(_, _, decrees)] = bench.take(0, 2, Phase2a)
    bench.uncaptured.add(2)
    bench.step(2, peers=[(0, chunk), (0, decrees)])
    assert bench.replicas[2] is None
    bench.restart(2)
    after = bench[2]
    assert (after.history.committed, after.history.length) == (0, 0)
    assert after.acceptor.promised == before.acceptor.promised
    bench.run_for(900)
    assert_same(bench)


def test_a_crash_before_a_received_state_is_stored_keeps_a_promise_given_in_the_same_step_out_of_the_air() -> None:
    bench = behind()
    bench.campaign(1)
    bench.step(0, peers=[(2, Fetch(1))])
    batch = [(sender, message) for sender, _, message in bench.take(None, 2)]
    bench.uncaptured.add(2)
    bench.step(2, peers=batch)
    assert not bench.take(2)
    bench.restart(2)
    bench.run_for(1500)
    assert_same(bench)


def test_adopted_decrees_behind_the_index_stay_decrees_when_the_state_brings_nothing_new() -> None:
    """The acceptor has adopted just this log and more, and knows not that it is committed: what it adopted is its
    value in the ballot, which the next phase 1 may have to find there."""
    bench = Bench(5).led_by(0)
    run(bench, 3)
    for _ in range(2):
        bench.propose(Bank.deposit("bob", 1))
    bench.deliver(0, 3)
    ballot = bench[0].coordinator.ballot
    bench.step(0, peers=[(node, Phase2b(ballot, [], [], 4)) for node in (1, 2)])
    lagging, ids = bench[3].history, list(bench[3].history.ids)
    assert (bench[0].history.committed, lagging.committed, lagging.length) == (4, 3, 5)
    bench.take_snapshot(0, times=2)
    bench.step(0, peers=[(3, Fetch(1))])
    bench.deliver(0, 3, SnapshotChunk)
    assert (lagging.base, lagging.committed, lagging.length, lagging.ids) == (0, 4, 5, ids)
    assert bench.snapshots[3] is None, "nothing was replaced"


def test_the_tail_of_a_replica_that_installs_a_state_keeps_what_was_not_executed_and_drops_what_was() -> None:
    """A vote behind the index may be chosen with it: it stays, in its order, digested on top of the new log."""
    bench = Bench().led_by(0)  # 1 is of the pinned quorum
    isolate(bench, 1)
    bench.propose(Bank.deposit("alice", 1), [1], "c:2")
    bench.propose(Bank.withdraw("bob", 1), [1], "d:1")
    bench.propose(Bank.deposit("bob", 1), [1], "d:2")
    votes = dict(bench[1].history.tail)
    run(bench, 4)
    for other in (0, 2):
        bench.take_snapshot(other, times=2)
    bench.cut.clear()
    bench.flights.clear()
    bench.step(0, peers=[(1, Fetch(1))])
    bench.deliver(0, 1, SnapshotChunk)
    history = bench[1].history
    assert list(history.tail) == ["d:1", "d:2"]
    assert history.tail == {name: votes[name] for name in history.tail}, "nothing that interferes was committed since"
    assert bench[1].acceptor.accepted == bench[0].coordinator.ballot
    bench.run_for(900)
    assert_same(bench)
    assert bench[1].executor.applied == 6


def test_a_vote_that_may_be_chosen_outlives_a_state_installed_over_it() -> None:
    """Chosen fast by 0 and 1, then 1 installs a state that does not hold it, then 0 is gone: phase 1 finds the vote."""
    bench = behind(1, bench=Bench())
    bench.step(0, peers=[(1, Fetch(1))])
    bench.deliver(0, 1, SnapshotChunk)
    bench.stabilize()
    isolate(bench, 2)
    bench.propose(Bank.deposit("bob", 1), [1], "d:1")
    bench.propose(Bank.deposit("bob", 1), [0], "d:1")
    bench.deliver(1, 0, Phase2b)
    assert "d:1" in bench[0].executor.ahead, "learned by 0 alone"
    bench.flights.clear()
    chunk = bench._chunk(2, 0)
    bench.step(1, peers=[(2, chunk)])
    bench.crash(0)
    bench.cut.clear()
    bench.run_for(2500)
    assert bench.cents(1) == bench.cents(2) == {"alice": 6, "bob": 1}


def test_a_command_that_waits_in_the_pool_is_dropped_when_a_state_brings_its_result() -> None:
    """Its body is gone: relaying it, or decreeing it as the next coordinator, would be the end of the replica."""
    bench = behind()
    bench.propose(Bank.deposit("alice", 1), [2], "c:4")
    assert list(bench[2].pool) == ["c:4"]
    bench.step(0, peers=[(2, Fetch(1))])
    bench.deliver(0, 2, SnapshotChunk)
    bench.run_for(300)
    assert not bench[2].pool
    bench.campaign(2)
    bench.run_for(300)
    assert bench[2].coordinator.leading
    assert_same(bench)


def test_a_command_cut_off_while_it_is_in_the_pool_is_dropped_from_it() -> None:
    """Decreed, committed and cut off twice over before the pool is looked through."""
    bench = Bench().led_by(0)
    bench.propose(Bank.deposit("alice", 1))
    bench.stabilize()
    bench.step(2, peers=[(1, Phase2b(bench[0].coordinator.ballot, [], [], 1))])
    assert (bench[2].history.committed, list(bench[2].pool)) == (1, ["c:1"])
    bench.take_snapshot(2, times=2)
    assert bench[2].history.base == 1
    bench.run_for(300)
    bench.campaign(2)
    bench.stabilize()
    bench.run_for(300)
    assert bench[2].coordinator.leading
    assert_same(bench)


def test_counts_of_votes_for_what_a_state_has_settled_are_dropped() -> None:
    """Otherwise they are kept for ever, and a conflict among them makes every watermark urgent."""
    bench = behind()
    ballot = bench[0].coordinator.ballot
    bench.step(2, peers=[(0, Phase2b(ballot, ["c:4"], [1], 0)), (1, Phase2b(ballot, ["c:4"], [2], 0))])
    digest = dict(bench.log)["c:5"]
    bench.step(2, peers=[(voter, Phase2b(ballot, ["c:5"], [digest], 0)) for voter in (0, 1)])
    learner = bench[2].learner
    assert (learner.pending, learner.conflicts, learner.learned_fast("c:5")) == (1, {"c:4"}, True)
    bench.step(0, peers=[(2, Fetch(1))])
    bench.deliver(0, 2, SnapshotChunk)
    assert (learner.pending, learner.conflicts, learner.learned_fast("c:5")) == (0, set(), False)
    assert not bench[2].executor.waiting
