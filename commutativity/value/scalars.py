"""Single values as JSON: integers of any size, floats, text, bytes, decimals, times, enums. One form for each value.

Every pair of functions is strict: the reading one takes what the writing one makes, so that a value has one form.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import decimal
import enum
import math
import uuid
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, TypeAlias

from commutativity.unfit import INT_MAX, INT_MIN, Unfit, encodable, shown, unfit

Convert: TypeAlias = Callable[[Any, int], Any]
"""From a value to JSON or back; the number says how deep inside others the value is."""

Both: TypeAlias = tuple[Convert, Convert]
"""To JSON and back."""

EXACT_MAX: Final = 2**53
"""Integers up to here are floats without loss."""
LARGE: Final = "int"
"""The key of the object in which an integer beyond 64 bits travels: ``{"int": "0x1…"}``. Hexadecimal is read and
written in linear time, and CPython limits decimal text to 4,300 digits."""
_MICROSECOND: Final = datetime.timedelta(microseconds=1)


def write_text(value: Any, _: int = 0) -> str:
    if type(value) is not str:
        unfit("str", value)
    if not (value.isascii() or encodable(value)):
        raise Unfit(f"{shown(value)} holds a lone surrogate and cannot be encoded as UTF-8")
    return value


def write_bool(value: Any, _: int = 0) -> Any:
    if value is not True and value is not False:
        unfit("bool", value)
    return value


def write_none(value: Any, _: int = 0) -> None:
    if value is not None:
        unfit("None", value)


def write_small_int(value: Any, _: int = 0) -> int:
    if type(value) is not int:
        unfit("int", value)
    if not INT_MIN <= value <= INT_MAX:
        raise Unfit("the integer does not fit in signed 64 bits")
    return value


def write_int(value: Any, _: int = 0) -> Any:
    if type(value) is not int:
        unfit("int", value)
    return value if INT_MIN <= value <= INT_MAX else {LARGE: hex(value)}


def read_int(value: Any, _: int = 0) -> int:
    if type(value) is int:
        if not INT_MIN <= value <= INT_MAX:
            raise Unfit(f"an integer beyond 64 bits travels as {{{LARGE!r}: '0x…'}}")
        return value
    if type(value) is not dict or len(value) != 1 or type(text := value.get(LARGE)) is not str:
        unfit("int", value)
    try:
        made = int(text, 16)
    except ValueError:
        made = 0
    if INT_MIN <= made <= INT_MAX or hex(made) != text:
        raise Unfit(f"expected {{{LARGE!r}: hexadecimal text of an integer beyond 64 bits}}, got {shown(text)}")
    return made


def write_float(value: Any, _: int = 0) -> float:
    if type(value) is not float:
        if type(value) is not int or not -EXACT_MAX <= value <= EXACT_MAX:
            unfit("float", value)
        return float(value)
    if not math.isfinite(value):
        raise Unfit(f"{value} is not a finite number")
    return value


def _write_bytes(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _read_bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _write_decimal(value: decimal.Decimal) -> str:
    if not value.is_finite():
        raise Unfit(f"{value} is not a finite number")
    return str(value).upper()  # the context says whether the exponent's letter is large


def _read_decimal(text: str) -> decimal.Decimal:
    return decimal.Decimal(text)


def _check_zone(zone: datetime.tzinfo | None) -> None:
    """Rules of time zones differ between machines and years; an offset is the same everywhere."""
    if zone is None:
        return
    offset = zone.utcoffset(None) if type(zone) is datetime.timezone else None
    if offset is None or zone.tzname(None) != datetime.timezone(offset).tzname(None):
        raise Unfit(
            f"the time zone {zone} is more than an offset, and replicas may know it differently; "
            "convert with .astimezone(datetime.timezone.utc)"
        )


def _write_time(value: datetime.datetime | datetime.time) -> str:
    _check_zone(value.tzinfo)
    return value.isoformat()  # without fold, which tells nothing where an offset does


def write_timedelta(value: Any, _: int = 0) -> Any:
    if type(value) is not datetime.timedelta:
        unfit("timedelta", value)
    return write_int(value // _MICROSECOND)


def read_timedelta(value: Any, _: int = 0) -> datetime.timedelta:
    try:
        return datetime.timedelta(microseconds=read_int(value))
    except OverflowError:
        raise Unfit("expected a timedelta in microseconds, got more than one can hold") from None


TEXTS: Final[dict[type, tuple[Callable[[Any], str], Callable[[str], Any], str]]] = {
    bytes: (_write_bytes, _read_bytes, "bytes in base64"),
    decimal.Decimal: (_write_decimal, _read_decimal, "Decimal as text, such as '1.50'"),
    datetime.datetime: (
        _write_time,
        datetime.datetime.fromisoformat,
        "datetime, such as '2026-01-31T08:00:00' or '2026-01-31T08:00:00+01:00'",
    ),
    datetime.date: (datetime.date.isoformat, datetime.date.fromisoformat, "date, such as '2026-01-31'"),
    datetime.time: (_write_time, datetime.time.fromisoformat, "time, such as '08:00:00'"),
    uuid.UUID: (str, uuid.UUID, "UUID, such as '12345678-1234-5678-1234-567812345678'"),
}
"""Types that travel as one text: to it, from it, and what it looks like."""


def text_converters(kind: type) -> tuple[Convert, Convert]:
    """How one of :data:`TEXTS` is written and read."""
    to_text, from_text, described = TEXTS[kind]

    def write(value: Any, _: int = 0) -> str:
        if type(value) is not kind:
            unfit(kind.__name__, value)
        return to_text(value)

    def read(text: Any, _: int = 0) -> Any:
        if type(text) is not str:
            unfit(described, text)
        try:
            made = from_text(text)
            same = to_text(made) == text
        except (ValueError, ArithmeticError, binascii.Error):
            same = False
        if not same:
            unfit(described, text)
        return made

    return write, read


@lru_cache(maxsize=1024)
def enum_converters(kind: type[enum.Enum]) -> tuple[Convert, Convert]:
    """Enums travel by name, which reordering and ``auto()`` leave as it is; flags, which combine, as a number."""
    if issubclass(kind, enum.Flag):
        return _flag_converters(kind)
    members = dict(kind.__members__)
    names = list(kind.__members__)

    def write(value: Any, _: int = 0) -> str:
        if type(value) is not kind:
            unfit(kind.__name__, value)
        return str(value.name)

    def read(name: Any, _: int = 0) -> enum.Enum:
        found = members.get(name) if type(name) is str else None
        if found is None or found.name != name:  # an alias is a second name
            unfit(f"{kind.__name__} ({', '.join(names[:12])})", name)
        return found

    return write, read


def _flag_converters(kind: type[enum.Flag]) -> tuple[Convert, Convert]:
    def write(value: Any, _: int = 0) -> Any:
        if type(value) is not kind:
            unfit(kind.__name__, value)
        return write_int(value.value)

    def read(value: Any, _: int = 0) -> enum.Flag:
        number = read_int(value)
        try:
            made = kind(number)
        except ValueError:
            unfit(kind.__name__, value)
        if type(made) is not kind or made.value != number:
            unfit(kind.__name__, value)
        return made

    return write, read
