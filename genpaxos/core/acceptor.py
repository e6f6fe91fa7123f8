"""The acceptor: promises, fast votes, adoption of decrees (protocol §3 and §5; Lamport, *Fast Paxos* §3.1).

Everything it changes it also writes down as a record; :meth:`Acceptor.replay` rebuilds the same state from the records.
"""

from itertools import islice, takewhile
from typing import NamedTuple

from commutativity import InterferenceIndex, InvalidCommand
from genpaxos.core.ballot import CLASSIC, ZERO, Ballot, BallotKind
from genpaxos.core.commands import Body, Proposals
from genpaxos.core.history import DivergenceError, History
from genpaxos.core.messages import Committed, Nack, Phase1a, Phase1b, Phase2a
from genpaxos.core.offer import Offer, OfferState
from genpaxos.core.outbox import Outbox
from genpaxos.core.policies import Rules, rules_of
from genpaxos.core.records import Accepted, Adopted, CommitIndex, Entered, Learned, Promised, Record, Resolved


class AcceptorState(NamedTuple):
    """What an acceptor remembers beside its history."""

    promised: Ballot
    accepted: Ballot
    kind: BallotKind
    step: int
    offer: OfferState | None


class Acceptor:
    """``promised`` and ``accepted`` are two variables, always: a promise is not a vote."""

    rules: Rules
    """Of the ballot that was accepted."""

    def __init__(self, node: int, history: History, proposals: Proposals, outbox: Outbox | None = None) -> None:
        self.node = node
        self.promised: Ballot = ZERO
        self.accepted: Ballot = ZERO
        self.kind = CLASSIC
        self.history = history
        self.outbox = outbox or Outbox()
        """Where its records go; other roles of its replica write there too."""
        self.step = 0
        """The step within an uncoordinated ballot."""
        self.queued: list[str] = []
        """Where the coordinator orders: commands voted for since votes were last taken (:meth:`take_votes`)."""
        self._reported = (0, 0, 0)
        """Where acceptors order: how much of the tail was told, at which revision of the history and in which step."""
        self.abstains = False
        """The replica is saturated. There is no delay left to save then, and decrees alone, learned by watermarks, cost
        all replicas less. A vote that is not cast is a vote that is lost, hence safe. Where the acceptors' own orders
        count it votes all the same: there nothing is decreed that they do not vote for."""
        self.unvoted = False
        """Commands were adopted that it has not voted for: who learns them waits for its watermark."""
        self._proposals = proposals
        self._offer = Offer(ZERO)

    @property
    def kind(self) -> BallotKind:
        """Of the ballot that was accepted."""
        return self._kind

    @kind.setter
    def kind(self, kind: BallotKind) -> None:
        """A ballot is entered: what its policy decides is looked up once."""
        self._kind = kind
        self.rules = rules_of(kind)
        self._may_vote = self.rules.may_vote(kind, self.node)

    @property
    def records(self) -> list[Record]:
        """What this acceptor, and others of its replica, have changed and is not durable yet."""
        return self.outbox.records

    @property
    def current(self) -> bool:
        """Whether the acceptor takes part in the highest ballot it knows of."""
        return self.accepted == self.promised != ZERO

    @property
    def votes_fast(self) -> bool:
        """Whether a command straight from a client gets this acceptor's vote: only those of a pinned quorum need to."""
        return self._may_vote and self.current

    @property
    def votes_now(self) -> bool:
        """Whether it does give that vote."""
        return self.votes_fast and (not self.abstains or self.rules.saturated_votes)

    def promise(self, ballot: Ballot) -> None:
        """Raise ``promised``. Votes queued for lower ballots are dropped: they must not follow the promise."""
        if ballot > self.promised:
            self.promised = ballot
            self.outbox.append(Promised(ballot))
            self.queued = []

    def on_phase1a(self, message: Phase1a) -> Phase1b | Nack:
        """Promise ``message.ballot`` and report, or say what was promised instead."""
        if message.ballot < self.promised:
            return Nack(message.ballot, self.promised)
        self.promise(message.ballot)
        history = self.history
        first = max(message.committed, history.committed) + 1
        ids, digests = history.decrees(first)
        return Phase1b(
            message.ballot, self.accepted, self.kind, history.committed, first, ids, digests, list(history.tail)
        )

    def accept(self, ids: list[str]) -> None:
        """Vote for commands that came straight from clients (protocol §3, Fast accept)."""
        ids = self.history.following(ids)
        if not ids:
            return
        self.history.accept(ids)
        self.outbox.append(Accepted(ids, self._proposals.bodies(ids)))
        self.queued.extend(ids)

    def take_votes(self) -> tuple[list[str], list[int], int]:
        """What is to be told now of this acceptor's votes: ids, digests, and where in the tail they begin.

        Digests are read from the history as it is when the votes leave; none is kept from before. So whatever moved V
        or changed a label since, by whatever way, is in them, and they are what ``V[1..length] • tail`` holds:

        - where acceptors order, a part of the tail, in its order, from the place that is returned. It goes on where the
          last one ended if nothing but appending has happened to the tail since (:attr:`History.revision`), and else is
          the whole tail;
        - where the coordinator orders, commands that were voted for, each with the label that the history holds it with
          now: in the tail or, if its decree has come meanwhile, in V.

        An acceptor that has promised a higher ballot has no votes to tell in the one before.
        """
        reports = self.rules.reports_tails
        if not reports and not self.queued:
            return [], [], 0
        queued, self.queued = self.queued, []
        if not self.current:
            return [], [], 0
        if not reports:
            tail = self.history.tail
            try:
                return queued, [tail[command] for command in queued], 0
            except KeyError:  # a decree has come meanwhile
                return *self.history.labels(queued), 0
        revision, tail = self.history.revision, self.history.tail
        told, step, start = self._reported
        if (told, step) != (revision, self.step):
            start = 0
        self._reported = (revision, self.step, len(tail))
        return list(islice(tail, start, None)), list(islice(tail.values(), start, None)), start

    def decree(self, ids: list[str]) -> list[int]:
        """The coordinator's own acceptor: vote and decree are one."""
        ids = self.history.following(ids)
        if not ids:
            return []
        digests = self.history.decree(ids)
        self.outbox.append(Adopted(ids, digests, [*self._proposals.bodies(ids)]))
        return digests

    def abstain(self, saturated: bool) -> None:
        """Whether the replica is saturated now, see :attr:`abstains`."""
        self.abstains = saturated

    def told_watermark(self) -> None:
        """Who learns what was adopted without a vote has been told."""
        self.unvoted = False

    def follow(self, step: int) -> None:
        """Of one that takes part in no step: the furthest that the acceptors have reported."""
        self.step = step

    def restate(self) -> None:
        """Where acceptors order: tell the whole tail again. A report may be lost."""
        self._reported = (0, 0, 0)

    def insert(self, ids: list[str]) -> dict[str, int]:
        """Decree commands that stand in the tails of others, and perhaps in this one's (protocol §4.2).

        Returns their digests; those that may not follow (:meth:`History.following`) are left out.
        """
        ids = self.history.following(ids, behind_tail=False)
        held = [command in self.history.tail for command in ids]
        digests = self.history.insert(ids)
        bodies = [None if had else self._proposals.known[i][0] for i, had in zip(ids, held, strict=True)]
        self.outbox.append(Adopted(ids, digests, bodies))
        return dict(zip(ids, digests, strict=True))

    def resolve(self, order: list[str]) -> None:
        """``history := order • rest``, and vote for it in the next step (protocol §4.3)."""
        if not order:
            return
        self.step += 1
        self.history.reorder(order)
        self.outbox.append(Resolved(self.step, order))

    def lead(self, ballot: Ballot, kind: BallotKind) -> None:
        """The coordinator's own acceptor enters the ballot it starts: its history is what phase 1 proved safe."""
        first = self.history.committed + 1
        self._entered(ballot, kind, first, *self.history.decrees(first))

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
        """Commands decreed to this acceptor that it cannot adopt for want of their bodies.

        The sessions are not asked: what V holds behind the commit index has not run here, or ran ahead and is known. A
        number that its client used for two commands and acknowledged says nothing about the second.
        """
        offer, known = self._offer, self._proposals.known
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
        history, bodies = self.history, self._proposals.bodies
        made: list[Record] = []
        if self.accepted != ZERO:
            ids, digests = history.decrees(index + 1)
            made.append(Entered(self.accepted, self.kind, index + 1, ids, digests, bodies(ids)))
        if history.tail:
            made.append(Accepted(list(history.tail), bodies(history.tail)))
        if self.step:
            made.append(Resolved(self.step, []))
        made.append(Promised(self.promised))
        return made

    def state(self) -> AcceptorState:
        """Where it stands, besides its history and what is to be written."""
        return AcceptorState(self.promised, self.accepted, self.kind, self.step, self._offer.state(self.promised))

    def load(self, state: AcceptorState) -> None:
        """Stand where :meth:`state` said, with the history that belongs to it. Votes it holds count as told."""
        self.promised, self.accepted, self.kind, self.step, offer = state
        self.queued = []
        self._reported = (self.history.revision, self.step, len(self.history.tail))
        self._offer = Offer.load(offer)

    def replay(self, record: Record) -> None:
        """Apply a record read back from stable storage."""
        match record:
            case Promised(ballot):
                self.promised = max(self.promised, ballot)
            case Accepted(ids, bodies):
                self._readmit(ids, bodies)
                self.history.accept(ids)
            case Entered(ballot, kind, first, ids, digests, bodies):
                self._readmit(ids, bodies)
                self.history.replace(first, ids, digests)
                self.accepted, self.kind, self.step = ballot, kind, 0
                self.promised = max(self.promised, ballot)
            case Adopted(ids, digests, bodies):
                known = [(i, body) for i, body in zip(ids, bodies, strict=True) if body is not None]
                self._readmit([i for i, _ in known], [body for _, body in known])
                self.history.adopt(ids, digests)
                if self.rules.reports_tails:
                    self.history.reorder([])
            case Resolved(step, ids):
                self.step = step
                self.history.reorder(ids)
            case Learned(first, ids, digests, bodies):
                self._readmit(ids, bodies)
                self._take_over(first, ids, digests)
            case CommitIndex(index):
                self.history.commit(max(self.history.committed, index))

    def _entered(self, ballot: Ballot, kind: BallotKind, first: int, ids: list[str], digests: list[int]) -> None:
        assert self.promised == ballot > self.accepted
        self.accepted, self.kind, self.step, self.queued = ballot, kind, 0, []
        self.outbox.append(Entered(ballot, kind, first, ids, digests, self._proposals.bodies(ids)))

    def _adopt_next(self, offer: Offer) -> None:
        known = self._proposals.known
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
        if count > 0 and all(command in self._proposals.known for command in offer.ids[:count]):
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
            self._take_over(first, ids, digests)
            self.outbox.append(Learned(first, ids, digests, self._proposals.bodies(ids)))

    def _take_over(self, first: int, ids: list[str], digests: list[int]) -> None:
        self.history.replace(first, ids, digests)
        self.history.commit(first + len(ids) - 1)

    def _wanted(self, ballot: Ballot) -> int:
        return (self.history.length if self.accepted == ballot else self.history.committed) + 1

    def _readmit(self, ids: list[str], bodies: list[list[object]]) -> None:
        """What is stored lies behind the cut, whatever its number was acknowledged for since."""
        try:
            self._proposals.readmit(ids, bodies)
        except InvalidCommand as error:
            raise DivergenceError(f"a stored command is not one of this machine's: {error}") from error
