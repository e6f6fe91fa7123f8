"""Machines with limits and capacities."""

# ruff: noqa: RUF005

from __future__ import annotations

from typing import ClassVar

from commutativity import Machine, operation
from tests.commutativity.faulty.cases import FREE, PUT, Full, wrong

# Limits and capacities -----------------------------------------------------------------------------------------------


class Opening(Machine):
    table = FREE

    def __init__(self) -> None:
        self.names: list[str] = []

    def room(self) -> bool:
        raise NotImplementedError

    @operation(name="add")
    def open(self, name: str) -> bool:
        if name in self.names:
            return True
        if not self.room():
            return False
        self.names = sorted([*self.names, name])
        return True


@wrong()
class AtMost3(Opening):
    def room(self) -> bool:
        return len(self.names) < 3


@wrong()
class AtMost10(Opening):
    def room(self) -> bool:
        return len(self.names) < 10


@wrong()
class AtMost100(Opening):
    def room(self) -> bool:
        return len(self.names) < 100


ROOM = 250


@wrong()
class AtMostOfAConstant(Opening):
    def room(self) -> bool:
        return len(self.names) < ROOM


@wrong()
class AtMostOfAnAttribute(Opening):
    room_for: ClassVar[int] = 40

    def room(self) -> bool:
        return len(self.names) < self.room_for


@wrong()
class QueueOfTen(Machine):
    """Whole queues commute; one counter over all of them does not."""

    table = PUT

    def __init__(self) -> None:
        self.queues: dict[str, list[str]] = {}

    @operation(queue="put")
    def push(self, queue: str, item: str) -> None:
        if sum(map(len, self.queues.values())) >= 10:
            raise Full
        self.queues.setdefault(queue, []).append(item)


@wrong()
class Evicts(Machine):
    """A cache of five entries: what is put out depends on the order."""

    table = PUT

    def __init__(self) -> None:
        self.entries: list[list[str]] = []

    @operation(key="put")
    def put(self, key: str, value: str) -> None:
        kept = [entry for entry in self.entries if entry[0] != key]
        self.entries = sorted([*kept, [key, value]])[-5:]
        if len(kept) >= 5:
            self.entries = sorted([*kept, [key, value]])[:4] + [[key, value]]


@wrong()
class AmountRefused(Machine):
    """The sum may not pass a thousand: which of two additions fits depends on the order."""

    table = FREE

    def __init__(self) -> None:
        self.sum = 0

    @operation(everything="add")
    def add(self, amount: int) -> None:
        if amount < 0 or self.sum + amount > 1000:
            raise Full
        self.sum += amount


@wrong()
class Large(Machine):
    """Only amounts from 5,000 on tell the order."""

    table = FREE

    def __init__(self) -> None:
        self.sum = 0

    @operation(everything="add")
    def add(self, amount: int) -> int:
        self.sum += amount
        return self.sum if amount >= 5000 else 0


@wrong()
class ExactlyOneValue(Machine):
    table = PUT

    def __init__(self) -> None:
        self.log: list[str] = []

    @operation(name="put")
    def put(self, name: str, code: int) -> None:
        if code == 777:
            self.log.append(name)


@wrong()
class LongNames(Machine):
    """Names of twenty characters and more are kept in one list."""

    table = PUT

    def __init__(self) -> None:
        self.log: list[str] = []

    @operation(name="put")
    def put(self, name: str) -> None:
        if len(name) >= 20:
            self.log.append(name)
