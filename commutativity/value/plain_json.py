"""Plain JSON of any shape, checked and copied; and how lists and objects are converted item by item."""

from __future__ import annotations

import math
from typing import Any, Final

from commutativity.unfit import INT_MAX, INT_MIN, Unfit, encodable, shown
from commutativity.value.scalars import Convert, write_float, write_text

DEPTH_MAX: Final = 32
"""Lists and dicts of plain JSON inside one another."""
TYPED_DEPTH_MAX: Final = 64
"""Records and what they hold inside one another. Where each is wrapped in the name of its type, this is still well
below what JSON decoders take (254 for the strictest met)."""


def check_depth(depth: int) -> None:
    """Raises :class:`Unfit` where values are nested too deeply."""
    if depth > TYPED_DEPTH_MAX:
        raise Unfit(f"nested deeper than {TYPED_DEPTH_MAX} levels")


def check_json_depth(outside: int) -> None:
    """The same for plain JSON inside so many others."""
    if outside >= DEPTH_MAX:
        raise Unfit(f"nested deeper than {DEPTH_MAX} levels")


def each_item(convert: Convert, values: Any, depth: int) -> list[Any]:
    check_depth(depth)
    made: list[Any] = []
    try:
        for item in values:
            made.append(convert(item, depth))  # noqa: PERF401  # how many there are says which one did not fit
    except Unfit as error:
        error.path.append(f"[{len(made)}]")
        raise
    return made


def each_entry(convert: Convert, values: dict[Any, Any], depth: int) -> dict[str, Any]:
    check_depth(depth)
    made: dict[str, Any] = {}
    for key, item in values.items():
        check_key(key)
        try:
            made[key] = convert(item, depth)
        except Unfit as error:
            error.path.append(f"[{shown(key)}]")
            raise
    return made


def check_key(key: object) -> None:
    """Raises :class:`Unfit` for a key of a JSON object that is not text."""
    if type(key) is not str or not (key.isascii() or encodable(key)):
        raise Unfit(f"the key {shown(key)} is not UTF-8 text")


def write_json(value: Any, depth: int) -> Any:
    """Plain JSON, copied."""
    of = type(value)
    if of is str:
        return value if value.isascii() else write_text(value)
    if of is int:
        if INT_MIN <= value <= INT_MAX:
            return value
        raise Unfit("the integer does not fit in signed 64 bits; under the annotation int, any size travels")
    if value is None or of is bool:
        return value
    if of is float:
        return value if math.isfinite(value) else write_float(value)
    if of is list:
        check_json_depth(depth)
        return each_item(write_json, value, depth + 1)
    if of is dict:
        check_json_depth(depth)
        return each_entry(write_json, value, depth + 1)
    raise Unfit(f"{shown(value)} is not JSON; annotate it with its type")


read_json = write_json
"""Plain JSON is its own form; copied as well, since a machine may keep and change what it is given."""
