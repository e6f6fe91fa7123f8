"""Arguments, results and states as they arrive: encoded for the wire or the disk, and decoded again.

The one place where the check touches the codec.
"""

from __future__ import annotations

import math
from typing import Any, Final

import orjson

from commutativity.command import JSON, Command, OperationError
from commutativity.value.values import AnyJSON, Plain, problem

REPORTED_DEPTH_MAX: Final = 100


class CannotTravel(ValueError):  # noqa: N818  # what it says of a value
    """The value would not arrive as it was sent; the text says why."""


def sent(command: Command[Any]) -> bytes:
    """A command as it is sent."""
    return orjson.dumps([command.operation, command.arguments])


def received(encoded: bytes) -> Command[Any]:
    """The command that was sent."""
    operation, arguments = orjson.loads(encoded)
    return Command(operation, tuple(arguments))


def arguments_of(command: Command[Any]) -> list[Any]:
    """The arguments as a replica decodes them: a copy of its own, so that an operation may keep or change them."""
    return list(received(sent(command)).arguments)


def result(value: Any) -> JSON:
    """An operation's result as its client gets it. Raises :class:`CannotTravel`."""
    if (wrong := problem(AnyJSON(), value)) is not None:
        raise CannotTravel(wrong)
    arrived: JSON = orjson.loads(orjson.dumps(value))
    return arrived


def error(raised: OperationError) -> tuple[str, str, JSON]:
    """A declared error's code, message and fields as its client gets them. Raises :class:`CannotTravel`."""
    if (wrong := problem(Plain(str), raised.message)) is not None:
        raise CannotTravel(f"the message of {raised.code}: {wrong}")
    fields = {name: value for name, value in vars(raised).items() if name != "message"}
    return raised.code, raised.message, fields if problem(AnyJSON(), fields) is None else {}


def state(snapshot: Any) -> bytes:
    """A snapshot as it is stored and sent. Raises :class:`CannotTravel` for what would come back as something else."""
    try:
        encoded = orjson.dumps(snapshot)
    except (TypeError, ValueError) as wrong:
        raise CannotTravel(str(wrong)) from wrong
    if b"null" in encoded and (place := _not_finite(snapshot, "")) is not None:
        raise CannotTravel(f"snapshot(){place} is not a finite number and would come back as null")
    return encoded


def decoded(encoded: bytes) -> JSON:
    """The value of some JSON bytes."""
    value: JSON = orjson.loads(encoded)
    return value


def canonical(value: JSON) -> bytes:
    """Bytes equal for equal JSON: keys sorted, True told from 1."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def shallow(value: JSON) -> JSON:
    """The value, or the beginning of its text where it is nested so deeply that it could not be written within a
    report."""
    return value if _depth_within(value, REPORTED_DEPTH_MAX) else f"{repr(value)[:400]}…"


def _depth_within(value: JSON, levels: int) -> bool:
    if isinstance(value, dict):
        return levels > 0 and all(_depth_within(item, levels - 1) for item in value.values())
    if isinstance(value, list):
        return levels > 0 and all(_depth_within(item, levels - 1) for item in value)
    return True


def _not_finite(value: Any, place: str) -> str | None:
    """Where a number is not finite; the codec would write null."""
    if isinstance(value, float):
        return None if math.isfinite(value) else place
    if isinstance(value, dict):
        parts = ((_not_finite(item, f"{place}[{key!r}]")) for key, item in value.items())
    elif isinstance(value, (list, tuple)):
        parts = ((_not_finite(item, f"{place}[{i}]")) for i, item in enumerate(value))
    else:
        return None
    return next((part for part in parts if part is not None), None)
