"""A copy of the process tells how a command fails, and leaves this one as it is."""

from __future__ import annotations

import errno
import os

import pytest

from genpaxos.core.failures import TEXT_MAX
from genpaxos.runtime.trials import try_in_copy
from tests.core.machines import Ledger


def test_a_failure_is_told_and_nothing_has_changed() -> None:
    machine = Ledger()
    found = try_in_copy(machine, "divide", ["n", 0])
    assert found is not None
    assert found[0] == "ZeroDivisionError: integer division or modulo by zero"
    assert found[1].endswith("in Ledger.divide")
    assert machine.snapshot() == {"sums": {}, "notes": {}}


@pytest.mark.parametrize("command", [("divide", ["n", 1]), ("refuse", ["n"]), ("fail", ["memory"])])
def test_what_does_not_fail_or_need_not_fail_here_is_to_be_run(command: tuple[str, list[object]]) -> None:
    machine = Ledger()
    assert try_in_copy(machine, *command) is None
    assert machine.snapshot() == {"sums": {}, "notes": {}}


def test_a_copy_that_is_gone_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Ledger, "apply", lambda *_: os._exit(1))
    assert try_in_copy(Ledger(), "divide", ["n", 0]) is None


def test_a_long_text_arrives() -> None:
    found = try_in_copy(Ledger(), "say", ["\u20ac" * 10_000])
    assert found is not None
    assert len(found[0]) == TEXT_MAX + len("ValueError: ")


def test_without_a_copy_the_command_is_to_be_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> int:
        raise OSError(errno.EAGAIN, "no process left")

    monkeypatch.setattr(os, "fork", full)
    before = len(os.listdir("/proc/self/fd"))
    assert try_in_copy(Ledger(), "divide", ["n", 0]) is None
    assert len(os.listdir("/proc/self/fd")) == before
