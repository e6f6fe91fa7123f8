"""Runs: several operations of one client that are agreed on together (protocol §2.2).

A *command* is what replicas agree on, an *operation* is what clients ask for. Most commands of a loaded client hold
several operations: those that were ready together. Such a command is a *run*. Its body is
``[[operation, …], [arguments, …], acknowledged]``, that of a command with one operation
``[operation, arguments, acknowledged]``; its operations have the sequence numbers ``first … first + count - 1``. A run
touches what its operations touch, so it is one command to whoever orders, votes, learns or stores.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Final

from commutativity import CommutativityTable, Footprint, InvalidCommand
from commutativity.footprint import TOUCHES_MAX, undeclared
from genpaxos.core.failures import bounded

RUN_OPERATIONS_MAX: Final = 128
"""Operations in one run."""
RUN_BYTES_MAX: Final = 16 * 1024
"""Bytes of one run's body, unless it holds one operation alone."""
NOT_ADMITTED: Final = "genpaxos.NotAdmitted"
"""The error of an operation in a run that the machine's rules do not admit: it has no effect, the others run."""

REASON_MAX: Final = 400
"""Characters of the reason why an operation is not admitted: session tables hold it."""

Admit = Callable[[Sequence[Any]], Footprint]


def count_of(body: Sequence[Any]) -> int:
    """How many operations a body holds."""
    return len(body[0]) if type(body[0]) is list else 1


def operations_of(body: Sequence[Any]) -> Sequence[str]:
    """The names of a body's operations, in their order."""
    return body[0] if type(body[0]) is list else (body[0],)


def pairs_of(body: Sequence[Any]) -> Iterator[tuple[str, list[Any]]]:
    """Operations and arguments of a body, in their order."""
    return zip(body[0], body[1], strict=True) if type(body[0]) is list else iter(((body[0], body[1]),))


def check_form(operations: Sequence[Any], arguments: Sequence[Any]) -> None:
    """Raises :class:`InvalidCommand` unless these are the operations of a run and the arguments of each."""
    if not 2 <= len(operations) <= RUN_OPERATIONS_MAX:
        raise InvalidCommand(f"a run holds 2 to {RUN_OPERATIONS_MAX} operations, not {len(operations)}")
    if len(arguments) != len(operations):
        raise InvalidCommand(f"{len(operations)} operations, and arguments of {len(arguments)}")
    if set(map(type, operations)) != {str} or set(map(type, arguments)) != {list}:
        raise InvalidCommand("expected the names of operations, and a list of arguments for each")


def admit(
    table: CommutativityTable,
    admissions: Mapping[str, Admit],
    admit_one: Callable[[str, Sequence[Any]], Footprint],
    operations: Sequence[str],
    arguments: Sequence[list[Any]],
) -> tuple[Footprint, dict[int, str]]:
    """What a run touches, and by its place each operation that is not admitted, with the reason.

    ``admissions`` has what :func:`admit_one` comes to for the machine's own operations. What is not admitted touches
    nothing. Touches stand in the order in which they occur, so that all replicas have the same; a run with too many of
    them interferes with everything.
    """
    refused: dict[int, str] = {}
    try:
        parts = [admissions[name](given) for name, given in zip(operations, arguments, strict=True)]
    except (KeyError, InvalidCommand):
        parts = []
        for place, (name, given) in enumerate(zip(operations, arguments, strict=True)):
            try:
                parts.append(admit_one(name, given))
            except InvalidCommand as error:
                refused[place] = bounded(str(error), REASON_MAX)
    touches = tuple(dict.fromkeys(chain.from_iterable(parts)))
    everything = undeclared(table)
    if len(touches) > TOUCHES_MAX or everything[0] in touches:
        return everything, refused
    if any(resource is None for resource, _ in touches):
        touches = tuple(sorted(touches, key=lambda touch: touch[0] is not None))  # the whole machine comes first
    return touches, refused
