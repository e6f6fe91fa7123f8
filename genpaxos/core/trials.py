"""Commands of operations that failed lately are tried in a copy of the machine first, where undoing them costs more.

A copy of the process (``fork``) is made in milliseconds whatever the machine holds, while making a machine anew takes
long for a large state (:mod:`genpaxos.core.undo`). So a command that fails in the copy is not run at all, and its
result is the same as though it had been run and undone. One that does not fail there runs. Each replica decides by
itself whether a copy is made: the result does not depend on it.

A copy per command is expensive as well where nothing fails. An operation is tried as long as what that is expected to
save exceeds what it costs: the chance of a failure is taken for 1 after one, and to fall by a fifth with each command
that does not fail (as in the ski rental problem: at worst, trying costs about as much as one undoing).
"""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from commutativity import Machine, OperationError
from genpaxos.core.failures import is_deterministic, place_of, result_text

TRIAL_MS = 2.0
"""What a copy takes, about."""
FALLS_BY = 0.8

Found = tuple[str, str]
"""How a command fails: the text of its result, and the place where the exception was raised."""


class Trials:
    """Which operations one executor tries first."""

    def __init__(self) -> None:
        self.run: Callable[[Machine, str, list[Any]], Found | None] | None = None
        """Runs an operation in a copy: how it fails, or ``None`` if it does not or nobody knows. Set by the owner."""
        self.saves_ms: dict[str, float] = {}
        """The operations that are tried, with what that is expected to save."""
        self._undo_ms = 0.0

    def undone(self, operation: str, work_ms: float) -> None:
        """A command of the operation failed, and it took so long to undo it."""
        self._undo_ms = work_ms
        if self.run is not None and work_ms > TRIAL_MS:
            self.saves_ms[operation] = work_ms

    def outcome(self, machine: Machine, operation: str, arguments: list[Any]) -> Found | None:
        """How a command of a tried operation fails, or ``None``: then it is to be run."""
        assert self.run is not None
        found = self.run(machine, operation, arguments)
        saves_ms = self._undo_ms if found is not None else self.saves_ms[operation] * FALLS_BY
        if saves_ms > TRIAL_MS:
            self.saves_ms[operation] = saves_ms
        else:
            del self.saves_ms[operation]
        return found


def failure_of(machine: Machine, operation: str, arguments: list[Any]) -> Found | None:
    """How an operation fails on this machine, which is not to be used any more."""
    try:
        machine.apply(operation, deepcopy(arguments))
    except OperationError:
        return None
    except BaseException as error:
        interrupted = isinstance(error, KeyboardInterrupt) or not is_deterministic(error)
        return None if interrupted else (result_text(error), place_of(error))
    return None
