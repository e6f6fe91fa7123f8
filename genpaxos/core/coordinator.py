"""The coordinator: phase 1, then an append-only sequence of decrees (protocol §3, §4.1, §5).

In a leader-ordered ballot the coordinator's own history *is* the decree sequence: its fast vote and its decree are one
message, so whatever is chosen fast has its order, and decreeing can never contradict it. In a classic ballot it may
decree any proposed command at once.
"""

from dataclasses import replace
from enum import Enum
from math import inf
from typing import Final, NamedTuple

import orjson

from genpaxos.core.acceptor import Acceptor
from genpaxos.core.ballot import ZERO, Ballot, BallotKind, FastQuorums, Policy
from genpaxos.core.commands import Body, Proposals
from genpaxos.core.incarnations import Incarnations
from genpaxos.core.messages import Phase1a, Phase1b, Phase2a
from genpaxos.core.policies import rules_of
from genpaxos.core.promises import Promises
from genpaxos.core.quorum import QuorumSystem, mask_of
from genpaxos.core.recovery import decree_proved_safe

FEW_BODIES: Final = 64
"""So many fit a message however long each is."""


class Phase(Enum):
    """What the coordinator of this replica is doing."""

    IDLE = "idle"
    PHASE1 = "phase 1"
    LEADING = "leading"


class CoordinatorState(NamedTuple):
    """What a coordinator remembers of the ballot it runs."""

    ballot: Ballot
    phase: Phase
    recovered: int
    own: Phase1b | None


