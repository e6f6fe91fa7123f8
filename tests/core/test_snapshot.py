"""Snapshots, truncation and catching up by a snapshot (protocol §8), on the bench: every message by hand."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from examples.bank import Bank
from genpaxos.core.ballot import FastQuorums, Policy
from genpaxos.core.executor import MachineFaultError
from genpaxos.core.journal import DamageError
from genpaxos.core.messages import (
    Bodies,
    Committed,
    Fetch,
    FetchSnapshot,
    Phase1a,
    Phase1b,
    Phase2a,
    Phase2b,
    Propose,
    SnapshotChunk,
)
from genpaxos.core.replica import FORGOTTEN
from genpaxos.core.snapshot import Assembly, parse
from genpaxos.core.truncation import TRANSFER_MS
from tests.core.bench import Bench, body
from tests.core.test_replica import COMMANDS, act, events

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
    assert not bench[4].routes


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
    assert not bench[4].routes


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
    bench.step(0, peers=[(2, Fetch(1)), (2, Fetch(7))])
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


# The transfer -------------------------------------------------------------------------------------------------------


def test_a_chunk_that_comes_twice_is_asked_for_no_further() -> None:
    """Each repetition would start a second stream of all that follows, and a slow link would never be free again."""
    bench = behind(chunk_bytes=40)
    bench.step(0, peers=[(2, Fetch(1))])
    [chunk] = bench.take(0, 2, SnapshotChunk)
    bench.hand_over([chunk, chunk, chunk])
    assert [message for _, _, message in bench.take(2, 0, FetchSnapshot)] == [FetchSnapshot(6, 40)]


def test_a_lost_chunk_is_asked_for_again() -> None:
    bench = behind(chunk_bytes=40)
    bench.step(0, peers=[(2, Fetch(1))])
    bench.deliver(0, 2, SnapshotChunk)
    bench.drop(2, 0)
    bench.run_for(2000)
    assert_same(bench)


def test_a_transfer_goes_on_from_another_when_its_sender_is_gone() -> None:
    bench = behind(chunk_bytes=40)
    bench.step(0, peers=[(2, Fetch(1))])
    bench.deliver(0, 2, SnapshotChunk)
    assert bench[2].assembly.sender == 0
    bench.crash(0)
    bench.run_for(3000)
    assert bench.cents(2) == bench.cents(1) == {"alice": 6}


def test_a_transfer_starts_anew_when_the_sender_has_taken_a_newer_snapshot() -> None:
    bench = behind(chunk_bytes=40)
    bench.step(0, peers=[(2, Fetch(1))])
    bench.deliver(0, 2, SnapshotChunk)
    isolate(bench, 2)
    run(bench, 1)
    bench.take_snapshot(0)
    bench.cut.clear()
    bench.step(0, peers=[(2, FetchSnapshot(6, 40))])
    [(_, _, chunk)] = [flight for flight in bench.take(0, 2) if isinstance(flight[2], SnapshotChunk)]
    assert isinstance(chunk, SnapshotChunk)
    assert (chunk.index, chunk.offset) == (7, 0)
    bench.step(2, peers=[(0, chunk)])
    bench.run_for(2000)
    assert_same(bench)


@pytest.mark.parametrize("chunk_ms", [60, 300])
def test_a_slow_link_is_not_filled_with_repetitions(chunk_ms: int) -> None:
    """A chunk takes longer than a retry interval: asked for at every one, each would delay the next, without end."""
    bench = behind(chunk_bytes=40)
    stored = bench.snapshots[0]
    assert stored is not None
    chunks = -(-len(stored.snapshot.state) // 40)
    free_ms, sent, on_the_way = bench.now_ms, 0, []
    while bench[2].history.committed < 6:
        assert sent < 3 * chunks, "most of what is sent was sent before"
        flights = bench.take()
        bench.pass_time(1)
        for flight in flights:
            if isinstance(flight[2], SnapshotChunk):
                free_ms, sent = max(free_ms, bench.now_ms) + chunk_ms, sent + 1
                on_the_way.append((free_ms, flight))
        bench.hand_over([flight for flight in flights if not isinstance(flight[2], SnapshotChunk)])
        bench.hand_over([flight for due_ms, flight in on_the_way if due_ms <= bench.now_ms])
        on_the_way = [(due_ms, flight) for due_ms, flight in on_the_way if due_ms > bench.now_ms]
    bench.run_for(300)
    assert_same(bench)


def test_a_snapshot_is_kept_while_its_transfer_comes_on_and_no_longer() -> None:
    """Otherwise each newer one would make the transfer start anew."""
    bench = behind()
    sender = bench[0]
    assert not sender.sends_snapshot
    bench.step(0, peers=[(2, FetchSnapshot(6, 40))])
    assert sender.sends_snapshot
    bench.pass_time(TRANSFER_MS - 100)
    bench.step(0, peers=[(2, FetchSnapshot(6, 80))])
    bench.pass_time(TRANSFER_MS - 100)
    assert sender.sends_snapshot
    bench.step(0, peers=[(2, FetchSnapshot(6, 40)), (1, FetchSnapshot(6, 80)), (1, FetchSnapshot(5, 120))])
    bench.pass_time(200)
    assert not sender.sends_snapshot, "what was asked for before is no progress, and holds nothing up"


def test_a_damaged_state_is_not_installed_and_is_asked_for_again() -> None:
    bench = behind()
    bench.step(0, peers=[(2, Fetch(1))])
    [(_, _, chunk)] = bench.take(0, 2, SnapshotChunk)
    assert isinstance(chunk, SnapshotChunk)
    bad = chunk.data[:50] + bytes([chunk.data[50] ^ 1]) + chunk.data[51:]
    bench.step(2, peers=[(0, replace(chunk, data=bad))])
    assert (bench[2].history.committed, bench[2].assembly.sender) == (0, None)
    bench.run_for(1200)
    assert_same(bench)


def test_a_state_that_is_overtaken_by_decrees_is_dropped() -> None:
    bench = behind(chunk_bytes=40)
    bench.step(0, peers=[(2, Fetch(1))])
    [chunk] = bench.take(0, 2, SnapshotChunk)
    bench.hand_over([chunk])
    ids, digests = map(list, zip(*bench.log, strict=True))
    bodies = [body(bench.commands[name]) for name in ids]
    bench.step(2, peers=[(1, Committed(bench[1].acceptor.promised, 1, ids, digests, bodies))])
    assert bench[2].history.committed == 6
    bench.hand_over([chunk])
    assert bench[2].assembly.sender is None
    assert bench[2].history.base == 0


@given(st.binary(min_size=1, max_size=60), st.integers(1, 9), st.randoms(use_true_random=False))
def test_chunks_in_any_order_with_repetitions_give_the_state_or_nothing(
    state: bytes, size: int, chance: random.Random
) -> None:
    """Two peers' states at one index differ in what ran ahead: they are never mixed."""
    states = {1: state, 2: bytes(255 - byte for byte in state)}
    chunks = [
        (s, 5, at, len(state), data[at : at + size]) for s, data in states.items() for at in range(0, len(state), size)
    ]
    assembly, found = Assembly(), []
    for chunk in chance.choices(chunks, k=4 * len(chunks)):
        whole = assembly.add(*chunk)
        if whole is not None:
            found.append((chunk[0], whole))
    assert all(whole == states[sender] for sender, whole in found)
    assembly.drop()
    wholes = [assembly.add(*chunk) for chunk in chunks if chunk[0] == 1]
    assert wholes[-1] == state


def test_a_state_is_not_read_back_with_any_bit_flipped() -> None:
    bench = Bench().led_by(0)
    run(bench, 2)
    state = bench[0].capture().state
    assert parse(state).index == 2
    for bit in range(0, 8 * len(state), 3):
        changed = bytearray(state)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(DamageError):
            parse(bytes(changed))


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
    bench.step(0, clients=[("client", Propose(["c:3"], [body(Bank.deposit("alice", 1), 2)], True))])
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
        bench.step(node, clients=[("client", Propose(["y/c:1"], [body(Bank.deposit("bob", 1))], True))])
    bench.flights.clear()
    for node in (0, 1):
        bench.step(node, clients=[("client", Propose(["z/c:2"], [body(Bank.deposit("carol", 1), 1)], True))])
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
        assert not [*replica.routes, *replica.pool, *replica.learner._votes, *replica.learner._learned]
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
