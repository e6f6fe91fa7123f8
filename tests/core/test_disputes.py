"""Replicas whose results differ: who finds out, when, what they say, and who stops."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from commutativity import JSON
from genpaxos.core import agreement
from genpaxos.core.agreement import BLOCK_COMMANDS
from genpaxos.core.ballot import Policy
from genpaxos.core.effects import Effects
from genpaxos.core.history import DivergenceError
from genpaxos.core.messages import Heartbeat, Results
from genpaxos.core.replica import Replica
from genpaxos.examples.bank import Bank
from tests.core.bench import Bench

BEAT_MS = 100


class Generous(Bank):
    """Other code: it says that there is a cent more."""

    extra = 1

    def apply(self, operation: str, arguments: object) -> JSON:
        result = super().apply(operation, arguments)  # type: ignore[arg-type]
        return result + self.extra if operation == "balance" else result  # type: ignore[operator]


class MoreGenerous(Generous):
    extra = 2


class Court(Bench):
    """A bench where a replica that finds itself divergent is down from then on."""

    def __init__(self, replicas: int = 3, policy: Policy = Policy.LEADER_ORDERED) -> None:
        self.stopped: dict[int, str] = {}
        super().__init__(replicas, policy)

    def _do(self, node: int, action: Callable[[Replica], Effects]) -> None:
        try:
            super()._do(node, action)
        except DivergenceError as error:
            self.stopped[node] = str(error)
            self.crash(node)

    def runs(self, node: int, machine: type[Bank]) -> Court:
        self[node].executor.applier.run_on(machine())
        return self

    def findings(self) -> dict[int, list[str]]:
        return {node: self[node].disputes.findings for node in self.up if self[node].disputes.findings}

    def hand_over_quietly(self, flights: object) -> None:
        """Nobody is delivered to that stopped in between."""
        super().hand_over_quietly(flights)  # type: ignore[arg-type]


def led(court: Court) -> Court:
    court.led_by(0)
    court.run_for(2 * BEAT_MS)
    return court


def asked(court: Court, account: str = "alice") -> str:
    """A client asks for a balance, and has its result at once."""
    name = court.propose(Bank.balance(account))
    court.stabilize()
    assert name in court.replies
    return name


def test_machines_that_compute_the_same_have_no_dispute() -> None:
    court = led(Court())
    for n in range(100):
        court.propose(Bank.deposit("alice", n))
        asked(court)
    court.run_for(10 * BEAT_MS)
    assert (court.stopped, court.findings()) == ({}, {})
    assert not court.take(kind=Results)


@pytest.mark.parametrize("policy", list(Policy))
@pytest.mark.parametrize("wrong", [0, 1, 2])
def test_one_of_three_that_computes_something_else_stops_within_two_beats(policy: Policy, wrong: int) -> None:
    """One beat until all know it for committed, one until they have compared it."""
    court = led(Court(policy=policy)).runs(wrong, Generous)
    court.propose(Bank.deposit("alice", 5))
    name = asked(court)
    court.run_for(2 * BEAT_MS + 10)
    assert list(court.stopped) == [wrong]
    text = court.stopped[wrong]
    others = " and ".join(str(node) for node in range(3) if node != wrong)
    assert f"at index 2, balance('alice',) (command {name})" in text
    assert f"replica {wrong}: [null,6]" in text
    assert f"replicas {others}: [null,5]" in text
    assert f"replica {wrong} stops." in text
    assert court.findings() == {node: [text] for node in range(3) if node != wrong}, "the others say the same"


def test_if_all_three_differ_all_stop() -> None:
    court = led(Court()).runs(1, Generous).runs(2, MoreGenerous)
    asked(court)
    court.run_for(2 * BEAT_MS + 10)
    assert sorted(court.stopped) == [0, 1, 2]
    for text in court.stopped.values():
        assert "replica 0: [null,0]; replica 1: [null,1]; replica 2: [null,2]" in text
        assert "nobody can say" in text


def test_two_that_differ_both_stop() -> None:
    court = led(Court(2)).runs(1, Generous)
    asked(court)
    court.run_for(2 * BEAT_MS + 10)
    assert sorted(court.stopped) == [0, 1]


def test_if_the_third_is_down_the_others_wait_for_it_and_then_stop() -> None:
    court = led(Court()).runs(1, Generous)
    court.crash(2)
    asked(court)
    court.run_for(5 * BEAT_MS)
    assert not court.stopped, "the third may come back and say who is right"
    court.run_for(20 * BEAT_MS)
    assert sorted(court.stopped) == [0, 1]


def test_a_third_that_comes_back_in_time_decides() -> None:
    court = led(Court()).runs(1, Generous)
    court.crash(2)
    asked(court)
    court.run_for(5 * BEAT_MS)
    court.restart(2)
    court.run_for(15 * BEAT_MS)
    assert list(court.stopped) == [1]
    assert sorted(court.findings()) == [0, 2]


def test_two_of_five_that_differ_in_different_ways_stop() -> None:
    court = led(Court(5)).runs(3, Generous).runs(4, MoreGenerous)
    asked(court)
    court.run_for(3 * BEAT_MS)
    assert sorted(court.stopped) == [3, 4]


def test_the_first_index_is_found_under_load() -> None:
    """No two replicas are ever at the same index when they hear of each other."""
    court = led(Court())
    draw = random.Random(1)
    for n in range(300):
        if n == 150:
            court.runs(1, Generous)
            court[1].executor.machine.restore(court[0].executor.machine.snapshot())
            first = asked(court)
        court.propose(Bank.deposit("alice", 1) if n % 3 else Bank.balance("alice"))
        for flight in court.take():
            court.hand_over([flight]) if draw.random() < 0.8 else court.flights.append(flight)
    court.stabilize()
    index = court[0].history.ids.index(first) + 1
    court.run_for(5 * BEAT_MS)
    assert list(court.stopped) == [1]
    assert f"index {index}, balance('alice',) (command {first})" in court.stopped[1]


def test_one_that_lags_is_not_held_for_divergent_and_one_that_differs_is_found_when_it_has_caught_up() -> None:
    court = led(Court())
    court.cut = {(0, 2), (1, 2), (2, 0), (2, 1)}
    court.runs(2, Generous)
    for _ in range(3 * BLOCK_COMMANDS):
        court.propose(Bank.deposit("alice", 1), to=[0, 1])
        asked_at = court.propose(Bank.balance("alice"), to=[0, 1])
        court.stabilize()
    assert asked_at in court.replies
    court.run_for(10 * BEAT_MS)
    assert (court.stopped, court.findings()) == ({}, {})
    court.cut = set()
    court.run_for(20 * BEAT_MS)
    assert list(court.stopped) == [2]
    assert "index 2, balance('alice',)" in court.stopped[2]


class Dice(Bank):
    """Other results after a restart than before."""

    draw = random.Random(7)

    def apply(self, operation: str, arguments: object) -> JSON:
        result = super().apply(operation, arguments)  # type: ignore[arg-type]
        return self.draw.randint(1, 2**60) if operation == "balance" else result


def test_a_replica_that_computes_something_else_when_it_replays_its_journal_stops() -> None:
    court = led(Court())
    first = asked(court)
    court.run_for(3 * BEAT_MS)
    assert not court.stopped
    court.crash(1)
    court.machine = Dice
    court.restart(1)
    court.run_for(8 * BEAT_MS)
    assert list(court.stopped) == [1]
    assert f"index 1, balance('alice',) (command {first})" in court.stopped[1]


def test_what_is_too_long_ago_for_single_results_is_named_by_its_block(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(agreement, "BLOCKS_MAX", 1)
    court = led(Court())
    court.propose(Bank.deposit("alice", 1))
    asked(court)
    for _ in range(5 * BLOCK_COMMANDS):
        court.propose(Bank.deposit("bob", 1))
    court.stabilize()
    court.run_for(3 * BEAT_MS)
    court.crash(1)
    court.machine = Generous
    court.restart(1)
    court.run_for(12 * BEAT_MS)
    assert list(court.stopped) == [1]
    assert "or up to 63 before it" in court.stopped[1]


def test_who_got_its_state_from_another_has_no_vote_on_what_it_contains() -> None:
    """Else two replicas, one wrong and one that believed it, would outvote the one that is right."""
    court = led(Court())
    court.cut = {(0, 2), (1, 2), (2, 0), (2, 1), (0, 1), (1, 0)}
    court.crash(2)
    court.cut = set()
    court.runs(0, Generous)
    court[0].disputes.on_beat = court[1].disputes.on_beat = lambda *_: None  # type: ignore[method-assign]
    asked(court)  # nobody compares yet
    court.run_for(3 * BEAT_MS)
    court.take_snapshot(0, 2)
    court.restart(2)
    court.flights = [flight for flight in court.flights if flight[0] != 1]
    court.cut = {(1, 2), (2, 1)}
    court.run_for(5 * BEAT_MS)
    assert court[2].executor.agreement.since == court[2].history.base == 1, "it has installed the wrong one's state"
    del court[0].disputes.on_beat, court[1].disputes.on_beat
    court.cut = set()
    court.run_for(30 * BEAT_MS)
    assert sorted(court.stopped) == [0, 1, 2]
    assert "nobody can say" in court.stopped[1]


def test_one_that_was_rebuilt_takes_part_again() -> None:
    court = led(Court()).runs(1, Generous)
    asked(court)
    court.run_for(3 * BEAT_MS)
    assert list(court.stopped) == [1]
    court.stopped.clear()
    court.lose(1)
    court.run_for(20 * BEAT_MS)
    court.propose(Bank.deposit("alice", 4))
    asked(court)
    court.run_for(20 * BEAT_MS)
    assert court.stopped == {}
    assert not court[0].disputes.outvoted
    assert court.cents(1) == court.cents(0)


def test_an_old_heartbeat_of_a_replica_that_has_been_corrected_begins_a_dispute_and_no_more() -> None:
    court = led(Court())
    asked(court)
    old = Heartbeat(court[1].acceptor.promised, court[1].acceptor.accepted, 1, 1, False, True, 7, True, 1, 99, 0)
    court.step(0, peers=[(1, old)])
    assert court[0].disputes.under_way
    court.run_for(10 * BEAT_MS)
    assert not court[0].disputes.under_way
    assert (court.stopped, court.findings()) == ({}, {})


def test_who_stops_has_told_the_others_what_it_computed() -> None:
    """Even if it hears all the others say before it has said anything itself."""
    court = led(Court()).runs(1, Generous)
    asked(court)
    court.cut = {(1, 0), (1, 2)}
    court.run_for(BEAT_MS // 2)
    court.cut = set()
    court.run_for(4 * BEAT_MS)
    assert list(court.stopped) == [1]
    assert all("replica 1: [null,1]" in text for texts in court.findings().values() for text in texts)
    assert sorted(court.findings()) == [0, 2]