class Coordinator:
    """Runs the ballots this replica owns; ``acceptor`` is the one beside it, always part of its quorums."""

    def __init__(
        self,
        acceptor: Acceptor,
        proposals: Proposals,
        incarnations: Incarnations,
        quorums: QuorumSystem,
        policy: Policy,
        fast: FastQuorums,
        pinned: tuple[int, ...] = (),
    ) -> None:
        if pinned:
            quorums.with_pinned(pinned)  # raises QuorumError unless it meets every classic quorum
        self.ballot: Ballot = ZERO
        self.phase = Phase.IDLE
        self.recovered = 0
        """V[1..recovered] was decreed when the ballot started; acceptors enter with all of it."""
        self._acceptor = acceptor
        self._proposals = proposals
        self._incarnations = incarnations
        self._quorums = quorums
        self.policy = policy
        """The policy of the ballots it starts."""
        self.promises = Promises(acceptor, proposals, quorums)
        self._fast = fast
        pins = rules_of(policy).pins and fast is FastQuorums.PINNED and acceptor.node in pinned
        self.fixed = tuple(sorted(pinned)) if pins else ()
        """The fast quorum to pin if all of it answers phase 1; empty where it is whoever answers soonest."""
        self.newly_pinned: tuple[int, ...] = ()
        """Members of the pinned quorum that were none in the ballot before, if that one had a pinned quorum."""
        self._unsent = 0
        """V[unsent..] was not yet sent."""
        self._lagging = 0
        """Acceptors that would be slow to vote."""

    @property
    def leading(self) -> bool:
        """Phase 1 is over and no higher ballot is known: this coordinator may decree."""
        return self.phase is Phase.LEADING

    @property
    def kind(self) -> BallotKind:
        """The kind of the ballot being led."""
        return self._acceptor.kind

    def campaign(self, ballot: Ballot, policy: Policy | None = None) -> Phase1a:
        """Start phase 1 of a ballot of this replica's, higher than any it promised; of another policy, if one is
        named."""
        self.policy = policy or self.policy
        assert ballot > self._acceptor.promised
        self.ballot, self.phase = ballot, Phase.PHASE1
        ask = self.phase1a()
        report = self._acceptor.on_phase1a(ask)
        assert isinstance(report, Phase1b)
        own = replace(report, incarnations=list(self._incarnations.known))
        self.promises.start({self._acceptor.node: own})
        return ask

    def phase1a(self) -> Phase1a:
        """The question of phase 1; may be repeated."""
        return Phase1a(self.ballot, self._acceptor.history.committed)

    def state(self) -> CoordinatorState:
        """Where it stands; of phase 1 with the report of the acceptor beside it alone."""
        own = self.promises.reports[self._acceptor.node] if self.phase is Phase.PHASE1 else None
        return CoordinatorState(self.ballot, self.phase, self.recovered if self.leading else 0, own)

    def load(self, state: CoordinatorState) -> None:
        """Stand where :meth:`state` said; all decrees count as sent."""
        self.ballot, self.phase, self.recovered, own = state
        self.promises.start({} if own is None else {self._acceptor.node: own})
        self._unsent = self._acceptor.history.length + 1

    def step_down(self, promised: Ballot) -> None:
        """A higher ballot exists: stop coordinating."""
        if promised > self.ballot:
            self.phase = Phase.IDLE
            self.promises.start({})

    def hand_over(self) -> None:
        """Leave phase 1: others are further, and may start a ballot of their own."""
        assert self.phase is Phase.PHASE1
        self.phase = Phase.IDLE
        self.promises.start({})

    def on_phase1b(self, acceptor: int, message: Phase1b) -> None:
        """Collect a report; only those of the ballot in phase 1 count, once per acceptor, of its newest incarnation.

        One that starts further on than this replica asked for answers an earlier incarnation's question in a ballot of
        the same number.
        """
        known = max(self._acceptor.history.committed, message.committed)
        if self.phase is Phase.PHASE1 and message.ballot == self.ballot and message.first <= known + 1:
            self.promises.add(acceptor, message)

    def missing_decrees(self) -> set[str]:
        """In phase 1: decrees of the highest ballot reported, not known here (:meth:`Promises.missing_decrees`)."""
        return self.promises.missing_decrees() if self.phase is Phase.PHASE1 else set()

    def try_start(self, awaited: int = 0, lagging: int = 0) -> bool:
        """Begin phase 2 once a classic quorum has reported, this replica has caught up, and every body is known.

        ``awaited`` are acceptors whose reports are worth some patience (a bit mask), ``lagging`` those that are pinned
        only if there are not enough others.
        """
        reported = mask_of(self.promises.reports)
        if self.phase is not Phase.PHASE1 or not self._quorums.is_classic(reported) or awaited & ~reported:
            return False
        if self._acceptor.node not in self.promises.reports:
            return False  # a later incarnation of this replica is about
        if self.promises.behind() is not None or self.promises.missing_bodies():
            return False
        history = self._acceptor.history
        history.truncate(history.committed)  # what this drops is in this acceptor's own report
        decree_proved_safe(history, self.promises.reports, self._quorums)
        self.recovered = history.length
        self._lagging = lagging
        before = self.kind.pinned
        self._acceptor.lead(self.ballot, self._kind())
        self.newly_pinned = tuple(member for member in self.kind.pinned if before and member not in before)
        self.phase = Phase.LEADING
        self._unsent = history.length + 1
        return True

    def decree(self, ids: list[str]) -> None:
        """Decree commands not decreed before, in this order."""
        self._acceptor.decree(ids)

    @property
    def decrees_proposals(self) -> bool:
        """Whether this coordinator decrees what is proposed to it, at once: it orders commands by itself."""
        return self.leading and self._acceptor.rules.coordinator_orders

    def insert(self, ids: list[str]) -> dict[str, int]:
        """Decree commands the votes of this ballot prove safe (protocol §4.2); their digests."""
        return self._acceptor.insert(ids)

    def take_unsent(self) -> Phase2a | None:
        """The decrees made since the last call, without their bodies."""
        first, length = self._unsent, self._acceptor.history.length
        if self.phase is not Phase.LEADING or first > length:
            return None
        self._unsent = length + 1
        return self.phase2a(first, with_bodies=False)

    def carrying(self, first: int, bytes_max: float = inf) -> list[Phase2a]:
        """V[first..] with the bodies: one message holds no more of them than take so much, or little more, as what has
        waited for a coordinator may be more than a message can be."""
        history = self._acceptor.history
        first = max(first, history.base + 1)  # for what is cut off there is a snapshot
        bodies = history.bodies(first, history.length)
        if len(bodies) <= FEW_BODIES or len(orjson.dumps(bodies)) <= bytes_max:
            return [self.phase2a(first, bodies)]
        messages: list[Phase2a] = []
        while first <= history.length:
            part = self.phase2a(first, history.bodies(first, history.length, bytes_max))
            first += len(part.ids)
            # What is committed further on comes with the parts that follow: nobody should ask for it.
            messages.append(replace(part, committed=min(part.committed, first - 1)))
        return messages

    def phase2a(self, first: int, bodies: list[Body] | None = None, *, with_bodies: bool = True) -> Phase2a:
        """V[first..] of the ballot being led, as much of it as there are ``bodies``, to its end by default."""
        history = self._acceptor.history
        last = history.length if bodies is None else first + len(bodies) - 1
        ids, digests = history.decrees(first, last)
        if bodies is None and with_bodies:
            bodies = history.bodies(first, last)
        return Phase2a(self.ballot, self.kind, self.recovered, history.committed, first, ids, digests, bodies)

    def _kind(self) -> BallotKind:
        """The pinned quorum is the fixed one if all of it answered phase 1, else the classic quorum that was first,
        without those that lag if there are enough others.

        Any set that meets every classic quorum and includes the coordinator will do (protocol §3, Quorums).
        """
        if not rules_of(self.policy).pins or self._fast is FastQuorums.ANY:
            return BallotKind(self.policy)
        lagging = self._lagging
        if self.fixed and all(member in self.promises.reports and not lagging >> member & 1 for member in self.fixed):
            return BallotKind(self.policy, self.fixed)
        soonest: list[int] = []
        for acceptor in sorted(
            self.promises.reports, key=lambda a: lagging >> a & 1
        ):  # as they answered, this replica first
            soonest.append(acceptor)
            if self._quorums.is_classic(mask_of(soonest)):
                break
        return BallotKind(self.policy, tuple(sorted(soonest)))
