"""Machines that ask chance, clocks or hashes, and machines with several faults."""

# ruff: noqa: ARG005, DTZ011, PLW0108

from __future__ import annotations

import datetime
import itertools
import os
import random
import time
import uuid
from collections import deque
from typing import Any

from commutativity import JSON, CommutativityTable, Machine, operation
from commutativity.checking.fault import Kind
from tests.commutativity.faulty.cases import COUNT, PUT, Refused, wrong

# Chance, clocks, hash seeds ------------------------------------------------------------------------------------------


class Asking(Machine):
    table = PUT

    def __init__(self) -> None:
        self.value: Any = ""

    def ask(self, name: str) -> Any:
        raise NotImplementedError

    @operation
    def put(self, name: str) -> None:
        self.value = self.ask(name)


def asking(label: str, ask: Any, kind: Kind) -> None:
    made = type(f"Asking{label}", (Asking,), {"ask": lambda self, name: ask(name), "__module__": __name__})
    globals()[made.__name__] = made
    wrong(kind)(made)


asking("Random", lambda name: random.random(), Kind.CHANCE)
asking("Dice", lambda name: random.randint(1, 6), Kind.OUTSIDE)
asking("FreshGenerator", lambda name: random.Random().random(), Kind.CHANCE)
asking("Clock", lambda name: time.time(), Kind.OUTSIDE)
asking("Seconds", lambda name: int(time.time()), Kind.OUTSIDE)
asking("Today", lambda name: datetime.date.today().isoformat(), Kind.OUTSIDE)
asking("Now", lambda name: datetime.datetime.now(datetime.UTC).year, Kind.OUTSIDE)
asking("Uuid", lambda name: str(uuid.uuid4()), Kind.CHANCE)
asking("Urandom", lambda name: os.urandom(4).hex(), Kind.CHANCE)
asking("Process", lambda name: os.getpid(), Kind.OUTSIDE)
asking("Environment", lambda name: os.environ.get("HOME"), Kind.OUTSIDE)
asking("Hash", lambda name: hash(name), Kind.HASH_SEED)
asking("HashBucket", lambda name: hash(name) % 8, Kind.HASH_SEED)
asking("Letters", lambda name: list(set(name)), Kind.HASH_SEED)

COUNTER = itertools.count()
asking("Counter", lambda name: next(COUNTER), Kind.CHANCE)


@wrong(Kind.HASH_SEED)
class ListOfASet(Machine):
    table = CommutativityTable({"add": ["read"], "read": ["add"]})

    def __init__(self) -> None:
        self.members: set[str] = set()

    @operation(name="add")
    def add(self, name: str) -> None:
        self.members.add(name)

    @operation(everything="read")
    def all(self) -> list[str]:
        return list(self.members)

    def snapshot(self) -> JSON:
        return sorted(self.members)  # type: ignore[return-value]

    def restore(self, snapshot: JSON) -> None:
        self.members = set(snapshot)  # type: ignore[arg-type]


@wrong(Kind.HASH_SEED)
class DictOfASet(Machine):
    table = CommutativityTable({"all": ["all"]})

    @operation
    def all(self, names: list[str]) -> str:
        return ",".join(dict.fromkeys(set(names), 1))


@wrong(Kind.HASH_SEED)
class PopsFromASet(Machine):
    table = PUT

    def __init__(self) -> None:
        self.free = ["n1", "n2", "n3", "n4", "n5", "n6"]

    @operation
    def put(self) -> str:
        chosen = set(self.free).pop()
        self.free.remove(chosen)
        return chosen


# Combinations --------------------------------------------------------------------------------------------------------


@wrong()
class NamesInsideDicts(Machine):
    table = PUT

    def __init__(self) -> None:
        self.records: dict[str, dict[str, str]] = {}

    @operation(footprint=lambda record: {(record.get("id", "?"), "put")})
    def put(self, record: dict[str, str]) -> None:
        self.records[record.get("id", "?").lower()] = record


@wrong()
class TwoRules(Machine):
    """Passwords have eight letters, users are identifiers, and ten letters of them count."""

    table = PUT

    def __init__(self) -> None:
        self.passwords: dict[str, str] = {}

    @operation(user="put")
    def put(self, user: str, password: str) -> None:
        if len(password) < 8 or not user.isidentifier():
            raise Refused(user)
        self.passwords[user[:10]] = password


@wrong()
class EvictsTheOldest(Machine):
    """Which of two names goes first shows only after three more."""

    table = PUT

    def __init__(self) -> None:
        self.entries: dict[str, int] = {}

    @operation(key="put")
    def put(self, key: str, value: int) -> None:
        self.entries.pop(key, None)
        self.entries[key] = value
        while len(self.entries) > 4:
            del self.entries[next(iter(self.entries))]


@wrong(Kind.MISSED)
class ForgetsItsLength(Machine):
    """The restored log has no bound any more."""

    table = PUT

    def __init__(self) -> None:
        self.log: deque[str] = deque(maxlen=30)

    @operation
    def put(self, line: str) -> int:
        self.log.append(line)
        return len(self.log)

    def snapshot(self) -> JSON:
        return list(self.log)

    def restore(self, snapshot: JSON) -> None:
        self.log = deque(snapshot)  # type: ignore[arg-type]


asking("Year", lambda name: time.strftime("%Y"), Kind.OUTSIDE)
asking("Tie", lambda name: max(set(name + "abc"), key=lambda letter: 0), Kind.HASH_SEED)


@wrong(Kind.RESTORE)
class SnapshotOfASet(Machine):
    table = COUNT

    def __init__(self) -> None:
        self.names: set[str] = set()

    @operation(name="add")
    def add(self, name: str) -> None:
        self.names.add(name)

    def snapshot(self) -> JSON:
        return list(self.names)

    def restore(self, snapshot: JSON) -> None:
        self.names = set(snapshot)  # type: ignore[arg-type]
