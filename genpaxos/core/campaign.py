"""Phase 1: who starts a ballot and when, promises and reports, and what a ballot starts with (protocol §5)."""

from dataclasses import replace
from math import inf

from genpaxos.core.acceptor import Acceptor
from genpaxos.core.coordinator import Coordinator, Phase
from genpaxos.core.effects import Effects
from genpaxos.core.election import Election
from genpaxos.core.fallback import Fallback
from genpaxos.core.fastpath import FastPath
from genpaxos.core.incarnations import Incarnations
from genpaxos.core.learner import Learner
from genpaxos.core.messages import Nack, Phase1a, Phase1b, Rejoin
from genpaxos.core.now import Now
from genpaxos.core.quorum import mask_of
from genpaxos.core.requests import Requests
from genpaxos.core.serving import Serving
from genpaxos.core.settings import Settings
from genpaxos.core.truncation import Truncation
from genpaxos.core.voting import Voting

HAND_OVER_ELECTIONS = 8
"""A phase 1 is handed over once in so many election times: after that this replica goes through with it."""


class Campaign:
    """The ballots of one replica, from the decision to start one until it leads."""

    def __init__(
        self,
        node: int,
        settings: Settings,
        acceptor: Acceptor,
        coordinator: Coordinator,
        election: Election,
        incarnations: Incarnations,
        learner: Learner,
        voting: Voting,
        requests: Requests,
        serving: Serving,
        truncation: Truncation,
        fastpath: FastPath,
        fallback: Fallback,
        now: Now,
    ) -> None:
        self.fallback = fallback
        self._node = node
        self._settings = settings
        self._election_ms = settings.timing.election_ms
        self._acceptor = acceptor
        self._coordinator = coordinator
        self._election = election
        self._incarnations = incarnations
        self._learner = learner
        self._voting = voting
        self._requests = requests
        self._serving = serving
        self._truncation = truncation
        self._fastpath = fastpath
        self._now = now
        self._progress: tuple[object, ...] = ()
        self._progress_ms = now.ms
        """How far phase 1 had come, and when it last came further."""
        self._began_ms = now.ms
        """When this replica last started a ballot."""
        self._handed_over_ms = -inf
        """When this replica last left a phase 1 to others."""

    # Events ---------------------------------------------------------------------------------------------------------

    def on_phase1a(self, sender: int, message: Phase1a, effects: Effects) -> None:
        """Another replica starts a ballot."""
        if message.ballot.coordinator != sender:
            return
        self._election.saw_ballot(message.ballot, self._now.ms)
        if not self._settings.accepts(self._node) or self._incarnations.rejoining:
            return
        answer = self._acceptor.on_phase1a(message)
        if isinstance(answer, Phase1b) and any(self._incarnations.known):
            answer = replace(answer, incarnations=list(self._incarnations.known))
        effects.send(sender, answer)
        self._coordinator.step_down(self._acceptor.promised)

    def on_phase1b(self, sender: int, message: Phase1b, effects: Effects) -> None:
        """A promise, with a report."""
        self._coordinator.on_phase1b(sender, message)
        if self._coordinator.phase is Phase.PHASE1:
            self.complete_reports(effects)
            self.advance(effects)

    def on_nack(self, _sender: int, message: Nack, _effects: Effects) -> None:
        """An acceptor has promised a higher ballot."""
        self._election.saw_ballot(message.promised, self._now.ms)
        if message.ballot == self._coordinator.ballot and message.promised > self._coordinator.ballot:
            self._acceptor.promise(message.promised)  # nor does the acceptor beside it go on in a ballot that is over
            self._coordinator.step_down(message.promised)

    def on_rejoin(self, sender: int, message: Rejoin, effects: Effects) -> None:
        """A replica that lost its data comes back as a new incarnation."""
        self._election.came_back(sender, message.incarnation)
        answer = self._incarnations.on_rejoin(sender, message)
        if answer is not None:
            effects.send(sender, answer)
        self._election.saw_ballot(message.floor, self._now.ms)
        if self._coordinator.leading and self._coordinator.ballot <= message.floor:
            self.begin(effects)  # the replica that rejoins needs a ballot above its floor

    # A ballot of this replica's -------------------------------------------------------------------------------------

    def begin(self, effects: Effects) -> None:
        """Start one."""
        now_ms = self._now.ms
        ballot = self._election.next_ballot(self._acceptor.promised)
        self._election.saw_ballot(ballot, now_ms)
        self._began_ms = now_ms
        policy = self.fallback.policy(now_ms, self._coordinator.recovered)
        effects.broadcast(self._coordinator.campaign(ballot, policy))
        self.advance(effects)

    def fall_back(self, effects: Effects) -> None:
        """Start one in which the coordinator orders: what has collided could not be ordered otherwise."""
        self.fallback.fall(self._now.ms)
        self.begin(effects)

    def advance(self, effects: Effects) -> None:
        """In phase 1: go on to phase 2 if it has all it needs."""
        coordinator, now_ms = self._coordinator, self._now.ms
        if coordinator.phase is not Phase.PHASE1:
            return
        if not coordinator.try_start(self._awaited(now_ms), self._election.lagging_mask(now_ms)):
            return
        self._learner.start(coordinator.ballot, coordinator.kind)
        for acceptor, first in coordinator.promises.openings().items():
            self._serving.open(acceptor, first)
        for learner in range(self._settings.replicas):
            if learner != self._node and not self._settings.accepts(learner):
                self._serving.open(learner, self._acceptor.history.committed + 1)
        self._serving.serve(self._truncation, now_ms, effects)  # before what waits here is decreed
        self._voting.take_pool(effects)

    def complete_reports(self, effects: Effects) -> None:
        """In phase 1: ask for what the reports mention but this replica lacks."""
        coordinator = self._coordinator
        if coordinator.phase is not Phase.PHASE1:
            return
        ahead = coordinator.promises.behind()
        if ahead is not None:
            self._requests.fetch(ahead, self._acceptor.history.committed + 1, effects)
        self._requests.bodies_once(coordinator.promises.missing_bodies(), effects)

    def _awaited(self, now_ms: float) -> int:
        """Whose answers phase 1 waits for beyond a classic quorum: a fixed pinned quorum's, for half an election time.

        It does so only while all of its members are connected: those that are gone are not waited for. If some lag, the
        others are waited for as well, so that none that lags need be pinned.
        """
        if now_ms - self._began_ms >= self._election_ms / 2:
            return 0
        election = self._election
        lagging = election.lagging_mask(now_ms)
        prompt = election.connected_mask(now_ms) & ~lagging if lagging else 0
        return (mask_of(self._connected_fixed(now_ms)) & ~lagging) | prompt

    # When to start one ----------------------------------------------------------------------------------------------

    def retry(self, now_ms: float, effects: Effects) -> bool:
        """Hand phase 1 over, or ask again who has not answered; says whether to start a ballot now."""
        if self._incarnations.rejoining:
            return False
        coordinator, election = self._coordinator, self._election
        if coordinator.phase is Phase.PHASE1 and self._hands_over(now_ms):
            coordinator.hand_over()
        if coordinator.phase is Phase.PHASE1:
            for acceptor in coordinator.promises.unanswered(self._settings.replicas):
                effects.send(acceptor, coordinator.phase1a())
        leads = coordinator.leading and coordinator.ballot == election.highest
        absent = election.should_campaign(leads, now_ms)
        pins_anew = self._pinned_gone(now_ms) or self._fixed_is_back(now_ms)
        lingers, recovered = self._fastpath.lingers, coordinator.recovered
        falls_back = leads and self.fallback.due(now_ms, lingers=lingers, recovered=recovered)
        return absent or self._stuck(now_ms) or (leads and pins_anew) or falls_back

    def _hands_over(self, now_ms: float) -> bool:
        """Whether this replica should leave its phase 1 to those that need not catch up first."""
        if now_ms - self._handed_over_ms < HAND_OVER_ELECTIONS * self._election_ms:
            return False  # they did not: somebody must coordinate
        election = self._election
        election.progress.note(self._node, self._acceptor.history.committed, now_ms)
        if not election.should_hand_over(now_ms):
            return False
        self._handed_over_ms = now_ms
        election.hand_over(now_ms)
        return True

    def _stuck(self, now_ms: float) -> bool:
        """Phase 1 waits for what only a reporter has that is gone: ask anew, of those that are there."""
        coordinator = self._coordinator
        if coordinator.phase is not Phase.PHASE1 or not self._election.has_quorum(now_ms):
            self._progress = ()
            return False
        received = self._requests.progress
        progress = (coordinator.ballot, self._acceptor.history.committed, received, coordinator.promises.lacking())
        if progress != self._progress:
            self._progress, self._progress_ms = progress, now_ms
        return now_ms - self._progress_ms >= self._election_ms

    def _pinned_gone(self, now_ms: float) -> bool:
        """A member of the pinned quorum has fallen silent: a new ballot pins anew (protocol §3, Quorums)."""
        election = self._election
        heard = election.heard_mask(now_ms)
        gone = any(not heard >> member & 1 for member in self._coordinator.kind.pinned)
        return gone and election.has_quorum(now_ms)

    def _fixed_is_back(self, now_ms: float) -> bool:
        """Another quorum is pinned, and the fixed one is connected again: pin anew, once per election time at most."""
        pinned = self._coordinator.kind.pinned
        fixed = self._connected_fixed(now_ms)
        return bool(pinned and fixed) and pinned != fixed and now_ms - self._began_ms >= self._election_ms

    def _connected_fixed(self, now_ms: float) -> tuple[int, ...]:
        """The fixed pinned quorum if this replica and all members of it hear each other and none lags, else nobody."""
        fixed, election = self._coordinator.fixed, self._election
        able = election.connected_mask(now_ms) & ~election.lagging_mask(now_ms) if fixed else 0
        return () if mask_of(fixed) & ~able else fixed
