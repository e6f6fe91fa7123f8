"""What a program's code holds: the constants that its operations compare with, and state outside machines.

Read from code objects, class attributes, and the globals and closures that the code names; modules of the standard
library and installed packages are left out.
"""

from __future__ import annotations

import enum
import functools
import inspect
import sys
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from commutativity.machine import Machine
from commutativity.operation import Operation
from commutativity.table import CommutativityTable
from commutativity.value.values import encodable

FUNCTIONS_MAX: Final = 400
STRINGS_MAX: Final = 16
NUMBERS_MAX: Final = 12
TEXT_MAX: Final = 40
"""Longer constants are sentences, not names."""
ITEMS_MAX: Final = 64
_OWN: Final = ("commutativity", "genpaxos")
_CLASS_WORDS: Final = ("table", "operations", "check_values")


@dataclass(slots=True)
class Harvest:
    """Constants in the order in which they were met, and the values that live on classes and modules by name."""

    strings: dict[str, None] = field(default_factory=dict)
    integers: dict[int, None] = field(default_factory=dict)
    floats: dict[float, None] = field(default_factory=dict)
    owners: dict[str, Callable[[], dict[str, Any]]] = field(default_factory=dict)
    """Where state could sit outside a machine: a label, and what reads the attributes, globals, defaults or cells
    that are there now."""

    def names(self) -> tuple[str, ...]:
        """The strings that could be names, the likeliest first."""
        ranked = sorted(self.strings, key=lambda text: (" " in text.strip(), len(text) > 16))
        return tuple(ranked[:STRINGS_MAX])

    def separators(self) -> tuple[str, ...]:
        """Short strings that the program could put between parts of a name."""
        return tuple(text for text in self.strings if 0 < len(text) <= 2 and not text.isalnum())[:8]

    def limits(self) -> tuple[int, ...]:
        """The integers that could be limits; not those that every check tries."""
        found = dict.fromkeys([*self.integers, *(int(n) for n in self.floats if n.is_integer() and abs(n) < 2**53)])
        return tuple(n for n in found if not -1 <= n <= 2)[:NUMBERS_MAX]


def harvest(machine_type: type[Machine]) -> Harvest:
    """What the code of a machine class holds."""
    reader = _Reader()
    reader.read_class(machine_type)
    return reader.found


