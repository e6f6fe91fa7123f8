"""Values of no declared type as JSON that names their types: what snapshots are made of.

Plain JSON is itself. Everything else is an object with one key, which begins with ``$`` and says what it is:
``{"$set": [1, 2]}``, ``{"$Decimal": "1.50"}``, ``{"$record :Entry": {...}}``. A dict that looks like one, or whose keys
are not all text, is written out under ``$dict``. docs/values.md lists the forms.

Classes are named by module and name, those of the machine's own module by name alone, as that module may be called
otherwise elsewhere. They are looked up among the modules that are imported: nothing is imported, and nothing but
dataclasses, named tuples and enums is made.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime
import enum
import math
import sys
from functools import lru_cache
from itertools import islice
from typing import Any, Final

from commutativity.unfit import INT_MAX, INT_MIN, Unfit, encodable, shown
from commutativity.value.json_text import canonical_text, parsed
from commutativity.value.records import constructor
from commutativity.value.scalars import (
    TEXTS,
    enum_converters,
    read_int,
    read_timedelta,
    text_converters,
    write_int,
    write_timedelta,
)

DEPTH_MAX: Final = 100
"""Values inside one another. Two levels of JSON for each stay within what JSON decoders take."""
MARK: Final = "$"
_ATOMS: Final = frozenset((str, int, bool, float, type(None)))
_TEXTS: Final = {kind: (MARK + kind.__name__, *text_converters(kind)) for kind in TEXTS}
_TEXTS_READ: Final = {mark: read for mark, _, read in _TEXTS.values()}
_FLOATS: Final = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}
_FACTORIES: Final[dict[Any, str]] = {
    None: "None",
    **{of: of.__name__ for of in (int, float, str, bool, list, dict, set)},
}
"""What a defaultdict may make its values by."""
_FACTORIES_READ: Final = {name: of for of, name in _FACTORIES.items()}


@lru_cache(maxsize=1024)
def _mark(kind: str, home: str, of: Any) -> str:
    """What a value of a class is written under."""
    name = f"{'' if of.__module__ == home else of.__module__}:{of.__qualname__}"
    if _class(name, home) is not of:
        raise Unfit(f"is of the class {of.__qualname__}, which cannot be found again: define it at the top of a module")
    return f"{kind} {name}"


def _class(name: str, home: str) -> Any:
    module, _, path = name.partition(":")
    found: Any = sys.modules.get(module or home)
    for part in path.split("."):
        found = getattr(found, part, None)
    return found


@lru_cache(maxsize=1024)
def _field_names(of: Any) -> tuple[str, ...] | None:
    """The fields of a dataclass or named tuple; ``None`` for any other class."""
    if dataclasses.is_dataclass(of):
        return tuple(each.name for each in dataclasses.fields(of))
    return of._fields if issubclass(of, tuple) and hasattr(of, "_fields") else None


class OpenForm:
    """Writes and reads values for a machine whose class is of the module ``home``."""

    __slots__ = ("_home",)

    def __init__(self, home: str) -> None:
        self._home = home

    def write(self, value: Any, depth: int = 0) -> Any:
        """The value as JSON, which shares nothing with it. Raises :class:`Unfit`."""
        of = type(value)
        if of is str:
            if value.isascii() or encodable(value):
                return value
            raise Unfit(f"is {shown(value)}, which holds a lone surrogate and cannot be encoded as UTF-8")
        if of is int:
            return value if INT_MIN <= value <= INT_MAX else {"$int": write_int(value)["int"]}
        if value is None or of is bool:
            return value
        if of is float:
            return value if math.isfinite(value) else {"$float": str(value)}
        if depth > DEPTH_MAX:
            raise Unfit(f"nested deeper than {DEPTH_MAX} levels")
        if of is dict:
            return self._write_dict(value, depth + 1)
        if of is list:
            return self._write_items(value, depth + 1)
        return self._write_other(value, of, depth + 1)

    def read(self, value: Any, depth: int = 0) -> Any:
        """The value of this JSON, which it shares nothing with. Raises :class:`Unfit`."""
        of: Any = type(value)
        if of in _ATOMS:
            return value
        if depth > DEPTH_MAX + 1:
            raise Unfit("nested too deeply")
        if of is list:
            return self._read_items(value, depth + 1)
        if of is not dict:
            raise Unfit(f"{shown(value)} is not JSON")
        if len(value) == 1:
            ((key, form),) = value.items()
            if type(key) is str and key.startswith(MARK):
                return self._read_marked(key, form, depth + 1)
        read, depth = self.read, depth + 1
        return {key: item if type(item) in _ATOMS else read(item, depth) for key, item in value.items()}

    # Writing --------------------------------------------------------------------------------------------------------

    def _write_items(self, values: Any, depth: int) -> list[Any]:
        write, made = self.write, []
        try:
            for item in values:
                made.append(write(item, depth))  # noqa: PERF401  # how many there are says which one failed
        except Unfit as error:
            error.path.append(f"[{len(made)}]")
            raise
        return made

    def _write_dict(self, value: dict[Any, Any], depth: int) -> Any:
        write = self.write
        made: dict[str, Any] = {}
        try:
            for key, item in value.items():
                if type(key) is not str or not (key.isascii() or encodable(key)):
                    return {"$dict": self._write_entries(value, depth)}
                made[key] = write(item, depth)
        except Unfit as error:
            error.path.append(f"[{shown(next(islice(value, len(made), None)))}]")
            raise
        if len(made) == 1 and next(iter(made)).startswith(MARK):
            return {"$dict": self._write_entries(value, depth)}
        return made

    def _write_entries(self, value: dict[Any, Any], depth: int) -> dict[str, Any]:
        """Entries in their order, the keys as JSON text, so that they sort as those of any object."""
        made: dict[str, Any] = {}
        for key, item in value.items():
            try:
                made[canonical_text(self.write(key, depth))] = self.write(item, depth)
            except Unfit as error:
                error.path.append(f"[{shown(key)}]")
                raise
        return made

    def _write_other(self, value: Any, of: Any, depth: int) -> Any:
        if of is tuple:
            return {"$tuple": self._write_items(value, depth)}
        if of is set or of is frozenset:
            return {MARK + of.__name__: sorted(self._write_items(value, depth), key=canonical_text)}
        if (known := _TEXTS.get(of)) is not None:
            mark, write_text, _ = known
            return {mark: write_text(value, depth)}
        if of is datetime.timedelta:
            return {"$timedelta": write_timedelta(value)}
        made_of: Any = of
        if issubclass(of, enum.Enum):
            return {_mark("$enum", self._home, made_of): enum_converters(of)[0](value, depth)}
        if (names := _field_names(made_of)) is not None:
            return {_mark("$record", self._home, made_of): self._write_fields(value, names, depth)}
        return self._write_container(value, of, depth)

    def _write_fields(self, value: Any, names: tuple[str, ...], depth: int) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for name in names:
            try:
                made[name] = self.write(getattr(value, name), depth)
            except AttributeError:
                raise Unfit(f"is {shown(value)} without its field {name}") from None
            except Unfit as error:
                error.path.append(f".{name}")
                raise
        return made

    def _write_container(self, value: Any, of: type, depth: int) -> Any:
        """Containers of the standard library that programs keep state in."""
        if of is collections.defaultdict:
            factory = next((name for make, name in _FACTORIES.items() if make is value.default_factory), None)
            if factory is None:
                raise Unfit("is a defaultdict whose factory is no built-in type; use a dict, with setdefault or get")
            return {"$defaultdict": [factory, self._write_entries(value, depth)]}
        if of is collections.Counter:
            return {"$Counter": self._write_entries(value, depth)}
        if of is collections.OrderedDict:  # equal in this order only: a list, whose order stays
            return {"$OrderedDict": [list(entry) for entry in self._write_entries(value, depth).items()]}
        if of is collections.deque:
            return {"$deque": [value.maxlen, self._write_items(value, depth)]}
        raise Unfit(f"is {shown(value)}, which cannot be kept in a snapshot")

    # Reading --------------------------------------------------------------------------------------------------------

    def _read_items(self, form: Any, depth: int) -> list[Any]:
        if type(form) is not list:
            raise Unfit(f"expected a list, got {shown(form)}")
        read = self.read
        return [item if type(item) in _ATOMS else read(item, depth) for item in form]

    def _read_entries(self, form: Any, depth: int) -> dict[Any, Any]:
        return {self.read(parsed(key), depth): self.read(item, depth) for key, item in form.items()}

    def _read_marked(self, mark: str, form: Any, depth: int) -> Any:
        kind, _, name = mark.partition(" ")
        try:
            if name:
                return self._read_of_class(kind, name, form, depth)
            if (read_text := _TEXTS_READ.get(mark)) is not None:
                return read_text(form, depth)
            return self._read_builtin(mark, form, depth)
        except Unfit:
            raise
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise Unfit(f"not the form of a {mark}: {error}") from None

    def _read_builtin(self, mark: str, form: Any, depth: int) -> Any:
        match mark:
            case "$int":
                return read_int({"int": form})
            case "$float":
                return _FLOATS[form]
            case "$timedelta":
                return read_timedelta(form)
            case "$tuple":
                return tuple(self._read_items(form, depth))
            case "$set":
                return set(self._read_items(form, depth))
            case "$frozenset":
                return frozenset(self._read_items(form, depth))
            case "$dict":
                return self._read_entries(form, depth)
            case "$Counter":
                return collections.Counter(self._read_entries(form, depth))
            case "$defaultdict":
                factory, entries = form
                return collections.defaultdict(_FACTORIES_READ[factory], self._read_entries(entries, depth))
            case "$OrderedDict":
                rows = ((self.read(parsed(key), depth), self.read(item, depth)) for key, item in form)
                return collections.OrderedDict(rows)
            case "$deque":
                length, items = form
                return collections.deque(self._read_items(items, depth), length)
        raise Unfit(f"unknown type {shown(mark)} in a snapshot: was it written by another version?")

    def _read_of_class(self, kind: str, name: str, form: Any, depth: int) -> Any:
        of = _class(name, self._home)
        if isinstance(of, type):
            if kind == "$enum" and issubclass(of, enum.Enum):
                return enum_converters(of)[1](form, depth)
            if kind == "$record" and _field_names(of) is not None:
                fields = {key: self.read(item, depth) for key, item in form.items()}
                return constructor(of)(fields)
        raise Unfit(
            f"{name!r}, of which the snapshot holds a value, is not in this program: keep the class where it was, or "
            "annotate the attribute in the class body, whose form does not name it"
        )
