"""What callers pass to clients and local clusters, checked where it is passed: an error there says more than a
wait that never ends."""

import asyncio
import inspect
import itertools
import math
import time
from collections.abc import AsyncIterable, Iterable, Iterator
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

from commutativity import Command, Machine, Operation
from commutativity.value.values import encodable, shown
from genpaxos.errors import InvalidOption, NotACommand

E = TypeVar("E", bound=Enum)
T = TypeVar("T")

CHUNK_COMMANDS = 2_000
"""How many commands of ``submit_many`` are sent off before the loop sees to something else."""
CHUNK_S = 0.02
"""For how long at most they are taken from the iterable before that."""
KEY_BYTES_MAX = 1_024
"""The longest idempotency key. Only a hash of it travels."""


SECONDS_MAX = 1e9
"""The longest wait, 31 years: what clocks and locks of the system can still take."""


def seconds(name: str, value: Any) -> float:
    """A duration. Raises :class:`InvalidOption` for what is no finite number above 0: every wait has a deadline."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InvalidOption(f"{name} is {shown(value)}: expected a number of seconds, such as 10.0")
    if not (isinstance(value, int) or math.isfinite(value)) or value <= 0:
        raise InvalidOption(f"{name} is {shown(value)}: expected a finite number of seconds above 0, such as 10.0")
    if value > SECONDS_MAX:
        raise InvalidOption(f"{name} is {shown(value)}: expected a number of seconds up to {SECONDS_MAX:g}")
    return float(value)


def whole(name: str, value: Any, least: int, most: int, what: str) -> int:
    """A whole number in a range. Raises :class:`InvalidOption`."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise InvalidOption(f"{name} is {shown(value)}: expected {what}, from {least} to {most}")
    return value


def choice(name: str, kind: type[E], value: Any) -> E:
    """One of an enum's values, or its text. Raises :class:`InvalidOption`."""
    try:
        return kind(value)
    except ValueError:
        wanted = ", ".join(repr(str(member)) for member in kind)
        raise InvalidOption(f"{name} is {shown(value)}: expected one of {wanted}") from None


def instance(name: str, kind: type[T], value: Any) -> T:
    """What must be of a class. Raises :class:`InvalidOption`."""
    if not isinstance(value, kind):
        raise InvalidOption(f"{name} is {shown(value)}: expected a {kind.__module__}.{kind.__qualname__}")
    return value


def path(name: str, value: Any) -> Path:
    """A path, as text or :class:`~pathlib.Path`. Raises :class:`InvalidOption`."""
    if not isinstance(value, (str, Path)) or not str(value):
        raise InvalidOption(f"{name} is {shown(value)}: expected a path")
    return Path(value)


def machine_class(value: Any) -> type[Machine]:
    """``machine=``. Raises :class:`InvalidOption` for what is no machine with operations."""
    if not (isinstance(value, type) and issubclass(value, Machine) and value.operations):
        given = value.__name__ if isinstance(value, type) else shown(value)
        raise InvalidOption(f"machine is {given}: expected a class, derived from Machine, that has operations")
    return value


def replica_number(value: Any, replicas: int) -> int | None:
    """``home=``: a replica's number or ``None``. Raises :class:`InvalidOption`."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < replicas:
        raise InvalidOption(
            f"home is {shown(value)}: expected the number of a replica, from 0 to {replicas - 1}, or None for the "
            "one that coordinates"
        )
    return value


def idempotency_key(value: Any) -> str:
    """``key=``. Raises :class:`InvalidOption`."""
    if type(value) is not str or not value or not encodable(value) or len(value.encode()) > KEY_BYTES_MAX:
        raise InvalidOption(
            f"key is {shown(value)}: expected text of 1 to {KEY_BYTES_MAX} bytes of UTF-8, such as 'order-4711'"
        )
    return value


def not_a_command(value: Any) -> NotACommand:
    """Why this cannot be submitted, and what can."""
    wanted = "Pass a command, which an operation makes when it is called on the class: Bank.deposit('alice', 5)."
    match value:
        case Command():
            why = (
                f"a command's operation is text and its arguments a tuple, not {shown(value.operation)} and "
                f"{shown(value.arguments)}"
            )
        case Operation():
            why = f"{value.name} is an operation that was not called: add its arguments, as in {value.usage()}"
        case Machine():
            why = f"this is a {type(value).__name__}: a machine runs on the replicas, and they are sent commands"
        case type():
            why = f"{value.__name__} is a class"
        case str() | bytes():
            why = f"{shown(value)} is text"
        case list() | tuple() | set() | frozenset():
            why = f"a {type(value).__name__} is no command; submit_many takes several"
        case _ if inspect.isawaitable(value) or asyncio.isfuture(value):
            why = f"a {type(value).__name__} is being submitted already, or is something else to await"
            if inspect.iscoroutine(value):
                value.close()  # nobody will await it
        case _ if inspect.ismethod(value) and isinstance(value.__self__, Machine):
            why = f"{value.__name__} is the method of one machine in this process"
        case _ if callable(value):
            why = f"a {type(value).__name__} cannot travel"
        case _:
            why = (
                f"{shown(value)} is no command. A method called on an instance, as in bank.deposit('alice', 5), runs "
                "at once in this process and gives its result"
            )
    return NotACommand(f"{why}. {wanted}")


def nothing_to_resubmit(value: Any) -> NotACommand:
    """What ``resubmit`` takes, if it is given one thing that is no :class:`Unknown`."""
    return NotACommand(
        f"{shown(value)} alone cannot be asked for again: pass the Unknown error that was raised, or the command's id "
        "and the command, as in client.resubmit(error.id, Bank.deposit('alice', 5))"
    )


def iterator(commands: Any) -> Iterator[Command[Any]]:
    """What ``submit_many`` was given, to be gone through. Raises :class:`NotACommand`."""
    if isinstance(commands, Command):
        raise NotACommand("this is one command: use submit, or put it into a list")
    if isinstance(commands, AsyncIterable):
        raise NotACommand("an async iterable: submit_many takes a plain one, such as a list or a generator of commands")
    if not isinstance(commands, Iterable) or isinstance(commands, (str, bytes, Operation)):
        raise NotACommand(f"{not_a_command(commands)} submit_many takes an iterable of commands, such as a list.")
    return iter(commands)


def chunk(commands: Iterator[Command[Any]]) -> list[Command[Any]]:
    """The next commands: not too many, and not for too long if they come slowly."""
    taken: list[Command[Any]] = []
    end_s = time.monotonic() + CHUNK_S
    for command in itertools.islice(commands, CHUNK_COMMANDS):
        taken.append(command)
        if time.monotonic() >= end_s:
            break
    return taken
