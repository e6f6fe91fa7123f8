"""Declared errors as results: how an :class:`OperationError` becomes JSON, and an error of its class again.

The form is ``[code, message]`` or ``[code, message, fields]``. The *code* is the class's qualified name,
``module.Class`` or ``module.Outer.Inner``; for a class of the machine's own module it begins with a dot instead
(``.Outer.Inner``), since that module has different names in different processes: a script is ``__main__`` where it is
run. The *fields* are the attributes, in the form that names types (:mod:`commutativity.value.open_form`). What cannot
travel is left behind, and a note on the error says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from commutativity.command import JSON, OperationError
from commutativity.value.open_form import OpenForm
from commutativity.value.values import Plain, problem

UNREPRESENTABLE: Final = "commutativity.command.UnrepresentableResult"
"""The code of a result, or of an error's text, that JSON cannot carry."""
_ARGS: Final = "args"
"""The field of ``error.args`` where it is not the message alone. No attribute of an exception can have this name."""
_NOTES: Final = "__notes__"


class UnknownOperationError(OperationError):
    """A declared error of a class that this process does not know. ``code``, ``message`` and ``fields`` are the
    error's; the fields are attributes as well."""

    qualified_code: str
    fields: dict[str, Any]

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
    fields = _fields(error, message, OpenForm(machine.__module__))
    code = qualified_code(type(error), machine)
    return [code, message, fields] if fields else [code, message]


def read_fields(fields: dict[str, JSON], homes: Sequence[str]) -> dict[str, Any]:
    """The values of the fields of :func:`as_result`. ``homes`` are the names that the machine's module has here, the
    likeliest first; of what is of a class that is not known here the JSON stays."""
    return {name: _read(value, homes) for name, value in fields.items()}


def _read(value: JSON, homes: Sequence[str]) -> Any:
    for home in (*homes, ""):
        try:
            return OpenForm(home).read(value)
        except Exception:  # a class that this process lacks, or that takes other fields here
            continue
    return value


def rebuilt(kind: type[OperationError], message: str, fields: dict[str, Any] | None = None) -> OperationError:
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


def unknown(code: str, message: str, fields: dict[str, Any] | None = None) -> UnknownOperationError:
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


def _fields(error: OperationError, message: str, form: OpenForm) -> dict[str, Any]:
    """The attributes that can travel, by name, and a note for each that cannot."""
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
        try:
            fields[form.write(str(name))] = form.write(value)
        except Exception:  # it is one more value of the user's program
            if name != _ARGS:
                left.append(f"the attribute {name!r} ({type(value).__name__}) cannot travel and stayed on the replica")
    if left:
        notes = fields.get(_NOTES)
        fields[_NOTES] = [*(notes if isinstance(notes, list) else []), *left]
    return fields
