"""What a replica does when time passes: beats, elections, and asking again for what did not come.

Every wait of the protocol ends here: a lost message of any kind is made good by a later beat of this clock.
"""

from collections.abc import Iterable
from math import inf

from genpaxos.core.coordinator import Phase
from genpaxos.core.effects import Effects
from genpaxos.core.fallback import Fallback
from genpaxos.core.messages import Fetch, FetchBodies, FetchSnapshot, Heartbeat, Phase2a, Propose
from genpaxos.core.patience import Patience
from genpaxos.core.policies import rules_of
from genpaxos.core.quorum import mask_of
from genpaxos.core.roles import Roles

HAND_OVER_ELECTIONS = 8
"""A phase 1 is handed over once in so many election times: after that this replica goes through with it."""
BODIES_ASKED_MAX = 1_000
"""Bodies asked for in one message; the rest when those have come."""
LEISURE_MS = 2.0
"""How long messages are gathered where nobody waits for what they bring."""


class Upkeep:
    """The clockwork of one replica."""

    def __init__(self, roles: Roles, now_ms: float) -> None:
        self.fast_quorum_heard = False
        """Whether the members of some fast quorum of the ballot watched were heard at the last beat."""
        self.lingers = False
        """Whether a command has stood in the tail for a whole retry interval."""
        self._roles = roles
        self._timing = roles.settings.timing
        self.fallback = Fallback(roles, now_ms)
        self._beat_ms = now_ms
        """When the next heartbeat is due."""
        self._retry_ms = now_ms
        """When what is missing is next asked for."""
        self._unknown: dict[str, int] = {}
        """Commands voted for that the coordinator never received, with a voter."""
        self._stale_pool: set[str] = set()
        self._stale_tail: set[str] = set()
        """What lingered in the pool and in the tail at the last retry."""
        self._progress = (-1, -1, -1)
        self._phase1_progress: tuple[object, ...] = ()
        self._phase1_ms = now_ms
        """How far phase 1 had come, and when it last came further."""
        self._campaign_ms = now_ms
        """When this replica last started a ballot."""
        self._handed_over_ms = -inf
        """When this replica last left a phase 1 to others."""
        self.now_ms = now_ms
        """The time of the step."""
        retry_ms = self._timing.retry_ms
        self._fetching = Patience(retry_ms)
        """Asks for decrees by the ballot promised and the index of the first."""
        self._fetched: tuple[int, int] | None = None
        """Whom it asked last, and for which index."""
        self._fetching_bodies = [Patience(retry_ms) for _ in range(roles.settings.replicas)]
        """Per holder: asks for bodies by the first command."""
        self._fetching_chunks = Patience(retry_ms)
        self._relaying = Patience(retry_ms)
        self._relayed: dict[str, None] = {}
        """What lingers and was relayed in this round."""

    @property
    def fast_path_fails(self) -> bool:
        """Whether commands wait for votes that do not come."""
        return self.lingers or not self.fast_quorum_heard

    @property
    def due_ms(self) -> float:
        """When :meth:`on_time` next has something to do."""
        return min(self._beat_ms, self._retry_ms)

    def on_time(self, now_ms: float, effects: Effects) -> bool:
        """Do what is due; says whether this replica should start a ballot."""
        campaign = False
        if now_ms >= self._beat_ms:
            self._beat_ms = now_ms + self._timing.heartbeat_ms
            effects.broadcast(self._heartbeat(now_ms))
            self.fast_quorum_heard = self._roles.learner.can_learn_fast(self._roles.election.heard_mask(now_ms))
        if now_ms >= self._retry_ms:
            self._retry_ms = now_ms + self._timing.retry_ms
            self._announce(effects)
            campaign = not self._roles.incarnations.rejoining and self._should_campaign(now_ms, effects)
            self.complete_reports(effects)
            self._fetch_missing(now_ms, effects)
            self._relay_lingering(effects)
        return campaign

    def leisure_ms(self, now_ms: float, requests: Iterable[Propose] = ()) -> float:
        """How long this replica may gather messages before it handles them, ``requests`` of clients among them.

        Not while it lags, nor when it is asked for a result, now or lately.

        An acceptor outside the pinned quorum is on nobody's way while no client asks here: the pinned quorum decides by
        itself, by either rule. To read what has gathered costs it one step, one record and one sync instead of many,
        and those that are on the way have the processors to themselves. For all others it is a message delayed, which
        is always safe. What comes while it gathers waits with the rest, be it the first question of a client.
        """
        roles = self._roles
        acceptor, pinned = roles.acceptor, roles.acceptor.kind.pinned
        lags = acceptor.has_offers or roles.assembly.sender is not None
        if not acceptor.current or not pinned or roles.node in pinned or lags or not self.fast_quorum_heard:
            return 0.0
        if roles.homes.asked(roles.node, now_ms) or any(request.asked >> roles.node & 1 for request in requests):
            return 0.0
        return min(LEISURE_MS, self._timing.watermark_ms)

    def campaigned(self, now_ms: float) -> None:
        """A ballot of this replica's has begun."""
        self._campaign_ms = now_ms

    def awaited(self, now_ms: float) -> int:
        """Whose answers phase 1 waits for beyond a classic quorum: a fixed pinned quorum's, for half an election time.

        It does so only while all of its members are connected: the dead are not waited for. If some lag, the others are
        waited for as well, so that none that lags need be pinned.
        """
        if now_ms - self._campaign_ms >= self._timing.election_ms / 2:
            return 0
        election = self._roles.election
        lagging = election.lagging_mask(now_ms)
        prompt = election.connected_mask(now_ms) & ~lagging if lagging else 0
        return (mask_of(self._connected_fixed(now_ms)) & ~lagging) | prompt

    def complete_reports(self, effects: Effects) -> None:
        """In phase 1: ask again for promises, and for what the reports mention but this replica lacks."""
        coordinator = self._roles.coordinator
        if coordinator.phase is not Phase.PHASE1:
            return
        ahead = coordinator.behind()
        if ahead is not None:
            self.fetch(ahead, self._roles.history.committed + 1, effects)
        asked: set[str] = set()
        missing = coordinator.missing_bodies()
        for acceptor in sorted(missing, key=lambda a: self._fetching_bodies[a].repeated):  # each of one that answers
            ids = [command for command in missing[acceptor] if command not in asked]
            asked.update(ids)
            self._fetch_bodies(acceptor, ids, effects)

    def on_bodies(self, sender: int, effects: Effects) -> None:
        """Bodies came that were asked for: ask for the next."""
        self._fetching_bodies[sender].answered(self.now_ms)
        self.complete_reports(effects)
        self._fetch_bodies(sender, self._undelivered(sender), effects)

    def _undelivered(self, coordinator: int) -> list[str]:
        """The bodies that this replica lacks of what ``coordinator`` decreed, if no state is coming."""
        roles = self._roles
        if coordinator in (-1, roles.node) or coordinator != roles.acceptor.promised.coordinator:
            return []
        return roles.acceptor.missing_bodies() if roles.assembly.sender is None else []

    def _fetch_bodies(self, holder: int, ids: list[str], effects: Effects) -> None:
        if ids and self._fetching_bodies[holder].due(ids[0], self.now_ms):
            effects.send(holder, FetchBodies(ids[:BODIES_ASKED_MAX]))

    def on_decrees(self, sender: int, message: Phase2a, effects: Effects) -> None:
        """A chunk that was asked for calls for the next one, a gap for what is missing."""
        wanted = self._roles.acceptor.next_wanted()
        lags = (
            message.bodies is not None
            and rules_of(message.kind).acceptors_vote
            and message.first + len(message.ids) == wanted
        )
        if self._fetched is not None and message.first == self._fetched[1]:
            self._fetching.answered(self.now_ms)
        if message.first > wanted or wanted <= message.recovered or lags:
            self.fetch(sender, wanted, effects)

    def fetch(self, source: int, wanted: int, effects: Effects) -> None:
        """Ask for decrees from ``wanted`` on, unless a snapshot is coming; for one index not again while the answer may
        be on its way."""
        what = self._roles.acceptor.promised, wanted
        if self._roles.assembly.sender is None and self._fetching.due(what, self.now_ms):
            self._fetched = source, wanted
            effects.send(source, Fetch(wanted))

    def on_committed(self, sender: int, first: int, effects: Effects) -> None:
        """Committed decrees from ``first`` on came, some of them new: ask for the next."""
        if self._fetched is not None and first == self._fetched[1]:
            self._fetching.answered(self.now_ms)
        self.fetch(sender, self._roles.history.committed + 1, effects)

    def on_unknown(self, voter: int, ids: list[str]) -> None:
        """The coordinator sees votes for commands it never received: unless they come soon, it fetches them."""
        for command in ids:
            self._unknown[command] = voter

    def _announce(self, effects: Effects) -> None:
        """Tell who has not heard of it that this replica is a new incarnation."""
        announcement = self._roles.incarnations.announcement()
        if announcement is not None:
            message, receivers = announcement
            for receiver in receivers:
                effects.send(receiver, message)

    def _heartbeat(self, now_ms: float) -> Heartbeat:
        roles, election = self._roles, self._roles.election
        acceptor = roles.acceptor
        election.progress.note(roles.node, roles.history.committed, now_ms)
        rejoining = roles.incarnations.rejoining  # then nobody may count on this acceptor for a quorum
        return Heartbeat(
            promised=acceptor.promised,
            accepted=acceptor.accepted,
            adopted=roles.history.length,
            committed=roles.history.committed,
            leading=roles.coordinator.phase is not Phase.IDLE,
            quorum=election.has_quorum(now_ms) and not rejoining,
            heard=0 if rejoining else election.heard_mask(now_ms),
            follows=election.hears_coordinator(now_ms) and acceptor.promised == election.highest,
            **roles.executor.agreement.told(),
        )

    def _should_campaign(self, now_ms: float, effects: Effects) -> bool:
        roles, coordinator = self._roles, self._roles.coordinator
        if coordinator.phase is Phase.PHASE1 and self._hands_over(now_ms):
            coordinator.hand_over()
        if coordinator.phase is Phase.PHASE1:
            for acceptor in coordinator.unanswered(roles.settings.replicas):
                effects.send(acceptor, coordinator.phase1a())
        leads = coordinator.leading and coordinator.ballot == roles.election.highest
        absent = roles.election.should_campaign(leads, now_ms)
        pins_anew = self._pinned_gone(now_ms) or self._fixed_is_back(now_ms)
        falls_back = leads and self.fallback.due(now_ms, lingers=self.lingers)
        return absent or self._phase1_stuck(now_ms) or (leads and pins_anew) or falls_back

    def _hands_over(self, now_ms: float) -> bool:
        """Whether this replica should leave its phase 1 to those that need not catch up first."""
        if now_ms - self._handed_over_ms < HAND_OVER_ELECTIONS * self._timing.election_ms:
            return False  # they did not: somebody must coordinate
        election = self._roles.election
        election.progress.note(self._roles.node, self._roles.history.committed, now_ms)
        if not election.should_hand_over(now_ms):
            return False
        self._handed_over_ms = now_ms
        election.hand_over(now_ms)
        return True

    def _phase1_stuck(self, now_ms: float) -> bool:
        """Phase 1 waits for what only a reporter has that is gone: ask anew, of those that are there."""
        coordinator = self._roles.coordinator
        if coordinator.phase is not Phase.PHASE1 or not self._roles.election.has_quorum(now_ms):
            self._phase1_progress = ()
            return False
        roles = self._roles
        progress = (coordinator.ballot, roles.history.committed, roles.assembly.wanted, coordinator.lacking())
        if progress != self._phase1_progress:
            self._phase1_progress, self._phase1_ms = progress, now_ms
        return now_ms - self._phase1_ms >= self._timing.election_ms

    def _pinned_gone(self, now_ms: float) -> bool:
        """A member of the pinned quorum has fallen silent: a new ballot pins anew (protocol §3, Quorums)."""
        election = self._roles.election
        heard = election.heard_mask(now_ms)
        gone = any(not heard >> member & 1 for member in self._roles.coordinator.kind.pinned)
        return gone and election.has_quorum(now_ms)

    def _fixed_is_back(self, now_ms: float) -> bool:
        """Another quorum is pinned, and the fixed one is connected again: pin anew, once per election time at most."""
        pinned = self._roles.coordinator.kind.pinned
        fixed = self._connected_fixed(now_ms)
        return bool(pinned and fixed) and pinned != fixed and now_ms - self._campaign_ms >= self._timing.election_ms

    def _connected_fixed(self, now_ms: float) -> tuple[int, ...]:
        """The fixed pinned quorum if this replica and all members of it hear each other and none lags, else nobody."""
        fixed, election = self._roles.coordinator.fixed, self._roles.election
        able = election.connected_mask(now_ms) & ~election.lagging_mask(now_ms) if fixed else 0
        return () if mask_of(fixed) & ~able else fixed

    def _fetch_missing(self, now_ms: float, effects: Effects) -> None:
        """Ask for decrees and bodies that have not come since the last time."""
        roles = self._roles
        unknown: dict[int, list[str]] = {}
        for command in roles.proposals.missing(self._unknown):
            unknown.setdefault(self._unknown[command], []).append(command)
        self._unknown = {command: voter for voter, ids in unknown.items() for command in ids}
        coordinator = roles.acceptor.promised.coordinator
        if bodies := self._undelivered(coordinator):
            unknown.setdefault(coordinator, []).extend(bodies)
        for holder, ids in unknown.items():
            self._fetch_bodies(holder, ids, effects)
        wanted, assembly = self._wanted(), roles.assembly
        progress = (wanted, roles.history.committed, assembly.wanted)
        if assembly.sender is not None:
            self._go_on(assembly.sender, now_ms, effects)
        source = self._source(wanted, now_ms)
        if source is not None and progress == self._progress:
            if self._fetched is not None and not roles.election.connected_mask(now_ms) >> self._fetched[0] & 1:
                self._fetching.forget()
            self.fetch(source, wanted, effects)
        self._progress = progress

    def _go_on(self, sender: int, now_ms: float, effects: Effects) -> None:
        """A chunk of a snapshot was lost, or is slow, or who sent it is gone, or no longer hears this replica."""
        if not self._roles.election.connected_mask(now_ms) >> sender & 1:
            self._roles.assembly.drop()
        else:
            self._fetch_chunk(sender, effects)

    def on_chunk(self, sender: int, effects: Effects) -> None:
        """A chunk of a snapshot came: ask for the next."""
        self._fetching_chunks.answered(self.now_ms)
        self._fetch_chunk(sender, effects)

    def _fetch_chunk(self, sender: int, effects: Effects) -> None:
        assembly = self._roles.assembly
        if self._fetching_chunks.due((sender, assembly.index, assembly.wanted), self.now_ms):
            effects.send(sender, FetchSnapshot(assembly.index, assembly.wanted))

    def _wanted(self) -> int:
        """The index of the next decree this replica lacks, in the highest ballot it knows of."""
        roles = self._roles
        joined = roles.acceptor.promised == roles.election.highest
        return roles.acceptor.next_wanted() if joined else roles.history.committed + 1

    def _source(self, wanted: int, now_ms: float) -> int | None:
        """Whom to ask for decrees from ``wanted`` on: who hears this replica, the coordinator or else who has most."""
        roles, election = self._roles, self._roles.election
        connected = election.connected_mask(now_ms)
        outside = roles.acceptor.accepted != election.highest
        best, most = None, roles.history.committed
        for peer, beat in enumerate(election.beats):
            if beat is None or not connected >> peer & 1:
                continue
            leads = beat.accepted == beat.promised == election.highest and peer == election.highest.coordinator
            if leads and (outside or beat.adopted >= wanted):
                return peer
            if beat.committed > most:
                best, most = peer, beat.committed
        return best

    def _relay_lingering(self, effects: Effects) -> None:
        """Send the coordinator what has lingered undecreed for a whole interval: its client's message was lost."""
        roles = self._roles
        history = roles.history
        roles.pool = dict.fromkeys(roles.waiting_in_pool())
        lingering = [command for command in roles.pool if command in self._stale_pool]
        lingering += [command for command in history.tail if command in self._stale_tail]
        self.lingers = any(command in self._stale_tail for command in history.tail)
        if not roles.settings.accepts(
            roles.node
        ):  # it has no tail: what it knows of is in the pool until it is decreed
            self.lingers = any(command in self._stale_pool for command in roles.pool)
        if self.lingers and roles.acceptor.current and roles.acceptor.rules.reports_tails:
            roles.acceptor.restate()  # a report may be lost
        self._stale_pool, self._stale_tail = set(roles.pool), set(history.tail)
        behind = roles.election.should_hand_over(self.now_ms)  # then what lingers here was decreed long ago
        relayed = [] if behind else self._due_for_relay(lingering)
        if relayed:
            bodies = roles.proposals.bodies(relayed)
            count = roles.catchup.chunk(relayed, bodies)
            self._relayed.update(dict.fromkeys(relayed[:count]))
            self._relay(Propose(relayed[:count], bodies[:count]), effects)

    def _due_for_relay(self, lingering: list[str]) -> list[str]:
        """Those that were not relayed yet; when all were, all of them again, with patience."""
        self._relayed = dict.fromkeys(command for command in lingering if command in self._relayed)
        rest = [command for command in lingering if command not in self._relayed]
        if lingering and not (rest and self._relayed):  # a round begins
            if not self._relaying.due(lingering[0], self.now_ms):
                return []
            rest, self._relayed = lingering, {}
        return rest

    def _relay(self, message: Propose, effects: Effects) -> None:
        """To the coordinator. It passes on what lingers with itself where the acceptors' orders count: what only some
        hold stands in no quorum's common part, and neither does anything that interferes with it."""
        roles = self._roles
        coordinator = roles.election.highest.coordinator
        if coordinator not in (-1, roles.node):
            effects.send(coordinator, message)
        elif roles.coordinator.leading and not roles.acceptor.rules.coordinator_orders:
            effects.broadcast(message)
