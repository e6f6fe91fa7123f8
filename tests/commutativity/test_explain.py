"""Explanations name the resource and the cell."""

from __future__ import annotations

import io
from typing import Any

import orjson
import pytest
from rich.console import Console

from commutativity import Command, InvalidCommand, TableError, operation
from commutativity.explain import explain, table_of_commands
from genpaxos.examples.bank import Bank


class WithReset(Bank):
    @operation
    def reset(self) -> None:
        self.cents.clear()

    @operation(footprint=lambda note: {(note, "read")} if note else set())
    def note(self, note: str) -> None: ...


@pytest.mark.parametrize(
    ("first", "second", "interferes", "reasons"),
    [
        (
            Bank.deposit("a", 1),
            Bank.transfer("b", "a", 2),
            False,
            ["both touch 'a' in mode add, which the table says commute"],
        ),
        (Bank.deposit("a", 1), Bank.deposit("b", 1), False, ["they touch nothing in common"]),
        (
            Bank.transfer("a", "a", 1),
            Bank.deposit("a", 2),
            True,
            [
                "both touch 'a' in modes update and add, which the table says interfere",
                "both touch 'a' in mode add, which the table says commute",
            ],
        ),
        (
            Bank.total(),
            Bank.withdraw("a", 1),
            True,
            ["both touch 'a' in modes read and update, which the table says interfere"],
        ),
        (
            Bank.total(),
            Bank.total(),
            False,
            ["both touch the whole machine in mode read, which the table says commute"],
        ),
        (
            WithReset.reset(),
            WithReset.note(""),
            True,
            ["reset() declares no footprint, so it interferes with everything"],
        ),
    ],
)
def test_reasons(first: Command[Any], second: Command[Any], interferes: bool, reasons: list[str]) -> None:
    explanation = explain(WithReset, first, second)
    assert explanation.interferes is interferes
    assert explanation.reasons() == reasons
    assert orjson.loads(orjson.dumps(explanation.to_json()))["reasons"] == reasons
    console = Console(file=io.StringIO(), width=120, color_system=None)
    with console.capture() as capture:
        console.print(explanation)
    assert capture.get() == str(explanation).replace(":", "", 1) + "\n"


def test_an_explanation_in_full() -> None:
    assert str(explain(WithReset, Bank.transfer("b", "a", 2), WithReset.note(""))) == (
        "transfer('b', 'a', 2) and note('') commute:\n"
        "  they touch nothing in common\n"
        "  transfer('b', 'a', 2) touches a: add, b: update\n"
        "  note('') touches nothing"
    )


def test_refused_commands_are_not_explained() -> None:
    with pytest.raises(InvalidCommand, match="unknown operation 'reset'"):
        explain(Bank, WithReset.reset(), Bank.total())


def test_names_of_a_derived_table_are_checked() -> None:
    with pytest.raises(TableError, match="cannot be a name"):
        table_of_commands(Bank, {"the total": Bank.total()})
