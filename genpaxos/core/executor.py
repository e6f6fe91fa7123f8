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
from genpaxos.core.builtins import BUILTINS
from genpaxos.core.commands import Body, Proposal, split_id
from genpaxos.core.history import DivergenceError, History
from genpaxos.core.sessions import ENDED, Result, Sessions
from genpaxos.core.sizes import LARGE_BYTES, Sizes

_NOTHING: Result = [None, None]
"""The result of what returns nothing: one for all of them, as nobody changes a result."""
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
        self.sizes = Sizes(type(machine))
        self._index = InterferenceIndex(type(machine).table)
        self._history = history
        self._known = known
        self._blocked: dict[str, int] = {}
        """Learned fast, but a predecessor has not run yet; in the order in which they were learned."""
        self._lacking: dict[str, int] = {}
        """Learned fast, but the body is missing yet."""

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
        for command, digest in zip(ids, digests, strict=True):
            ran_as = ahead.pop(command, None) if ahead else None
            if not (run(command, digest) if ran_as is None else ran_as == digest):
                raise DivergenceError(
                    f"committed command {command} (index {history.positions[command]}) does not follow from what this "
                    "replica executed: its state differs from the others'. Stop it and rebuild it from its peers."
                )
        self.executed = history.committed
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
        learned = {**self.ahead, **self._blocked, **self._lacking}
        self.executed, self.ahead, self.applied = index, ahead, index + len(ahead)
        executed = self.sessions.executed
        left = {name: digest for name, digest in learned.items() if not executed(name, *split_id(name))}
        self._blocked = {name: digest for name, digest in left.items() if name in self._known}
        self._lacking = {name: digest for name, digest in left.items() if name not in self._known}

    def has_run(self, command: str) -> bool:
        """Whether a command has run that is not cut off."""
        return command in self.ahead or self._history.positions.get(command, self.executed + 1) <= self.executed

    def _run(self, command: str, digest: int) -> bool:
        body, footprint, client, sequence = self._known[command]
        if not self._index.follow(command, footprint, digest):
            return False
        operation, arguments, acknowledged = body
        sessions = self.sessions
        if client in sessions.open or not sessions.over(client):
            result = self._apply(command, operation, arguments)
            size = sessions.record(command, client, sequence, result, acknowledged)
            if size > LARGE_BYTES or self.sizes.watches:
                self.sizes.note(operation, size)
        else:
            result = (
                ENDED  # no history has it behind the end; were it there all the same, it must do the same everywhere
            )
        self.applied += 1
        ids, results = self.done
        ids.append(command)
        results.append(result)
        return True

    def _apply(self, command: str, operation: str, arguments: list[Any]) -> Result:
        if operation in BUILTINS:
            return BUILTINS[operation].run(self.machine, self.sessions, arguments)
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
        if value is None:
            return _NOTHING
        if value is True or value is False:
            return [None, value]
        wrong = problem(AnyJSON(), value)
        if type(value) in _SHARED:
            value = deepcopy(value)
        return [None, value] if wrong is None else ["UnrepresentableResult", wrong]