def text_of(value: Any) -> Iterator[str]:
    """All the text in a JSON value, keys too: the names that a state mentions."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from text_of(key)
            yield from text_of(item)
    elif isinstance(value, list):
        for item in value:
            yield from text_of(item)


class _Reader:
    def __init__(self) -> None:
        self.found = Harvest()
        self._seen: set[int] = set()
        self._globals: dict[str, tuple[dict[str, Any], set[str]]] = {}

    def read_class(self, owner: type) -> None:
        """The methods and attributes of a class and of the classes it inherits from."""
        for base in owner.__mro__:
            if not self._is_users(base.__module__) or not self._is_new(base):
                continue
            for name, value in list(vars(base).items()):
                if not _is_machinery(name) and not self._read_member(value):
                    self._constant(value)
            self.found.owners[f"the class {base.__qualname__}"] = functools.partial(_class_data, base)

    def _read_member(self, value: Any) -> bool:
        """Read what is code; says whether it was."""
        if isinstance(value, Operation):
            self._read_function(value.function)
            if value.declaration.function is not None:
                self._read_member(value.declaration.function)
        elif isinstance(value, types.FunctionType):
            self._read_function(value)
        elif isinstance(value, (staticmethod, classmethod)):
            self._read_member(value.__func__)
        elif isinstance(value, property):
            for part in (value.fget, value.fset):
                self._read_member(part)
        elif isinstance(value, functools.cached_property):
            self._read_member(value.func)
        elif isinstance(value, functools.partial):
            self._read_member(value.func)
            self._constant(list(value.args))
        elif isinstance(value, type):
            self.read_class(value)
        elif isinstance(wrapped := getattr(value, "__wrapped__", None), types.FunctionType):
            self._read_function(wrapped)
        else:
            return isinstance(value, (types.ModuleType, CommutativityTable)) or callable(value)
        return True

    def _read_function(self, function: Any) -> None:
        if not self._is_users(function.__module__) or not self._is_new(function) or len(self._seen) > FUNCTIONS_MAX:
            return
        self._read_code(function.__code__, function.__globals__, function.__module__)
        defaults = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
        for value in (*defaults, *map(_content, function.__closure__ or ())):
            if not self._read_member(value):
                self._constant(value)
        self.found.owners[f"the function {function.__qualname__}"] = functools.partial(_function_data, function)

    def _read_code(self, code: types.CodeType, names: dict[str, Any], module: str | None) -> None:
        documentation = code.co_consts[:1] if code.co_name[:1] != "<" else ()
        for value in code.co_consts:
            if isinstance(value, types.CodeType):
                self._read_code(value, names, module)
            elif not (isinstance(value, str) and value in documentation):
                self._constant(value)
        for name in code.co_names:
            if name in names and not name.startswith("__"):
                self._read_global(name, names[name], code.co_names, names, module)

    def _read_global(
        self, name: str, value: Any, attributes: tuple[str, ...], names: dict[str, Any], module: str | None
    ) -> None:
        if isinstance(value, types.ModuleType):
            if self._is_users(value.__name__):
                for attribute in attributes:
                    if attribute in vars(value):
                        self._read_global(attribute, vars(value)[attribute], (), vars(value), value.__name__)
        elif not self._read_member(value):
            self._constant(value)
            self._globals.setdefault(module or "", (names, set()))[1].add(name)
            self.found.owners[f"the module {module}"] = functools.partial(_global_data, *self._globals[module or ""])

    def _constant(self, value: Any) -> None:
        if isinstance(value, bool) or value is None or type(value).__module__ == "enum":  # machinery of enums
            return
        if isinstance(value, enum.Enum):
            self._constant(value.value)
        elif isinstance(value, str):
            value = str.__str__(value)  # of a subclass, the text alone
            if len(value) <= TEXT_MAX and "\n" not in value.strip("\n") and encodable(value):
                self.found.strings.setdefault(value)
        elif isinstance(value, int):
            self.found.integers.setdefault(int(value))
        elif isinstance(value, float):
            self.found.floats.setdefault(float(value))
        elif isinstance(value, dict):
            self._constant(list(value))
            self._constant(list(value.values()))
        elif isinstance(value, (list, tuple)):
            for item in value[:ITEMS_MAX]:
                self._constant(item)
        elif isinstance(value, (set, frozenset)):
            self._constant(sorted(value, key=repr))

    def _is_new(self, value: object) -> bool:
        if id(value) in self._seen:
            return False
        self._seen.add(id(value))
        return True

    def _is_users(self, name: str | None) -> bool:
        top = (name or "").partition(".")[0]
        if top in sys.stdlib_module_names or top in _OWN or top == "builtins":
            return top == "__main__"
        module = sys.modules.get(name or "")
        return "site-packages" not in (getattr(module, "__file__", None) or "")


def _content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not yet assigned
        return None


def _is_machinery(name: str) -> bool:
    return (name.startswith("__") and name.endswith("__") and name != "__init__") or name in _CLASS_WORDS


def _class_data(owner: type) -> dict[str, Any]:
    is_enum = issubclass(owner, enum.Enum)  # which keeps what it makes of flags that are combined: _value2member_map_
    return _data({n: v for n, v in vars(owner).items() if not (_is_machinery(n) or (is_enum and n[0] == n[-1] == "_"))})


def _function_data(function: types.FunctionType) -> dict[str, Any]:
    defaults = (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values())
    cells = zip(function.__code__.co_freevars, map(_content, function.__closure__ or ()), strict=False)
    return _data({f"default {i + 1}": value for i, value in enumerate(defaults)} | dict(cells) | vars(function))


def _global_data(names: dict[str, Any], wanted: set[str]) -> dict[str, Any]:
    return {name: names[name] for name in sorted(wanted) if name in names}


def _data(named: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in named.items() if not (callable(value) or inspect.ismodule(value))}
