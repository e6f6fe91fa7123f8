"""The real :class:`~genpaxos.core.replica.Replica`, without time, and its state as a small canonical value.

What depends on the clock is replaced: a replica starts a ballot when the explorer says so, asks for what it misses
whenever it notices, and sends no heartbeats. Everything else is the code that runs in production.
"""

from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from enum import Enum
from typing import Any, NamedTuple

from genpaxos.core.acceptor import AcceptorState
from genpaxos.core.ballot import ZERO, Ballot, BallotKind
from genpaxos.core.campaign import Campaign
from genpaxos.core.commands import Body
from genpaxos.core.conversations import Parts
from genpaxos.core.coordinator import Coordinator, CoordinatorState
from genpaxos.core.effects import Effects
from genpaxos.core.election import Election
from genpaxos.core.messages import Fetch, Heartbeat
from genpaxos.core.policies import rules_of
from genpaxos.core.records import Record
from genpaxos.core.replica import Replica
from genpaxos.core.requests import Requests
from genpaxos.core.serving import Serving
from genpaxos.core.sessions import Sessions
from genpaxos.core.upkeep import Upkeep
from genpaxos.explore.scope import Cells, Scope

ATOMS = frozenset({int, str, bool, float, bytes, type(None)})


class TimelessUpkeep(Upkeep):
    """Campaigns when told to."""

    campaigns = False

    def on_time(self, now_ms: float, effects: Effects) -> bool:  # noqa: ARG002
        """Time does not pass."""
        due, self.campaigns = self.campaigns, False
        return due


class TimelessRequests(Requests):
    """Asks again without counting."""

    def fetch(self, source: int, wanted: int, effects: Effects) -> None:
        """Ask, as often as there is occasion to."""
        effects.send(source, Fetch(wanted))

    def on_unknown(self, voter: int, ids: Sequence[str]) -> None:
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


class SmallServing(Serving):
    """Serves a few decrees at a time, if the scope says so."""

    chunk_max: int | None = None

    def chunk(self, ids: Sequence[str], bodies: Sequence[Body]) -> int:
        """The first few."""
        count = super().chunk(ids, bodies)
        return count if self.chunk_max is None else min(count, self.chunk_max)


class ScriptedCampaign(Campaign):
    """Leaves it to the explorer when a ballot is started: any may be, at any time."""

    def begin(self, effects: Effects) -> None:
        """Start the ballot that is scripted, if one is."""
        assert isinstance(self._election, ScriptedElection)
        if self._election.scripted > self._acceptor.promised:
            super().begin(effects)


class TimelessReplica(Replica):
    """A replica made of the classes above."""

    parts = Parts(ScriptedElection, ScopedCoordinator, TimelessRequests, SmallServing, ScriptedCampaign, TimelessUpkeep)


def start(scope: Scope, node: int, records: Iterable[Record] = ()) -> Replica:
    """A replica that starts from what stable storage holds."""
    replica = TimelessReplica(node, Cells(), scope.settings(), 0.0, records)
    commands = scope.command_list()
    replica.proposals.add([name for name, _ in commands], [body for _, body in commands])
    replica.fastpath.quorum_heard = True
    assert isinstance(replica.coordinator, ScopedCoordinator)
    replica.coordinator.scope = scope
    assert isinstance(replica.serving, SmallServing)
    replica.serving.chunk_max = scope.chunk or None
    replica.outbox.load([], replica.outbox.committed)
    return replica


class Image(NamedTuple):
    """All that a replica's later steps depend on, but for what they may be told again.

    The pool is left out: what it holds is a client's command, which may arrive again at any time. So are votes,
    watermarks and reports, and what they made the executor run ahead: see :mod:`~genpaxos.explore.hearing`.
    """

    acceptor: AcceptorState
    """Decrees of a ballot not entered yet are part of it only where answers are short."""
    history: tuple[tuple[str, ...], tuple[int, ...], tuple[tuple[str, int], ...], int]
    coordinator: CoordinatorState
    records: tuple[Record, ...]
    """Not written yet; only where replicas crash."""
    written: int
    """The commit index last written; likewise."""

    @property
    def key(self) -> tuple[Any, ...]:
        """A hashable copy."""
        coordinator = (*self.coordinator[:3], freeze(self.coordinator.own))
        return (self.acceptor, self.history, coordinator, freeze(self.records), self.written)


def image_of(replica: Replica, *, keep_records: bool, keep_offers: bool) -> Image:
    """What to resume a replica from."""
    acceptor = replica.acceptor.state()
    offer = acceptor.offer if keep_offers else None
    if offer is not None and offer.ballot == acceptor.accepted:  # what was recovered matters on the way into a ballot
        offer = offer._replace(recovered=0, committed=0)
    return Image(
        acceptor._replace(offer=offer),
        replica.history.state(),
        replica.coordinator.state(),
        tuple(replica.outbox.records) if keep_records else (),
        replica.outbox.committed if keep_records else 0,
    )


def resume(replica: Replica, image: Image) -> None:
    """Put a replica into the state of an image, whatever state it is in."""
    replica.history.load(*image.history)
    replica.acceptor.load(image.acceptor)
    replica.coordinator.load(image.coordinator)
    replica.outbox.load(list(image.records), image.written)
    replica.pool.take()
    replica.telling.watermark.sent(replica.acceptor.accepted, replica.history.length)
    replica.learner.reset()
    replica.learner.start(replica.acceptor.accepted, replica.acceptor.kind)
    replica.reports.reset()
    replica.serving.reset()
    replica.executor.restart(Cells(), Sessions())
    replica.answers.reset()
    replica.executor.run_committed()
    replica.executor.take_done()


def recall(replica: Replica) -> None:
    """What a replica knows by itself: its own votes and adoptions, and that the coordinator adopts what it decrees."""
    acceptor, history, learner = replica.acceptor, replica.history, replica.learner
    if acceptor.accepted == ZERO:
        return
    for adopter in {replica.node, acceptor.accepted.coordinator}:
        learner.on_adopted(adopter, acceptor.accepted, history.length)
    if acceptor.accepted.coordinator == replica.node and rules_of(acceptor.kind).coordinator_orders:
        ids, digests = history.decrees(history.committed + 1)  # a coordinator that orders commands votes by decreeing
    else:
        ids, digests = list(history.tail), list(history.tail.values())
    learner.on_votes(replica.node, acceptor.accepted, ids, digests, acceptor.step)


def run_ahead(replica: Replica) -> None:
    """As though all that the coordinator has decreed had been learned fast, and run, before it is committed."""
    history = replica.history
    replica.executor.run_learned(*history.decrees(history.committed + 1))


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
