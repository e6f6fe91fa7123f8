"""The types an operation's parameters may have, and the check that a value is one of them.

Every value must survive JSON: exact built-in types (a subclass would arrive as its base), integers of signed
64 bits, finite floats, text that is valid UTF-8, bounded nesting. Limits: models.md, "ZeroMQ and JSON facts".
"""

from __future__ import annotations

import json
import math
import types
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

INT_MIN: Final = -(2**63)
INT_MAX: Final = 2**63 - 1
DEPTH_MAX: Final = 32
"""Lists and dicts inside one another. Far below what JSON decoders take (254 for the strictest met)."""


@dataclass(frozen=True, slots=True)
class Plain:
    """Exactly ``str``, ``int``, ``bool``, ``float`` (which takes integers too) or ``None``."""

    kind: type

    def __str__(self) -> str:
        return "None" if self.kind is type(None) else self.kind.__name__


@dataclass(frozen=True, slots=True)
class ListOf:
    item: ValueType

    def __str__(self) -> str:
        return f"list[{self.item}]"


@dataclass(frozen=True, slots=True)
class DictOf:
    """A dict with text keys."""

    value: ValueType

    def __str__(self) -> str:
        return f"dict[str, {self.value}]"


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

    def __str__(self) -> str:
        return f"Literal[{', '.join(map(repr, self.values))}]"


@dataclass(frozen=True, slots=True)
class AnyJSON:
    def __str__(self) -> str:
        return "JSON"


ValueType: TypeAlias = Plain | ListOf | DictOf | OneOf | Members | AnyJSON


def value_type(annotation: object) -> ValueType:
    """The value type of a resolved annotation. Raises ``TypeError`` for what JSON cannot carry."""
    if annotation is None:
        return Plain(type(None))
    if annotation is Any or annotation is object:
        return AnyJSON()
    if isinstance(annotation, type) and annotation in (str, int, bool, float, type(None)):
        return Plain(annotation)
    if annotation is list:
        return ListOf(AnyJSON())
    if annotation is dict:
        return DictOf(AnyJSON())
    return _generic_type(annotation)


def _generic_type(annotation: object) -> ValueType:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is list:
        return ListOf(value_type(arguments[0]))
    if origin is dict and arguments[0] is str:
        return DictOf(value_type(arguments[1]))
    if origin is typing.Union or origin is types.UnionType:
        return OneOf(tuple(value_type(option) for option in arguments))
    if origin is typing.Literal and all(type(v) in (str, int, bool, type(None)) for v in arguments):
        return Members(arguments)
    if origin is typing.Annotated:
        return value_type(arguments[0])
    name = annotation.__name__ if isinstance(annotation, type) and origin is None else str(annotation)
    raise TypeError(
        f"{name} cannot travel as JSON; use str, int, bool, float, None, list[...], dict[str, ...], "
        "a union of these, a Literal, or JSON for any of them"
    )


def encodable(text: str) -> bool:
    """Whether ``text`` is valid UTF-8 once encoded, that is, free of lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def problem(expected: ValueType, value: object, depth: int = 0) -> str | None:
    """What keeps ``value`` from being of the expected type, in words; ``None`` when nothing does."""
    match expected:
        case Plain(kind):
            if type(value) is kind or (kind is float and type(value) is int):
                return _scalar_problem(value)
        case ListOf(item) if type(value) is list:
            return _items_problem(item, value, depth + 1)
        case DictOf(item) if type(value) is dict:
            return _entries_problem(item, value, depth + 1)
        case OneOf(options):
            found = [problem(option, value, depth) for option in options]
            if None in found:
                return None
        case Members(values):
            if any(type(value) is type(member) and value == member for member in values):
                return None
        case AnyJSON():
            return _json_problem(value, depth)
    return f"expected {expected}, got {shown(value)}"


def _json_problem(value: object, depth: int) -> str | None:
    if type(value) is list:
        return _items_problem(AnyJSON(), value, depth + 1)
    if type(value) is dict:
        return _entries_problem(AnyJSON(), value, depth + 1)
    if value is None or type(value) in (str, int, bool, float):
        return _scalar_problem(value)
    return f"{shown(value)} is not JSON"


def _scalar_problem(value: object) -> str | None:
    if type(value) is int and not INT_MIN <= value <= INT_MAX:
        return "the integer does not fit in signed 64 bits"
    if type(value) is float and not math.isfinite(value):
        return f"{value} is not a finite number"
    if type(value) is str and not encodable(value):
        return f"{shown(value)} holds a lone surrogate and cannot be encoded as UTF-8"
    return None


def _items_problem(item: ValueType, values: list[Any], depth: int) -> str | None:
    if depth > DEPTH_MAX:
        return f"nested deeper than {DEPTH_MAX} levels"
    return _first(f"[{i}]: {p}" for i, v in enumerate(values) if (p := problem(item, v, depth)) is not None)


def _entries_problem(item: ValueType, values: dict[Any, Any], depth: int) -> str | None:
    if depth > DEPTH_MAX:
        return f"nested deeper than {DEPTH_MAX} levels"
    for key in values:
        if type(key) is not str or not encodable(key):
            return f"the key {shown(key)} is not UTF-8 text"
    return _first(f"[{shown(k)}]: {p}" for k, v in values.items() if (p := problem(item, v, depth)) is not None)


def _first(problems: Iterator[str]) -> str | None:
    return next(problems, None)


def shown(value: object, length_max: int = 60) -> str:
    """A short form of any value for a message: never fails, never huge."""
    if type(value) not in (str, int, bool, float, type(None)):
        return f"a value of type {type(value).__name__}"
    if type(value) is int and not INT_MIN <= value <= INT_MAX:
        return "an integer beyond 64 bits"
    text = ascii(value[:length_max] if isinstance(value, str) else value)
    return text if len(text) <= length_max else f"{text[: length_max - 1]}…"


def quick_check(types: tuple[ValueType, ...]) -> Callable[[Any], bool]:
    """A quick test that accepts the common case and leaves everything else to the full check."""
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


def resource_name(value: object) -> str:
    """The name of the resource an argument denotes: text as it is, anything else as canonical JSON.

    Values that Python holds equal get one name (``1``, ``1.0`` and ``True`` are one key of a dict), since two
    commands that reach the same entry must not look independent. Sharing a name by accident (``"1"`` and
    ``1``) is merely cautious.
    """
    if type(value) is str:
        return value
    if type(value) is int:
        return str(value)
    return json.dumps(_unified(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _unified(value: object) -> object:
    if type(value) is bool or (type(value) is float and value.is_integer() and abs(value) <= INT_MAX):
        return int(value)
    if type(value) is list:
        return [_unified(item) for item in value]
    if type(value) is dict:
        return {key: _unified(item) for key, item in value.items()}
    return value
