"""Built-in commands: every cluster has them, and the user's machine never sees them."""

from collections.abc import Sequence
from typing import Any

import pytest

from commutativity import CommutativityTable, Footprint, InvalidCommand, Machine
from commutativity.footprint import undeclared
from genpaxos.core import builtins
from genpaxos.core.builtins import BUILTINS, Builtin
from genpaxos.core.commands import Proposals
from genpaxos.core.executor import Executor
from genpaxos.core.history import History
from genpaxos.core.sessions import Result, Sessions
from genpaxos.examples.bank import Bank
from tests.core.bench import history_of


def _admit(table: CommutativityTable, arguments: Sequence[Any]) -> Footprint:
    if len(arguments) != 1:
        raise InvalidCommand("genpaxos.echo takes one argument")
    return undeclared(table)


def _echo(_machine: Machine, sessions: Sessions, arguments: Sequence[Any]) -> Result:
    return [None, [arguments[0], len(sessions)]]


@pytest.fixture(autouse=True)
def _with_echo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BUILTINS, "genpaxos.echo", Builtin(_admit, _echo))


def admitted(body: list[Any]) -> tuple[Proposals, History]:
    proposals = Proposals(Bank, Sessions())
    _, refused = proposals.add(["c:1"], [body])
    assert not refused
    return proposals, history_of(proposals, Bank)


def test_a_built_in_command_runs_without_the_machine_and_its_result_is_recorded() -> None:
    proposals, history = admitted(["genpaxos.echo", ["x"], 0])
    machine = Bank()
    before = machine.snapshot()
    executor = Executor(machine, history, proposals.known, proposals.sessions)
    history.decree(["c:1"])
    history.committed = 1
    executor.run_committed()
    assert executor.take_done() == (["c:1"], [[None, ["x", 0]]])
    assert proposals.sessions.result("c:1", "c", 1, 1) == [None, ["x", 0]]
    assert machine.snapshot() == before


def test_a_built_in_command_has_the_footprint_it_says() -> None:
    proposals, _ = admitted(["genpaxos.echo", ["x"], 0])
    assert proposals.known["c:1"][1] == undeclared(Bank.table)
    assert builtins.admit(Bank, "deposit", ["a", 1]) == Bank.admit("deposit", ["a", 1])


def test_a_built_in_command_with_wrong_arguments_is_refused() -> None:
    proposals = Proposals(Bank, Sessions())
    assert proposals.add(["c:1"], [["genpaxos.echo", [], 0]]) == ([], [("c:1", "genpaxos.echo takes one argument")])


def test_a_name_that_only_looks_built_in_is_refused_as_unknown() -> None:
    proposals = Proposals(Bank, Sessions())
    ((_, why),) = proposals.add(["c:1"], [["genpaxos.nothing", [], 0]])[1]
    assert "genpaxos.nothing" in why
