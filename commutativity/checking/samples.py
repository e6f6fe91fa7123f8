"""Values to try of the types beyond plain JSON: a few small ones, and what Hypothesis draws."""

from __future__ import annotations

import datetime
import decimal
import enum
import itertools
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from commutativity.codec import Codec
from commutativity.value.value_types import (
    DictOf,
    EnumOf,
    FixedTuple,
    ListOf,
    OneOf,
    Record,
    Scalar,
    SetOf,
    TupleOf,
    ValueType,
    walk,
)

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

FEW_MAX: Final = 6
_UTC: Final = datetime.UTC
_DAY: Final = datetime.datetime(2026, 1, 31, 8, 0)  # noqa: DTZ001  # a time without a zone is a value as well
SCALAR_VALUES: Final[dict[type, tuple[Any, ...]]] = {
    bytes: (b"a", b"b", b""),
    decimal.Decimal: tuple(map(decimal.Decimal, ("0", "1", "-1.5", "1.00"))),
    datetime.datetime: (_DAY, _DAY.replace(tzinfo=_UTC), _DAY + datetime.timedelta(days=1)),
    datetime.date: (_DAY.date(), _DAY.date() + datetime.timedelta(days=1)),
    datetime.time: (_DAY.time(), datetime.time(9, 30)),
    datetime.timedelta: tuple(datetime.timedelta(seconds=s) for s in (0, 1, -1)),
    uuid.UUID: (uuid.UUID(int=1), uuid.UUID(int=2)),
}
Few = Callable[[ValueType], tuple[Any, ...]]
Draw = Callable[[ValueType], "SearchStrategy[Any]"]


def few_values(kind: ValueType, few_of: Few) -> tuple[Any, ...]:
    """A few values of a type, the simplest first; ``few_of`` gives those of the types inside it."""
    match kind:
        case Scalar(of):
            return SCALAR_VALUES[of]
        case EnumOf(of):
            return tuple(of)[:FEW_MAX] or tuple(of.__members__.values())[:FEW_MAX]
        case TupleOf(item):
            few = few_of(item)[:2]
            return ((), *((value,) for value in few), tuple(few))[:FEW_MAX]
        case SetOf(item, of):
            few = few_of(item)[:2]
            return (of(), *(of([value]) for value in few), of(few))[:FEW_MAX]
        case DictOf(value, key):
            keys, few = few_of(key)[:2], few_of(value)[:2]
            return ({}, *({keys[0]: item} for item in few), *({name: few[0]} for name in keys[1:]))[:FEW_MAX]
        case FixedTuple(items, of):
            return _products([few_of(item) for item in items], getattr(of, "_make", tuple))
        case Record():
            return _few_records(kind, few_of)
    raise AssertionError(kind)


def _few_records(kind: Record, few_of: Few, outside: frozenset[Record] = frozenset()) -> tuple[Any, ...]:
    """Records whose fields are few values, and hold no record of ``outside``, nor one like themselves."""
    outside |= {kind}
    columns = [(field.name, _shallow(field.kind, few_of, outside)) for field in kind.fields]
    given = [(name, few) for name, few in columns if few]
    names, codec = [name for name, _ in given], Codec(None, kind=kind)

    def make(values: Any) -> Any:
        made = dict(zip(names, values, strict=True))
        return made if kind.is_dict else kind.kind(**{n: v for n, v in made.items() if n in _init_names(kind.kind)})

    return tuple(value for value in _products([few for _, few in given], make) if codec.problem(value) is None)


def _shallow(kind: ValueType, few_of: Few, outside: frozenset[Record]) -> tuple[Any, ...]:
    """A few values of a type that hold none of these records: nothing, where it is the end of a chain."""
    if outside.isdisjoint(found for found in walk(kind) if isinstance(found, Record)):
        return few_of(kind)
    match kind:
        case OneOf(options):
            return tuple(value for option in options for value in _shallow(option, few_of, outside))[:FEW_MAX]
        case ListOf():
            return ([],)
        case TupleOf():
            return ((),)
        case SetOf(_, of):
            return (of(),)
        case DictOf():
            return ({},)
        case Record() if kind not in outside:
            return _few_records(kind, few_of, outside)
    return ()


