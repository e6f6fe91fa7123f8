"""The acceptor: adoption of decrees (protocol §3 and §5; Lamport, *Fast Paxos* §3.1), beside promises and votes.

Everything it changes it also writes down as a record; :meth:`Acceptor.replay` rebuilds the same state from the records.
"""

from itertools import takewhile
from typing import NamedTuple

from commutativity import InterferenceIndex
from genpaxos.core import replaying
from genpaxos.core.ballot import ZERO, Ballot, BallotKind
from genpaxos.core.commands import Body, Proposals
from genpaxos.core.history import History
from genpaxos.core.messages import Committed, Nack, Phase2a
from genpaxos.core.offer import Offer, OfferState
from genpaxos.core.outbox import Outbox
from genpaxos.core.records import Adopted, CommitIndex, Entered, Learned, Promised, Record, Resolved
from genpaxos.core.voter import Voter


class AcceptorState(NamedTuple):
    """What an acceptor remembers beside its history."""

    promised: Ballot
    accepted: Ballot
    kind: BallotKind
    step: int
    offer: OfferState | None


class Acceptor(Voter):
    """A voter that takes up decrees, of its ballot and of those that others know to be committed."""

    def __init__(self, node: int, history: History, proposals: Proposals, outbox: Outbox | None = None) -> None:
        super().__init__(node, history, proposals, outbox)
        self._offer = Offer(ZERO)

    def on_phase2a(self, message: Phase2a) -> Nack | None:
        """Take up decrees: at once in the ballot this acceptor is in, else when V[1..recovered] is complete."""
        if message.ballot < self.promised:
            return Nack(message.ballot, self.promised)
        self.promise(message.ballot)
        if self._offer.ballot != message.ballot:
            self._offer = Offer(message.ballot)
        self._offer.take(message, self._wanted(message.ballot))
        self.adopt_offered()
        return None

    def adopt_offered(self) -> None:
        """Adopt what is offered in index order, as far as the bodies are known (protocol §3, Phase 2a)."""
        offer, history = self._offer, self.history
        if offer.ballot == ZERO or offer.ballot != self.promised:
            return
        if self.accepted != offer.ballot:
            offer.skip_to(history.committed + 1)
            self._take_over_committed(offer)
            if offer.reaches_recovered() and not self.missing_bodies():
                first = history.committed + 1
                ids, digests = offer.drop(len(offer.ids))
                history.replace(first, ids, digests)
                self._entered(offer.ballot, offer.kind, first, ids, digests)
        else:
            offer.skip_to(history.length + 1)
            self._adopt_next(offer)

    @property
    def has_offers(self) -> bool:
        """Whether decrees were received that are not adopted yet."""
        return bool(self._offer.ids)

    def missing_bodies(self) -> list[str]:
        """Commands decreed to this acceptor that it cannot adopt without their bodies.

        The sessions are not asked: what V holds behind the commit index has not run here, or ran ahead and is known. A
        number that its client used for two commands and acknowledged says nothing about the second.
        """
        offer, known = self._offer, self.proposals.known
        if offer.ballot != self.promised:
            return []
        behind = max(0, self.history.committed + 1 - offer.first)
        return [command for command in offer.ids[behind:] if command not in known]

    def next_wanted(self) -> int:
        """The index of the next decree this acceptor lacks in the ballot it has promised."""
        if self._offer.ballot == self.promised and self._offer.ids:
            return self._offer.next
        return self._wanted(self.promised)

    def on_committed(self, message: Committed) -> bool:
        """Take over committed decrees from a peer; says whether there were new ones.

        They are part of every later ballot's V, so nothing this acceptor voted for can contradict them; where its own
        undecided decrees differ, they were of a ballot that lost. The promise keeps it from voting on in that one.
        """
        history = self.history
        self.promise(message.ballot)
        skip = history.committed + 1 - message.first
        ids, digests = message.ids[skip:], message.digests[skip:]
        if skip < 0 or not ids:
            return False
        self._learn(history.committed + 1, ids, digests)
        return True

    def restart(self, index: int, log_sum: int, sums: InterferenceIndex) -> None:
        """Take V[1..index] from a snapshot as committed: ``V[1..index] • (history without it)``.

        As with committed decrees from a peer, nothing this acceptor voted for can contradict it. The caller has seen by
        :meth:`History.log_sum` that this is another log: what this one held behind ``index`` is of a ballot that lost.
        """
        history = self.history
        rest = [*history.decrees(history.committed + 1)[0], *history.tail]
        history.restart(index, log_sum, sums)
        history.accept(history.following(history.undecreed(rest)))

    def note_committed(self, index: int) -> None:
        """V[1..index], which this acceptor has adopted, is committed."""
        self.history.commit(index)
        self.outbox.append(CommitIndex(index))

    def records_behind(self, index: int) -> list[Record]:
        """What rebuilds this acceptor from V[1..index]: its part of a snapshot."""
        return replaying.records_behind(self, index)

    def replay(self, record: Record) -> None:
        """Apply a record read back from stable storage."""
        match record:
            case Promised(ballot):
                self.promised = max(self.promised, ballot)
            case Entered(ballot, kind):
                self.accepted, self.kind, self.step = ballot, kind, 0
                self.promised = max(self.promised, ballot)
            case Resolved(step):
                self.step = step
        replaying.rebuild(self.history, self.proposals, record, reports_tails=self.rules.reports_tails)

    def state(self) -> AcceptorState:
        """Where it stands, besides its history and what is to be written."""
        return AcceptorState(self.promised, self.accepted, self.kind, self.step, self._offer.state(self.promised))

    def load(self, state: AcceptorState) -> None:
        """Stand where :meth:`state` said, with the history that belongs to it. Votes it holds count as told."""
        self.promised, self.accepted, self.kind, self.step, offer = state
        self.queued = []
        self._reported = (self.history.revision, self.step, len(self.history.tail))
        self._offer = Offer.load(offer)

    def _adopt_next(self, offer: Offer) -> None:
        known = self.proposals.known
        ready = len(offer.ids)
        if not all(map(known.__contains__, offer.ids)):
            ready = sum(1 for _ in takewhile(known.__contains__, offer.ids))
        if not ready:
            return
        ids, digests = offer.drop(ready)
        held = self.history.adopt(ids, digests)
        if self.history.closing.held and self.queued:
            self.queued = [command for command in self.queued if self.history.holds(command)]
        bodies: list[Body | None] = [None if had else known[i][0] for i, had in zip(ids, held, strict=True)]
        self.outbox.append(Adopted(ids, digests, bodies))
        if self.rules.reports_tails:
            self.history.reorder([])  # its labels are told, and must be exact
        elif self.votes_fast and not all(held):
            if self.votes_now:
                self.queued += [command for command, had in zip(ids, held, strict=True) if not had]
            else:
                self.unvoted = True

    def _take_over_committed(self, offer: Offer) -> None:
        """Learn at once what is committed already: a replica that lags need not hold all it missed in its offer."""
        count = min(offer.committed, offer.next - 1) - self.history.committed
        if count > 0 and all(command in self.proposals.known for command in offer.ids[:count]):
            first = offer.first
            self._learn(first, *offer.drop(count))

    def _learn(self, first: int, ids: list[str], digests: list[int]) -> None:
        """Take V[first..] as committed.

        Where the acceptor has adopted just these, it keeps what it adopted behind them: that is still its value in the
        ballot it accepted, and the next phase 1 may have to find it there.
        """
        history = self.history
        last = first + len(ids) - 1
        if history.decrees(first, last) == (ids, digests):
            self.note_committed(last)
        else:
            history.take_over(first, ids, digests)
            self.outbox.append(Learned(first, ids, digests, self.proposals.bodies(ids)))

    def _wanted(self, ballot: Ballot) -> int:
        return (self.history.length if self.accepted == ballot else self.history.committed) + 1
