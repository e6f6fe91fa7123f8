"""The types an operation's parameters may have, and the check that a value is one of them.

The types are those of :mod:`commutativity.value.value_types`; how their values travel, :mod:`commutativity.codec` says.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar

from commutativity.codec import Codec
from commutativity.unfit import INT_MAX, INT_MIN, encodable, shown
from commutativity.value.annotations import value_type
from commutativity.value.plain_json import DEPTH_MAX
from commutativity.value.resources import resource_name
from commutativity.value.value_types import AnyJSON, DictOf, ListOf, Members, OneOf, Plain, ValueType

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
    "quick_choice",
    "resource_name",
    "shown",
    "value_type",
]

R = TypeVar("R")


@lru_cache(maxsize=256)
def codec_of(kind: ValueType) -> Codec:
    """The codec of a type that was read already."""
    return Codec(None, kind=kind)


def problem(expected: ValueType, value: object) -> str | None:
    """What keeps ``value`` from being of the expected type, in words; ``None`` when nothing does."""
    return codec_of(expected).problem(value)


def quick_check(types: tuple[ValueType, ...]) -> Callable[[Any], bool]:
    """A quick test for arguments that are their own JSON; it leaves everything else to the codecs."""
    test: Callable[[Any], bool] = _compiled(_quick_source(types), {})
    return test


def quick_choice(
    types: tuple[ValueType, ...], quick: Callable[[Any], R], slow: Callable[[Any], R]
) -> Callable[[Any], R]:
    """``quick`` for arguments that pass :func:`quick_check`, ``slow`` for all others."""
    chosen: Callable[[Any], R] = _compiled(
        f"quick(given) if {_quick_source(types)} else slow(given)", {"quick": quick, "slow": slow}
    )
    return chosen


def _compiled(source: str, names: dict[str, Any]) -> Any:
    """Every command comes by here, on its client and on every replica. So a test is put together as one expression: a
    call for each argument takes longer than all there is to test."""
    return eval(f"lambda given: {source}", {**_NAMES, **names})


def _quick_source(types: tuple[ValueType, ...]) -> str:
    if not all(isinstance(kind, Plain) for kind in types):
        return "False"
    tests = [_quick_test(kind.kind, place) for place, kind in enumerate(types) if isinstance(kind, Plain)]
    return " and ".join(["(type(given) is list or type(given) is tuple)", f"len(given) == {len(tests)}", *tests])


def _quick_test(kind: type, place: int) -> str:
    """The source of the test of one argument."""
    test = _QUICK_TESTS.get(kind, "type(value) is {name}").format(name=kind.__name__)
    return f"({test})".replace("type(value)", f"type(value := given[{place}])")


_QUICK_TESTS: dict[type, str] = {
    str: "type(value) is str and (value.isascii() or encodable(value))",
    int: f"type(value) is int and {INT_MIN} <= value <= {INT_MAX}",
    float: "type(value) is float and isfinite(value)",
}
_NAMES = {"encodable": encodable, "isfinite": math.isfinite, "NoneType": type(None)}
