"""Reading an operation's signature: its parameters, their value types, and their defaults."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from typing import Any, Final

from commutativity.value.values import ValueType, problem, value_type

RESERVED: Final = ("everything", "footprint")
"""Words of ``@operation`` itself, so never parameter names: ``@operation(everything="read")`` would be ambiguous."""


def read_signature(
    function: Callable[..., Any], owner: type
) -> tuple[inspect.Signature, dict[str, ValueType], ValueType]:
    """The signature of a method without ``self``, the value type of each parameter in order, and that of the result.

    Raises ``TypeError`` for a method that cannot be an operation: not all of its arguments are positional, annotated
    and able to travel, or it is a coroutine or a generator.
    """
    where = f"{owner.__name__}.{function.__name__}"
    signature = _signature_of(function, where)
    hints = _hints_of(function, owner)
    types = {name: _type_of(name, hints, where) for name in signature.parameters}
    if "return" not in hints:
        raise TypeError(f"{where} has no return annotation; it types the command's result, so add one (-> None)")
    try:
        returns = value_type(hints["return"])
    except TypeError as error:
        raise TypeError(f"{where}: its result: {error}") from None
    _check_defaults(signature, types, where)
    return signature, types, returns


def _signature_of(function: Callable[..., Any], where: str) -> inspect.Signature:
    """The operation's signature without ``self``."""
    if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
        raise TypeError(
            f"{where} is a coroutine or a generator: an operation is a plain function of state and arguments"
        )
    parameters = list(inspect.signature(function).parameters.values())
    if not parameters or not _is_positional(parameters[0]):
        raise TypeError(f"{where} has no self: an operation is a method")
    for parameter in parameters[1:]:
        if not _is_positional(parameter):
            raise TypeError(
                f"{where}: the {parameter.kind.description} parameter {parameter.name!r} is not supported; "
                "a command's arguments are positional and "
                "of a fixed number (take a list or a dict instead)"
            )
        if parameter.name in RESERVED:
            raise TypeError(f"{where}: no parameter can be named {parameter.name!r}, a word of @operation; rename it")
    return inspect.Signature(parameters[1:])


def _is_positional(parameter: inspect.Parameter) -> bool:
    return parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)


def _hints_of(function: Callable[..., Any], owner: type) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function, localns={owner.__name__: owner}, include_extras=True)
    except Exception as error:
        raise TypeError(
            f"the annotations of {owner.__name__}.{function.__name__} cannot be resolved ({error}); "
            "they are read when the class is created, so import what they name at run time"
        ) from error


def _type_of(name: str, hints: dict[str, Any], where: str) -> ValueType:
    if name not in hints:
        raise TypeError(
            f"{where}: the parameter {name!r} has no annotation; commands are checked against it, so add one"
        )
    try:
        return value_type(hints[name])
    except TypeError as error:
        raise TypeError(f"{where}: the parameter {name!r}: {error}") from None


def _check_defaults(signature: inspect.Signature, types: dict[str, ValueType], where: str) -> None:
    for name, parameter in signature.parameters.items():
        if parameter.default is not parameter.empty:
            found = problem(types[name], parameter.default)
            if found is not None:
                raise TypeError(f"{where}: the default of {name!r}: {found}")
