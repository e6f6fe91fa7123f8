"""Declared errors as results: how an :class:`OperationError` becomes JSON, and an error of its class again.

The form is ``[code, message]`` or ``[code, message, fields]``. The *code* is the class's qualified name,
``module.Class`` or ``module.Outer.Inner``; for a class of the machine's own module it begins with a dot instead
(``.Outer.Inner``), since that module has different names in different processes: a script is ``__main__`` where it is
run. The *fields* are the attributes. What JSON cannot carry is left behind, and a note on the error says so.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any, Final

from commutativity.command import JSON, OperationError
from commutativity.values import AnyJSON, Plain, problem

UNREPRESENTABLE: Final = "commutativity.command.UnrepresentableResult"
"""The code of a result, or of an error's text, that JSON cannot carry."""
_ARGS: Final = "args"
"""The field of ``error.args`` where it is not the message alone. No attribute of an exception can have this name."""
_NOTES: Final = "__notes__"


class UnknownOperationError(OperationError):
    """A declared error of a class that this process does not know. ``code``, ``message`` and ``fields`` are the
    error's; the fields are attributes as well."""

    qualified_code: str
    fields: dict[str, JSON]

    @property
    def code(self) -> str:
        """The name of the class, without module and outer classes."""
        return short_code(self.qualified_code)


def short_code(code: str) -> str:
    """The class's name out of a qualified code."""
    return code.rpartition(".")[2]


def qualified_code(kind: type[OperationError], machine: type) -> str:
    """The code of a declared error that an operation of this machine raised."""
    module = "" if kind.__module__ == machine.__module__ else kind.__module__
    return f"{module}.{kind.__qualname__}"


def as_result(error: OperationError, machine: type) -> list[Any]:
    """A declared error as a result: JSON, sharing nothing with the error. Never raises."""
    message = _text(error)
    if (wrong := problem(Plain(str), message)) is not None:
        return [UNREPRESENTABLE, wrong]
    fields = _fields(error, message)
    code = qualified_code(type(error), machine)
    return [code, message, fields] if fields else [code, message]


def rebuilt(kind: type[OperationError], message: str, fields: dict[str, JSON] | None = None) -> OperationError:
    """An error of this class with this text and these fields. Its constructor is not called."""
    error: OperationError = kind.__new__(kind)
    error.args = (message,)
    error.__dict__["message"] = message
    for name, value in (fields or {}).items():
        if name == _ARGS and isinstance(value, list):
            error.args = tuple(value)
        else:
            try:
                setattr(error, name, value)
            except AttributeError:  # here it is a property without a setter, or a field of a frozen dataclass
                error.__dict__[name] = value
    return error


def unknown(code: str, message: str, fields: dict[str, JSON] | None = None) -> UnknownOperationError:
    """The error for a code that names no class here."""
    taken = {name: value for name, value in (fields or {}).items() if name not in ("code", "fields", "qualified_code")}
    error = rebuilt(UnknownOperationError, message, taken)
    assert isinstance(error, UnknownOperationError)
    error.qualified_code = code
    error.fields = {name: value for name, value in (fields or {}).items() if name not in (_ARGS, _NOTES)}
    return error


def _text(error: OperationError) -> str:
    if type(error.message) is str and error.message:
        return error.message
    try:
        return str(error)
    except Exception:  # the class's own __str__: its error is still a result
        return ""


def _fields(error: OperationError, message: str) -> dict[str, Any]:
    """The attributes that JSON can carry, by name, and a note for each that it cannot."""
    state: Any = object.__getstate__(error)
    attributes, slots = state if isinstance(state, tuple) else (state, None)
    found: dict[Any, Any] = {**(attributes or {}), **(slots or {})}
    if found.get("message") == message:
        del found["message"]
    if error.args != (message,):
        found[_ARGS] = list(error.args)
    fields: dict[str, Any] = {}
    left: list[str] = []
    for name, value in sorted(found.items(), key=lambda item: str(item[0])):
        if type(name) is str and problem(AnyJSON(), value) is None:
            fields[name] = deepcopy(value)
        elif name != _ARGS:
            left.append(f"the attribute {name!r} ({type(value).__name__}) is not JSON and stayed on the replica")
    if left:
        notes = fields.get(_NOTES)
        fields[_NOTES] = [*(notes if isinstance(notes, list) else []), *left]
    return fields
