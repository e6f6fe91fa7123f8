"""When a checksum is proposed (:data:`genpaxos.core.builtins.CHECKSUM`): at an interval, and when one is wanted.

Two states may differ long before a result shows it. A checksum is a command like any other, its result the hash of the
state, so that replicas whose states differ have a result that differs (:mod:`genpaxos.core.disputes`). At the interval
only the coordinator proposes one, and only if something was executed since the last; another replica that wants one,
because its code has changed, asks the coordinator until one has run.
"""

from math import inf

import orjson

from genpaxos.core.acceptor import Acceptor
from genpaxos.core.builtins import CHECKSUM
from genpaxos.core.coordinator import Coordinator
from genpaxos.core.effects import Effects
from genpaxos.core.election import Election
from genpaxos.core.executor import Executor
from genpaxos.core.ids import OWN_SESSIONS, sealed_id
from genpaxos.core.messages import Propose
from genpaxos.core.settings import Settings

CLIENT = OWN_SESSIONS
"""Whose commands they are, whichever replica proposes them."""
ACKNOWLEDGED_LATE = 64
"""Two coordinators may give one number to two checksums: acknowledged is only what is older than any that is under
way."""


class Checksums:
    """When one replica proposes them."""

    def __init__(
        self,
        settings: Settings,
        acceptor: Acceptor,
        coordinator: Coordinator,
        election: Election,
        executor: Executor,
        now_ms: float,
    ) -> None:
        self._timing = settings.timing
        self._acceptor = acceptor
        self._coordinator = coordinator
        self._election = election
        self._executor = executor
        self._interval_ms = settings.checksum_ms or inf
        self._next_ms = now_ms + self._interval_ms
        """When the next one is to be proposed."""
        self._checked = executor.applier.checked
        """As it was when this replica last looked."""
        self._wanted = False
        self.due_ms = now_ms if self._interval_ms < inf else inf
        """When :meth:`proposal` is to be asked for."""

    def want(self, now_ms: float) -> None:
        """Have one proposed as soon as there is a coordinator."""
        self._wanted, self._next_ms, self.due_ms = True, now_ms, now_ms

    def proposal(self, now_ms: float, effects: Effects) -> Propose | None:
        """The checksum that this replica, as the coordinator, is to propose now, if it is to."""
        executor, timing = self._executor, self._timing
        self.due_ms = now_ms + timing.heartbeat_ms
        if executor.applier.checked != self._checked:
            self._checked, self._wanted, self._next_ms = executor.applier.checked, False, now_ms + self._interval_ms
        if not self._wanted and self._interval_ms == inf:
            self.due_ms = inf
        written = executor.applied > executor.applier.checked
        if now_ms < self._next_ms or not (self._wanted or written):
            return None
        coordinator = self._election.highest.coordinator
        if self._coordinator.leading:
            made = self._made()
            if self._acceptor.rules.acceptors_vote:
                effects.broadcast(made)  # its decree names it, and no more
        elif self._wanted and coordinator not in (-1, self._acceptor.node):
            made = None
            effects.send(coordinator, self._made())
        else:
            return None
        self._next_ms = now_ms + 2 * timing.election_ms  # if it gets lost
        return made

    def _made(self) -> Propose:
        sequence = self._executor.sessions.highest(CLIENT) + 1
        body = [CHECKSUM, [self._acceptor.history.committed], max(0, sequence - ACKNOWLEDGED_LATE)]
        return Propose([sealed_id(CLIENT, sequence, orjson.dumps(body))], [body])
