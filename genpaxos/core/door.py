"""Which commands of clients a replica takes in while commands keep failing: undoing them costs all clients time.

An operation that raised what it had not declared is *suspect* for a while. Commands of suspect operations are taken in
only while the work that failures cost stays within a share of time. Work is estimated, since the core has no clock of
its own: what was undone, and what a command under way would cost if it failed too. Anything else passes.

*Why this is safe.* A command that is not taken in is a client's message that was lost: it was neither voted for nor
answered, and its client sends it again. Whether another replica takes it in is for that one to decide. What is decreed,
voted for or relayed by replicas is never held back, so what is agreed on runs everywhere, with the same result.

*Who waits.* Half of the allowance is kept for clients none of whose commands failed lately: one client that sends
nothing but such commands does not keep others from the same operation. A client that waits in vain is told the reason
by the replica's answers to its pings (:meth:`Door.held`).
"""

from dataclasses import dataclass, replace

from genpaxos.core.commands import Proposals
from genpaxos.core.executor import Executor
from genpaxos.core.messages import Propose

SHARE = 0.2
"""The share of time that undoing may take in the long run."""
ALLOWANCE_MS = 100.0
"""Estimated work beyond which commands of suspect operations wait."""
WORK_MS_MIN = 0.05
"""The least that a failure is counted for."""
OWED_MS_MAX = 1_000.0
"""A burst of failures that were under way already holds others back for no longer than this takes to be worked off, or
one failure if that is more."""
SUSPECT_MS = 60_000.0
"""How long after its last failure an operation, or a client, is suspect."""
RESERVED_MS = 10_000.0
"""A command that has not run by then was lost."""
LOOK_MS = 5.0
"""How often it is looked which commands have run."""
CLIENTS_MAX = 4_096
"""So many suspect clients are remembered."""


@dataclass(slots=True)
class _Suspect:
    until_ms: float
    work_ms: float
    """What its last failure cost."""
    text: str
    """What it raised."""


class Door:
    """Which commands one replica takes in from clients."""

    def __init__(self, executor: Executor, proposals: Proposals) -> None:
        self._executor = executor
        self._proposals = proposals
        executor.failures.take()  # those of a replay are over
        self._suspects: dict[str, _Suspect] = {}
        """Operations by name."""
        self._clients: dict[str, float] = {}
        """Clients whose commands failed, with the time until when they are suspect; in the order of that."""
        self._owed_ms = 0.0
        """Work that was done and not yet balanced by time that has passed."""
        self._reserved: dict[str, tuple[float, float]] = {}
        """Commands of suspect operations that were taken in: what each would cost, and when it came."""
        self._reserved_ms = 0.0
        """The sum of that."""
        self._now_ms = self._looked_ms = 0.0

    def admit(self, message: Propose, now_ms: float) -> Propose:
        """The message, without what has to wait."""
        if not self._executor.failures.count:
            return message
        self._look(now_ms)
        suspects = self._suspects
        if not suspects:
            return message
        ids, bodies = message.ids, message.bodies
        names = [body[0] if type(body[0]) is str else "" for body in bodies]
        kept = [at for at, name in enumerate(names) if name not in suspects or self._lets_in(ids[at], suspects[name])]
        if len(kept) == len(ids):
            return message
        origin = message.origin and (message.origin[0], [message.origin[1][at] for at in kept])
        return replace(message, ids=[ids[at] for at in kept], bodies=[bodies[at] for at in kept], origin=origin)

    def held(self, now_ms: float) -> dict[str, str]:
        """The operations whose commands wait, with the reason."""
        if not self._executor.failures.count:
            return {}
        self._look(now_ms)
        if not self._waits(ALLOWANCE_MS / 2):
            return {}
        return {
            name: f"commands of {name!r} are taken in slowly, since undoing them takes time: the last one raised "
            f"{suspect.text}"
            for name, suspect in self._suspects.items()
        }

    def _lets_in(self, command: str, suspect: _Suspect) -> bool:
        proposals = self._proposals
        if command in self._reserved or command in proposals.known or proposals.settled(command):
            return True  # a repetition, which may only want to know the result
        if self._waits(ALLOWANCE_MS / 2 if _client(command) in self._clients else ALLOWANCE_MS):
            return False
        self._reserved[command] = (suspect.work_ms, self._now_ms)
        self._reserved_ms += suspect.work_ms
        return True

    def _waits(self, allowance_ms: float) -> bool:
        return self._owed_ms + self._reserved_ms >= allowance_ms

    def _look(self, now_ms: float) -> None:
        """What has failed, run and been balanced since the last time."""
        news, lost_ms = self._executor.failures.take()
        self._owed_ms = max(0.0, self._owed_ms - SHARE * (now_ms - self._now_ms)) + lost_ms
        self._now_ms = now_ms
        for failure in news:
            work_ms = max(failure.work_ms, WORK_MS_MIN)
            self._owed_ms += work_ms
            self._suspects[failure.operation] = _Suspect(now_ms + SUSPECT_MS, work_ms, failure.text)
            client = _client(failure.command)
            self._clients.pop(client, None)
            self._clients[client] = now_ms + SUSPECT_MS
        most_ms = max((suspect.work_ms for suspect in self._suspects.values()), default=0.0)
        self._owed_ms = min(self._owed_ms, max(most_ms, OWED_MS_MAX))
        if news or now_ms - self._looked_ms >= LOOK_MS:
            self._looked_ms = now_ms
            self._forget(now_ms)

    def _forget(self, now_ms: float) -> None:
        has_run, settled = self._executor.has_run, self._proposals.settled
        over_ms = now_ms - RESERVED_MS
        self._reserved = {
            command: (work_ms, since_ms)
            for command, (work_ms, since_ms) in self._reserved.items()
            if since_ms > over_ms and not has_run(command) and not settled(command)
        }
        self._reserved_ms = sum(work_ms for work_ms, _ in self._reserved.values())
        self._suspects = {name: suspect for name, suspect in self._suspects.items() if suspect.until_ms > now_ms}
        clients = self._clients
        while clients and (len(clients) > CLIENTS_MAX or clients[next(iter(clients))] <= now_ms):
            del clients[next(iter(clients))]


def _client(command: str) -> str:
    """Whose command it is."""
    return command.rpartition(":")[0].rpartition("/")[2]
