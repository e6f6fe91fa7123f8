"""When sessions are to end: which clients have left, and what the coordinator proposes then (protocol §7).

A client that leaves says so to all replicas; one that crashed is missed after ``session_ms``. What is gathered here is
each replica's own, and lost in a crash; the command that ends sessions (:mod:`genpaxos.core.endings`) is a command like
others, proposed by the coordinator alone, rarely and for many clients at once, since everything waits for its place.
"""

from collections import deque
from math import inf
from typing import Final

import orjson

from genpaxos.core.acceptor import Acceptor
from genpaxos.core.commands import Proposals, sealed_id
from genpaxos.core.coordinator import Coordinator
from genpaxos.core.effects import Effects
from genpaxos.core.election import Election
from genpaxos.core.endings import CLIENTS_MAX, END
from genpaxos.core.executor import Executor
from genpaxos.core.learner import Learner
from genpaxos.core.messages import Propose
from genpaxos.core.pool import Pool
from genpaxos.core.sessions import born
from genpaxos.core.settings import Settings

CLIENT: Final = "genpaxosend"
"""Whose commands these are, whichever replica proposes them."""
_OWN: Final = "genpaxos"
"""How the names of sessions begin that the replicas have themselves."""
ACKNOWLEDGED_LATE: Final = 64
"""Two coordinators may give one number to two of them: acknowledged is only what is older than any under way."""
LEFT_BYTES_MAX: Final = 4 * 1024 * 1024
"""Results kept for clients that have left: beyond it their sessions end at once."""
FULL_BYTES: Final = 64 * 1024 * 1024
"""Results kept for all clients: beyond it, sessions end whose clients are silent for :data:`SILENT_MS`."""
SILENT_MS: Final = 60_000.0
ASKED_BYTES_MIN: Final = 1024 * 1024
"""For a session that holds less, nobody else need wait for an acknowledgement: its next command brings it."""
BETWEEN_MS: Final = 200.0
"""The least time between two of these commands."""
REMEMBERED_MAX: Final = 100_000
"""Farewells and acknowledgements a replica remembers; further ones are lost, and their sessions end later."""
SAMPLES: Final = 16
"""How finely time is divided: what is to last ``session_ms`` lasts at most a sixteenth longer."""


