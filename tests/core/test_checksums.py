"""When the states of the replicas are compared: at an interval, and when somebody wants it."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest

from commutativity import JSON, InvalidCommand
from commutativity.footprint import undeclared
from genpaxos.core import builtins
from genpaxos.core.ballot import Policy
from genpaxos.core.builtins import BUILTINS, CHECKSUM, NO_SNAPSHOT
from genpaxos.core.checksums import CLIENT
from genpaxos.core.failures import TEXT_MAX, type_name
from genpaxos.core.sessions import Sessions
from genpaxos.examples.bank import Bank
from tests.core.bench import Bench
from tests.core.test_disputes import BEAT_MS, Court, led

INTERVAL_MS = 1_000


def checking(policy: Policy = Policy.LEADER_ORDERED, replicas: int = 3) -> Court:
    court = Court(replicas, policy)
    court.settings = replace(court.settings, checksum_ms=INTERVAL_MS)
    for node in range(replicas):
        court.restart(node)
    return led(court)


def checksums(bench: Bench, node: int = 0) -> list[int]:
    """The indices at which there are checksums."""
    history = bench[node].history
    bodies = history.bodies(history.base + 1, history.committed)
    return [index for index, body in enumerate(bodies, history.base + 1) if body[0] == CHECKSUM]


@pytest.mark.parametrize("policy", list(Policy))
def test_one_runs_after_the_interval_if_something_was_executed_since_the_last(policy: Policy) -> None:
    court = checking(policy)
    court.run_for(3 * INTERVAL_MS)
    assert checksums(court) == [], "nothing was written"
    court.propose(Bank.deposit("alice", 1))
    court.run_for(2 * INTERVAL_MS)
    assert checksums(court) == [2]
    court.run_for(3 * INTERVAL_MS)
    assert checksums(court) == [2]
    court.propose(Bank.deposit("alice", 1))
    court.run_for(2 * INTERVAL_MS)
    assert checksums(court) == [2, 4]
    assert all(checksums(court, node) == [2, 4] for node in range(3))
    assert (court.stopped, court.findings()) == ({}, {})


def test_a_state_that_differs_is_found_though_no_result_does() -> None:
    court = checking()
    court.propose(Bank.deposit("alice", 1))
    court.run_for(2)
    court[1].executor.machine.restore({"cents": {"alice": 2}})
    court.run_for(2 * INTERVAL_MS)
    assert list(court.stopped) == [1]
    assert f"are in different states at index 2, {CHECKSUM}" in court.stopped[1]


def test_without_an_interval_none_runs_by_itself() -> None:
    court = led(Court())
    court.propose(Bank.deposit("alice", 1))
    court.run_for(20 * INTERVAL_MS)
    assert checksums(court) == []


@pytest.mark.parametrize("policy", list(Policy))
@pytest.mark.parametrize("node", [0, 2])
def test_a_replica_that_wants_one_gets_one_and_no_more(policy: Policy, node: int) -> None:
    court = led(Court(policy=policy))
    court[node].checksums.want(court.now_ms)
    court.run_for(5 * INTERVAL_MS)
    assert len(checksums(court)) == 1
    assert court[node].checksums.due_ms > court.now_ms + 10 * INTERVAL_MS


def test_a_wish_outlasts_a_message_that_is_lost_and_a_coordinator_that_is_gone() -> None:
    court = led(Court())
    court.cut = {(2, 0)}
    court[2].checksums.want(court.now_ms)
    court.run_for(BEAT_MS)
    court.cut = set()
    court.crash(0)
    court.run_for(50 * BEAT_MS)
    assert len(checksums(court, 1)) >= 1


def test_its_results_do_not_pile_up_in_the_session_table() -> None:
    court = checking()
    for _ in range(140):
        court.propose(Bank.deposit("alice", 1))
        court.run_for(3)
        court[0].checksums.want(court.now_ms)
        court.run_for(2 * BEAT_MS)
    assert len(checksums(court)) == 140
    table = court[0].executor.sessions.to_json()[CLIENT]
    assert table[0] == 140
    assert len(table[3]) <= 64


def test_equal_states_give_one_checksum_whatever_the_order_of_their_keys() -> None:
    one, two = Bank(), Bank()
    one.cents, two.cents = {"a": 1, "b": 2}, {"b": 2, "a": 1}
    run = BUILTINS[CHECKSUM].run
    assert run(one, Sessions(), []) == run(two, Sessions(), [])
    two.cents["b"] = 3
    assert run(one, Sessions(), []) != run(two, Sessions(), [])


def test_it_interferes_with_everything_and_takes_a_number_or_nothing() -> None:
    assert builtins.admit(Bank, CHECKSUM, []) == builtins.admit(Bank, CHECKSUM, [7]) == undeclared(Bank.table)
    for wrong in (["x"], [1, 2], [True], [None]):
        with pytest.raises(InvalidCommand, match="takes at most one argument"):
            builtins.admit(Bank, CHECKSUM, wrong)


def test_a_machine_without_a_snapshot_gives_an_error_and_one_short_of_memory_a_fault() -> None:
    class Raises(Bank):
        error: type[BaseException] = ZeroDivisionError

        def snapshot(self) -> JSON:
            raise self.error("x")

    result = BUILTINS[CHECKSUM].run(Raises(), Sessions(), [])
    assert result == [NO_SNAPSHOT, "ZeroDivisionError: x"]
    Raises.error = MemoryError
    with pytest.raises(MemoryError):
        BUILTINS[CHECKSUM].run(Raises(), Sessions(), [])


def test_whatever_a_snapshot_raises_its_result_can_be_told() -> None:
    class SilentError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    class Raises(Bank):
        error: BaseException

        def snapshot(self) -> JSON:
            raise self.error

    for error in (SilentError(), ValueError("odd\ud800"), ValueError("x" * 100_000), SystemExit(1)):
        Raises.error = error
        result = BUILTINS[CHECKSUM].run(Raises(), Sessions(), [])
        assert result[0] == NO_SNAPSHOT
        assert result[1].startswith(type_name(error) + ": ")
        assert len(orjson.dumps(result)) < 2 * TEXT_MAX


def test_a_snapshot_that_is_not_json_gives_an_error() -> None:
    class Odd(Bank):
        def snapshot(self) -> JSON:
            return {"what": object()}  # type: ignore[dict-item]

    assert BUILTINS[CHECKSUM].run(Odd(), Sessions(), [])[0] == NO_SNAPSHOT
