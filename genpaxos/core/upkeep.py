"""What a replica does when time passes: beats, elections, and asking again for what did not come.

Every wait of the protocol ends here: a lost message of any kind is made good by a later beat of this clock.
"""

from typing import TYPE_CHECKING

from genpaxos.core.coordinator import Phase
from genpaxos.core.effects import Effects
from genpaxos.core.messages import Fetch, FetchBodies, Heartbeat, Phase2a, Propose

if TYPE_CHECKING:
    from genpaxos.core.replica import Replica


class Upkeep:
    """The clockwork of one replica."""

    def __init__(self, replica: "Replica", now_ms: float) -> None:
        self.fast_quorum_heard = False
        """Whether the members of some fast quorum of the ballot watched were heard at the last beat."""
        self._replica = replica
        self._timing = replica.settings.timing
        self._beat_ms = now_ms
        """When the next heartbeat is due."""
        self._retry_ms = now_ms
        """When what is missing is next asked for."""
        self._unknown: dict[str, int] = {}
        """Commands voted for that the coordinator never received, with a voter."""
        self._stale_pool: set[str] = set()
        self._stale_tail: set[str] = set()
        """What lingered in the pool and in the tail at the last retry."""
        self._progress = (-1, -1)
        self._phase1_progress: tuple[object, ...] = ()
        self._phase1_ms = now_ms
        """How far phase 1 had come, and when it last came further."""
        self._fetched = 0
        """The index last asked for in this interval."""

    @property
    def due_ms(self) -> float:
        """When :meth:`on_time` next has something to do."""
        return min(self._beat_ms, self._retry_ms)

    def on_time(self, now_ms: float, effects: Effects) -> None:
        """Do what is due."""
        if now_ms >= self._beat_ms:
            self._beat_ms = now_ms + self._timing.heartbeat_ms
            effects.broadcast(self._heartbeat(now_ms))
            self.fast_quorum_heard = self._replica.learner.can_learn_fast(self._replica.election.heard_mask(now_ms))
        if now_ms >= self._retry_ms:
            self._retry_ms = now_ms + self._timing.retry_ms
            self._fetched = 0
            self._elect(now_ms, effects)
            self.complete_reports(effects)
            self._fetch_missing(now_ms, effects)
            self._relay_lingering(effects)

    def complete_reports(self, effects: Effects) -> None:
        """In phase 1: ask again for promises, and for what the reports mention but this replica lacks."""
        coordinator = self._replica.coordinator
        if coordinator.phase is not Phase.PHASE1:
            return
        ahead = coordinator.behind()
        if ahead is not None:
            self.fetch(ahead, self._replica.history.committed + 1, effects)
        for acceptor, ids in coordinator.missing_bodies().items():
            effects.send(acceptor, FetchBodies(ids))

    def on_decrees(self, sender: int, message: Phase2a, effects: Effects) -> None:
        """A chunk that was asked for calls for the next one, a gap for what is missing."""
        wanted = self._replica.acceptor.next_wanted()
        lags = message.bodies is not None and message.kind.is_fast and message.first + len(message.ids) == wanted
        if message.first > wanted or wanted <= message.recovered or lags:
            self.fetch(sender, wanted, effects)

    def fetch(self, source: int, wanted: int, effects: Effects) -> None:
        """Ask for decrees from ``wanted`` on, once per retry interval for the same index."""
        if wanted != self._fetched:
            self._fetched = wanted
            effects.send(source, Fetch(wanted))

    def on_unknown(self, voter: int, ids: list[str]) -> None:
        """The coordinator sees votes for commands it never received: unless they come soon, it fetches them."""
        for command in ids:
            self._unknown[command] = voter

    def _heartbeat(self, now_ms: float) -> Heartbeat:
        replica, election = self._replica, self._replica.election
        acceptor = replica.acceptor
        return Heartbeat(
            promised=acceptor.promised,
            accepted=acceptor.accepted,
            adopted=replica.history.length,
            committed=replica.history.committed,
            leading=replica.coordinator.phase is not Phase.IDLE,
            quorum=election.has_quorum(now_ms),
            heard=election.heard_mask(now_ms),
            follows=election.hears_coordinator(now_ms) and acceptor.promised == election.highest,
        )

    def _elect(self, now_ms: float, effects: Effects) -> None:
        replica, coordinator = self._replica, self._replica.coordinator
        if coordinator.phase is Phase.PHASE1:
            for acceptor in coordinator.unanswered(replica.settings.replicas):
                effects.send(acceptor, coordinator.phase1a())
        leads = coordinator.leading and coordinator.ballot == replica.election.highest
        campaign = replica.election.should_campaign(leads, now_ms)
        if campaign or self._phase1_stuck(now_ms) or (leads and self._pinned_gone(now_ms)):
            replica.begin_phase1(effects)

    def _phase1_stuck(self, now_ms: float) -> bool:
        """Phase 1 waits for what only a reporter has that is gone: ask anew, of those that are there."""
        coordinator = self._replica.coordinator
        if coordinator.phase is not Phase.PHASE1 or not self._replica.election.has_quorum(now_ms):
            self._phase1_progress = ()
            return False
        progress = (coordinator.ballot, self._replica.history.committed, coordinator.lacking())
        if progress != self._phase1_progress:
            self._phase1_progress, self._phase1_ms = progress, now_ms
        return now_ms - self._phase1_ms >= self._timing.election_ms

    def _pinned_gone(self, now_ms: float) -> bool:
        """A member of the pinned quorum has fallen silent: a new ballot pins anew (protocol §3, Quorums)."""
        election = self._replica.election
        heard = election.heard_mask(now_ms)
        gone = any(not heard >> member & 1 for member in self._replica.coordinator.kind.pinned)
        return gone and election.has_quorum(now_ms)

    def _fetch_missing(self, now_ms: float, effects: Effects) -> None:
        """Ask for decrees and bodies that have not come since the last time."""
        replica = self._replica
        unknown: dict[int, list[str]] = {}
        for command in replica.proposals.missing(self._unknown):
            unknown.setdefault(self._unknown[command], []).append(command)
        self._unknown = {command: voter for voter, ids in unknown.items() for command in ids}
        coordinator = replica.acceptor.promised.coordinator
        bodies = replica.acceptor.missing_bodies()
        if bodies and coordinator not in (-1, replica.node):
            unknown.setdefault(coordinator, []).extend(bodies)
        for holder, ids in unknown.items():
            effects.send(holder, FetchBodies(ids))
        wanted = self._wanted()
        progress = (wanted, replica.history.committed)
        source = self._source(wanted, now_ms)
        if source is not None and progress == self._progress:
            self.fetch(source, wanted, effects)
        self._progress = progress

    def _wanted(self) -> int:
        """The index of the next decree this replica lacks, in the highest ballot it knows of."""
        replica = self._replica
        joined = replica.acceptor.promised == replica.election.highest
        return replica.acceptor.next_wanted() if joined else replica.history.committed + 1

    def _source(self, wanted: int, now_ms: float) -> int | None:
        """Whom to ask for decrees from ``wanted`` on: the coordinator if it is heard, else who committed most."""
        replica, election = self._replica, self._replica.election
        heard = election.heard_mask(now_ms)
        outside = replica.acceptor.accepted != election.highest
        best, most = None, replica.history.committed
        for peer, beat in enumerate(election.beats):
            if beat is None or not heard >> peer & 1:
                continue
            leads = beat.accepted == beat.promised == election.highest and peer == election.highest.coordinator
            if leads and (outside or beat.adopted >= wanted):
                return peer
            if beat.committed > most:
                best, most = peer, beat.committed
        return best

    def _relay_lingering(self, effects: Effects) -> None:
        """Send the coordinator what has lingered undecreed for a whole interval: its client's message was lost."""
        replica = self._replica
        history = replica.history
        replica.pool = {command: None for command in replica.pool if not history.holds(command)}
        lingering = [command for command in replica.pool if command in self._stale_pool]
        lingering += [command for command in history.tail if command in self._stale_tail]
        self._stale_pool, self._stale_tail = set(replica.pool), set(history.tail)
        coordinator = replica.election.highest.coordinator
        if lingering and coordinator not in (-1, replica.node):
            ids = replica.catchup.chunk(lingering)
            effects.send(coordinator, Propose(ids, replica.proposals.bodies(ids)))
