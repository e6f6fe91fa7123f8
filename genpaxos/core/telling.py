"""What a replica tells of its decrees, votes and adoptions in a step: phase 2a, phase 2b, what is committed."""

from collections.abc import Iterator, Sequence

from genpaxos.core.acceptor import Acceptor
from genpaxos.core.askers import Askers
from genpaxos.core.carrying import Carrying
from genpaxos.core.coordinator import Coordinator
from genpaxos.core.effects import Effects
from genpaxos.core.fastpath import FastPath
from genpaxos.core.learner import Learned, Learner
from genpaxos.core.messages import Committed, Phase2a, Phase2b, Propose
from genpaxos.core.policies import rules_of
from genpaxos.core.quorum import mask_of
from genpaxos.core.serving import CHUNK_BYTES_MAX, chunk
from genpaxos.core.settings import Settings
from genpaxos.core.watermark import Watermark


class Telling:
    """Queues the messages of one replica's step."""

    def __init__(
        self,
        node: int,
        settings: Settings,
        acceptor: Acceptor,
        coordinator: Coordinator,
        learner: Learner,
        askers: Askers,
        fastpath: FastPath,
    ) -> None:
        self.watermark = Watermark(settings.timing.watermark_ms)
        self.carrying = Carrying(settings.timing.watermark_ms)
        self._node = node
        self._peers = [peer for peer in range(settings.replicas) if peer != node]
        self._accepts = settings.accepts(node)
        self._distinguished = settings.distinguished
        self._may_wait = bool(settings.timing.watermark_ms)
        self._reports_tails = rules_of(settings.policy).reports_tails
        self._acceptor = acceptor
        self._coordinator = coordinator
        self._learner = learner
        self._askers = askers
        self._fastpath = fastpath
        self._awaited = False
        """Whether the quorum may be waiting for this acceptor outside it: see :meth:`hear`."""

    @property
    def due_ms(self) -> float:
        """When what is kept back must be told."""
        return min(self.watermark.due_ms, self.carrying.due_ms)

    def tell(self, now_ms: float, effects: Effects) -> Iterator[tuple[Learned, int]]:
        """Queue this step's phase 2a and phase 2b; what this replica's own votes make it learn, with their step."""
        yield from self._decrees(now_ms, effects)
        yield from self._votes(now_ms, effects)

    def hear(self, decrees: Phase2a, now_ms: float) -> None:
        """Decrees came. Where they had gathered and the first of them is not committed all the same, the pinned quorum
        may be missing a member: this acceptor's watermark is told at once."""
        carried = self._acceptor.rules.carries_bodies(decrees.kind, self._node)
        late = bool(decrees.ids) and decrees.committed < decrees.first
        self._awaited |= carried and late and not self._askers.asked(self._node, now_ms)

    def _decrees(self, now_ms: float, effects: Effects) -> Iterator[tuple[Learned, int]]:
        coordinator, acceptor, learner = self._coordinator, self._acceptor, self._learner
        decrees = coordinator.take_unsent()
        if decrees is not None:
            kind, rules = decrees.kind, acceptor.rules
            self.carrying.note(decrees.ballot, decrees.first, now_ms)
            if coordinator.newly_pinned and self.carrying.unheard(now_ms):
                self._relay(decrees.ids, coordinator.newly_pinned, effects)
            self._tell([peer for peer in self._peers if not rules.carries_bodies(kind, peer)], decrees, effects)
            learner.on_adopted(self._node, decrees.ballot, acceptor.history.length)
            if coordinator.decrees_proposals:
                yield learner.on_decrees(self._node, decrees.ballot, decrees.first, decrees.ids, decrees.digests), 0
        if self.carrying.gathers(coordinator.ballot) and coordinator.leading:
            self._carry(now_ms, effects)
        else:
            self.carrying.forget()

    def _relay(self, ids: list[str], members: Sequence[int], effects: Effects) -> None:
        """Pass on to these what clients may not have sent them."""
        proposal = Propose(ids, self._acceptor.proposals.bodies(ids))
        effects.sends += [(member, proposal) for member in members if member != self._node]

    def _carry(self, now_ms: float, effects: Effects) -> None:
        """Decrees with their bodies, to those that have them from nobody else."""
        acceptor = self._acceptor
        lacking = [peer for peer in self._peers if acceptor.rules.carries_bodies(acceptor.kind, peer)]
        first = self.carrying.take(acceptor.history.length, not lacking or self._is_urgent(lacking, now_ms), now_ms)
        if first and lacking:
            for decrees in self._coordinator.carrying(first, CHUNK_BYTES_MAX):
                self._tell(lacking, decrees, effects)

    def _is_urgent(self, lacking: Sequence[int], now_ms: float) -> bool:
        """Whether somebody may wait for what these learn or adopt."""
        kind, learner = self._acceptor.kind, self._learner
        alone = self._fastpath.quorum_heard and learner.quorums.is_classic(mask_of(kind.pinned))
        return not alone or len(self._askers.spared(kind, now_ms)) < len(lacking)

    def _tell(self, receivers: Sequence[int], decrees: Phase2a, effects: Effects) -> None:
        if len(receivers) == len(self._peers):
            effects.broadcast(decrees)
        else:
            effects.sends += [(peer, decrees) for peer in receivers]

    def _votes(self, now_ms: float, effects: Effects) -> Iterator[tuple[Learned, int]]:
        acceptor, learner, watermark = self._acceptor, self._learner, self.watermark
        ids, digests, start = acceptor.take_votes()
        awaited, self._awaited = self._awaited, False
        ballot, adopted = acceptor.accepted, acceptor.history.length
        if not acceptor.current or not self._accepts:
            watermark.sent(ballot, adopted)  # a ballot that is over: there is nothing to tell
            return
        learner.on_adopted(self._node, ballot, adopted)
        urgent = bool(learner.conflicts) or acceptor.unvoted or awaited or not self._fastpath.quorum_heard
        if self._reports_tails and watermark.ballot != ballot:
            urgent = True  # what a new ballot recovered, perhaps from a collision, waits for no votes
        due = not self._coordinator.leading and watermark.due(ballot, adopted, urgent, now_ms)
        if not ids and not due:  # a coordinator's decrees say what it has adopted
            return
        self._send(Phase2b(ballot, ids, digests, adopted, start, acceptor.step), due, now_ms, effects)
        yield learner.on_votes(self._node, ballot, ids, digests, acceptor.step), acceptor.step

    def _send(self, votes: Phase2b, due: bool, now_ms: float, effects: Effects) -> None:
        """To all learners; while the watermark may still wait, only to those that somebody asks."""
        acceptor = self._acceptor
        lazy = not due and self._may_wait  # else every learner is to hear of everything at once
        spared = self._askers.spared(acceptor.kind, now_ms) if lazy else []
        if spared:
            others = [peer for peer in self._peers if peer not in spared]
            effects.sends += [(learner, votes) for learner in others]
            return
        self.watermark.sent(votes.ballot, votes.adopted)
        acceptor.told_watermark()
        if self._distinguished is None or acceptor.rules.acceptors_vote:
            effects.broadcast(votes)
        elif self._distinguished != self._node:
            effects.send(self._distinguished, votes)

    def committed(self, first: int, effects: Effects) -> None:
        """V[first..] has become committed here: as the distinguished learner, tell the others, which ask for what they
        lack."""
        acceptor, history = self._acceptor, self._acceptor.history
        if self._node == self._distinguished and not acceptor.rules.acceptors_vote:
            ids, digests = history.decrees(first, history.committed)
            bodies = history.bodies(first, history.committed, CHUNK_BYTES_MAX)
            count = chunk(ids[: len(bodies)], bodies)
            effects.broadcast(Committed(acceptor.promised, first, ids[:count], digests[:count], bodies[:count]))
