"""What a replica does when time passes: every lost message is made good by a later beat of the clock."""

from __future__ import annotations

import pytest

from genpaxos.core import serving
from genpaxos.core.ballot import Policy
from genpaxos.core.messages import (
    Bodies,
    Committed,
    Fetch,
    FetchBodies,
    Heartbeat,
    PeerMessage,
    Phase1a,
    Phase1b,
    Phase2a,
    Phase2b,
    Propose,
)
from genpaxos.examples.bank import Bank
from tests.core.bench import Bench

LOSABLE = [Phase1a, Phase1b, Phase2a, Phase2b, Fetch, FetchBodies, Bodies, Committed, Propose]


def sent(bench: Bench, kind: type) -> list[tuple[int, int, PeerMessage]]:
    return [flight for flight in bench.flights if isinstance(flight[2], kind)]


def running() -> Bench:
    """A cluster whose members have heard each other."""
    bench = Bench().led_by(0)
    bench.run_for(210)
    return bench


def test_a_replica_beats_at_its_interval() -> None:
    bench = running()
    beats = 0
    for _ in range(300):
        bench.now_ms += 1
        effects = bench[1].step(bench.now_ms)
        beats += sum(isinstance(message, Heartbeat) for message in effects.broadcasts)
    assert beats == 3


def test_a_replica_says_when_it_is_next_to_be_stepped() -> None:
    bench = running()
    assert bench.now_ms < bench[1].due_ms <= bench.now_ms + bench.settings.timing.retry_ms


@pytest.mark.parametrize("kind", LOSABLE, ids=lambda kind: kind.__name__.lower())
def test_the_loss_of_all_messages_of_one_kind_for_a_while_costs_time_and_nothing_else(kind: type) -> None:
    """From the start on: nobody leads yet, and every role has something to lose."""
    bench = Bench()
    for turn in range(1200):
        if turn < 700:
            bench.drop(kind=kind)
        if turn == 300:
            bench.propose(Bank.deposit("alice", 5))
            bench.propose(Bank.withdraw("alice", 3), to=[1])
            bench.propose(Bank.balance("bob"), to=[2])
        bench.run_for(1)
    for node in range(3):
        assert bench[node].history.committed == 3
        assert bench.cents(node) == {"alice": 2}


def test_a_promise_that_does_not_come_is_asked_for_again() -> None:
    bench = Bench()
    bench.campaign(0)
    bench.drop(kind=Phase1a)
    bench.pass_time(70)
    assert {receiver for _, receiver, _ in sent(bench, Phase1a)} == {1, 2}


def test_a_command_the_coordinator_never_received_is_fetched_from_a_voter() -> None:
    bench = running()
    bench.propose(Bank.deposit("alice", 5), to=[1])
    bench.deliver(kind=Phase2b)
    assert sent(bench, FetchBodies) == [], "it gets some time to come by itself"
    bench.pass_time(61)
    assert (0, 1, FetchBodies(["c:1"])) in bench.flights


def test_a_command_that_lingers_outside_the_pinned_quorum_is_relayed_to_the_coordinator() -> None:
    bench = running()
    bench.propose(Bank.deposit("alice", 5), to=[2])
    bench.pass_time(125)
    assert sent(bench, Propose)[0][:2] == (2, 0)
    bench.stabilize()
    assert bench[0].history.ids == ["c:1"]


def test_an_acceptor_that_sees_a_gap_asks_for_what_is_missing_at_once_and_only_once() -> None:
    bench = running()
    bench.propose(Bank.deposit("alice", 1))
    bench.drop(0, 2, Phase2a)
    bench.propose(Bank.deposit("alice", 2))
    bench.propose(Bank.deposit("alice", 3))
    bench.deliver(0, 2, Phase2a)
    assert sent(bench, Fetch) == [(2, 0, Fetch(1))]
    bench.stabilize()
    assert bench[2].history.ids == ["c:1", "c:2", "c:3"]


def test_a_replica_that_lags_asks_whoever_has_most_when_the_coordinator_is_gone() -> None:
    bench = running()
    bench.cut = {(0, 2), (2, 0)}
    bench.propose(Bank.deposit("alice", 1), to=[0, 1])
    bench.stabilize()
    bench.pass_time(400)
    assert (2, 1, Fetch(1)) in bench.flights
    bench.stabilize()
    assert bench[2].history.committed == 1
    assert bench[0].coordinator.leading, "and nobody was deposed for it"


def test_a_phase_1_that_waits_for_a_dead_reporter_starts_anew() -> None:
    """Only 1 has the body of what it reported, and dies: 2 asks again, of those that are there."""
    bench = running()
    bench.propose(Bank.deposit("alice", 1), to=[1])
    bench.campaign(2)
    bench.drop(0)
    bench.deliver(2, 1, Phase1a)
    bench.deliver(1, 2, Phase1b)
    assert bench[2].coordinator.promises.missing_bodies() == {1: ["c:1"]}
    bench.crash(1)
    bench.flights.clear()
    bench.run_for(2500)
    assert [node for node in bench.up if bench[node].coordinator.leading]
    bench.propose(Bank.deposit("bob", 1))
    bench.run_for(200)
    assert bench.cents(2) == {"bob": 1}


def test_the_pinned_quorum_is_not_named_anew_without_a_quorum() -> None:
    bench = running()
    bench.crash(1)
    bench.crash(2)
    bench.run_for(1500)
    assert bench[0].coordinator.leading
    assert bench[0].acceptor.promised.number == 1


def test_a_classic_coordinator_does_not_mind_a_silent_acceptor() -> None:
    bench = Bench(3, Policy.CLASSIC).led_by(0)
    bench.run_for(210)
    bench.crash(1)
    bench.run_for(1500)
    assert bench[0].acceptor.promised.number == 1


def test_what_arrived_by_decree_is_no_longer_kept_in_the_pool() -> None:
    bench = running()
    bench.propose(Bank.deposit("alice", 5))
    bench.stabilize()
    assert list(bench[2].pool) == ["c:1"]
    bench.run_for(61)
    assert list(bench[2].pool) == []


def test_all_that_lingers_is_relayed_a_chunk_at_a_time_before_any_is_relayed_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(serving, "CHUNK_COMMANDS_MAX", 2)
    bench = running()
    bench.cut.add((2, 0))
    names = [bench.propose(Bank.deposit("alice", n + 1), to=[2]) for n in range(5)]
    relayed: list[list[str]] = []
    for _ in range(3_000):
        bench.pass_time(1)
        relayed += [message.ids for _, _, message in bench.take(2, 0, Propose) if isinstance(message, Propose)]
        bench.flights.clear()
    assert relayed[:6] == 2 * [names[:2], names[2:4], names[4:]]
    assert 12 < len(relayed) < 36, "less and less often"
    bench.cut.clear()
    bench.run_for(1_500)
    assert sorted(bench[0].history.ids) == sorted(names)
