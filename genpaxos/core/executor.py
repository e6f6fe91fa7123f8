"""Execution: a learned command runs when its predecessors have run (protocol §3, Execution; §7).

The executor keeps an interference index of what it has run. A command learned with digest d may run exactly when
digesting it now gives d: its down-set has run, in the right order, and nothing else that interferes has. Committed
decrees run in index order, skipping what ran already, and *must* give their digest: anything else is divergence.
"""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from commutativity import JSON, InterferenceIndex, Machine, OperationError
from commutativity.values import AnyJSON, Plain, problem
from genpaxos.core.commands import Body, Proposal, split_id
from genpaxos.core.history import DivergenceError, History
from genpaxos.core.sessions import Result, Sessions

_SHARED = frozenset((list, dict))
"""Types of values that the machine must not share with the engine."""


class MachineFaultError(RuntimeError):
    """An operation raised what it had not declared: its effect is unknown, so the replica must stop (protocol §7)."""


class Executor:
    """The user's machine, fed in an order that respects the agreed history."""

    def __init__(self, machine: Machine, history: History, known: dict[str, Proposal], sessions: Sessions) -> None:
        self.machine = machine
        self.sessions = sessions
        self.executed = 0
        """V[1..executed] has run."""
        self.applied = 0
        """How many commands were applied to the machine, ever."""
        self.ahead: dict[str, int] = {}
        """Commands that ran before their index was reached (learned fast, not committed yet), with their digests, in
        the order they ran."""
        self.done: tuple[list[str], list[Result]] = ([], [])
        """Commands run since the owner last took them, with their results."""
        self._index = InterferenceIndex(type(machine).table)
        self._history = history
        self._known = known
        self._waiting: dict[str, int] = {}
        """Learned fast, but a predecessor or the body is missing yet."""

    @property
    def waiting(self) -> list[str]:
        """Commands learned fast that cannot run yet."""
        return list(self._waiting)

    def run_learned(self, ids: Sequence[str], digests: Sequence[int]) -> None:
        """Run commands learned fast, and those waiting for them, as far as their predecessors have run."""
        waiting = self._waiting
        if waiting or not ids:
            waiting.update(zip(ids, digests, strict=True))
            ids, digests = list(waiting), list(waiting.values())
        known, ahead, run, executed = self._known, self.ahead, self._run, self.executed
        positions, later = self._history.positions, executed + 1
        progress = True
        while progress and ids:
            progress = False
            left: dict[str, int] = {}
            for command, digest in zip(ids, digests, strict=True):
                if command in ahead or positions.get(command, later) <= executed:
                    continue
                if command in known and run(command, digest):
                    ahead[command] = digest
                    progress = True
                else:
                    left[command] = digest
            ids, digests = list(left), list(left.values())
            self._waiting = left

    def run_committed(self) -> list[str]:
        """Run V[executed+1..committed] in index order; returns those ids."""
        history, ahead = self._history, self.ahead
        ids, digests = history.decrees(self.executed + 1, history.committed)
        for command, digest in zip(ids, digests, strict=True):
            ran_as = ahead.pop(command, None)
            follows = self._run(command, digest) if ran_as is None else ran_as == digest
            if not follows:
                raise DivergenceError(
                    f"committed command {command} (index {history.positions[command]}) does not follow from what this "
                    "replica executed: its state differs from the others'. Stop it and rebuild it from its peers."
                )
        self.executed = history.committed
        if self._waiting:
            self.run_learned((), ())
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

    def restore(self, index: int, machine: JSON, sessions: dict[str, Any], sums: JSON, ahead: dict[str, int]) -> None:
        """Go on from the state of a snapshot at ``index``; the commands of ``ahead`` are known.

        What this executor had run ahead and the snapshot has not is chosen all the same: it is to run again. Raises
        :class:`MachineFaultError` if the machine does not take its state.
        """
        try:
            self.machine.restore(machine)
        except Exception as error:
            raise MachineFaultError(
                f"{type(self.machine).__name__}.restore() raised {type(error).__name__}: {error} for what snapshot() "
                "gave: a replica can neither restart nor catch up by it. Mend the two."
            ) from error
        self.sessions.restore(sessions)
        self._index = InterferenceIndex.restore(type(self.machine).table, sums)
        learned = {**self.ahead, **self._waiting}
        self.executed, self.ahead, self.applied = index, ahead, index + len(ahead)
        executed = self.sessions.executed
        self._waiting = {name: digest for name, digest in learned.items() if not executed(name, *split_id(name))}

    def has_run(self, command: str) -> bool:
        """Whether a command has run that is not cut off."""
        return command in self.ahead or self._history.positions.get(command, self.executed + 1) <= self.executed

    def _run(self, command: str, digest: int) -> bool:
        body, footprint, client, sequence = self._known[command]
        if not self._index.follow(command, footprint, digest):
            return False
        operation, arguments, acknowledged = body
        result = self._apply(command, operation, arguments)
        self.applied += 1
        self.sessions.record(command, client, sequence, result, acknowledged)
        self.done[0].append(command)
        self.done[1].append(result)
        return True

    def _apply(self, command: str, operation: str, arguments: list[Any]) -> Result:
        for argument in arguments:
            if type(argument) in _SHARED:
                arguments = deepcopy(arguments)  # the machine may keep them, and change them later
                break
        try:
            value = self.machine.apply(operation, arguments)
        except OperationError as error:
            wrong = problem(Plain(str), error.message)
            return [error.code, error.message] if wrong is None else ["UnrepresentableResult", wrong]
        except Exception as error:
            raise MachineFaultError(
                f"{type(self.machine).__name__}.{operation}{tuple(arguments)} (command {command}) raised an undeclared "
                f"{type(error).__name__}: {error}. Declare it as an OperationError, or mend the operation; until then "
                "every replica stops here."
            ) from error
        if value is None or value is True or value is False:
            return [None, value]
        wrong = problem(AnyJSON(), value)
        if type(value) in _SHARED:
            value = deepcopy(value)
        return [None, value] if wrong is None else ["UnrepresentableResult", wrong]
