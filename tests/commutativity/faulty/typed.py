"""Machines whose faults show in values beyond the small ones and beyond plain JSON, or in a new process only."""

from __future__ import annotations

import datetime
import enum
import functools
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from commutativity import CommutativityTable, Machine, operation
from commutativity.checking.fault import Kind
from tests.commutativity.faulty.cases import COUNT, PUT, wrong


class Keeping(Machine):
    """Keeps a text per key of some type."""

    table = PUT

    def __init__(self) -> None:
        self.values: dict[Any, str] = {}


@wrong()
class RoundsDecimals(Machine):
    table = COUNT

    def __init__(self) -> None:
        self.sums: dict[str, Decimal] = {}

    @operation(name="add")
    def add(self, name: str, amount: Decimal) -> None:
        self.sums[name] = (self.sums.get(name, Decimal(0)) + amount).quantize(Decimal("0.1"))


@wrong()
class AddsDecimals(Machine):
    """The context keeps 28 digits of a sum."""

    table = COUNT

    def __init__(self) -> None:
        self.sums: dict[str, Decimal] = {}

    @operation(name="add")
    def add(self, name: str, amount: Decimal) -> None:
        self.sums[name] = self.sums.get(name, Decimal(0)) + amount


@wrong()
class AddsFloats(Machine):
    table = COUNT

    def __init__(self) -> None:
        self.sums: dict[str, float] = {}

    @operation(name="add")
    def add(self, name: str, amount: float) -> None:
        self.sums[name] = self.sums.get(name, 0.0) + amount


@wrong()
class RowsTimesSeats(Machine):
    """The capacity stands nowhere in the code: it is a product."""

    table = PUT
    rows, seats = 4, 16

    def __init__(self) -> None:
        self.guests: dict[str, int] = {}

    @operation(name="put")
    def put(self, name: str) -> bool:
        if name not in self.guests and len(self.guests) >= self.rows * self.seats:
            return False
        self.guests[name] = 1
        return True


@wrong()
class FoldsBytes(Keeping):
    @operation(key="put")
    def put(self, key: bytes, value: str) -> None:
        self.values[key.lower()] = value


@wrong()
class CutsTimes(Keeping):
    @operation(at="put")
    def put(self, at: datetime.datetime, value: str) -> None:
        self.values[at.replace(microsecond=0)] = value


class Shade(enum.Enum):
    A, B, C, D, E, F, G, H, J, RED, CRIMSON = range(11)


@wrong()
class FoldsEnums(Keeping):
    @operation(shade="put")
    def put(self, shade: Shade, value: str) -> None:
        self.values[Shade.RED if shade is Shade.CRIMSON else shade] = value


@dataclass(frozen=True)
class Address:
    street: str
    number: int


@wrong()
class FoldsRecords(Keeping):
    @operation(address="put")
    def put(self, address: Address, value: str) -> None:
        self.values[address.street.lower(), address.number] = value


@wrong(Kind.MISSED)
class SnapshotRounds(Machine):
    table = PUT

    def __init__(self) -> None:
        self.rate = 0.0

    @operation
    def put(self, rate: float) -> float:
        before, self.rate = self.rate, rate
        return before

    def snapshot(self) -> str:
        return f"{self.rate:.3f}"

    def restore(self, snapshot: Any) -> None:
        self.rate = float(snapshot)


@dataclass
class Account:
    cents: int = 0

    def __post_init__(self) -> None:
        self.seen = 0  # no field: no snapshot holds it


@wrong(Kind.MISSED)
class AttributeThatIsNoField(Machine):
    table = PUT

    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}

    @operation
    def put(self, name: str) -> int:
        account = self.accounts.setdefault(name, Account())
        account.seen += 1
        return account.seen


@dataclass
class Doubled:
    amount: int

    def __post_init__(self) -> None:
        self.amount *= 2


@wrong(Kind.RESTORE)
class ChangesWhenMadeAgain(Machine):
    table = PUT

    def __init__(self) -> None:
        self.values: dict[str, Doubled] = {}

    @operation
    def put(self, name: str, amount: int) -> None:
        self.values[name] = Doubled(amount)


class Stored(Machine):
    table = CommutativityTable({"put": ["put", "read"], "read": ["put"]})

    def __init__(self) -> None:
        self.values: dict[str, int] = {}

    @operation(name="put")
    def put(self, name: str, value: int) -> None:
        self.values[name] = value


CACHE: dict[str, int] = {}


@wrong(Kind.SHARED)
class CachesInTheModule(Stored):
    """Once read, a name has its value for ever: in this process, so that only a new one tells."""

    @operation(name="read")
    def read(self, name: str) -> int:
        return CACHE.setdefault(name, self.values.get(name, 0))


@wrong(Kind.SHARED)
class CachesByFunctools(Stored):
    """All machines are equal to the cache."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CachesByFunctools)

    def __hash__(self) -> int:
        return 1

    @functools.cache  # noqa: B019
    def looked_up(self, name: str) -> int:
        return self.values.get(name, 0)

    @operation(name="read")
    def read(self, name: str) -> int:
        return self.looked_up(name)


RULES = {"strict": False}


@wrong(Kind.FOOTPRINT)
class FootprintOfAGlobal(Machine):
    """The first command changes what all later ones touch."""

    table = PUT

    def __init__(self) -> None:
        self.values: dict[str, int] = {}

    @operation(footprint=lambda name: {("all" if RULES["strict"] else name, "put")})
    def put(self, name: str) -> None:
        RULES["strict"] = True
        self.values[name] = 1
