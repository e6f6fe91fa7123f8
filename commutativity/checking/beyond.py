"""Commands beyond the small scope: around the constants of the code, and enough of them to fill what has a capacity."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import decimal
import itertools
from collections.abc import Iterator
from typing import Any, Final

from commutativity.checking.harvest import Harvest
from commutativity.checking.pools import TEXTS
from commutativity.checking.scope import SmallValues, small_values
from commutativity.command import Command
from commutativity.operation import Operation
from commutativity.value.value_types import EnumOf, FixedTuple, Record, Scalar, SetOf, TupleOf, walk
from commutativity.value.values import AnyJSON, DictOf, ListOf, OneOf, Plain, ValueType, codec_of, problem

_DAY: Final = datetime.datetime(2026, 1, 31, 8, 0)  # noqa: DTZ001  # as in the small values
FIELD_MAX: Final = 12
"""Values of one field of a record."""
LENGTH_MAX: Final = 300
"""Text is made as long as constants up to this."""
ITEMS_MAX: Final = 64
FILL_MAX: Final = 1_100
"""Constants up to this are taken for capacities that repeating an operation could fill."""
REPEATS_MAX: Final = 120
NEAR: Final = 12
"""So many commands fill what has no constant to tell its capacity."""
MANY: Final = ("delta", "bravo", "echo", "alpha", "foxtrot", "charlie", "hotel")
"""Enough names that a set hardly gives them in order by chance."""


def wide_commands(small: SmallValues, harvested: Harvest, names: tuple[str, ...]) -> list[Command[Any]]:
    """Every operation with one argument that is beyond the small ones, the others small, and those with small ones."""
    made: dict[str, Command[Any]] = {}
    for operation in small.machine_type.operations.values():
        plain = small.plain(operation)
        others = [tuple(values[-1] for values in small.of(operation)), plain]
        for place, kind in enumerate(operation.types):
            for value in wide_values(kind, harvested, names):
                for base in others[1:] if len(operation.types) == 1 else others:
                    command: Command[Any] = Command(operation.name, (*base[:place], value, *base[place + 1 :]))
                    made.setdefault(repr(command), command)
    return list(made.values())


def wide_values(kind: ValueType, harvested: Harvest, names: tuple[str, ...]) -> list[Any]:
    """Values of a type at the constants of the code, as they travel."""
    encode = codec_of(kind).encode
    return [encode(value) for value in _wide(kind, harvested, names) if problem(kind, value) is None]


def _wide(kind: ValueType, harvested: Harvest, names: tuple[str, ...]) -> Iterator[Any]:
    limits = harvested.limits()
    match kind:
        case Plain(of) if of is str:
            yield from (*names[:12], "", "hello world")
            yield from ("x" * (n + more) for n in limits if 2 <= n <= LENGTH_MAX for more in (0, 1))
        case Plain(of) if of is int:
            yield from (n + more for n in limits for more in (-1, 0, 1))
            yield from (value for n in limits for value in (n // 2 + 1, -n))
            yield 3
        case Plain(of) if of is float:
            yield from (value for n in (*limits, *harvested.floats) for value in (float(n), n - 0.5, n + 0.5))
            yield from (0.1, 1e16, 0.12345678901)
        case ListOf(item):
            yield from _wide_lists(item, limits, harvested, names)
        case DictOf(item):
            few = small_values(item)
            yield {name: few[i % len(few)] for i, name in enumerate(MANY)}
            yield dict.fromkeys(reversed(MANY), few[-1])
            yield dict.fromkeys(names[:12], few[0])
        case OneOf(options):
            for option in options:
                yield from _wide(option, harvested, names)
        case AnyJSON():
            yield from (*names[:12], "", True, 1, 1.5, {"a": 1}, list(MANY))
        case _:
            yield from _wide_of_other_types(kind, harvested, names)


def _wide_of_other_types(kind: ValueType, harvested: Harvest, names: tuple[str, ...]) -> Iterator[Any]:
    """Values of the types beyond plain JSON."""
    limits = harvested.limits()
    match kind:
        case TupleOf(item) | SetOf(item):
            of = tuple if isinstance(kind, TupleOf) else kind.kind
            for values in _wide_lists(item, limits, harvested, names):
                with contextlib.suppress(TypeError):  # not hashable, by a class's own doing
                    yield of(values)
        case FixedTuple() | Record():
            yield from _wide_fields(kind, harvested, names)
        case EnumOf(of):
            yield from list(of)[:ITEMS_MAX]
        case Scalar(of):
            yield from _wide_scalars(of, limits, names)


def _wide_fields(kind: FixedTuple | Record, harvested: Harvest, names: tuple[str, ...]) -> Iterator[Any]:
    """Values with one field that is beyond the small ones."""
    base = next(iter(small_values(kind)), None)
    if base is None:
        return
    fields = [(f.name, f.kind) for f in kind.fields] if isinstance(kind, Record) else list(enumerate(kind.items))
    for place, field in fields:
        for value in itertools.islice(_wide(field, harvested, names) if not _holds(field, kind) else (), FIELD_MAX):
            with contextlib.suppress(ValueError, TypeError):  # the class checks its fields
                yield _with_field(kind, base, place, value)


def _holds(kind: ValueType, outer: ValueType) -> bool:
    return any(found == outer for found in walk(kind))


def _with_field(kind: FixedTuple | Record, base: Any, place: Any, value: Any) -> Any:
    if isinstance(kind, FixedTuple):
        return getattr(kind.kind, "_make", tuple)((*base[:place], value, *base[place + 1 :]))
    return {**base, place: value} if kind.is_dict else dataclasses.replace(base, **{place: value})


def _wide_scalars(of: type, limits: tuple[int, ...], names: tuple[str, ...]) -> Iterator[Any]:
    """Values of types that travel as text which rounding, cutting off or a context could make one."""
    if of is bytes:
        yield from (name.encode() for name in names[:12])
        yield from (b"A", b"hello world", b"\0", b"\xff")
        yield from (b"x" * (n + more) for n in limits if 2 <= n <= LENGTH_MAX for more in (0, 1))
    elif of is decimal.Decimal:
        yield from map(decimal.Decimal, ("0.05", "0.12", "0.005", "0.125", "0.1234567890123", "1E+28", "-1E+28", "-0"))
        yield from (decimal.Decimal(n) + more for n in limits for more in (0, decimal.Decimal("0.01"), 1))
    elif of is datetime.datetime:
        yield from (_DAY + datetime.timedelta(**{unit: 1}) for unit in ("microseconds", "seconds", "minutes", "hours"))
        yield from (_DAY + datetime.timedelta(days=days) for days in (2, 31, 366))
        yield _DAY.replace(hour=9, tzinfo=datetime.timezone(datetime.timedelta(hours=1)))
    elif of is datetime.date:
        yield from (_DAY.date() + datetime.timedelta(days=days) for days in (2, 31, 366))
    elif of is datetime.timedelta:
        yield from (datetime.timedelta(**{unit: 1}) for unit in ("microseconds", "milliseconds", "minutes", "days"))


def _wide_lists(
    item: ValueType, limits: tuple[int, ...], harvested: Harvest, names: tuple[str, ...]
) -> Iterator[list[Any]]:
    few = [value for value in small_values(item) if value is not None]
    if problem(item, "a") is None:
        yield list(MANY)
    yield from ([value] for value in _wide(item, harvested, names) if problem(item, value) is None)
    for n in limits:
        if 2 <= n <= ITEMS_MAX and few:
            yield from ([few[i % len(few)] for i in range(length)] for length in (n, n + 1))
    if few:
        yield list(reversed(few))


def fills(operation: Operation[..., Any]) -> list[list[int]]:
    """Ways to fill with an operation: the positions of the arguments that get a new name each time."""
    named = [place for place, kind in enumerate(operation.types) if named_value(kind, 0) is not None]
    chosen = [[place] for place in named] + ([named] if len(named) > 1 else [])
    return [[], *chosen]


def repeats(limits: tuple[int, ...]) -> int:
    """So many commands fill what the constants of the code bound, as long as that is not too many."""
    return max([NEAR, *(n + 3 for n in limits if 0 < n <= REPEATS_MAX)])


def fill_sequences(small: SmallValues, count: int) -> list[tuple[Command[Any], ...]]:
    """Every operation with ``count`` names."""
    return [
        tuple(filling(small, made, places, n) for n in range(count))
        for made in small.machine_type.operations.values()
        for places in fills(made)[1:]
    ]


def filling(small: SmallValues, operation: Operation[..., Any], places: list[int], count: int) -> Command[Any]:
    """The ``count``-th command of a fill."""
    arguments = list(small.plain(operation))
    for place in places:
        arguments[place] = named_value(operation.types[place], count, small.accepted)
    return Command(operation.name, tuple(arguments))


def named_value(kind: ValueType, count: int, accepted: dict[type, tuple[Any, ...]] | None = None) -> Any:
    """The ``count``-th of many different values; ``None`` for types that have no names."""
    match kind:
        case Plain(of) if of is str:
            return _numbered((accepted or {}).get(str), count)
        case Plain(of) if of is int:
            return 100 + count
        case ListOf(item):
            found = named_value(item, count, accepted)
            return None if found is None else [found]
        case OneOf(options):
            return next(
                (found for option in options if (found := named_value(option, count, accepted)) is not None), None
            )
        case AnyJSON():
            return f"n{count}"
    return None


def _numbered(accepted: tuple[Any, ...] | None, count: int) -> str:
    """A name by its number: of the kind that the program accepts, or short."""
    for text in TEXTS[1:]:
        if accepted == (text(0), text(1)):
            return text(count)
    return f"n{count}"


def levels(limits: tuple[int, ...]) -> list[int]:
    """How full to fill: a little, and around the constants of the code."""
    products = (one * two for one, two in itertools.combinations(limits, 2))  # rows times columns
    around = {n + more for n in (*limits, *products) if 2 <= n <= FILL_MAX for more in (-2, -1, 0, 1)}
    return sorted(level for level in around.union(range(1, NEAR + 1)) if level > 0)
