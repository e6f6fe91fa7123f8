"""A state sent in chunks to a replica behind the cut (protocol §8), on the bench: every message by hand."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genpaxos.core.assembly import Assembly
from genpaxos.core.journal import DamageError
from genpaxos.core.messages import (
    Committed,
    Fetch,
    FetchSnapshot,
    Phase2a,
    Phase2b,
    SnapshotChunk,
)
from genpaxos.core.snapshot import State, parse
from genpaxos.core.truncation import TRANSFER_MS
from genpaxos.examples.bank import Bank
from tests.core.bench import Bench, body
from tests.core.test_snapshot import assert_same, behind, isolate, run

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


# The step that installs a state -------------------------------------------------------------------------------------


@pytest.mark.parametrize("holds", [False, True], ids=["state lacks it", "state holds it"])
def test_what_ran_before_a_state_in_one_step_is_told_before_it_and_answered_early(holds: bool) -> None:
    """It was learned from votes that others have synced. Told behind the state, it would seem to have run on it, and
    where the state lacks it, it runs again: twice on one state."""
    bench = behind()
    name = bench.propose(Bank.deposit("bob", 5), [0, 1])
    votes = [(sender, message) for sender, _, message in bench.take(receiver=2)]
    assert [type(message) for _, message in votes] == [Phase2a, Phase2b]
    if holds:
        bench.deliver(1, 0)
        bench.take_snapshot(0)
    bench.propose(Bank.deposit("bob", 5), [2], name)
    effects = bench[2].step(bench.now_ms, [*votes, (0, bench._chunk(0, 0))])
    ran, state = effects.executed
    assert ran == ([name], [[None, None]])
    assert isinstance(state, State)
    assert state.index == bench[2].history.committed == 6
    assert [ahead for ahead, _, _ in state.ahead] == [name] * holds
    assert [(answer.ids, answer.results) for answer in effects.early.values()] == [([name], [[None, None]])]
    assert not effects.replies
    assert bench.cents(2).get("bob", 0) == 5 * holds
    assert bench[2].executor.waiting == [name] * (not holds)


@pytest.mark.parametrize("older", [0, 2], ids=["none stored before", "an older one stored"])
def test_who_asks_for_a_state_in_the_step_that_installs_one_gets_that_from_its_beginning(older: int) -> None:
    """It is what will be stored when the chunk leaves: nothing, or its middle, would cost the other a retry."""
    bench = Bench().led_by(0)
    run(bench, 2)
    if older:
        bench.take_snapshot(2)
    isolate(bench, 2)
    run(bench, 4)
    bench.take_snapshot(0, times=2)
    bench.flights.clear()
    bench.cut.clear()
    bench.step(2, peers=[(1, FetchSnapshot(older, 40)), (0, bench._chunk(0, 0))])
    assert bench[2].history.base == 6
    [chunk] = [message for _, _, message in bench.take(2, 1, SnapshotChunk)]
    assert isinstance(chunk, SnapshotChunk)
    assert (chunk.index, chunk.offset) == (6, 0)
    assert bench[2].sends_snapshot, "which is stored by now, and must stay until what follows it was asked for"


# Exactly once across the cut ----------------------------------------------------------------------------------------


def test_a_snapshot_that_takes_one_chunk_is_kept_until_what_follows_it_was_asked_for() -> None:
    """Else the log behind it may be cut, again and again, before its receiver has installed it."""
    bench = behind()
    bench.step(0, peers=[(2, Fetch(1))])
    assert bench[0].sends_snapshot
    bench.pass_time(TRANSFER_MS - 100)
    bench.step(0, peers=[(1, Fetch(1))])
    bench.pass_time(200)
    assert not bench[0].sends_snapshot, "and no longer, whoever asks next"
