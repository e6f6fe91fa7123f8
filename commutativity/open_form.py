"""Values of no declared type as JSON that names their types: what snapshots are made of.

Plain JSON is itself. Everything else is an object with one key, which begins with ``$`` and says what it is:
``{"$set": [1, 2]}``, ``{"$Decimal": "1.50"}``, ``{"$record bank:Entry": {...}}``. A dict that looks like one, or whose
keys are not all text, is written out under ``$dict``. Docs/values.md lists the forms.

Classes are named by module and name, and looked up among the modules that are imported: nothing is imported, and nothing
but dataclasses, named tuples and enums is made.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime
import enum
import math
import sys
from collections.abc import Callable
from itertools import islice
from typing import Any, Final, NoReturn

import orjson

from commutativity.scalars import (
    TEXTS,
    enum_converters,
    read_int,
    read_timedelta,
    text_converters,
    write_int,
    write_timedelta,
)
from commutativity.unfit import INT_MAX, INT_MIN, Unfit, encodable, shown

DEPTH_MAX: Final = 100
"""Values inside one another. Two levels of JSON for each stay within what JSON decoders take."""
MARK: Final = "$"
_SCALARS: Final = frozenset((str, int, bool, type(None)))
_TEXTS: Final = {kind: (kind.__name__, *text_converters(kind)) for kind in TEXTS}
_TEXTS_READ: Final = {name: read for name, _, read in _TEXTS.values()}


def write(value: Any, depth: int = 0) -> Any:
    """The value as JSON, which shares nothing with it. Raises :class:`Unfit`."""
    of = type(value)
    if of is str:
        if value.isascii() or encodable(value):
            return value
        raise Unfit(f"{shown(value)} holds a lone surrogate and cannot be encoded as UTF-8")
    if of is int:
        return value if INT_MIN <= value <= INT_MAX else {"$int": write_int(value)["int"]}
    if value is None or of is bool:
        return value
    if of is float:
        return value if math.isfinite(value) else {"$float": str(value)}
    if depth > DEPTH_MAX:
        raise Unfit(f"nested deeper than {DEPTH_MAX} levels")
    if of is dict:
        return _write_dict(value, depth + 1)
    if of is list:
        return _write_items(value, depth + 1)
    return _write_other(value, of, depth + 1)


def _write_items(values: Any, depth: int) -> list[Any]:
    made: list[Any] = []
    try:
        for item in values:
            made.append(write(item, depth))  # noqa: PERF401  # how many there are says which one failed
    except Unfit as error:
        error.path.append(f"[{len(made)}]")
        raise
    return made


def _write_dict(value: dict[Any, Any], depth: int) -> Any:
    made: dict[str, Any] = {}
    try:
        for key, item in value.items():
            if type(key) is not str or not (key.isascii() or encodable(key)):
                return {"$dict": _write_entries(value, depth)}
            made[key] = write(item, depth)
    except Unfit as error:
        error.path.append(f"[{shown(next(islice(value, len(made), None)))}]")
        raise
    if len(made) == 1 and next(iter(made)).startswith(MARK):
        return {"$dict": _write_entries(value, depth)}
    return made


def _write_entries(value: dict[Any, Any], depth: int) -> dict[str, Any]:
    """Entries in their order, the keys as JSON text, so that they sort as those of any object."""
    made: dict[str, Any] = {}
    try:
        for key, item in value.items():
            made[_text(write(key, depth))] = write(item, depth)
    except Unfit as error:
        error.path.append(f"[{shown(next(islice(value, len(made), None)))}]")
        raise
    return made


def _text(form: Any) -> str:
    return orjson.dumps(form, option=orjson.OPT_SORT_KEYS).decode()


def _write_other(value: Any, of: type, depth: int) -> Any:
    if of is tuple:
        return {"$tuple": _write_items(value, depth)}
    if of is set or of is frozenset:
        return {MARK + of.__name__: sorted(_write_items(value, depth), key=_text)}
    if (known := _TEXTS.get(of)) is not None:
        return {MARK + known[0]: known[1](value, depth)}
    if write_container := _CONTAINERS.get(of):
        return write_container(value, depth)
    if of is datetime.timedelta:
        return {"$timedelta": write_timedelta(value)}
    if isinstance(value, enum.Enum):
        return {f"$enum {_class_name(of)}": enum_converters(of)[0](value, depth)}
    if dataclasses.is_dataclass(of):
        return {f"$record {_class_name(of)}": _write_fields(value, [f.name for f in dataclasses.fields(of)], depth)}
    if isinstance(value, tuple) and hasattr(of, "_fields"):
        return {f"$record {_class_name(of)}": _write_fields(value, list(of._fields), depth)}
    raise Unfit(f"is {shown(value)}, which cannot be kept in a snapshot")


def _write_fields(value: Any, names: list[str], depth: int) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name in names:
        try:
            made[name] = write(getattr(value, name), depth)
        except AttributeError:
            raise Unfit(f"is {shown(value)} without its field {name}") from None
        except Unfit as error:
            error.path.append(f".{name}")
            raise
    return made


def _class_name(of: type) -> str:
    name = f"{of.__module__}:{of.__qualname__}"
    if _class(name) is not of:
        raise Unfit(
            f"is of the class {of.__qualname__}, which cannot be found again: define it at the top of a module"
        )
    return name


def _class(name: str) -> Any:
    module, _, path = name.partition(":")
    found: Any = sys.modules.get(module)
    for part in path.split("."):
        found = getattr(found, part, None)
    return found


def read(value: Any, depth: int = 0) -> Any:
    """The value of this JSON, which it shares nothing with. Raises :class:`Unfit`."""
    of = type(value)
    if of in _SCALARS or of is float:
        return value
    if depth > DEPTH_MAX + 1:
        raise Unfit("nested too deeply")
    if of is list:
        return [read(item, depth + 1) for item in value]
    if of is not dict:
        raise Unfit(f"{shown(value)} is not JSON")
    if len(value) == 1:
        ((key, form),) = value.items()
        if type(key) is str and key.startswith(MARK):
            return _read_marked(key[1:], form, depth + 1)
    return {key: read(item, depth + 1) for key, item in value.items()}


def _read_marked(mark: str, form: Any, depth: int) -> Any:
    kind, _, name = mark.partition(" ")
    if name:
        return _read_of_class(kind, name, form, depth)
    if (read_text := _TEXTS_READ.get(mark)) is not None:
        return read_text(form, depth)
    found = _READERS.get(mark)
    if found is None:
        raise Unfit(f"unknown type {shown(mark)} in a snapshot: was it written by another version?")
    try:
        return found(form, depth)
    except (TypeError, ValueError, KeyError) as error:
        if isinstance(error, Unfit):
            raise
        raise Unfit(f"not the form of a {mark}: {error}") from None


def _read_of_class(kind: str, name: str, form: Any, depth: int) -> Any:
    from commutativity.converters import constructor

    of = _class(name)
    if kind == "enum" and isinstance(of, type) and issubclass(of, enum.Enum):
        return enum_converters(of)[1](form, depth)
    if kind == "record" and isinstance(of, type) and type(form) is dict:
        fields = {key: read(item, depth) for key, item in form.items()}
        if dataclasses.is_dataclass(of):
            return constructor(of)(fields)
        if issubclass(of, tuple) and set(getattr(of, "_fields", ())) == fields.keys():
            return of(**fields)
    raise Unfit(
        f"{kind} {name!r} of the snapshot is not in this program, or has changed: keep the class where it was, or "
        "annotate the attribute in the class body, whose form does not name it"
    )


def _read_entries(form: dict[str, Any], depth: int) -> dict[Any, Any]:
    return {read(orjson.loads(key), depth): read(item, depth) for key, item in form.items()}


def _read_items(form: Any, depth: int) -> list[Any]:
    if type(form) is not list:
        _wrong(form)
    return [read(item, depth) for item in form]


def _wrong(form: Any) -> NoReturn:
    raise Unfit(f"{shown(form)} is not the form of its type")


# Containers of the standard library that programs keep state in ---------------------------------------------------------

_FACTORIES: Final[dict[Any, str]] = {None: "None", **{of: of.__name__ for of in (int, float, str, bool, list, dict, set)}}
_FACTORIES_READ: Final = {name: of for of, name in _FACTORIES.items()}


def _write_defaultdict(value: Any, depth: int) -> Any:
    factory = _FACTORIES.get(value.default_factory) if value.default_factory.__hash__ else None
    if factory is None:
        raise Unfit("is a defaultdict whose factory is no built-in type; use a dict, with setdefault or get")
    return {"$defaultdict": [factory, _write_entries(value, depth)]}


def _read_defaultdict(form: Any, depth: int) -> Any:
    factory, entries = form
    return collections.defaultdict(_FACTORIES_READ[factory], _read_entries(entries, depth))


def _read_deque(form: Any, depth: int) -> Any:
    length, items = form
    return collections.deque(_read_items(items, depth), length)


_CONTAINERS: Final[dict[type, Callable[[Any, int], Any]]] = {
    collections.defaultdict: _write_defaultdict,
    collections.Counter: lambda value, depth: {"$Counter": _write_entries(value, depth)},
    collections.OrderedDict: lambda value, depth: {"$OrderedDict": [[*row] for row in _pairs(value, depth)]},
    collections.deque: lambda value, depth: {"$deque": [value.maxlen, _write_items(value, depth)]},
}


def _pairs(value: Any, depth: int) -> list[tuple[Any, Any]]:
    """Of an OrderedDict, whose order is part of what it equals: a list, which nobody sorts."""
    entries = _write_entries(value, depth)
    return list(entries.items())


def _read_pairs(form: Any, depth: int) -> Any:
    return collections.OrderedDict((read(orjson.loads(key), depth), read(item, depth)) for key, item in form)


_READERS: Final[dict[str, Callable[[Any, int], Any]]] = {
    "int": lambda form, _: read_int({"int": form}),
    "float": lambda form, _: {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}[form],
    "dict": _read_entries,
    "tuple": lambda form, depth: tuple(_read_items(form, depth)),
    "set": lambda form, depth: set(_read_items(form, depth)),
    "frozenset": lambda form, depth: frozenset(_read_items(form, depth)),
    "timedelta": lambda form, _: read_timedelta(form),
    "defaultdict": _read_defaultdict,
    "Counter": lambda form, depth: collections.Counter(_read_entries(form, depth)),
    "OrderedDict": _read_pairs,
    "deque": _read_deque,
}
