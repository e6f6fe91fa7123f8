"""Execution: a learned command runs when its predecessors have run (protocol §3, Execution; §7).

The executor keeps an interference index of what it has run. A command learned with digest d may run exactly when
digesting it now gives d: its down-set has run, in the right order, and nothing else that interferes has. Committed
decrees run in index order, skipping what ran already, and *must* give their digest: anything else is divergence.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from commutativity import JSON, InterferenceIndex, Machine, OperationError
from commutativity.declared import as_result
from commutativity.value.values import shown
from genpaxos.core.agreement import NOTHING, Agreement, encoded, encoded_run
from genpaxos.core.builtins import BUILTINS, CHECKSUM
from genpaxos.core.commands import Body, Proposal, Refused, split_id
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
from genpaxos.core.history import DivergenceError, History
from genpaxos.core.keys import KEY_CONFLICT, KEY_PREFIX
from genpaxos.core.runs import NOT_ADMITTED
from genpaxos.core.sessions import ENDED, Result, Sessions, held_bytes
from genpaxos.core.sizes import LARGE_BYTES, Sizes
from genpaxos.core.trials import TRIAL_MS, Trials
from genpaxos.core.undo import MachineFaultError, Undo

__all__ = ["Executor", "MachineFaultError"]

_NOTHING: Result = [None, None]
"""The result of what returns nothing: one for all of them, as nobody changes a result."""


class Executor:
    """The user's machine, fed in an order that respects the agreed history."""

    def __init__(self, machine: Machine, history: History, known: Mapping[str, Proposal], sessions: Sessions) -> None:
        self.run_on(machine)
        self.sessions = sessions
        self.executed = 0
        """V[1..executed] has run."""
        self.applied = 0
        """How many operations were applied to the machine, ever."""
        self.checked = 0
        """How many were when the last checksum had run; 0 if none has since this replica started."""
        self.ahead: dict[str, int] = {}
        """Commands that ran before their index was reached (learned fast, not committed yet), with their digests, in
        the order they ran."""
        self.done: tuple[list[str], list[Result]] = ([], [])
        """Commands run since the owner last took them, with their results."""
        self.agreement = Agreement()
        """What V[1..executed] gave."""
        self._compared = self.agreement.ahead  # one look-up less for each command
        self.failures = Failures()
        """Commands that raised what they had not declared, and so had no effect."""
        self.undo = Undo(type(machine), history, known)
        self.trials = Trials()
        self._tried = self.trials.saves_ms
        self.sizes = Sizes(type(machine))
        self._index = InterferenceIndex(type(machine).table)
        self._history = history
        self._known = known
        self._committing = False
        """V[executed+1..] is being run: what came before a command in V has run, though ``executed`` does not say so
        yet."""
        self._blocked: dict[str, int] = {}
        """Learned fast, but a predecessor has not run yet; in the order in which they were learned."""
        self._lacking: dict[str, int] = {}
        """Learned fast, but the body is missing yet."""

    def restart(self, machine: Machine, sessions: Sessions) -> None:
        """Begin anew on this machine, where nothing has run."""
        self.run_on(machine)
        self.sessions = sessions
        self.executed = self.applied = self.checked = 0
        self.ahead, self.done = {}, ([], [])
        self.agreement.restore(Agreement().snapshot())
        self._index.clear()
        self._blocked, self._lacking = {}, {}

    def run_on(self, machine: Machine) -> None:
        """Execute on this machine from now on."""
        self.machine = machine
        own = type(machine).apply is Machine.apply
        self._runs = {name: made.run if own else partial(_apply, name) for name, made in machine.operations.items()}
        """By operation, what :meth:`Machine.apply` comes to: without its calls unless the program has replaced it."""

    @property
    def waiting(self) -> list[str]:
        """Commands learned fast that cannot run yet."""
        return [*self._blocked, *self._lacking]

    def run_learned(self, ids: Sequence[str], digests: Sequence[int]) -> None:
        """Run commands learned fast, and those waiting for them, as far as their predecessors have run."""
        if self._run_each(ids, digests):
            self._run_blocked()

    def admitted(self, ids: Sequence[str]) -> None:
        """The bodies of these commands have come: run those that were learned before."""
        lacking = self._lacking
        if lacking:
            come = {command: lacking.pop(command) for command in ids if command in lacking}
            if self._run_each(list(come), list(come.values())):
                self._run_blocked()

    def _run_each(self, ids: Sequence[str], digests: Sequence[int]) -> bool:
        """Run what can run; the others wait. Says whether any ran."""
        known, ahead, run, executed = self._known, self.ahead, self._run, self.executed
        positions, later, before = self._history.positions, executed + 1, len(ahead)
        for command, digest in zip(ids, digests, strict=True):
            if command in ahead or positions.get(command, later) <= executed:
                continue
            if command not in known:
                self._lacking[command] = digest
            elif run(command, digest):
                ahead[command] = digest
            else:
                self._blocked[command] = digest
        return len(ahead) > before

    def _run_blocked(self) -> None:
        """Something ran: what waited for it may run now, and what waits for that."""
        while self._blocked:
            blocked, self._blocked = self._blocked, {}
            if not self._run_each(list(blocked), list(blocked.values())):
                return

    def run_committed(self) -> list[str]:
        """Run V[executed+1..committed] in index order; returns those ids."""
        history, ahead, run = self._history, self.ahead, self._run
        ids, digests = history.decrees(self.executed + 1, history.committed)
        self._committing = True
        for command, digest in zip(ids, digests, strict=True):
            ran_as = ahead.pop(command, None) if ahead else None
            if not (run(command, digest) if ran_as is None else ran_as == digest):
                raise DivergenceError(
                    f"committed command {command} (index {history.positions[command]}) does not follow from what this "
                    "replica executed: its state differs from the others'. Stop it and rebuild it from its peers."
                )
        self.executed = history.committed
        self._committing = False
        self.agreement.cover(ids, digests)
        self._run_blocked()
        return ids

    def take_done(self) -> tuple[list[str], list[Result]]:
        """What ran since the last call, with results."""
        done, self.done = self.done, ([], [])
        return done

    def sums(self) -> JSON:
        """The accumulators of all that was executed, for a snapshot."""
        return self._index.snapshot()

    def ran_ahead(self) -> list[tuple[str, int, Body]]:
        """What ran ahead, for a snapshot: ids, digests and bodies."""
        return [(command, digest, self._known[command][0]) for command, digest in self.ahead.items()]

    def restore(
        self,
        index: int,
        machine: JSON,
        sessions: dict[str, Any],
        sums: JSON,
        ahead: dict[str, int],
        agreement: dict[str, Any],
        applied: int,
    ) -> None:
        """Go on from the state of a snapshot at ``index``, in which so many operations were ``applied``; the commands
        of ``ahead`` are known.

        What this executor had run ahead and the snapshot has not is chosen all the same: it is to run again. Raises
        :class:`MachineFaultError` if the machine does not take its state.
        """
        try:
            self.machine.restore(machine)
        except Exception as error:
            raise MachineFaultError(
                f"{type(self.machine).__name__}.restore() raised {type_name(error)}: {full_text(error)} for what "
                "snapshot() gave: a replica can neither restart nor catch up by it. Correct the two."
            ) from error
        self.sessions.restore(sessions)
        self.agreement.restore(agreement)
        self._index = InterferenceIndex.restore(type(self.machine).table, sums)
        learned = {**self.ahead, **self._blocked, **self._lacking}
        self.executed, self.ahead, self.applied = index, ahead, applied
        executed = self.sessions.executed
        left = {name: digest for name, digest in learned.items() if not executed(name, *split_id(name))}
        self._blocked = {name: digest for name, digest in left.items() if name in self._known}
        self._lacking = {name: digest for name, digest in left.items() if name not in self._known}

    def has_run(self, command: str) -> bool:
        """Whether a command has run that is not cut off."""
        return command in self.ahead or self._history.positions.get(command, self.executed + 1) <= self.executed

    def _run(self, command: str, digest: int) -> bool:
        body, footprint, client, first, last, refused = self._known[command]
        if not self._index.follow(command, footprint, digest):
            return False
        operation, arguments, acknowledged = body
        sessions = self.sessions
        if first != last:
            return self._run_several(command, body, client, first, refused)
        if first == 1 or self._tried or client not in sessions.open:
            result = self._outcome(command, operation, arguments, client, first)
        else:
            result = self._apply(command, operation, arguments)
        if result is not ENDED:
            size = sessions.record(command, client, first, result, acknowledged)
            if size > LARGE_BYTES or self.sizes.watches:
                self.sizes.note(operation, size)
        self.applied += 1
        self._compared[command] = NOTHING if result is _NOTHING else encoded(result)
        ids, results = self.done
        ids.append(command)
        results.append(result)
        return True

    def _run_several(self, command: str, body: Body, client: str, first: int, refused: Refused) -> bool:
        """Run a run's operations, in their order and without anything between them."""
        operations, arguments, acknowledged = body
        sessions = self.sessions
        if sessions.over(client):
            for place in range(len(operations)):
                self.undo.skip(command, place, self._ran_up_to(command))
            found = [ENDED] * len(operations)
        else:
            found = self._outcomes(command, operations, arguments, refused)
            size = sessions.record(command, client, first, found, acknowledged)
            if size > LARGE_BYTES or self.sizes.watches:
                for operation, result in zip(operations, found, strict=True):
                    self.sizes.note(operation, held_bytes(result))
        self.applied += len(operations)
        self._compared[command] = encoded_run(found)
        ids, results = self.done
        ids.append(command)
        results.append(found)
        return True

    def _outcomes(
        self, command: str, operations: list[str], arguments: list[list[Any]], refused: Refused
    ) -> list[Result]:
        """The results of a run's operations."""
        found: list[Result] = []
        if not refused and not self._tried:
            self._apply_all(command, operations, arguments, found)
        for place in range(len(found), len(operations)):
            operation, given = operations[place], arguments[place]
            if place in refused:
                found.append([NOT_ADMITTED, refused[place]])
            elif operation in self._tried:
                found.append(self._try(command, operation, given, place))
            else:
                found.append(self._apply(command, operation, given, place))
        return found

    def _apply_all(self, command: str, operations: list[str], arguments: list[list[Any]], found: list[Result]) -> None:
        """Apply operations of the machine, up to the first that raises what it has not declared."""
        runs, machine, append = self._runs, self.machine, found.append
        for operation, given in zip(operations, arguments, strict=True):
            try:
                value = runs[operation](machine, given)
                append(_NOTHING if value is None else [None, value])
            except OperationError as error:
                append(as_result(error, type(machine)))
            except BaseException as error:
                if self.undo.interruptible and isinstance(error, KeyboardInterrupt):
                    raise
                append(self._failed(command, operation, given, error, len(found)))
                return

    def _outcome(self, command: str, operation: str, arguments: list[Any], client: str, sequence: int) -> Result:
        """The result of a command that perhaps is not to run; :data:`ENDED`, which is not recorded, of one that came
        too late."""
        sessions = self.sessions
        if sessions.over(client):
            # No history has it behind the end; were it there all the same, it must do the same everywhere: nothing.
            self.undo.skip(command, 0, self._ran_up_to(command))
            return ENDED
        if sequence == 1 and client.startswith(KEY_PREFIX) and sessions.highest(client):
            self.undo.skip(command, 0, self._ran_up_to(command))  # the machine never sees it
            return KEY_CONFLICT
        if operation in self._tried:
            return self._try(command, operation, arguments)
        return self._apply(command, operation, arguments)

    def _apply(self, command: str, operation: str, arguments: list[Any], place: int = 0) -> Result:
        run = self._runs.get(operation)
        if run is None:
            if operation == CHECKSUM:
                self.checked = self.applied + 1
            return _run_builtin(self.machine, self.sessions, operation, arguments)
        try:
            value = run(self.machine, arguments)
            return _NOTHING if value is None else [None, value]
        except OperationError as error:
            return as_result(error, type(self.machine))
        except BaseException as error:
            if self.undo.interruptible and isinstance(error, KeyboardInterrupt):
                raise
            return self._failed(command, operation, arguments, error, place)

    def _try(self, command: str, operation: str, arguments: list[Any], place: int = 0) -> Result:
        """Run the command unless it fails in a copy of the machine."""
        found = self.trials.outcome(self.machine, operation, arguments)
        if found is None:
            return self._apply(command, operation, arguments, place)
        self.undo.skip(command, place, self._ran_up_to(command))
        self.failures.note(Failure(command, operation, *found, TRIAL_MS))
        return [OPERATION_FAILED, found[0]]

    def _ran_up_to(self, command: str) -> int:
        """V up to this index has run, now that it is the turn of ``command``."""
        return self._history.positions[command] - 1 if self._committing else self.executed

    def _failed(self, command: str, operation: str, arguments: list[Any], error: BaseException, place: int) -> Result:
        """An operation raised what it had not declared: undo what it did; that it failed is its result.

        Raises :class:`MachineFaultError` if that need not happen on the other replicas: then the state here is not
        theirs any more.
        """
        if not is_deterministic(error):
            given = ", ".join(map(shown, arguments))
            raise MachineFaultError(
                f"{type(self.machine).__name__}.{operation}({given}) (command {command}) raised {type_name(error)}: "
                f"{full_text(error)} at {place_of(error)}. That does not follow from state and command alone, so other "
                "replicas may have executed it. This one stops; start it again, and it executes the command anew. If "
                "that does not help, correct the operation on all replicas."
            ) from error
        self.machine, work_ms = self.undo.without(command, place, self._ran_up_to(command), self.ahead)
        self.trials.undone(operation, work_ms)
        text = result_text(error)
        self.failures.note(Failure(command, operation, text, place_of(error), work_ms))
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
