"""The real :class:`~genpaxos.core.replica.Replica`, without time, and its state as a small canonical value.

What depends on the clock is replaced: a replica starts a ballot when the explorer says so, asks for what it misses
whenever it notices, and never beats. Everything else is the code that runs in production.
"""

from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from enum import Enum
from typing import Any, NamedTuple, TypeVar

from commutativity import InterferenceIndex
from genpaxos.core.acceptor import _Offer
from genpaxos.core.answers import Answers
from genpaxos.core.ballot import ZERO, Ballot, BallotKind
from genpaxos.core.catchup import Catchup
from genpaxos.core.collision import Reports
from genpaxos.core.commands import Body
from genpaxos.core.coordinator import Coordinator, Phase
from genpaxos.core.effects import Effects
from genpaxos.core.election import Election
from genpaxos.core.executor import Executor
from genpaxos.core.learner import Learner
from genpaxos.core.messages import Fetch, Heartbeat, Phase1b
from genpaxos.core.records import Record
from genpaxos.core.replica import Replica
from genpaxos.core.sessions import Sessions
from genpaxos.core.upkeep import Upkeep
from genpaxos.explore.scope import Cells, Scope

T = TypeVar("T")

ATOMS = frozenset({int, str, bool, float, bytes, type(None)})


class TimelessUpkeep(Upkeep):
    """Campaigns when told to, and asks again without counting."""

    campaigns = False

    def on_time(self, now_ms: float, effects: Effects) -> bool:  # noqa: ARG002
        """Time does not pass."""
        due, self.campaigns = self.campaigns, False
        return due

    def fetch(self, source: int, wanted: int, effects: Effects) -> None:
        """Ask, as often as there is occasion to."""
        effects.send(source, Fetch(wanted))

    def on_unknown(self, voter: int, ids: list[str]) -> None:
        """All bodies are known."""


class ScriptedElection(Election):
    """The explorer decides who coordinates; nobody needs to be heard for it."""

    scripted: Ballot = ZERO

    def heard(self, sender: int, now_ms: float) -> None:
        """Nothing depends on who is heard."""

    def on_heartbeat(self, sender: int, beat: Heartbeat, now_ms: float) -> None:
        """There are none."""

    def saw_ballot(self, ballot: Ballot, now_ms: float) -> None:
        """The explorer knows."""

    def next_ballot(self, promised: Ballot) -> Ballot:  # noqa: ARG002
        """The ballot that is to be started."""
        return self.scripted


class ScopedCoordinator(Coordinator):
    """Starts ballots of the kinds that the scope names."""

    scope: Scope

    def _kind(self) -> BallotKind:
        self.policy = self.scope.policy_of(self.ballot)
        kind = super()._kind()
        return replace(kind, pinned=self.scope.pinned) if kind.pinned and self.scope.pinned else kind


class SmallCatchup(Catchup):
    """Serves a few decrees at a time."""

    chunk_max = 1

    def chunk(self, ids: Sequence[str], bodies: Sequence[Body]) -> int:
        """The first few."""
        return min(super().chunk(ids, bodies), self.chunk_max)


class WatchedExecutor(Executor):
    """Keeps what it is told was learned fast, for the invariants."""

    learned: tuple[tuple[str, int], ...] = ()

    def run_learned(self, ids: Sequence[str], digests: Sequence[int]) -> None:
        """Note and run."""
        self.learned += tuple(zip(ids, digests, strict=True))
        super().run_learned(ids, digests)


class TimelessReplica(Replica):
    """Leaves it to the explorer when a ballot is started: any may be, at any time."""

    def begin_phase1(self, effects: Effects) -> None:
        """Start the ballot that is scripted, if one is."""
        assert isinstance(self.election, ScriptedElection)
        if self.election.scripted > self.acceptor.promised:
            super().begin_phase1(effects)


def retyped(value: object, kind: type[T]) -> T:
    """The same object, of a subclass."""
    made = kind.__new__(kind)
    vars(made).update(vars(value))
    return made


def start(scope: Scope, node: int, records: Iterable[Record] = ()) -> Replica:
    """A replica that starts from what stable storage holds."""
    replica = TimelessReplica(node, Cells(), scope.settings(), 0.0, records)
    commands = scope.command_list()
    replica.proposals.add([name for name, _ in commands], [body for _, body in commands])
    replica.upkeep = retyped(replica.upkeep, TimelessUpkeep)
    replica.upkeep.fast_quorum_heard = True
    replica.election = retyped(replica.election, ScriptedElection)
    replica.executor = retyped(replica.executor, WatchedExecutor)
    replica.coordinator = coordinator = retyped(replica.coordinator, ScopedCoordinator)
    coordinator.scope = scope
    replica.catchup = _catchup(replica, scope)
    replica.acceptor.records = []
    return replica


def _catchup(replica: Replica, scope: Scope) -> Catchup:
    """One that has served nobody yet: an image holds neither requests nor what left lately."""
    kind = SmallCatchup if scope.chunk else Catchup
    catchup = kind(replica.acceptor, replica.coordinator, replica.proposals)
    if isinstance(catchup, SmallCatchup):
        catchup.chunk_max = scope.chunk or catchup.chunk_max
    return catchup


