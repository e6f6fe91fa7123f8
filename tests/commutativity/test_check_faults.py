"""The check reports operations that misbehave: undeclared exceptions, results and state that are not JSON,
chance."""

from __future__ import annotations

import io
import itertools
import signal
import sys
from typing import Any

import orjson
import pytest
from rich.console import Console

from commutativity import JSON, CommutativityTable, Machine, operation
from commutativity.check import CheckReport, Conclusion, Scope, check
from commutativity.checking.fault import Kind
from genpaxos.examples.bank import Bank


def quick(machine_type: type[Machine], *, examples: int = 0) -> CheckReport:
    return check(machine_type, scope=Scope(depth=2, states_max=30), examples=examples, hash_seeds=False)


COUNTER = itertools.count()


class Faulty(Machine):
    table = CommutativityTable({"read": []})
    failure: str

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    @operation
    def read(self, name: str) -> JSON:
        match self.failure:
            case "raises":
                return self.values["missing " + name]  # type: ignore[no-any-return]
            case "random":
                return next(COUNTER)
            case "result":
                return {1, 2}  # type: ignore[return-value]
            case "state":
                self.values[name] = bytearray()
        return None


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        ("raises", "read('a') from {'values': {}}: raises KeyError: 'missing a'; declare it"),
        ("random", "not deterministic: it returns"),
        ("result", "read returned what its annotation does not say: a value of type set is not JSON"),
        ("state", "Faulty.values['a'] is a value of type bytearray"),
    ],
)
def test_faults_of_an_operation_are_reported_with_command_and_state(
    failure: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Faulty, "failure", failure, raising=False)
    report = quick(Faulty)
    assert not report.ok
    assert report.fault is not None
    assert message in str(report.fault)
    assert report.fault.command == Faulty.read("a")
    assert report.summary().startswith("Faulty: refuted: an operation is at fault.")
    console = Console(file=io.StringIO(), width=200, color_system=None)
    with console.capture() as capture:
        console.print(report)
    assert "╭─ Fault" in capture.get()
    assert report.warnings() == []
    assert orjson.loads(orjson.dumps(report.to_json()))["fault"]["command"] == "read('a')"


def test_a_fault_beyond_the_scope_is_shrunk() -> None:
    class Fragile(Machine):
        table = CommutativityTable({"read": []})

        @operation
        def read(self, amount: int) -> int:
            if int("33") < amount < int("59"):
                raise KeyError(amount)
            return 0

    report = quick(Fragile, examples=100)
    assert report.fault is not None
    assert report.fault.command == Fragile.read(34)


def test_machines_that_start_differently_are_at_fault() -> None:
    class Random(Machine):
        table = CommutativityTable({"read": []})

        def __init__(self) -> None:
            self.number = next(COUNTER)

        @operation
        def read(self) -> int:
            return self.number

    assert "two new machines differ" in str(quick(Random))


def test_a_snapshot_that_does_not_restore_is_at_fault() -> None:
    class Forgetful(Bank):
        def restore(self, snapshot: JSON) -> None:
            del snapshot

    assert "gives a machine with another" in str(quick(Forgetful))


def test_a_footprint_function_changes_no_arguments_but_its_own_copy() -> None:
    def footprint(names: list[str]) -> set[tuple[str, str]]:
        return {(names.pop(), "read")} if names else set()

    class Popping(Machine):
        table = CommutativityTable({"read": []})

        @operation(footprint=footprint)
        def read(self, names: list[str]) -> None: ...

    assert quick(Popping).ok
    assert Popping.admit("read", [["a", "b"]]) == (("b", 0),)


def test_without_hypothesis_all_else_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hypothesis", None)  # importing it fails from now on
    report = quick(Bank, examples=10)
    assert report.ok
    assert report.examples == 0
    assert any("the 10 larger examples were not tried" in line for line in report.warnings())


def test_a_fault_that_leaves_results_meaningful_does_not_end_the_check() -> None:
    class Two(Machine):
        table = CommutativityTable({"add": [], "take": ["add", "take"]} | {"add": ["take"]})

        def __init__(self) -> None:
            self.names: list[str] = []

        @operation(name="take")
        def take(self, name: str) -> None:
            self.names.remove(name)

        @operation(name="add")
        def add(self, name: str) -> None:
            self.names.append(name)

    report = quick(Two)
    assert [fault.kind for fault in report.faults] == [Kind.UNDECLARED]
    assert report.faults[0].command == Two.take("a")
    assert report.counterexample is not None
    assert "Declare it" in str(report) or "declare it" in str(report)


def test_a_bounded_time_is_a_bound() -> None:
    report = check(Bank, scope=Scope(seconds_max=1e-6))
    assert report.conclusion is Conclusion.UNDECIDED
    assert "time" in report.unfinished[0]
    assert "proves nothing" in report.summary() or "nothing is proved" in report.summary()


class SpeechlessError(Exception):
    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (SystemExit(0), "raises SystemExit: 0"),
        (GeneratorExit(), "raises GeneratorExit;"),
        (KeyboardInterrupt("its own"), "raises KeyboardInterrupt: its own"),
        (SpeechlessError(), "raises SpeechlessError: (its text cannot be had: RuntimeError)"),
        (ValueError("file \udc80"), r"raises ValueError: file \udc80"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_whatever_an_operation_raises_is_its_fault_and_ends_nothing(error: BaseException, text: str) -> None:
    class Raising(Machine):
        table = CommutativityTable({"fill": ["fill"]})

        def __init__(self) -> None:
            self.names: list[str] = []

        @operation(everything="fill")
        def fill(self, name: str) -> None:
            if len(self.names) == 2:
                raise error
            self.names.append(name)

    report = quick(Raising)
    assert report.conclusion is Conclusion.REFUTED
    assert [fault.kind for fault in report.faults] == [Kind.UNDECLARED]
    assert text in str(report.faults[0])
    orjson.dumps(report.to_json())


def test_ctrl_c_ends_the_check() -> None:
    class Pressed(Machine):
        table = CommutativityTable({"fill": ["fill"]})

        @operation(everything="fill")
        def fill(self) -> None:
            signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        quick(Pressed)
    assert signal.getsignal(signal.SIGINT) is before
