"""The types of values that can travel, read from annotations: what a codec is compiled from.

Each node describes one type. :mod:`commutativity.codec` makes JSON of its values; docs/values.md lists the forms.
"""

from __future__ import annotations

import datetime
import decimal
import enum
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

SCALARS: Final = (
    bytes,
    decimal.Decimal,
    datetime.datetime,
    datetime.date,
    datetime.time,
    datetime.timedelta,
    uuid.UUID,
)
"""What travels as one text or number, beside JSON's own."""


@dataclass(frozen=True, slots=True)
class Plain:
    """Exactly ``str``, ``int``, ``bool``, ``float`` (which takes integers too) or ``None``."""

    kind: type

    def __str__(self) -> str:
        return "None" if self.kind is type(None) else self.kind.__name__


@dataclass(frozen=True, slots=True)
class Scalar:
    """One of :data:`SCALARS`."""

    kind: type

    def __str__(self) -> str:
        return self.kind.__name__


@dataclass(frozen=True, slots=True)
class EnumOf:
    kind: type[enum.Enum]

    def __str__(self) -> str:
        return self.kind.__name__


@dataclass(frozen=True, slots=True)
class ListOf:
    item: ValueType

    def __str__(self) -> str:
        return f"list[{self.item}]"


@dataclass(frozen=True, slots=True)
class TupleOf:
    """A tuple of any length."""

    item: ValueType

    def __str__(self) -> str:
        return f"tuple[{self.item}, ...]"


@dataclass(frozen=True, slots=True)
class FixedTuple:
    """A tuple of these items, or a ``NamedTuple`` with them."""

    items: tuple[ValueType, ...]
    kind: type = tuple

    def __str__(self) -> str:
        if self.kind is not tuple:
            return self.kind.__name__
        return f"tuple[{', '.join(map(str, self.items)) or '()'}]"


@dataclass(frozen=True, slots=True)
class SetOf:
    """A ``set`` or ``frozenset``."""

    item: ValueType
    kind: type = set

    def __str__(self) -> str:
        return f"{self.kind.__name__}[{self.item}]"


@dataclass(frozen=True, slots=True)
class DictOf:
    """A dict; its keys are text unless said otherwise."""

    value: ValueType
    key: ValueType = Plain(str)

    def __str__(self) -> str:
        return f"dict[{self.key}, {self.value}]"


@dataclass(frozen=True, slots=True)
class OneOf:
    """A union."""

    options: tuple[ValueType, ...]

    def __str__(self) -> str:
        return " | ".join(map(str, self.options))


@dataclass(frozen=True, slots=True)
class Members:
    """A ``Literal``."""

    values: tuple[str | int | bool | None, ...]

    def __eq__(self, other: object) -> bool:
        """``Literal[1]`` is not ``Literal[True]``."""
        return isinstance(other, Members) and repr(self.values) == repr(other.values)

    def __hash__(self) -> int:
        return hash(self.values)

    def __str__(self) -> str:
        return f"Literal[{', '.join(map(repr, self.values))}]"


@dataclass(frozen=True, slots=True)
class AnyJSON:
    """Any plain JSON: None, bool, str, finite float, integers of 64 bits, lists, dicts with text keys."""

    def __str__(self) -> str:
        return "JSON"


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a record. ``required``: it has no default, so it must be there."""

    name: str
    kind: ValueType
    required: bool
    compared: bool = True
    """Whether ``==`` of the record looks at it."""


@dataclass(frozen=True, slots=True)
class Record:
    """A dataclass or a ``TypedDict``. May hold itself, so two are equal when their class and arguments are."""

    kind: type
    name: str
    """As in messages: ``Page[Entry]``."""
    arguments: tuple[Any, ...] = ()
    fields: list[Field] = field(default_factory=list, compare=False, repr=False)

    @property
    def is_dict(self) -> bool:
        """Whether its values are dicts."""
        return issubclass(self.kind, dict)

    def __str__(self) -> str:
        return self.name


ValueType: TypeAlias = (
    Plain | Scalar | EnumOf | ListOf | TupleOf | FixedTuple | SetOf | DictOf | OneOf | Members | AnyJSON | Record
)


def parts(kind: ValueType) -> tuple[ValueType, ...]:
    """The types directly inside a type."""
    match kind:
        case ListOf(item) | TupleOf(item) | SetOf(item):
            return (item,)
        case FixedTuple(items):
            return items
        case DictOf(value, key):
            return (key, value)
        case OneOf(options):
            return options
        case Record():
            return tuple(each.kind for each in kind.fields)
    return ()


def walk(kind: ValueType) -> Iterator[ValueType]:
    """A type and every type inside it, each record once."""
    seen: set[Record] = set()
    waiting = [kind]
    while waiting:
        found = waiting.pop()
        if isinstance(found, Record):
            if found in seen:
                continue
            seen.add(found)
        yield found
        waiting.extend(reversed(parts(found)))


def is_plain(kind: ValueType) -> bool:
    """Whether values of this type are JSON as they are (an integer beyond 64 bits excepted)."""
    return all(
        isinstance(found, (Plain, Members, AnyJSON, ListOf, OneOf))
        or (isinstance(found, DictOf) and found.key == Plain(str))
        for found in walk(kind)
    )


def definitions(kinds: Iterator[ValueType]) -> list[str]:
    """One canonical line for each class met: what its name in a signature stands for."""
    lines: set[str] = set()
    for kind in kinds:
        for found in walk(kind):
            match found:
                case EnumOf(of):
                    lines.add(f"enum {of.__name__}: {', '.join(of.__members__)}")
                case Record():
                    fields = (f"{f.name}: {f.kind}{'' if f.required else ' = ...'}" for f in found.fields)
                    lines.add(f"record {found.name}: {', '.join(fields)}")
                case FixedTuple(items, of) if of is not tuple:
                    names: Any = getattr(of, "_fields", ())
                    pairs = (f"{name}: {item}" for name, item in zip(names, items, strict=True))
                    lines.add(f"record {of.__name__}: {', '.join(pairs)}")
    return sorted(lines)