class Image(NamedTuple):
    """All that a replica's later steps depend on, but for what they may be told again.

    The pool is left out: what it holds is a client's command, which may arrive again at any time. So are votes,
    watermarks and reports, and what they made the executor run ahead: see
    :mod:`~genpaxos.explore.hearing`.
    """

    promised: Ballot
    accepted: Ballot
    kind: BallotKind
    step: int
    ids: tuple[str, ...]
    digests: tuple[int, ...]
    tail: tuple[tuple[str, int], ...]
    committed: int
    ballot: Ballot
    phase: Phase
    recovered: int
    own: Phase1b | None
    """In phase 1: the report of the acceptor beside the coordinator, made when phase 1 began."""
    offer: tuple[Ballot, BallotKind, int, int, int, tuple[str, ...], tuple[int, ...]] | None
    """Decrees of a ballot not entered yet; only where answers are short."""
    records: tuple[Record, ...]
    """Not written yet; only where replicas crash."""
    written: int
    """The commit index last written; likewise."""

    @property
    def key(self) -> tuple[Any, ...]:
        """A hashable twin."""
        return (*self[:11], freeze(self.own), self.offer, freeze(self.records), self.written)


def image_of(replica: Replica, *, keep_records: bool, keep_offers: bool) -> Image:
    """What to resume a replica from."""
    acceptor, history, coordinator = replica.acceptor, replica.history, replica.coordinator
    offer = acceptor._offer
    kept = None
    if keep_offers and offer.ballot == acceptor.promised and offer.ids:
        entered = offer.ballot == acceptor.accepted  # what was recovered matters on the way into a ballot only
        head = (offer.ballot, offer.kind, 0 if entered else offer.recovered, 0 if entered else offer.committed)
        kept = (*head, offer.first, tuple(offer.ids), tuple(offer.digests))
    return Image(
        acceptor.promised,
        acceptor.accepted,
        acceptor.kind,
        acceptor.step,
        tuple(history.ids),
        tuple(history.digests),
        tuple(history.tail.items()),
        history.committed,
        coordinator.ballot,
        coordinator.phase,
        coordinator.recovered if coordinator.leading else 0,
        coordinator._reports[replica.node] if coordinator.phase is Phase.PHASE1 else None,
        kept,
        tuple(acceptor.records) if keep_records else (),
        replica._committed_written if keep_records else 0,
    )


def resume(replica: Replica, image: Image) -> None:
    """Put a replica into the state of an image, whatever state it is in."""
    acceptor, history, coordinator = replica.acceptor, replica.history, replica.coordinator
    acceptor.promised, acceptor.accepted, acceptor.kind, acceptor.step = image[:4]
    acceptor.queued, acceptor.records = [], list(image.records)
    history.ids, history.digests, history.tail = list(image.ids), list(image.digests), dict(image.tail)
    history.positions = {command: index for index, command in enumerate(image.ids, 1)}
    history.committed = image.committed
    history._index = InterferenceIndex(Cells.table)
    for command, digest in [*zip(image.ids, image.digests, strict=True), *image.tail]:
        history._index.add(replica.proposals.known[command][1], digest)
    acceptor._reported = (history.revision, acceptor.step, len(history.tail))  # what it held was told when it came
    coordinator.ballot, coordinator.phase, coordinator.recovered = image.ballot, image.phase, image.recovered
    coordinator._reports = {replica.node: image.own} if image.own is not None else {}
    coordinator._unsent = history.length + 1
    acceptor._offer = _offer(image)
    replica.pool.clear()
    replica._watermark.sent(acceptor.accepted, history.length)
    replica._committed_written = image.written
    replica.learner = Learner(history, coordinator._quorums, replica.proposals.settled)
    replica.learner.start(acceptor.accepted, acceptor.kind)
    replica.reports = Reports(replica.proposals.known, Cells.table)
    assert isinstance(coordinator, ScopedCoordinator)
    replica.catchup = _catchup(replica, coordinator.scope)
    replica.executor = executor = WatchedExecutor(Cells(), history, replica.proposals.known, Sessions())
    replica.answers = Answers(executor, replica.proposals)
    executor.run_committed()
    executor.take_done()


def _offer(image: Image) -> _Offer:
    offer = _Offer(ZERO)
    if image.offer is not None:
        offer.ballot, offer.kind, offer.recovered, offer.committed, offer.first, ids, digests = image.offer
        offer.ids, offer.digests = list(ids), list(digests)
    return offer


def recall(replica: Replica) -> None:
    """What a replica knows by itself: its own votes and adoptions, and that the coordinator adopts what it decrees."""
    acceptor, history, learner = replica.acceptor, replica.history, replica.learner
    if acceptor.accepted == ZERO:
        return
    for adopter in {replica.node, acceptor.accepted.coordinator}:
        learner.on_adopted(adopter, acceptor.accepted, history.length)
    if acceptor.accepted.coordinator == replica.node and not acceptor.kind.acceptors_order:
        ids, digests = history.decrees(history.committed + 1)  # a coordinator that orders commands votes by decreeing
    else:
        ids, digests = list(history.tail), list(history.tail.values())
    learner.on_votes(replica.node, acceptor.accepted, ids, digests, acceptor.step)


def run_ahead(replica: Replica) -> None:
    """As though all that the coordinator has decreed had been learned fast, and run, before it is committed."""
    history = replica.history
    replica.executor.run_learned(*history.decrees(history.committed + 1))
    assert isinstance(replica.executor, WatchedExecutor)
    replica.executor.learned = ()


def freeze(value: Any) -> Any:
    """A hashable image of a message or a record, or of several."""
    kind = type(value)
    if kind in ATOMS:
        return value
    if isinstance(value, (Enum, Ballot, BallotKind)):
        return value
    if kind in (list, tuple):
        return tuple([freeze(inner) for inner in value])
    return (kind.__name__, *[freeze(getattr(value, field.name)) for field in fields(value)])
