"""Applying operations to the user's machine: what they give, and what becomes of those that fail (protocol §7)."""

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any

from commutativity import JSON, Machine, OperationError
from commutativity.declared import as_result
from commutativity.value.values import shown
from genpaxos.core.builtins import BUILTINS, CHECKSUM
from genpaxos.core.commands import Proposal, Refused
from genpaxos.core.failures import (
    OPERATION_FAILED,
    Failure,
    Failures,
    full_text,
    is_deterministic,
    place_of,
    result_text,
    type_name,
)
from genpaxos.core.history import History
from genpaxos.core.ids import operation_ids
from genpaxos.core.runs import NOT_ADMITTED
from genpaxos.core.sessions import Result, Sessions
from genpaxos.core.trials import TRIAL_MS, Trials
from genpaxos.core.undo import MachineFaultError, Undo

NO_VALUE: Result = [None, None]
"""The result of what returns nothing: one for all of them, as nobody changes a result."""

Before = Callable[[str], tuple[int, Collection[str]]]
"""What has run before a command whose turn it is: V up to an index, and what ran ahead of that."""


class Applier:
    """The user's machine, to which the executor applies operations one by one."""

    machine: Machine

    def __init__(self, machine: Machine, history: History, known: Mapping[str, Proposal], before: Before) -> None:
        self.applied = 0
        """How many operations were applied, ever."""
        self.restored = 0
        """How many of them in the state that this replica last went on from."""
        self.checked = 0
        """How many were when the last checksum had run; 0 if none has since this replica started."""
        self.failures = Failures()
        """Operations that raised what they had not declared, and so had no effect."""
        self.undo = Undo(type(machine), history, known)
        self.trials = Trials()
        self._tried = self.trials.saves_ms
        self._before = before
        self.run_on(machine)

    def restart(self, machine: Machine) -> None:
        """Begin anew on this machine, where nothing has run."""
        self.run_on(machine)
        self.applied = self.checked = self.restored = 0

    def run_on(self, machine: Machine) -> None:
        """Apply to this machine from now on."""
        self.machine = machine
        own = type(machine).apply is Machine.apply
        self._runs = {name: made.run if own else partial(_apply, name) for name, made in machine.operations.items()}
        """By operation, what :meth:`Machine.apply` comes to: without its calls unless the program has replaced it."""

    def restored_with(self, applied: int) -> None:
        """The machine is now in a state in which so many operations were applied."""
        self.applied = self.restored = applied

    def ran(self, operations: int) -> None:
        """So many operations of a command were applied, or will never be."""
        self.applied += operations

    def skip(self, command: str, place: int = 0) -> None:
        """An operation is not applied: the machine never sees it, nor if it is made again."""
        self.undo.skip(command, place, self._before(command)[0])

    def apply(self, sessions: Sessions, command: str, operation: str, arguments: list[Any]) -> Result:
        """Apply the operation of a command that is no run: one of the machine's, or a built-in one."""
        run = self._runs.get(operation)
        if run is None:
            if operation == CHECKSUM:
                self.checked = self.applied + 1
            return _run_builtin(self.machine, sessions, operation, arguments)
        if self._tried and (found := self._tried_before(command, 0, operation, arguments)) is not None:
            return found
        try:
            value = run(self.machine, arguments)
            return NO_VALUE if value is None else [None, value]
        except OperationError as error:
            return as_result(error, type(self.machine))
        except BaseException as error:
            return self._failed(command, 0, operation, arguments, error)

    def apply_run(
        self, command: str, operations: list[str], arguments: list[list[Any]], refused: Refused
    ) -> list[Result]:
        """Apply the operations of a run, in their order; those that are refused give that as their result."""
        runs, machine, found = self._runs, self.machine, list[Result]()
        append, apart = found.append, bool(refused)
        for operation, given in zip(operations, arguments, strict=True):
            if apart or self._tried:
                place = len(found)
                result = [NOT_ADMITTED, refused[place]] if place in refused else None
                result = result or self._tried_before(command, place, operation, given)
                if result is not None:
                    append(result)
                    continue
            try:
                value = runs[operation](machine, given)
                append(NO_VALUE if value is None else [None, value])
            except OperationError as error:
                append(as_result(error, type(machine)))
            except BaseException as error:
                append(self._failed(command, len(found), operation, given, error))
                machine = self.machine
        return found

    def _tried_before(self, command: str, place: int, operation: str, arguments: list[Any]) -> Result | None:
        """How an operation fails, if it is one that is tried in a copy of the machine and it fails there."""
        if operation not in self._tried:
            return None
        found = self.trials.outcome(self.machine, operation, arguments)
        if found is None:
            return None
        self.skip(command, place)
        self.failures.note(Failure(operation_ids(command)[place], operation, *found, TRIAL_MS))
        return [OPERATION_FAILED, found[0]]

    def _failed(self, command: str, place: int, operation: str, arguments: list[Any], error: BaseException) -> Result:
        """An operation raised what it had not declared: undo what it did; that it failed is its result.

        Raises :class:`MachineFaultError` if that need not happen on the other replicas: then the state here is not
        theirs any more.
        """
        if self.undo.interruptible and isinstance(error, KeyboardInterrupt):
            raise error
        if not is_deterministic(error):
            given = ", ".join(map(shown, arguments))
            raise MachineFaultError(
                f"{type(self.machine).__name__}.{operation}({given}) (command {command}) raised {type_name(error)}: "
                f"{full_text(error)} at {place_of(error)}. That does not follow from state and command alone, so other "
                "replicas may have executed it. This one stops; start it again, and it executes the command anew. If "
                "that does not help, correct the operation on all replicas."
            ) from error
        self.machine, work_ms = self.undo.without(command, place, *self._before(command))
        self.trials.undone(operation, work_ms)
        text = result_text(error)
        self.failures.note(Failure(operation_ids(command)[place], operation, text, place_of(error), work_ms))
        return [OPERATION_FAILED, text]


def _apply(operation: str, machine: Machine, arguments: list[Any]) -> JSON:
    return machine.apply(operation, arguments)


def _run_builtin(machine: Machine, sessions: Sessions, operation: str, arguments: list[Any]) -> Result:
    """Raises :class:`MachineFaultError`."""
    try:
        return BUILTINS[operation].run(machine, sessions, arguments)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise MachineFaultError(
            f"{operation}{tuple(arguments)} raised {type_name(error)}: {full_text(error)} at {place_of(error)}. "
            "That need not happen on other replicas. This one stops; start it again, and it executes the command "
            "anew."
        ) from error
