"""Built-in commands: operations that every cluster has, whatever its machine (``genpaxos.…``).

They are commands like others: admitted by their arguments, ordered by their footprint, executed once on every replica,
with a result that is recorded in the session table. The user's machine never sees them, and no operation of a machine
can take their names: a method's name holds no dot.

To add one: write its two functions, and an entry in :data:`BUILTINS`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from commutativity import CommutativityTable, Footprint, Machine
from genpaxos.core import endings
from genpaxos.core.sessions import Result, Sessions

PREFIX = "genpaxos."
"""How the names of all built-in operations, and the codes of all built-in errors, begin."""


@dataclass(frozen=True, slots=True)
class Builtin:
    """One built-in operation."""

    admit: Callable[[CommutativityTable, Sequence[Any]], Footprint]
    """Checks the arguments and gives the footprint. Raises :class:`~commutativity.InvalidCommand`, nothing else."""
    run: Callable[[Machine, Sessions, Sequence[Any]], Result]
    """Runs it and gives its result: ``[None, value]`` or ``[error code, error message]``. What it does and gives must
    depend on nothing but the replicated state and its arguments, and commute as its footprint says."""


BUILTINS: dict[str, Builtin] = {endings.END: Builtin(endings.admit, endings.run)}
"""By the name of the operation."""


def admit(machine: type[Machine], operation: str, arguments: Sequence[Any]) -> Footprint:
    """The footprint of any command: a built-in one, or one of the machine's. Raises
    :class:`~commutativity.InvalidCommand`."""
    builtin = BUILTINS.get(operation)
    return machine.admit(operation, arguments) if builtin is None else builtin.admit(machine.table, arguments)
