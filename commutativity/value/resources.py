"""The name of the resource that an argument denotes: one name for values that Python holds equal."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import json
from typing import Any

from commutativity.unfit import INT_MAX, INT_MIN, Unfit, encodable, shown
from commutativity.value.scalars import TEXTS
from commutativity.value.value_types import EnumOf, FixedTuple, Record, ValueType, walk


def resource_name(value: object) -> str:
    """The name of the resource an argument denotes: text as it is, anything else as canonical JSON.

    Values that Python holds equal get one name (``1``, ``1.0``, ``True`` and ``Decimal("1.00")`` are one key of a dict,
    and so are two times that are one instant), since two commands that reach the same entry must not look independent.
    Sharing a name by accident (``"1"`` and ``1``) is merely cautious. Raises ``ValueError`` for what has no name.
    """
    if type(value) is str:
        return value
    if type(value) is int and INT_MIN <= value <= INT_MAX:
        return str(value)
    unified = _unified(value, 0)
    return unified if type(unified) is str else _text(unified)


def check_resource(kind: ValueType) -> None:
    """Raises ``TypeError`` for a type whose values may be equal in ways of their own."""
    for found in walk(kind):
        of = found.kind if isinstance(found, (Record, EnumOf, FixedTuple)) else None
        if of is not None and not _equals_as_made(of):
            raise TypeError(
                f"{found} has an __eq__ of its own, so equal values could name different resources; "
                "name the resource by a part of it: footprint=lambda ...: {(value.key, mode)}"
            )


def _equals_as_made(kind: type[Any]) -> bool:
    """Whether equality is that of builtins, of enums, or of the fields, as ``@dataclass`` writes it.

    Or identity, which no copy keeps.
    """
    definer = next(base for base in kind.__mro__ if "__eq__" in vars(base))
    if definer.__module__ in ("builtins", "enum"):
        return True
    code = getattr(definer.__eq__, "__code__", None)
    return dataclasses.is_dataclass(definer) and code is not None and code.co_filename == "<string>"


def _text(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _unified(value: Any, depth: int) -> Any:
    """JSON that is the same for equal values."""
    if depth > 64:
        raise Unfit("nested deeper than 64 levels")
    if value is None or type(value) is str:
        if value is not None and not encodable(value):
            raise Unfit(f"{shown(value)} is not UTF-8 text")
        return value
    if isinstance(value, enum.Enum):
        # An IntEnum's member equals its number, a StrEnum's its text; others are equal to themselves alone.
        return _unified(value.value, depth) if isinstance(value, (int, str)) else value.name
    if isinstance(value, (bool, int, float, decimal.Decimal)):
        return _number(value)
    if isinstance(value, (list, tuple)):
        return [_unified(item, depth + 1) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted((_unified(item, depth + 1) for item in value), key=_text)
    if isinstance(value, dict):
        if all(type(key) is str for key in value):
            return {key: _unified(item, depth + 1) for key, item in value.items()}
        return sorted(([_unified(k, depth + 1), _unified(v, depth + 1)] for k, v in value.items()), key=_text)
    return _other(value, depth)


def _other(value: Any, depth: int) -> Any:
    if isinstance(value, datetime.timedelta):
        return value // datetime.timedelta(microseconds=1)
    if isinstance(value, datetime.datetime):
        value = value.replace(fold=0)
        return (value.astimezone(datetime.UTC) if value.tzinfo else value).isoformat()
    if isinstance(value, datetime.time):
        return _time(value)
    if type(value) in TEXTS:
        return TEXTS[type(value)][0](value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type) and _equals_as_made(type(value)):
        return [_unified(getattr(value, f.name), depth + 1) for f in dataclasses.fields(value) if f.compare]
    raise Unfit(f"{shown(value)} is not JSON and not of a type that can travel")


def _time(value: datetime.time) -> str:
    offset = value.utcoffset()
    if offset is None:
        return value.replace(fold=0).isoformat()
    since = datetime.timedelta(
        hours=value.hour, minutes=value.minute, seconds=value.second, microseconds=value.microsecond
    )
    return f"{(since - offset) // datetime.timedelta(microseconds=1)}Z"


def _number(value: Any) -> Any:
    """Equal numbers of any type alike: small integers as such, other floats as they are, the rest by their digits."""
    if isinstance(value, int):
        return int(value) if INT_MIN <= value <= INT_MAX else _digits(decimal.Decimal(int(value)))
    exact = decimal.Decimal(value)
    if not exact.is_finite():
        raise Unfit(f"{value} is not a finite number")
    if exact == exact.to_integral_value() if exact.adjusted() < 20 else False:
        whole = int(exact)
        return whole if INT_MIN <= whole <= INT_MAX else _digits(exact)
    if exact.adjusted() >= 20:
        return _digits(exact)
    number = float(exact)
    return number if exact == decimal.Decimal(number) else _digits(exact)


def _digits(value: decimal.Decimal) -> str:
    """Sign, digits and exponent without zeros at the end: exact, whatever the context's precision."""
    sign, digits, exponent = value.as_tuple()
    text = "".join(map(str, digits))
    short = text.rstrip("0") or "0"
    assert isinstance(exponent, int)
    return f"{'-' if sign else ''}{short}e{exponent + len(text) - len(short)}"
