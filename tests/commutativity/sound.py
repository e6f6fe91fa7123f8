"""Machines that are right: ``check`` must not refute them, and finishes the scope of all of them."""

# ruff: noqa: ARG005

from __future__ import annotations

import enum
import functools
import unicodedata
from collections import deque
from typing import Any, ClassVar, Literal

from commutativity import JSON, CommutativityTable, Machine, OperationError, operation
from genpaxos.examples.bank import Bank
from genpaxos.examples.register import Registers

ALL_INTERFERE = CommutativityTable({"change": ["change"]})
READ_WRITE = CommutativityTable({"read": ["write"], "write": ["read", "write"]})
COUNT = CommutativityTable({"read": ["add"], "add": ["read"]})


class Empty(OperationError):  # noqa: N818
    pass


class NotHeld(OperationError):  # noqa: N818
    def __init__(self, name: str, holder: str | None) -> None:
        super().__init__(f"{name} is held by {holder}")
        self.holder = holder


class Queues(Machine):
    table = CommutativityTable({"change": ["change"], "look": ["change"]} | {"change": ["change", "look"]})

    def __init__(self) -> None:
        self.items: dict[str, list[str]] = {}

    @operation(queue="change")
    def push(self, queue: str, item: str) -> None:
        self.items.setdefault(queue, []).append(item)

    @operation(queue="change")
    def pop(self, queue: str) -> str:
        items = self.items.get(queue)
        if not items:
            raise Empty(f"{queue} is empty")
        item = items.pop(0)
        if not items:
            del self.items[queue]
        return item

    @operation(queue="look")
    def length(self, queue: str) -> int:
        return len(self.items.get(queue, ()))


class Locks(Machine):
    table = READ_WRITE

    def __init__(self) -> None:
        self.holders: dict[str, str] = {}

    @operation(lock="write")
    def acquire(self, lock: str, owner: str) -> bool:
        return self.holders.setdefault(lock, owner) == owner

    @operation(lock="write")
    def release(self, lock: str, owner: str) -> None:
        if self.holders.get(lock) != owner:
            raise NotHeld(lock, self.holders.get(lock))
        del self.holders[lock]

    @operation(lock="read")
    def holder(self, lock: str) -> str | None:
        return self.holders.get(lock)


class SortedSet(Machine):
    """A set kept as a sorted list: additions commute."""

    table = COUNT

    def __init__(self) -> None:
        self.members: list[str] = []

    @operation(name="add")
    def add(self, name: str) -> None:
        if name not in self.members:
            self.members = sorted([*self.members, name])

    @operation(everything="read")
    def all(self) -> list[str]:
        return list(self.members)


class RealSet(Machine):
    """A set, with a snapshot of its own."""

    table = COUNT

    def __init__(self) -> None:
        self.members: set[str] = set()

    @operation(name="add")
    def add(self, name: str) -> None:
        self.members.add(name)

    @operation(everything="read")
    def all(self) -> list[str]:
        return sorted(self.members)

    def snapshot(self) -> JSON:
        return sorted(self.members)  # type: ignore[return-value]

    def restore(self, snapshot: JSON) -> None:
        self.members = set(snapshot)  # type: ignore[arg-type]


class DeclaredErrors(Machine):
    table = CommutativityTable({"read": ["add"], "add": ["read", "add"]})

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    @operation(name="add")
    def add(self, name: str, amount: int) -> int:
        if amount < 0 or self.counts.get(name, 0) + amount > 1000:
            raise Empty(f"{name} would leave its bounds")
        self.counts[name] = self.counts.get(name, 0) + amount
        return self.counts[name]

    @operation(name="read")
    def read(self, name: str) -> int:
        return self.counts.get(name, 0)


def folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold()).strip()[:64]


class FoldedInTheFootprintToo(Machine):
    table = READ_WRITE

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    @operation(footprint=lambda name, value: {(folded(name), "write")})
    def put(self, name: str, value: str) -> None:
        self.values[folded(name)] = value

    @operation(footprint=lambda name: {(folded(name), "read")})
    def get(self, name: str) -> str | None:
        return self.values.get(folded(name))


class CapacityDeclared(Machine):
    """At most three names: opening touches the whole machine."""

    table = ALL_INTERFERE

    def __init__(self) -> None:
        self.names: list[str] = []

    @operation(everything="change")
    def open(self, name: str) -> bool:
        if len(self.names) >= 3:
            return False
        self.names.append(name)
        return True


