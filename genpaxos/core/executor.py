"""Execution: a learned command runs when its predecessors have run (protocol §3, Execution; §7).

The executor keeps an interference index of what it has run. A command learned with digest d may run exactly when
digesting it now gives d: its down-set has run, in the right order, and nothing else that interferes has. Committed
decrees run in index order, skipping what ran already, and *must* give their digest: anything else is divergence.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from commutativity import JSON, InterferenceIndex, Machine
from genpaxos.core.agreement import NOTHING, Agreement, encoded, encoded_run
from genpaxos.core.applying import NO_VALUE, Applier
from genpaxos.core.commands import Body, Proposal, Refused
from genpaxos.core.failures import full_text, type_name
from genpaxos.core.history import DivergenceError, History
from genpaxos.core.ids import split_id
from genpaxos.core.keys import KEY_CONFLICT, KEY_PREFIX
from genpaxos.core.sessions import ENDED, Result, Sessions, held_bytes
from genpaxos.core.sizes import LARGE_BYTES, Sizes
from genpaxos.core.undo import MachineFaultError

__all__ = ["Executor", "MachineFaultError"]


class Executor:
    """The user's machine, fed in an order that respects the agreed history."""

    def __init__(self, machine: Machine, history: History, known: Mapping[str, Proposal], sessions: Sessions) -> None:
        self.applier = Applier(machine, history, known, self._before)
        self.undo, self.trials, self.failures = self.applier.undo, self.applier.trials, self.applier.failures
        self.sessions = sessions
        self.executed = 0
        """V[1..executed] has run."""
        self.ahead: dict[str, int] = {}
        """Commands that ran before their index was reached (learned fast, not committed yet), with their digests, in
        the order they ran."""
        self.done: tuple[list[str], list[Result]] = ([], [])
        """Commands run since the owner last took them, with their results."""
        self.agreement = Agreement()
        """What V[1..executed] gave."""
        self._compared = self.agreement.ahead  # one look-up less for each command
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
        self.applier.restart(machine)
        self.sessions = sessions
        self.executed = 0
        self.ahead, self.done = {}, ([], [])
        self.agreement.restore(Agreement().snapshot())
        self._index.clear()
        self._blocked, self._lacking = {}, {}

    @property
    def machine(self) -> Machine:
        """The user's machine, as it is now: another object after an operation was undone."""
        return self.applier.machine

    @property
    def applied(self) -> int:
        """How many operations were applied to the machine, ever."""
        return self.applier.applied

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
        self.executed, self.ahead = index, ahead
        self.applier.restored_with(applied)
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
        if first == 1 or client not in sessions.open:
            result = self._outcome(command, operation, arguments, client, first)
        else:
            result = self.applier.apply(self.sessions, command, operation, arguments)
        if result is not ENDED:
            size = sessions.record(command, client, first, result, acknowledged)
            if size > LARGE_BYTES or self.sizes.watches:
                self.sizes.note(operation, size)
        self.applier.ran(1)
        self._compared[command] = NOTHING if result is NO_VALUE else encoded(result)
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
                self.applier.skip(command, place)
            found = [ENDED] * len(operations)
        else:
            found = self.applier.apply_run(command, operations, arguments, refused)
            size = sessions.record(command, client, first, found, acknowledged)
            if size > LARGE_BYTES or self.sizes.watches:
                for place, (operation, result) in enumerate(zip(operations, found, strict=True)):
                    if place not in refused:  # then it says nothing of what the operation returns
                        self.sizes.note(operation, held_bytes(result))
        self.applier.ran(len(operations))
        self._compared[command] = encoded_run(found)
        ids, results = self.done
        ids.append(command)
        results.append(found)
        return True

    def _outcome(self, command: str, operation: str, arguments: list[Any], client: str, sequence: int) -> Result:
        """The result of a command that perhaps is not to run; :data:`ENDED`, which is not recorded, of one that came
        too late."""
        sessions = self.sessions
        if sessions.over(client):
            # No history has it behind the end; were it there all the same, it must do the same everywhere: nothing.
            self.applier.skip(command)
            return ENDED
        if sequence == 1 and client.startswith(KEY_PREFIX) and sessions.highest(client):
            self.applier.skip(command)  # the machine never sees it
            return KEY_CONFLICT
        return self.applier.apply(sessions, command, operation, arguments)

    def _before(self, command: str) -> tuple[int, Collection[str]]:
        """What has run, now that it is the turn of ``command``: V up to an index, and what ran ahead of that."""
        last = self._history.positions[command] - 1 if self._committing else self.executed
        return last, self.ahead
