"""Machines for the tests whose operations raise what they have not declared."""

from __future__ import annotations

from typing import Any

from commutativity import CommutativityTable, Machine, OperationError, operation

RAISES: dict[str, BaseException] = {
    "arithmetic": ZeroDivisionError("division by zero"),
    "exit": SystemExit(3),
    "generator": GeneratorExit(),
    "group": ExceptionGroup("several", [ValueError("one"), KeyError("two")]),
    "memory": MemoryError(),
    "recursion": RecursionError("too deep"),
    "system": FileNotFoundError(2, "No such file", "x"),
    "group with memory": ExceptionGroup("several", [ValueError("one"), MemoryError()]),
}


class RefusedError(OperationError):
    """Declared."""


class SpeechlessError(Exception):
    """Its text cannot be had."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


class Ledger(Machine):
    """A list that every command changes, whatever comes of it."""

    table = CommutativityTable("""
                add  note  whole
        add      .    .     x
        note     .    x     x
        whole    x    x     x
    """)

    def __init__(self) -> None:
        self.sums: dict[str, int] = {}
        self.notes: dict[str, list[Any]] = {}

    @operation(name="add")
    def add(self, name: str, amount: int) -> None:
        self.sums[name] = self.sums.get(name, 0) + amount

    @operation(name="add")
    def lose(self, name: str) -> None:
        """Commutes with additions; changes something and fails."""
        self.sums[name] = self.sums.get(name, 0) + 1_000
        raise KeyError(name)

    @operation(name="note")
    def note(self, name: str, given: Any) -> list[Any]:
        self.notes.setdefault(name, []).append(given)
        return self.notes[name]

    @operation(name="note")
    def refuse(self, name: str) -> None:
        """Fails as declared, and leaves a trace."""
        self.notes.setdefault(name, []).append("refused")
        raise RefusedError(name)

    @operation(name="note")
    def divide(self, name: str, by: int) -> int:
        """Leaves a trace; fails for 0."""
        self.notes.setdefault(name, []).append(by)
        return 100 // by

    @operation(everything="whole")
    def fail(self, how: str) -> None:
        self.sums["failed"] = 1
        raise RAISES[how]

    @operation(everything="whole")
    def speechless(self) -> None:
        raise SpeechlessError

    @operation(everything="whole")
    def say(self, text: str) -> None:
        raise ValueError(text + "\ud800" if text == "odd" else text)

    @operation(everything="whole")
    def itself(self) -> None:
        raise ValueError(f"{object()!r} of {self!r}")

    @operation(everything="whole")
    def unsound_error(self) -> None:
        self.sums["failed"] = 1
        raise UnsoundError


class UnsoundError(OperationError):
    """Declared, but without a message."""

    def __init__(self) -> None:
        """Says nothing to its base class."""


class Secretive(Ledger):
    """Gives no snapshot."""

    def snapshot(self) -> Any:
        raise TypeError("no")
