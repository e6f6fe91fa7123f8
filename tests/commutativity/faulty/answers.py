"""Machines whose results cannot travel or tell the order, and plain mistakes in tables."""

# ruff: noqa: ARG005

from __future__ import annotations

from collections import deque
from typing import Any

from commutativity import JSON, WHOLE, CommutativityTable, Machine, operation
from commutativity.checking.fault import Kind
from tests.commutativity.faulty.cases import PUT, Full, wrong

# Results as they travel ----------------------------------------------------------------------------------------------


class Answering(Machine):
    table = CommutativityTable({"read": []})

    def answer(self, name: str) -> Any:
        raise NotImplementedError

    @operation(name="read")
    def read(self, name: str) -> JSON:
        return self.answer(name)  # type: ignore[no-any-return]


def answering(label: str, answer: Any, kind: Kind = Kind.RESULT) -> None:
    made = type(f"Answering{label}", (Answering,), {"answer": lambda self, name: answer(name), "__module__": __name__})
    globals()[made.__name__] = made
    wrong(kind)(made)


class Custom:
    pass


answering("Custom", lambda name: Custom())
answering("NaN", lambda name: float("nan"))
answering("Infinity", lambda name: [1.0, float("inf")])
answering("Surrogate", lambda name: "\ud800" + name)
answering("Generator", lambda name: (letter for letter in name))
answering("Iterator", lambda name: deque([name]).__iter__())
answering("Complex", lambda name: 1j)
answering("Nested", lambda name: {"a": [Custom()]})
answering("KeyError", lambda name: {}[name], Kind.UNDECLARED)
answering("Assertion", lambda name: [][len(name)], Kind.UNDECLARED)
answering("Exit", lambda name: exit(1), Kind.UNDECLARED)


@wrong(Kind.UNDECLARED)
class RaisesInSomeStates(Machine):
    table = CommutativityTable({"push": ["push", "pop"], "pop": ["push", "pop"]})

    def __init__(self) -> None:
        self.items: list[str] = []

    @operation
    def push(self, item: str) -> None:
        self.items.append(item)

    @operation
    def pop(self) -> str:
        return self.items.pop()


@wrong(Kind.UNDECLARED)
class RaisesAtAConstant(Machine):
    table = CommutativityTable({"read": []})

    @operation(everything="read")
    def read(self, amount: int) -> int:
        return 10 // (4321 - amount)


@wrong(Kind.UNDECLARED)
class RaisesOnWords(Machine):
    table = CommutativityTable({"read": []})

    @operation(everything="read")
    def read(self, text: str) -> int:
        return {"": 1}.get(text, 2) if text != "stop-word" else int(text)


# Plain mistakes in tables and footprints -----------------------------------------------------------------------------


@wrong()
class RaisesDependingOnOrder(Machine):
    """Undeclared exceptions are results too: which of two removals fails shows the order."""

    table = CommutativityTable({"add": ["take"], "take": ["add"]})

    def __init__(self) -> None:
        self.names: dict[str, int] = {}

    @operation(name="add")
    def add(self, name: str) -> None:
        self.names[name] = 1

    @operation(name="take")
    def take(self, name: str) -> None:
        del self.names[name]


@wrong()
class MessageTells(Machine):
    """The message of a declared error tells the order."""

    table = CommutativityTable({"add": []})

    def __init__(self) -> None:
        self.sum = 0

    @operation(everything="add")
    def add(self, amount: int) -> None:
        self.sum += amount
        raise Full(f"{self.sum}")


@wrong()
class ErrorFieldTells(Machine):
    """A field of a declared error tells the order."""

    table = CommutativityTable({"add": []})

    def __init__(self) -> None:
        self.sum = 0

    @operation(everything="add")
    def add(self, amount: int) -> None:
        self.sum += amount
        error = Full("full")
        error.left = self.sum  # type: ignore[attr-defined]
        raise error


@wrong()
class SnapshotTellsTheOrder(Machine):
    table = CommutativityTable({"add": []})

    def __init__(self) -> None:
        self.names: list[str] = []

    @operation(name="add")
    def add(self, name: str) -> None:
        self.names.append(name)


@wrong()
class WholeForgotten(Machine):
    """Clears everything and says that it touches one name."""

    table = PUT

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    @operation(name="put")
    def put(self, name: str, value: str) -> None:
        self.values[name] = value
        if value == "clear-all":
            self.values = {}


@wrong()
class WholeInOneMode(Machine):
    table = CommutativityTable({"read": [], "put": ["put"]})

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    @operation(footprint=lambda name, value: {(name, "put")})
    def put(self, name: str, value: str) -> None:
        self.values[name] = value

    @operation(footprint=lambda: {(WHOLE, "read")})
    def names(self) -> list[str]:
        return sorted(self.values)
