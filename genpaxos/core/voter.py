"""The voter in an acceptor: promises, fast votes, and what it tells of them (protocol §3, §4, §5).

Everything it changes it also writes down as a record (:mod:`genpaxos.core.replaying`).
"""

from itertools import islice

from genpaxos.core.ballot import CLASSIC, ZERO, Ballot, BallotKind
from genpaxos.core.commands import Proposals
from genpaxos.core.history import History
from genpaxos.core.messages import Nack, Phase1a, Phase1b
from genpaxos.core.outbox import Outbox
from genpaxos.core.policies import Rules, rules_of
from genpaxos.core.records import Accepted, Adopted, Entered, Promised, Record, Resolved


class Voter:
    """``promised`` and ``accepted`` are two variables, always: a promise is not a vote."""

    rules: Rules
    """The rules of the ballot that was accepted."""

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
        """Commands were adopted that it has not voted for: learners wait for its watermark."""
        self.proposals = proposals

    @property
    def kind(self) -> BallotKind:
        """The kind of the ballot that was accepted."""
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
        self.outbox.append(Accepted(ids, self.proposals.bodies(ids)))
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
        self.outbox.append(Adopted(ids, digests, [*self.proposals.bodies(ids)]))
        return digests

    def abstain(self, saturated: bool) -> None:
        """Whether the replica is saturated now, see :attr:`abstains`."""
        self.abstains = saturated

    def told_watermark(self) -> None:
        """The learners know what was adopted without a vote."""
        self.unvoted = False

    def follow(self, step: int) -> None:
        """Take over the furthest step that the acceptors have reported: this one takes part in none."""
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
        bodies = [None if had else self.proposals.known[i][0] for i, had in zip(ids, held, strict=True)]
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

    def _entered(self, ballot: Ballot, kind: BallotKind, first: int, ids: list[str], digests: list[int]) -> None:
        assert self.promised == ballot > self.accepted
        self.accepted, self.kind, self.step, self.queued = ballot, kind, 0, []
        self.outbox.append(Entered(ballot, kind, first, ids, digests, self.proposals.bodies(ids)))
