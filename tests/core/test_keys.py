"""Idempotency keys: one key runs one command, whatever else is sent under it, in whatever order."""

from __future__ import annotations

from itertools import permutations

import pytest

from commutativity import Command, CommutativityTable, Footprint, Machine, interferes, operation
from genpaxos.core.ballot import FastQuorums, Policy
from genpaxos.core.keys import KEY_CONFLICT, admitted, guarded, key_client
from genpaxos.core.snapshot import parse, sums_of_log
from genpaxos.examples.bank import Bank
from genpaxos.runtime.wire import CLIENT_BYTES_MAX
from tests.core.bench import Bench

KEY = key_client("order-4711")
ONE, OTHER, THIRD = f"aa/{KEY}:1", f"bb/{KEY}:1", f"cc/{KEY}:1"
DEPOSITS: dict[str, Command[None]] = {ONE: Bank.deposit("alice", 5), OTHER: Bank.deposit("alice", 7)}
"""Two commands that commute, under one key."""

TABLES = {
    "bank": Bank.table,
    "pairs": CommutativityTable("""
             read add
        read  .    x
        add   x    .
    """),
    "nothing": CommutativityTable("""
             add
        add   .
    """),
}


def outcome(bench: Bench) -> tuple[str, str]:
    """Which of the two ran, and which did not; the same on every replica."""
    states = [bench.cents(node) for node in bench.up]
    assert all(state == states[0] for state in states)
    ran = [name for name, result in bench.replies.items() if result == [None, None]]
    refused = [name for name, result in bench.replies.items() if result == KEY_CONFLICT]
    (winner,), (loser,) = ran, refused
    assert states[0] == {"alice": DEPOSITS[winner].arguments[1]}
    return winner, loser


def test_a_key_is_a_short_name_of_its_own() -> None:
    assert key_client("order-4711") == KEY != key_client("order-4712")
    for key in ("a", "ü" * 500, "\0", "order-4711"):
        name = key_client(key)
        assert len(name) == CLIENT_BYTES_MAX
        assert name.startswith("key.")
        assert name[4:].isalnum()
        assert name.isascii()


@pytest.mark.parametrize("policy", Policy)
@pytest.mark.parametrize("fast", FastQuorums)
def test_of_two_commands_that_commute_only_the_first_of_a_key_runs(policy: Policy, fast: FastQuorums) -> None:
    """They reach the replicas in different orders, and everybody must run the same one."""
    for order in permutations((ONE, OTHER)):
        bench = Bench(3, policy, fast).led_by(0)
        for node in range(3):
            for name in order if node != 1 else reversed(order):
                bench.propose(DEPOSITS[name], [node], name)
        bench.run_for(1_500)
        outcome(bench)


def test_the_first_result_is_given_again_and_a_conflict_stays_one() -> None:
    bench = Bench().led_by(0)
    for name in (ONE, OTHER, ONE, OTHER):
        bench.propose(DEPOSITS[name], name=name)
        bench.run_for(50)
        bench.propose(DEPOSITS[name], name=name)
    assert outcome(bench) == (ONE, OTHER)
    bench.replies.clear()
    bench.propose(Bank.deposit("alice", 9), name=THIRD)
    bench.run_for(50)
    assert bench.replies[THIRD] == KEY_CONFLICT


def test_a_key_outlives_a_restart_and_a_snapshot() -> None:
    bench = Bench().led_by(0)
    bench.propose(DEPOSITS[ONE], name=ONE)
    bench.run_for(50)
    for node in range(3):
        bench.take_snapshot(node, 2)
    for node in range(3):
        bench.restart(node)
    bench.campaign(0)
    bench.run_for(50)
    bench.replies.clear()
    bench.propose(DEPOSITS[OTHER], name=OTHER)
    bench.run_for(50)
    bench.propose(DEPOSITS[ONE], name=ONE)
    assert outcome(bench) == (ONE, OTHER)


def test_the_sums_of_a_snapshot_leave_out_what_ran_ahead_with_its_key() -> None:
    bench = Bench(5).led_by(0)
    bench.propose(Bank.deposit("bob", 1))
    bench.run_for(50)
    before = bench[1].executor.sums()
    bench.propose(DEPOSITS[ONE], [0, 1, 2], ONE)
    bench.deliver(2, 1)
    bench.deliver(0, 1)
    assert ONE in bench[1].executor.ahead
    state = parse(bench.capture(1).snapshot.state)
    assert state.sums != before
    assert sums_of_log(Bank, state).snapshot() == before


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES.keys())
def test_commands_of_one_key_interfere_whatever_the_table(table: CommutativityTable) -> None:
    footprints: list[Footprint] = [(), ((None, 0),), (("a", 0),), (("z", 0), ("zz", 0)), ((None, len(table.modes)),)]
    for one in footprints:
        for other in footprints:
            assert interferes(table, guarded(table, KEY, one), guarded(table, KEY, other))


@pytest.mark.parametrize("name", ["bank", "pairs"])
def test_keys_leave_others_alone_where_the_table_allows_it(name: str) -> None:
    table = TABLES[name]
    mine, yours = guarded(table, KEY, (("a", 0),)), guarded(table, key_client("another"), (("b", 0),))
    assert not interferes(table, mine, yours)
    assert not interferes(table, mine, (("b", len(table.modes) - 1),))
    assert mine[-1][0] == KEY
    assert list(mine) == sorted(mine)


def test_only_the_first_command_of_a_keys_session_is_guarded() -> None:
    plain = Bank.admit("deposit", ["alice", 5])
    assert admitted(Bank, "somebody", 1, "deposit", ["alice", 5]) == plain
    assert admitted(Bank, KEY, 1, "deposit", ["alice", 5]) != plain


def test_a_machine_whose_commands_all_commute_orders_those_with_keys() -> None:
    class Tally(Machine):
        table = TABLES["nothing"]

        def __init__(self) -> None:
            self.count = 0

        @operation(name="add")
        def add(self, name: str) -> None:
            self.count += len(name)

    bench = Bench(machine=Tally).led_by(0)
    for node in range(3):
        names = [("a", ONE), ("b", OTHER)]
        for word, name in names if node else reversed(names):
            bench.propose(Tally.add(word), [node], name)
    bench.run_for(300)
    assert sorted(bench.replies.values(), key=str) == sorted([[None, None], KEY_CONFLICT], key=str)
    assert {bench[node].executor.machine.count for node in range(3)} == {1}  # type: ignore[attr-defined]
