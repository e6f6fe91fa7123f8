"""Runs: several operations of a client under one id, one footprint and one digest (protocol §2.2)."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commutativity import (
    Command,
    CommutativityTable,
    InterferenceIndex,
    InvalidCommand,
    Machine,
    OperationError,
    operation,
)
from commutativity.footprint import TOUCHES_MAX, undeclared
from commutativity.interference import interferes
from genpaxos.core.builtins import CHECKSUM
from genpaxos.core.commands import Body, Proposals, footprint_of, footprints_of
from genpaxos.core.executor import Executor
from genpaxos.core.failures import OPERATION_FAILED
from genpaxos.core.ids import command_id, operation_ids, parted
from genpaxos.core.keys import key_client
from genpaxos.core.runs import NOT_ADMITTED, RUN_OPERATIONS_MAX, count_of, operations_of, pairs_of
from genpaxos.core.sessions import Sessions
from genpaxos.core.snapshot import base_of, capture
from genpaxos.core.trials import failure_of
from genpaxos.examples.bank import Bank
from tests.core.bench import history_of
from tests.core.machines import Ledger


def run_of(commands: Sequence[Command[Any]], acknowledged: int = 0) -> Body:
    return [[one.operation for one in commands], [list(one.arguments) for one in commands], acknowledged]


DEPOSITS = [Bank.deposit("alice", 5), Bank.deposit("bob", 1), Bank.deposit("alice", 2)]


def test_a_body_tells_its_operations() -> None:
    body, single = run_of(DEPOSITS), ["deposit", ["alice", 5], 0]
    assert (count_of(body), count_of(single)) == (3, 1)
    assert list(operations_of(single)) == ["deposit"]
    assert list(pairs_of(body)) == [("deposit", ["alice", 5]), ("deposit", ["bob", 1]), ("deposit", ["alice", 2])]
    assert list(pairs_of(single)) == [("deposit", ["alice", 5])]
    assert operation_ids("h/c:5+3") == ["h/c:5+3#5", "h/c:5+3#6", "h/c:5+3#7"]
    assert operation_ids("h/c:5") == ["h/c:5"]
    assert parted("h/c:5+3#7") == ("h/c:5+3", 7)
    assert parted("h/c:5") == ("h/c:5", None)


@pytest.mark.parametrize("name", ["c:5+3#4", "c:5+3#8", "c:5+3#", "c:5+3#x", "c:5#5", "c#1"])
def test_what_names_no_operation_of_a_run_is_refused(name: str) -> None:
    with pytest.raises(InvalidCommand):
        parted(name)


def test_a_run_touches_what_its_operations_touch() -> None:
    proposals = Proposals(Bank, Sessions())
    assert proposals.add(["c:1+3"], [run_of(DEPOSITS)]) == (["c:1+3"], [])
    body, footprint, client, first, last, refused = proposals.known["c:1+3"]
    mode = Bank.table.index("add")
    assert footprint == (("alice", mode), ("bob", mode))
    assert (client, first, last, dict(refused)) == ("c", 1, 3, {})
    assert footprint_of(Bank, "c:1+3", body) == footprint
    assert footprints_of(Bank, "c:1+3", body) == [(("alice", mode),), (("bob", mode),), (("alice", mode),)]


def test_an_operation_that_is_not_admitted_touches_nothing_and_the_others_stay() -> None:
    proposals = Proposals(Bank, Sessions())
    body: Body = [["deposit", "no_such", "deposit", CHECKSUM], [["alice", 5], [], ["bob", "much"], []], 0]
    assert proposals.add(["c:1+4"], [body]) == (["c:1+4"], [])
    _, footprint, _, _, _, refused = proposals.known["c:1+4"]
    assert footprint == (("alice", Bank.table.index("add")),)
    assert sorted(refused) == [1, 2, 3]
    assert "command of its own" in refused[3]


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("c:1+2", [["deposit"], [["a", 1]], 0]),
        ("c:1+3", [["deposit"] * 2, [["a", 1]] * 2, 0]),
        ("c:1+2", [["deposit"] * 2, [["a", 1]], 0]),
        ("c:1+2", [["deposit", 7], [["a", 1]] * 2, 0]),
        ("c:1+2", [["deposit"] * 2, [["a", 1], "a"], 0]),
        ("c:1+129", [["deposit"] * 129, [["a", 1]] * 129, 0]),
        ("c:1+2", ["deposit", ["a", 1], 0]),
        ("c:1", [["deposit"] * 2, [["a", 1]] * 2, 0]),
        ("c:5+2", [["deposit"] * 2, [["a", 1]] * 2, 5]),
        (f"{key_client('k')}:1+2", [["deposit"] * 2, [["a", 1]] * 2, 0]),
        (f"c:{2**63 - 1}+2", [["deposit"] * 2, [["a", 1]] * 2, 0]),
    ],
)
def test_what_is_no_run_is_refused(name: str, body: Body) -> None:
    proposals = Proposals(Bank, Sessions())
    fresh, refused = proposals.add([name], [body])
    assert fresh == []
    assert [command for command, _ in refused] == [name]
    assert not proposals.known


class Wide(Machine):
    """Operations with many touches, and one that interferes with everything."""

    table = CommutativityTable("""
           use
      use   x
    """)

    def snapshot(self) -> None:
        return None

    def restore(self, state: object) -> None:
        pass

    @operation(footprint=lambda start: {(f"r{start + n}", "use") for n in range(100)})
    def use(self, start: int) -> None:
        pass

    @operation
    def anything(self) -> None:
        pass


class Counted(Machine):
    """Touches one resource, or the whole machine."""

    table = CommutativityTable("""
            add  read
      add    .    x
      read   x    .
    """)

    @operation(name="add")
    def add(self, name: str) -> None:
        pass

    @operation(everything="read")
    def read(self) -> None:
        pass


def test_the_whole_machine_comes_first_in_a_footprint_and_the_index_sees_it() -> None:
    commands = [Counted.add("a"), Counted.read(), Counted.add("b")]
    footprint = footprint_of(Counted, "c:1+3", run_of(commands))
    assert footprint == ((None, 1), ("a", 0), ("b", 0))
    one, other = InterferenceIndex(Counted.table), InterferenceIndex(Counted.table)
    one.append("before", (("z", 0),))
    other.append("earlier", (("z", 0),))
    assert one.append("c:1+3", footprint) != other.append("c:1+3", footprint)
    assert one.digest("behind", (("y", 0),)) != InterferenceIndex(Counted.table).digest("behind", (("y", 0),))


def test_a_run_with_too_many_touches_interferes_with_everything() -> None:
    few = run_of([Wide.use(100 * n) for n in range(10)])
    many = run_of([Wide.use(100 * n) for n in range(11)])
    assert len(footprint_of(Wide, "c:1+10", few)) == 1000 <= TOUCHES_MAX
    assert footprint_of(Wide, "c:1+11", many) == undeclared(Wide.table)
    assert footprint_of(Wide, "c:1+2", run_of([Wide.use(1), Wide.anything()])) == undeclared(Wide.table)


banks = st.one_of(
    st.builds(Bank.deposit, st.sampled_from("ab"), st.integers(1, 9)),
    st.builds(Bank.withdraw, st.sampled_from("ab"), st.integers(1, 9)),
    st.builds(Bank.balance, st.sampled_from("ab")),
)


@given(st.lists(banks, min_size=2, max_size=5), st.lists(banks, min_size=2, max_size=5))
def test_two_runs_interfere_exactly_when_two_of_their_operations_do(
    one: list[Command[Any]], other: list[Command[Any]]
) -> None:
    first, second = (footprint_of(Bank, command_id("c", 1, len(made)), run_of(made)) for made in (one, other))
    apart = [
        interferes(Bank.table, mine, yours)
        for mine in footprints_of(Bank, "c:1+2", run_of(one))
        for yours in footprints_of(Bank, "c:1+2", run_of(other))
    ]
    assert interferes(Bank.table, first, second) == any(apart)


# Execution ------------------------------------------------------------------------------------------------------------


class Rig:
    """An executor to which runs of one client are committed one by one."""

    def __init__(self, *runs: Sequence[Command[Any]], machine: type[Machine] = Ledger) -> None:
        self.proposals = Proposals(machine, Sessions())
        self.ids: list[str] = []
        first = 1
        for commands in runs:
            name = command_id("c", first, len(commands))
            single = [commands[0].operation, list(commands[0].arguments), 0]
            fresh, refused = self.proposals.add([name], [run_of(commands) if len(commands) > 1 else single])
            assert (fresh, refused) == ([name], [])
            self.ids.append(name)
            first += len(commands)
        self.history = history_of(self.proposals, machine)
        self.executor = Executor(machine(), self.history, self.proposals.known, self.proposals.sessions)

    def commit(self) -> list[Any]:
        self.history.decree([self.ids[self.history.length]])
        self.history.commit(self.history.length)
        self.executor.run_committed()
        return self.executor.take_done()[1]

    def store(self) -> None:
        data = capture(self.executor, self.history)
        self.executor.undo.read_stored = lambda: base_of(data)
        self.executor.undo.stored(self.history.committed)
        self.history.cut(self.history.committed)


def expected(commands: Sequence[Command[Any]]) -> tuple[Any, list[Any]]:
    """The state and the results that these make one by one, each tried in a copy first."""
    machine, results = Ledger(), list[Any]()
    for command in commands:
        trial = deepcopy(machine)
        try:
            results.append([None, trial.apply(command.operation, deepcopy(command.arguments))])
        except OperationError as error:
            results.append(error.code)
        except Exception:
            results.append(OPERATION_FAILED)
            continue
        machine = trial
    return machine.snapshot(), results


def test_a_run_gives_the_result_of_each_operation_and_counts_them() -> None:
    rig = Rig([Bank.deposit("a", 5), Bank.withdraw("a", 3), Bank.balance("a")], machine=Bank)
    assert rig.commit() == [[[None, None], [None, True], [None, 2]]]
    assert (rig.executor.executed, rig.executor.applied) == (1, 3)
    assert rig.executor.sessions.result("c:1+3", "c", 1, 3) == [[None, None], [None, True], [None, 2]]
    assert rig.executor.sessions.to_json()["c"][0] == 3


def test_an_operation_that_is_not_admitted_gives_that_and_has_no_effect() -> None:
    body: Body = [["deposit", "deposit", "balance"], [["a", 5], ["a", "x"], ["a"]], 0]
    proposals = Proposals(Bank, Sessions())
    proposals.add(["c:1+3"], [body])
    history = history_of(proposals, Bank)
    executor = Executor(Bank(), history, proposals.known, proposals.sessions)
    history.decree(["c:1+3"])
    history.commit(1)
    executor.run_committed()
    ((first, second, third),) = executor.take_done()[1]
    assert (first, third) == ([None, None], [None, 5])
    assert second[0] == NOT_ADMITTED
    assert "cents" in second[1]


FINE = [Ledger.add("a", 1), Ledger.note("n", {"x": [1]}), Ledger.refuse("n"), Ledger.divide("n", 7)]
POISON = [Ledger.lose("a"), Ledger.divide("n", 0), Ledger.fail("arithmetic")]
ledgers = st.lists(st.lists(st.sampled_from(FINE + POISON), min_size=1, max_size=5), min_size=1, max_size=6)


@given(ledgers, st.sets(st.integers(0, 5)), st.booleans())
def test_only_the_operations_that_fail_have_no_effect(
    runs: list[list[Command[Any]]], stored: set[int], tried: bool
) -> None:
    """Whatever the state is made of again: snapshots, what ran since, and the first operations of the same run."""
    rig = Rig(*runs)
    if tried:
        rig.executor.trials.run = lambda machine, *command: failure_of(deepcopy(machine), *command)
        rig.executor.trials.saves_ms.update({command.operation: 1_000.0 for command in POISON})
    found: list[Any] = []
    for number, commands in enumerate(runs):
        (result,) = rig.commit()
        found += result if len(commands) > 1 else [result]
        if number in stored:
            rig.store()
    state, results = expected([command for commands in runs for command in commands])
    assert rig.executor.machine.snapshot() == state
    assert [one if one[0] is None else one[0] for one in found] == [
        one if isinstance(one, list) or one == OPERATION_FAILED else found[at][0] for at, one in enumerate(results)
    ]
    assert rig.executor.applied == sum(map(len, runs))


def test_a_run_of_a_client_whose_session_has_ended_does_nothing() -> None:
    rig = Rig([Bank.deposit("a", 5), Bank.deposit("a", 6)], machine=Bank)
    rig.executor.sessions.end(["c"], 0)
    ((one, other),) = rig.commit()
    assert one[0] == other[0] == "genpaxos.SessionEnded"
    assert rig.executor.machine.snapshot() == {"cents": {}}


def test_the_largest_run_is_one_that_is_admitted() -> None:
    rig = Rig([Bank.deposit(f"a{n}", 1) for n in range(RUN_OPERATIONS_MAX)], machine=Bank)
    assert rig.commit() == [[[None, None]] * RUN_OPERATIONS_MAX]
