"""Classes whose values travel, for the tests of codecs, snapshots and machines."""

from __future__ import annotations

import datetime
import enum
import uuid
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Generic, Literal, NamedTuple, NewType, NotRequired, TypedDict, TypeVar

T = TypeVar("T")
Account = NewType("Account", str)


class Colour(enum.Enum):
    RED = enum.auto()
    GREEN = enum.auto()
    ROUGE = RED


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Right(enum.Flag):
    READ = enum.auto()
    WRITE = enum.auto()


@dataclass
class Entry:
    account: Account
    amount: Decimal
    when: datetime.datetime
    tags: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True, order=True)
class Key:
    shop: str
    number: int


@dataclass(frozen=True)
class Positive:
    """Checks its fields, and has one that its ``__init__`` does not take."""

    amount: int
    double: int = field(init=False)

    def __post_init__(self) -> None:
        if self.amount <= 0:
            raise ValueError(f"{self.amount} is not positive")
        object.__setattr__(self, "double", 2 * self.amount)


@dataclass
class Node:
    name: str
    children: list[Node] = field(default_factory=list)
    parent: Node | None = None


@dataclass
class Page(Generic[T]):
    items: list[T]
    following: int | None = None


class Point(NamedTuple):
    x: int
    y: float = 0.0


class Options(TypedDict):
    name: str
    colour: NotRequired[Colour]


@dataclass(frozen=True)
class Deposit:
    amount: int


@dataclass(frozen=True)
class Withdrawal:
    amount: int
    reason: Literal["rent", "food"] = "food"


@dataclass(frozen=True)
class Folding:
    """Equal whatever the case."""

    name: str

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Folding) and other.name.casefold() == self.name.casefold()

    def __hash__(self) -> int:
        return hash(self.name.casefold())


MOMENT = datetime.datetime(2026, 1, 31, 8, 30, 0, 5, tzinfo=datetime.timezone(datetime.timedelta(hours=1)))
UUID = uuid.UUID("12345678-1234-5678-1234-567812345678")
