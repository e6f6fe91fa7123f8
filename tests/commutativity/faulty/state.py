"""Machines with state that snapshots miss or do not give back, or that is kept elsewhere."""

# ruff: noqa: ARG002, PLW0108

from __future__ import annotations

from typing import Any, ClassVar

from commutativity import JSON, CommutativityTable, Machine, operation
from commutativity.checking.fault import Kind
from tests.commutativity.faulty.cases import COUNT, PUT, wrong

# What leaves snapshots, and what snapshots miss ----------------------------------------------------------------------


class Counting(Machine):
    table = CommutativityTable({"add": ["add", "read"], "read": ["add"]})

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    @operation(everything="add")
    def add(self, name: str) -> None:
        self.counts[name] = self.counts.get(name, 0) + 1

    @operation(everything="read")
    def read(self, name: str) -> int:
        return self.counts.get(name, 0)


@wrong(Kind.MISSED)
class SnapshotLeavesOut(Counting):
    def snapshot(self) -> JSON:
        return {"names": sorted(self.counts)}  # type: ignore[dict-item]

    def restore(self, snapshot: JSON) -> None:
        self.counts = dict.fromkeys(snapshot["names"], 1)  # type: ignore[index,call-overload,misc]


@wrong(Kind.MISSED)
class HiddenCounter(Counting):
    """Reads are counted, and the tenth fails; no snapshot tells."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0

    @operation(everything="read")
    def read(self, name: str) -> int:
        self.reads += 1
        return -1 if self.reads > 10 else super().counts.get(name, 0) if False else self.counts.get(name, 0)

    def snapshot(self) -> JSON:
        return dict(self.counts)

    def restore(self, snapshot: JSON) -> None:
        self.counts = dict(snapshot)  # type: ignore[arg-type,assignment]


@wrong(Kind.MISSED)
class LastName(Counting):
    def __init__(self) -> None:
        super().__init__()
        self.last = ""

    @operation(everything="add")
    def add(self, name: str) -> str:  # type: ignore[override]
        before, self.last = self.last, name
        return before

    def snapshot(self) -> JSON:
        return dict(self.counts)

    def restore(self, snapshot: JSON) -> None:
        self.__init__()  # type: ignore[misc]
        self.counts = dict(snapshot)  # type: ignore[arg-type,assignment]


@wrong(Kind.RESTORE)
class RestoreAddsTo(Counting):
    """Restoring leaves in place what was there."""

    def restore(self, snapshot: JSON) -> None:
        self.counts.update(snapshot["counts"])  # type: ignore[index,call-overload,arg-type]


@wrong(Kind.ALIASED)
class SnapshotIsTheState(Counting):
    """Set after the class was made, so that what it gives is not converted, and so not copied."""


SnapshotIsTheState.snapshot = lambda self: vars(self)  # type: ignore[method-assign]


@wrong(Kind.SNAPSHOT)
class LeavesSnapshotsWithAnObject(Machine):
    table = PUT

    def __init__(self) -> None:
        self.names: Any = []

    @operation(name="put")
    def put(self, name: str, code: int) -> None:
        if code == 31:
            self.names = complex(1, 2)


@wrong(Kind.SNAPSHOT)
class Deep(Machine):
    """One list more around the state each time."""

    table = PUT

    def __init__(self) -> None:
        self.value: list[Any] = []

    @operation
    def put(self) -> None:
        self.value = [self.value]


@wrong(Kind.RESTORE)
class TuplesComeBackAsLists(Machine):
    table = CommutativityTable({"put": ["put"]})

    def __init__(self) -> None:
        self.pairs: list[Any] = []

    @operation
    def put(self, name: str) -> None:
        self.pairs.append((name, 1))

    def snapshot(self) -> JSON:
        return [[*pair, len(self.pairs) if isinstance(pair, tuple) else -1] for pair in self.pairs]

    def restore(self, snapshot: JSON) -> None:
        self.pairs = [pair[:2] for pair in snapshot]  # type: ignore[union-attr,index,misc]


@wrong(Kind.MISSED)
class KeysBecomeText(Machine):
    """Looks for the integer that came back as text."""

    table = PUT

    def __init__(self) -> None:
        self.values: dict[Any, str] = {}

    @operation
    def put(self, number: int) -> bool:
        known = number in self.values
        self.values[number] = "x"
        return known

    def snapshot(self) -> JSON:
        return {str(key): value for key, value in self.values.items()}

    def restore(self, snapshot: JSON) -> None:
        self.values = dict(snapshot)  # type: ignore[arg-type]


# State that sits elsewhere -------------------------------------------------------------------------------------------


@wrong(Kind.SHARED)
class OnTheClass(Machine):
    table = COUNT
    counts: dict[str, int] = {}  # noqa: RUF012

    @operation(name="add")
    def add(self, name: str) -> None:
        self.counts[name] = self.counts.get(name, 0) + 1

    @operation(name="read")
    def read(self, name: str) -> int:
        return self.counts.get(name, 0)


@wrong(Kind.SHARED)
class RebindsTheClass(Counting):
    total: ClassVar[int] = 0

    @operation(everything="add")
    def add(self, name: str) -> int:  # type: ignore[override]
        type(self).total += 1
        return self.total % 50


MODULE_LOG: list[str] = []


@wrong(Kind.SHARED)
class OnTheModule(Counting):
    @operation(everything="read")
    def read(self, name: str) -> int:
        return len(MODULE_LOG) // 20

    @operation(everything="add")
    def add(self, name: str) -> None:
        MODULE_LOG.append(name)


@wrong(Kind.SHARED)
class InADefault(Counting):
    def _seen(self, name: str, seen: set[str] = set()) -> bool:  # noqa: B006
        known = name in seen
        seen.add(name)
        return known

    @operation(everything="add")
    def add(self, name: str) -> bool:  # type: ignore[override]
        return self._seen(name)