class Cached(Machine):
    """Remembers what it computed, on the class and on the module; nothing depends on it."""

    table = COUNT
    cache: ClassVar[dict[str, int]] = {}

    def __init__(self) -> None:
        self.sum = 0

    @operation(everything="add")
    def add(self, text: str) -> None:
        if text not in self.cache:
            self.cache[text] = len(text)
        self.sum += self.cache[text] + doubled(len(text))

    @operation(everything="read")
    def read(self) -> int:
        return self.sum


@functools.lru_cache
def doubled(number: int) -> int:
    return 2 * number


class CachedInTheInstance(Machine):
    table = COUNT

    def __init__(self) -> None:
        self.sum = 0
        self._squares: dict[int, int] = {}

    @operation(everything="add")
    def add(self, number: Literal[1, 2, 3]) -> None:
        self.sum += self._squares.setdefault(number, number**2)

    @operation(everything="read")
    def read(self) -> int:
        return self.sum

    def snapshot(self) -> JSON:
        return self.sum

    def restore(self, snapshot: JSON) -> None:
        self.sum, self._squares = int(snapshot), {}  # type: ignore[arg-type]


class RecentFive(Machine):
    """A bounded log; order matters and the table says so."""

    table = ALL_INTERFERE

    def __init__(self) -> None:
        self.recent: deque[str] = deque(maxlen=5)

    @operation
    def change(self, item: str) -> list[str]:
        self.recent.append(item)
        return list(self.recent)

    def snapshot(self) -> JSON:
        return list(self.recent)

    def restore(self, snapshot: JSON) -> None:
        self.recent = deque(snapshot, maxlen=5)  # type: ignore[arg-type]


class Documents(Machine):
    """JSON of any shape by key."""

    table = READ_WRITE

    def __init__(self) -> None:
        self.documents: dict[str, Any] = {}

    @operation(key="write")
    def put(self, key: str, document: JSON) -> None:
        self.documents[key] = document

    @operation(key="write")
    def drop(self, key: str) -> bool:
        return self.documents.pop(key, None) is not None

    @operation(key="read")
    def get(self, key: str) -> JSON:
        return self.documents.get(key)  # type: ignore[no-any-return]

    @operation(everything="read")
    def keys(self) -> list[str]:
        return sorted(self.documents)


class Slots(Machine):
    """Named by numbers."""

    table = READ_WRITE

    def __init__(self) -> None:
        self.slots: dict[str, str] = {}

    @operation(slot="write")
    def put(self, slot: int, value: str) -> None:
        self.slots[str(slot)] = value

    @operation(slot="read")
    def get(self, slot: int) -> str:
        return self.slots.get(str(slot), "")


class Unbounded(Machine):
    """The bank of the README, without limits."""

    table = Bank.table

    def __init__(self) -> None:
        self.cents: dict[str, int] = {}

    @operation(account="add")
    def deposit(self, account: str, cents: int) -> None:
        self.cents[account] = self.cents.get(account, 0) + cents

    @operation(account="update")
    def withdraw(self, account: str, cents: int) -> bool:
        if not 0 <= cents <= self.cents.get(account, 0):
            return False
        self.cents[account] = self.cents.get(account, 0) - cents
        return True

    @operation(account="read")
    def balance(self, account: str) -> int:
        return self.cents.get(account, 0)


class Role(str, enum.Enum):  # noqa: UP042  # as in programs for older Pythons
    READER = "reader"
    OWNER = "owner"


class Rights(enum.Flag):
    READ = 1
    WRITE = 2


class Members(Machine):
    """Names classes of enums in its code, whose members and machinery are text of a kind."""

    table = COUNT
    first = Role.OWNER

    def __init__(self) -> None:
        self.rights: dict[str, Rights] = {}

    @operation(name="add")
    def grant(self, name: str, role: Role) -> None:
        more = Rights.READ | Rights.WRITE if role is Role.OWNER else Rights.READ
        self.rights[name] = self.rights.get(name, Rights(0)) | more

    @operation(name="read")
    def rights_of(self, name: str) -> Rights:
        return self.rights.get(name, Rights(0))

    @operation
    def refuse(self, name: str) -> None:
        """As nothing is answered, the check looks for names among the constants of the code."""
        raise Empty(name)


CASES: list[type[Machine]] = [
    Bank,
    Registers,
    Queues,
    Locks,
    SortedSet,
    RealSet,
    DeclaredErrors,
    FoldedInTheFootprintToo,
    CapacityDeclared,
    Cached,
    CachedInTheInstance,
    RecentFive,
    Documents,
    Slots,
    Unbounded,
    Members,
]
