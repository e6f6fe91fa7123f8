"""Reading JSON snapshots into dataclasses, with errors that say where and what was expected."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

T = TypeVar("T")

_ABSENT = object()
_WORDS: dict[type, str] = {
    str: "a text",
    int: "an integer",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "an object",
}


class SnapshotError(ValueError):
    """A snapshot does not have the documented shape; the message names the place and what belongs there."""


def expect(value: object, kind: type[T], where: str) -> T:
    """`value` if it is a `kind` (an integer is a fine float, a boolean is no integer)."""
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return kind(value)  # type: ignore[call-arg]
    if isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
        return value
    raise SnapshotError(f"{where} must be {_WORDS[kind]}, not {_shown(value)}")


def required(data: Mapping[str, object], name: str, kind: type[T], where: str) -> T:
    """The field `name` of `data`; missing is an error."""
    value = data.get(name, _ABSENT)
    if value is _ABSENT:
        known = ", ".join(sorted(map(str, data))) or "nothing"
        raise SnapshotError(f"{where} has no {name!r} (it has {known}); {name!r} must be {_WORDS[kind]}")
    return expect(value, kind, f"{where}.{name}")


def optional(data: Mapping[str, object], name: str, kind: type[T], where: str) -> T | None:
    """The field `name` of `data`, or None when it is missing or null."""
    value = data.get(name)
    return None if value is None else expect(value, kind, f"{where}.{name}")


def natural(data: Mapping[str, object], name: str, where: str, default: int | None = None) -> int:
    """A field that counts something: an integer, zero or more; `default` (if given) when missing or null."""
    if default is not None and data.get(name) is None:
        return default
    value = required(data, name, int, where)
    if value < 0:
        raise SnapshotError(f"{where}.{name} counts something, so it cannot be negative: {value}")
    return value


def integers(value: object, where: str) -> tuple[int, ...]:
    """A list of integers."""
    return tuple(expect(item, int, f"{where}[{i}]") for i, item in enumerate(expect(value, list, where)))


def _shown(value: object) -> str:
    text = "null" if value is None else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
