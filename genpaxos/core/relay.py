"""Passing on to the coordinator what lingers here undecreed: the message of its client to it was lost."""

from genpaxos.core.acceptor import Acceptor
from genpaxos.core.commands import Proposals
from genpaxos.core.coordinator import Coordinator
from genpaxos.core.effects import Effects
from genpaxos.core.election import Election
from genpaxos.core.fastpath import FastPath
from genpaxos.core.messages import Propose
from genpaxos.core.patience import Patience
from genpaxos.core.pool import Pool
from genpaxos.core.serving import chunk
from genpaxos.core.settings import Settings


class Relay:
    """Passes on what lingers with one replica."""

    def __init__(
        self,
        node: int,
        settings: Settings,
        acceptor: Acceptor,
        coordinator: Coordinator,
        proposals: Proposals,
        election: Election,
        pool: Pool,
        fastpath: FastPath,
    ) -> None:
        self._node = node
        self._accepts = settings.accepts(node)
        self._acceptor = acceptor
        self._coordinator = coordinator
        self._proposals = proposals
        self._election = election
        self._pool = pool
        self._fastpath = fastpath
        self._stale_pool: set[str] = set()
        self._stale_tail: set[str] = set()
        """What lingered in the pool and in the tail at the last retry."""
        self._patience = Patience(settings.timing.retry_ms)
        self._relayed: dict[str, None] = {}
        """What lingers and was relayed in this round."""

    def retry(self, now_ms: float, effects: Effects) -> None:
        """Send the coordinator what has lingered for a whole interval."""
        acceptor, pool, tail = self._acceptor, self._pool, self._acceptor.history.tail
        pool.tidy()
        lingering = [command for command in pool if command in self._stale_pool]
        in_tail = [command for command in tail if command in self._stale_tail]
        # One that does not accept has no tail: what it knows of is in the pool until it is decreed.
        lingers = bool(in_tail if self._accepts else lingering)
        self._fastpath.note(lingers=lingers)
        if lingers and acceptor.current and acceptor.rules.reports_tails:
            acceptor.restate()  # a report may be lost
        self._stale_pool, self._stale_tail = set(pool), set(tail)
        behind = self._election.should_hand_over(now_ms)  # then what lingers here was decreed long ago
        relayed = [] if behind else self._due([*lingering, *in_tail], now_ms)
        if relayed:
            bodies = self._proposals.bodies(relayed)
            count = chunk(relayed, bodies)
            self._relayed.update(dict.fromkeys(relayed[:count]))
            self._send(Propose(relayed[:count], bodies[:count]), effects)

    def _due(self, lingering: list[str], now_ms: float) -> list[str]:
        """Those that were not relayed yet; when all were, all of them again, with patience."""
        self._relayed = dict.fromkeys(command for command in lingering if command in self._relayed)
        rest = [command for command in lingering if command not in self._relayed]
        if lingering and not (rest and self._relayed):  # a round begins
            if not self._patience.due(lingering[0], now_ms):
                return []
            rest, self._relayed = lingering, {}
        return rest

    def _send(self, message: Propose, effects: Effects) -> None:
        """To the coordinator. It passes on what lingers with itself where the acceptors' orders count: what only some
        hold stands in no quorum's common part, and neither does anything that interferes with it."""
        coordinator = self._election.highest.coordinator
        if coordinator not in (-1, self._node):
            effects.send(coordinator, message)
        elif self._coordinator.leading and not self._acceptor.rules.coordinator_orders:
            effects.broadcast(message)
