"""Built-in commands: operations that every cluster has, whatever its machine (``genpaxos.…``).

They are commands like others: admitted by their arguments, ordered by their footprint, executed once on every replica,
with a result that is recorded in the session table. The user's machine never sees them, and no operation of a machine
can take their names: a method's name holds no dot.

To add one: write its two functions, and an entry in :data:`BUILTINS`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from xxhash import xxh3_128_hexdigest

from commutativity import CommutativityTable, Footprint, InvalidCommand, Machine
from commutativity.footprint import undeclared
from genpaxos.core import endings
from genpaxos.core.failures import is_deterministic, result_text
from genpaxos.core.sessions import Result, Sessions

PREFIX = "genpaxos."
"""How the names of all built-in operations, and the codes of all built-in errors, begin."""
CHECKSUM = "genpaxos.checksum"
"""Gives the hash of the machine's state. It interferes with everything, so it is of the same state on every replica."""
NO_SNAPSHOT = "genpaxos.NoSnapshot"
"""The error of a checksum where the machine's ``snapshot`` raises, or gives what is not JSON."""


@dataclass(frozen=True, slots=True)
class Builtin:
    """One built-in operation."""

    admit: Callable[[CommutativityTable, Sequence[Any]], Footprint]
    """Checks the arguments and gives the footprint. Raises :class:`~commutativity.InvalidCommand`, nothing else."""
    run: Callable[[Machine, Sessions, Sequence[Any]], Result]
    """Runs it and gives its result: ``[None, value]`` or ``[error code, error message]``. What it does and gives must
    depend on nothing but the replicated state and its arguments, and commute as its footprint says."""


def _admit_checksum(table: CommutativityTable, arguments: Sequence[Any]) -> Footprint:
    if len(arguments) > 1 or any(type(argument) is not int for argument in arguments):
        raise InvalidCommand(f"{CHECKSUM} takes at most one argument, a number that tells it from others")
    return undeclared(table)


def _checksum(machine: Machine, _sessions: Sessions, _arguments: Sequence[Any]) -> Result:
    try:
        state = orjson.dumps(machine.snapshot(), option=orjson.OPT_SORT_KEYS)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # the user's own code
        if not is_deterministic(error):
            raise  # not the state's fault: it may be otherwise on the next replica
        return [NO_SNAPSHOT, result_text(error)]
    return [None, xxh3_128_hexdigest(state)]


BUILTINS: dict[str, Builtin] = {
    CHECKSUM: Builtin(_admit_checksum, _checksum),
    endings.END: Builtin(endings.admit, endings.run),
}
"""By the name of the operation."""


def admit(machine: type[Machine], operation: str, arguments: Sequence[Any]) -> Footprint:
    """The footprint of any command: a built-in one, or one of the machine's. Raises
    :class:`~commutativity.InvalidCommand`."""
    builtin = BUILTINS.get(operation)
    return machine.admit(operation, arguments) if builtin is None else builtin.admit(machine.table, arguments)