def _init_names(kind: Any) -> set[str]:
    return {name for name, field in kind.__dataclass_fields__.items() if field.init}


def _products(columns: list[tuple[Any, ...]], make: Callable[[Any], Any]) -> tuple[Any, ...]:
    """The combinations nearest the front of the columns, made into values; those that refuse are left out."""
    ranked = sorted(itertools.product(*(range(len(column[:3])) for column in columns)), key=lambda at: (sum(at), at))
    made: list[Any] = []
    for places in ranked[:64]:
        try:
            made.append(make([column[i] for column, i in zip(columns, places, strict=True)]))
        except (ValueError, TypeError):  # the class checks its fields
            continue
        if len(made) == FEW_MAX:
            break
    return tuple(made)


def drawn_values(kind: ValueType, drawn_of: Draw) -> SearchStrategy[Any]:
    """A Hypothesis strategy for a type; ``drawn_of`` gives those of the types inside it."""
    from hypothesis import strategies as st

    match kind:
        case Scalar(of):
            return _drawn_scalar(of)
        case EnumOf(of):
            return _drawn_enum(of)
        case TupleOf(item):
            return st.lists(drawn_of(item), max_size=4).map(tuple)
        case SetOf(item, of):
            return st.frozensets(drawn_of(item), max_size=4).map(of)
        case DictOf(value, key):
            return st.dictionaries(drawn_of(key), drawn_of(value), max_size=4)
        case FixedTuple(items, of):
            return st.tuples(*map(drawn_of, items)).map(getattr(of, "_make", tuple))
        case Record():
            return _drawn_record(kind, drawn_of)
    raise AssertionError(kind)


def _drawn_scalar(of: type) -> SearchStrategy[Any]:
    from hypothesis import strategies as st

    zones = st.none() | st.just(_UTC) | st.integers(-1439, 1439).map(_zone)
    strategies: dict[type, Callable[[], SearchStrategy[Any]]] = {
        bytes: lambda: st.binary(max_size=4),
        decimal.Decimal: lambda: st.decimals(allow_nan=False, allow_infinity=False),
        datetime.datetime: lambda: st.datetimes(timezones=zones).map(lambda value: value.replace(fold=0)),
        datetime.date: st.dates,
        datetime.time: lambda: st.times(timezones=zones).map(lambda value: value.replace(fold=0)),
        datetime.timedelta: st.timedeltas,
        uuid.UUID: st.uuids,
    }
    return strategies[of]()


def _zone(minutes: int) -> datetime.timezone:
    return datetime.timezone(datetime.timedelta(minutes=minutes))


def _drawn_enum(of: type[enum.Enum]) -> SearchStrategy[Any]:
    from hypothesis import strategies as st

    return st.sampled_from(list(of.__members__.values()))


def _drawn_record(kind: Record, drawn_of: Draw) -> SearchStrategy[Any]:
    from hypothesis import strategies as st

    from commutativity.checking.scope import small_values

    codec, itself = Codec(None, kind=kind), frozenset({kind})

    def drawn(field: ValueType) -> SearchStrategy[Any]:
        if any(kind in walk(found) for found in walk(field) if isinstance(found, Record)):
            return st.sampled_from(_shallow(field, small_values, itself) or (None,))  # a chain, which ends here
        return drawn_of(field)

    def made(values: dict[str, Any]) -> Any:
        try:
            return values if kind.is_dict else kind.kind(**values)
        except (ValueError, TypeError):  # the class checks its fields
            return None

    taken = None if kind.is_dict else _init_names(kind.kind)
    fields = {f.name: drawn(f.kind) for f in kind.fields if taken is None or f.name in taken}
    return st.fixed_dictionaries(fields).map(made).filter(lambda value: codec.problem(value) is None)