class Farewells:
    """Knows which clients have left, as far as one replica can tell."""

    def __init__(
        self,
        settings: Settings,
        acceptor: Acceptor,
        coordinator: Coordinator,
        learner: Learner,
        election: Election,
        executor: Executor,
        proposals: Proposals,
        pool: Pool,
        now_ms: float,
    ) -> None:
        self.due_ms = now_ms
        """When :meth:`proposal` is to be asked for."""
        self._timing = settings.timing
        self._farewell_ms = settings.farewell_ms
        self._acceptor = acceptor
        self._coordinator = coordinator
        self._learner = learner
        self._election = election
        self._executor = executor
        self._proposals = proposals
        self._pool = pool
        self._sessions = proposals.sessions
        self._patience_ms = settings.session_ms or inf
        self._ends_seen = 0
        """How many commands that end sessions had been executed when their clients' commands were last forgotten."""
        self._left: dict[str, float] = {}
        """Clients that have said farewell and may still have a session, and when they said so."""
        self._heard: set[str] = set()
        """Clients with a session that were heard since they were last looked at."""
        self._idle: dict[str, tuple[int, float]] = {}
        """By client: the highest number executed, and since when neither that has changed nor the client was heard."""
        self._acknowledged: dict[str, int] = {}
        """What clients said to have, beside their commands."""
        self._look_ms = now_ms
        """When the clients are next looked at."""
        self._samples: deque[tuple[float, int]] = deque(maxlen=SAMPLES + 2)
        """The commit index at earlier times."""
        self._sample_ms = now_ms
        self._proposed = (-1, -inf)
        """How many ends had been executed when the last was proposed, and when that was."""

    def heard(self, client: str, acknowledged: int = 0) -> None:
        """The client is there, and has all results up to ``acknowledged``."""
        session = self._sessions.open.get(client)
        if session is not None:
            self._heard.add(client)
            if acknowledged > session.acknowledged and session.bytes >= ASKED_BYTES_MIN:
                self._acknowledged[client] = acknowledged

    def left(self, client: str, now_ms: float) -> None:
        """The client says that it asks for nothing any more."""
        if len(self._left) < REMEMBERED_MAX:
            self._left.setdefault(client, now_ms)

    def proposal(self, now_ms: float, effects: Effects) -> Propose | None:
        """The command that ends sessions, if this replica coordinates and there is reason for one."""
        self.due_ms = now_ms + self._timing.heartbeat_ms
        self._sample(now_ms)
        gone = self._look(now_ms)
        if not self._coordinator.leading or self._waits(now_ms) or self._would_linger(now_ms):
            return None
        open_, floor = self._sessions.open, self._floor(now_ms)
        left = [client for client in self._left if client in open_]
        acknowledged: list[list[str | int]] = [
            [c, n] for c, n in self._acknowledged.items() if c in open_ and n > open_[c].acknowledged
        ]
        urgent = gone or acknowledged or self._is_due(left, now_ms) or self._raises(floor)
        if not urgent:
            return None
        self._proposed = self._sessions.ends, now_ms
        clients = list(dict.fromkeys([*left, *gone]))[:CLIENTS_MAX]
        made = self._made(clients, floor, acknowledged[:CLIENTS_MAX])
        if self._acceptor.rules.acceptors_vote:
            effects.broadcast(made)  # its decree names it, and no more
        return made

    def _waits(self, now_ms: float) -> bool:
        """Whether one was proposed not long ago, or was not executed yet: then it may be lost, but not so soon."""
        ends, proposed_ms = self._proposed
        lost_ms = 2 * self._timing.election_ms
        return now_ms - proposed_ms < (lost_ms if ends == self._sessions.ends else BETWEEN_MS)

    def _would_linger(self, now_ms: float) -> bool:
        """Where acceptors order, what interferes with everything is not proposed while no fast quorum is heard."""
        if self._acceptor.rules.coordinator_orders:
            return False
        return not self._learner.can_learn_fast(self._election.heard_mask(now_ms))

    def _is_due(self, left: list[str], now_ms: float) -> bool:
        """Whether clients have left for whose sessions it is time."""
        if len(left) >= CLIENTS_MAX or sum(map(self._sessions.held, left)) > LEFT_BYTES_MAX:
            return True
        return any(now_ms - self._left[client] >= self._farewell_ms for client in left)

    def _raises(self, floor: int) -> bool:
        """Whether the floor would replace many names."""
        ended = self._sessions.ended
        if floor <= self._sessions.floor or len(ended) < CLIENTS_MAX:
            return False
        return sum((birth := born(name)) is not None and birth <= floor for name in ended) >= CLIENTS_MAX

    def _made(self, clients: list[str], floor: int, acknowledged: list[list[str | int]]) -> Propose:
        sequence = self._sessions.highest(CLIENT) + 1
        body = [END, [clients, floor, acknowledged], max(0, sequence - ACKNOWLEDGED_LATE)]
        return Propose([sealed_id(CLIENT, sequence, orjson.dumps(body))], [body])

    # When an end has run --------------------------------------------------------------------------------------------

    def forget(self) -> bool:
        """After commands that end sessions: forget the commands of clients that have none any more, here where no
        history holds them. Says whether there was anything to do.

        When the end itself has been executed at its place in V nothing of such a client is left in the tail either, so
        the history need not be watched any longer.
        """
        proposals, executor, history = self._proposals, self._executor, self._acceptor.history
        positions = history.positions
        passed = [end for end in proposals.ends if positions.get(end, executor.executed + 1) <= executor.executed]
        if not passed and self._sessions.ends == self._ends_seen:
            return False
        self._ends_seen = self._sessions.ends
        history.closing.remove(passed)
        proposals.forget_ends(passed)
        ahead, holds = executor.ahead, history.holds
        proposals.forget_over(lambda command: command in ahead or holds(command))
        self.forget_settled()
        return True

    def forget_settled(self) -> None:
        """What was cut off, or came with a snapshot as executed, is neither proposed nor learned any more."""
        self._pool.tidy()
        self._learner.forget_settled()

    # What time shows ------------------------------------------------------------------------------------------------

    def _sample(self, now_ms: float) -> None:
        if now_ms >= self._sample_ms:
            self._samples.append((now_ms, self._acceptor.history.committed))
            self._sample_ms = now_ms + self._patience_ms / SAMPLES

    def _floor(self, now_ms: float) -> int:
        """The newest commit index known ``session_ms`` ago: a client born before it has had that long to begin."""
        floor = self._sessions.floor
        for at_ms, committed in self._samples:
            if now_ms - at_ms >= self._patience_ms:
                floor = max(floor, committed)
        return floor

    def _look(self, now_ms: float) -> list[str]:
        """Clients that have been silent for too long."""
        if now_ms < self._look_ms:
            return []
        sessions, full = self._sessions, self._sessions.bytes > FULL_BYTES
        every_ms = self._patience_ms / SAMPLES
        self._look_ms = now_ms + (min(every_ms, SILENT_MS / SAMPLES) if full else every_ms)
        patience_ms = min(self._patience_ms, SILENT_MS) if full else self._patience_ms
        seen, heard = self._idle, self._heard
        self._idle, self._heard = {}, set()
        gone = []
        for client, session in sessions.open.items():
            highest, since_ms = seen.get(client, (-1, now_ms))
            if highest != session.highest or client in heard:
                since_ms = now_ms
            self._idle[client] = session.highest, since_ms
            if now_ms - since_ms >= patience_ms and not client.startswith(_OWN):
                gone.append(client)
        open_ = sessions.open
        self._left = {c: at for c, at in self._left.items() if c in open_ or now_ms - at < self._patience_ms}
        self._acknowledged = {c: n for c, n in self._acknowledged.items() if c in open_ and n > open_[c].acknowledged}
        return gone
