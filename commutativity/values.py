"""The types an operation's parameters may have, and the check that a value is one of them.

The types are those of :mod:`commutativity.value_types`; how their values travel, :mod:`commutativity.codec` says.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from commutativity.annotations import value_type
from commutativity.codec import Codec
from commutativity.plain_json import DEPTH_MAX
from commutativity.resources import resource_name
from commutativity.unfit import INT_MAX, INT_MIN, encodable, shown
from commutativity.value_types import AnyJSON, DictOf, ListOf, Members, OneOf, Plain, ValueType

__all__ = [
    "DEPTH_MAX",
    "INT_MAX",
    "INT_MIN",
    "AnyJSON",
    "DictOf",
    "ListOf",
    "Members",
    "OneOf",
    "Plain",
    "ValueType",
    "codec_of",
    "encodable",
    "problem",
    "quick_check",
    "resource_name",
    "shown",
    "value_type",
]


@lru_cache(maxsize=256)
def codec_of(kind: ValueType) -> Codec:
    """The codec of a type that was read already."""
    return Codec(None, kind=kind)


def problem(expected: ValueType, value: object) -> str | None:
    """What keeps ``value`` from being of the expected type, in words; ``None`` when nothing does."""
    return codec_of(expected).problem(value)


def quick_check(types: tuple[ValueType, ...]) -> Callable[[Any], bool]:
    """A quick test for arguments that are their own JSON; it leaves everything else to the codecs."""
    if not all(isinstance(kind, Plain) for kind in types):
        return lambda _: False
    tests = [_QUICK_TESTS.get(kind.kind, _of_type(kind.kind)) for kind in types if isinstance(kind, Plain)]
    if len(tests) == 1:
        (only,) = tests
        return lambda arguments: (
            (type(arguments) is list or type(arguments) is tuple) and len(arguments) == 1 and only(arguments[0])
        )
    if len(tests) == 2:  # nearly every operation has one or two parameters, and every command comes by here
        first, second = tests
        return lambda arguments: (
            (type(arguments) is list or type(arguments) is tuple)
            and len(arguments) == 2
            and first(arguments[0])
            and second(arguments[1])
        )
    return lambda arguments: (
        _is_sequence(arguments, len(tests)) and all(test(value) for test, value in zip(tests, arguments, strict=True))
    )


def _is_sequence(arguments: Any, count: int) -> bool:
    given = type(arguments)
    return (given is list or given is tuple) and len(arguments) == count


def _of_type(kind: type) -> Callable[[Any], bool]:
    return lambda value: type(value) is kind


_QUICK_TESTS: dict[type, Callable[[Any], bool]] = {
    str: lambda value: type(value) is str and (value.isascii() or encodable(value)),
    int: lambda value: type(value) is int and INT_MIN <= value <= INT_MAX,
    float: lambda value: type(value) is float and math.isfinite(value),
}
