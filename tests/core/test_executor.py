"""Execution: after all predecessors, exactly once, and loudly wrong rather than quietly."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any

import pytest

from commutativity import JSON, CommutativityTable, Machine, OperationError, operation
from commutativity.declared import UNREPRESENTABLE
from genpaxos.core.executor import Executor
from genpaxos.core.failures import OPERATION_FAILED
from genpaxos.core.history import DivergenceError, History
from genpaxos.examples.bank import Bank
from tests.core.bench import history_of, known

COMMANDS = {
    "c:1": Bank.deposit("alice", 5),
    "c:2": Bank.withdraw("alice", 3),
    "c:3": Bank.balance("alice"),
    "c:4": Bank.deposit("bob", 1),
}


def executor(machine: Machine | None = None, commands: dict[str, Any] | None = None) -> tuple[Executor, History]:
    machine = machine or Bank()
    proposals = known(commands or COMMANDS, type(machine))
    history = history_of(proposals, type(machine))
    return Executor(machine, history, proposals.known, proposals.sessions), history


def labels(*ids: str) -> list[int]:
    return history_of(known(COMMANDS)).accept(ids)


def commit(history: History, *ids: str) -> None:
    history.decree(ids)
    history.committed = history.length


def test_committed_commands_run_in_index_order() -> None:
    made, history = executor()
    commit(history, "c:1", "c:2", "c:3")
    assert made.run_committed() == ["c:1", "c:2", "c:3"]
    assert made.take_done() == (["c:1", "c:2", "c:3"], [[None, None], [None, True], [None, 2]])
    assert made.take_done() == ([], [])
    assert (made.executed, made.applied) == (3, 3)


def test_a_learned_command_waits_for_its_predecessors() -> None:
    made, _ = executor()
    one, two, three = labels("c:1", "c:2", "c:3")
    made.run_learned(["c:3"], [three])
    made.run_learned(["c:2", "c:4"], [two, *labels("c:4")])
    assert made.take_done()[0] == ["c:4"]
    assert made.waiting == ["c:3", "c:2"]
    made.run_learned(["c:1"], [one])
    assert made.take_done()[0] == ["c:1", "c:2", "c:3"]
    assert made.waiting == []
    assert set(made.ahead) == {"c:1", "c:2", "c:3", "c:4"}


def test_a_learned_command_waits_for_its_body() -> None:
    made, history = executor(commands={"c:1": COMMANDS["c:1"]})
    made.run_learned(["c:4"], labels("c:4"))
    assert made.waiting == ["c:4"]
    history._known.update(known(COMMANDS).known)
    made.admitted(["c:1", "c:4"])
    assert made.take_done()[0] == ["c:4"]
    assert made.waiting == []


def test_a_body_that_comes_lets_those_run_that_waited_behind_it() -> None:
    some = {name: command for name, command in COMMANDS.items() if name != "c:1"}
    made, history = executor(commands=some)
    one, two = labels("c:1", "c:2")
    made.run_learned(["c:1", "c:2"], [one, two])
    assert made.waiting == ["c:2", "c:1"]
    history._known.update(known(COMMANDS).known)
    made.admitted(["c:1"])
    assert made.take_done()[0] == ["c:1", "c:2"]
    assert made.waiting == []


def test_predecessors_may_come_by_the_classic_rule() -> None:
    made, history = executor()
    made.run_learned(["c:3"], labels("c:1", "c:3")[1:])
    commit(history, "c:1")
    made.run_committed()
    assert made.take_done()[0] == ["c:1", "c:3"]
    assert set(made.ahead) == {"c:3"}


def test_what_ran_ahead_is_skipped_when_its_index_comes() -> None:
    made, history = executor()
    made.run_learned(["c:1"], labels("c:1"))
    commit(history, "c:4", "c:1")
    made.run_committed()
    assert made.take_done()[0] == ["c:1", "c:4"]
    assert made.applied == 2
    assert not made.ahead
    made.run_learned(["c:1"], labels("c:1"))
    assert made.take_done()[0] == [], "nor is it run when its votes come late"


def test_a_commit_that_does_not_follow_from_what_ran_is_divergence() -> None:
    made, history = executor()
    made.run_learned(["c:2"], labels("c:2"))
    commit(history, "c:1", "c:2", "c:3")
    with pytest.raises(DivergenceError, match=r"committed command c:1 \(index 1\) does not follow"):
        made.run_committed()


class Odd(Machine):
    """Operations that return or raise what they should not."""

    table = CommutativityTable("""
               touch
        touch    x
    """)

    def __init__(self) -> None:
        self.items: list[Any] = []

    @operation(everything="touch")
    def give(self, what: str) -> Any:
        values = {
            "nan": math.nan,
            "tuple": (1, 2),
            "set": {1},
            "huge": 2**64,
            "bytes": b"x",
            "keys": {1: 2},
            "bad": "\ud800",
        }
        return values[what]

    @operation(everything="touch")
    def fail(self, declared: bool) -> None:
        if declared:
            raise EmptyError("nothing there")
        raise KeyError("oops")

    @operation(everything="touch")
    def keep(self, item: JSON) -> JSON:
        self.items.append(item)
        return self.items

    @operation(everything="touch")
    def nest(self, depth: int) -> Any:
        value: list[Any] = []
        for _ in range(depth):
            value = [value]
        return value

    @operation(everything="touch")
    def grow(self) -> None:
        self.items[0].append("grown")


class EmptyError(OperationError):
    pass


@pytest.mark.parametrize("what", ["nan", "tuple", "set", "huge", "bytes", "keys", "bad"])
def test_a_result_that_json_cannot_carry_becomes_an_error_everywhere_alike(what: str) -> None:
    made, history = executor(Odd(), {"c:1": Odd.give(what)})
    commit(history, "c:1")
    made.run_committed()
    [[code, message]] = made.take_done()[1]
    assert code == UNREPRESENTABLE
    assert message


def test_a_declared_error_is_a_result() -> None:
    made, history = executor(Odd(), {"c:1": Odd.fail(True)})
    commit(history, "c:1")
    made.run_committed()
    assert made.take_done()[1] == [[".EmptyError", "nothing there"]]
    assert made.sessions.result("c:1", "c", 1, 1) == [".EmptyError", "nothing there"]


def test_an_undeclared_exception_is_a_result_too() -> None:
    """It has no effect, on no replica: see test_undo.py."""
    made, history = executor(Odd(), {"c:1": Odd.fail(False)})
    commit(history, "c:1")
    made.run_committed()
    assert made.take_done()[1] == [[OPERATION_FAILED, "KeyError: 'oops'"]]


def test_a_result_nested_beyond_all_bounds_is_judged_without_a_copy() -> None:
    made, history = executor(Odd(), {"c:1": Odd.nest(100_000)})
    commit(history, "c:1")
    made.run_committed()
    [[code, message]] = made.take_done()[1]
    assert code == UNREPRESENTABLE
    assert "nested deeper" in message


def test_a_machine_that_changes_what_it_was_given_does_not_change_the_command() -> None:
    """The body is served to replicas that lag: changed, it would give them another state."""
    commands = {"c:1": Odd.keep(["item"]), "c:2": Odd.grow()}
    made, history = executor(Odd(), commands)
    before = copy.deepcopy(history._known["c:1"][0])
    commit(history, "c:1", "c:2")
    made.run_committed()
    assert history._known["c:1"][0] == before


def test_a_result_is_what_it_was_when_the_command_ran() -> None:
    """A retry gets the first result, whatever ran since (protocol §7)."""
    commands = {"c:1": Odd.keep(["item"]), "c:2": Odd.keep(["other"])}
    made, history = executor(Odd(), commands)
    commit(history, "c:1", "c:2")
    made.run_committed()
    assert made.sessions.result("c:1", "c", 1, 1) == [None, [["item"]]]


# A program that has replaced Machine.apply --------------------------------------------------------------------------


class ClosedError(OperationError):
    pass


class Shop(Bank):
    """Takes withdrawals from nobody, keeps a cent of each deposit, and counts what it was asked."""

    asked = 0

    def apply(self, operation: str, arguments: Sequence[JSON]) -> JSON:
        self.asked += 1
        if operation == "withdraw":
            raise ClosedError("not today")
        result = super().apply(operation, arguments)
        if operation == "deposit":
            self._change(str(arguments[0]), -1)
        return [result, "counted"] if operation == "balance" else result


class Branch(Shop):
    """Inherits it."""


SHOPS = pytest.mark.parametrize("machine", [Shop, Branch])


def run_all(made: Executor, history: History) -> list[Any]:
    commit(history, *COMMANDS)
    made.run_committed()
    return made.take_done()[1]


@SHOPS
def test_a_programs_own_apply_runs_every_command(machine: type[Shop]) -> None:
    """The first command of a client takes another way than later ones do."""
    shop = machine()
    made, history = executor(shop)
    assert run_all(made, history) == [
        [None, None],
        [".ClosedError", "not today"],
        [None, [4, "counted"]],
        [None, None],
    ]
    assert (shop.cents, shop.asked) == ({"alice": 4}, len(COMMANDS))


@SHOPS
def test_a_programs_own_apply_runs_what_is_learned_fast(machine: type[Shop]) -> None:
    shop = machine()
    made, _ = executor(shop)
    made.run_learned(list(COMMANDS), labels(*COMMANDS))
    assert len(made.take_done()[0]) == shop.asked == len(COMMANDS)


@pytest.mark.parametrize("machines", [(Bank, Shop), (Shop, Bank)], ids=["with its own", "without one"])
def test_the_apply_of_the_machine_that_it_runs_on_by_now_counts(machines: tuple[type[Bank], type[Bank]]) -> None:
    before, now = machines
    made, history = executor(before())
    made.applier.run_on(now())
    assert run_all(made, history)[1] == ([".ClosedError", "not today"] if now is Shop else [None, True])
