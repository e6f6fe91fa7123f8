"""The real :class:`~genpaxos.core.replica.Replica`, without time, and its state as a small canonical value.

What depends on the clock is replaced: a replica starts a ballot when the explorer says so, asks for what it misses
whenever it notices, and never beats. Everything else is the code that runs in production.
"""

import io
import pickle
from collections.abc import Container, Iterable, Sequence
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any, TypeVar

from genpaxos.core.ballot import ZERO, Ballot, BallotKind
from genpaxos.core.catchup import Catchup
from genpaxos.core.collision import Reports
from genpaxos.core.coordinator import Coordinator, Phase
from genpaxos.core.effects import Effects
from genpaxos.core.election import Election
from genpaxos.core.executor import Executor
from genpaxos.core.learner import Learner
from genpaxos.core.messages import Fetch, Heartbeat
from genpaxos.core.records import Record
from genpaxos.core.replica import Replica
from genpaxos.core.upkeep import Upkeep
from genpaxos.simulation.explore.scope import Cells, Scope

T = TypeVar("T")

DERIVED = frozenset({"_index", "positions", "_known", "_is_fast", "machine", "sessions", "applied"})
"""Attributes that are functions of the others, or that only say what has run: left out of a replica's value."""

OUTSIDE = frozenset({"node", "settings", "proposals", "upkeep", "election", "catchup", "routes", "pool", "_handlers"})
"""Attributes of a replica that are the same in all its states, or are put away after every step."""
UNORDERED = frozenset({"_votes"})
"""Counts: nothing depends on which came first."""
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


class PinningCoordinator(Coordinator):
    """Pins the quorum that the scope names."""

    pinned: tuple[int, ...] = ()

    def _kind(self) -> BallotKind:
        kind = super()._kind()
        return replace(kind, pinned=self.pinned) if kind.pinned else kind


class SmallCatchup(Catchup):
    """Serves a few decrees at a time."""

    chunk_max = 1

    def chunk(self, ids: Sequence[str]) -> list[str]:
        """The first of ``ids``."""
        return super().chunk(ids)[: self.chunk_max]


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
    if scope.pinned:
        replica.coordinator = coordinator = retyped(replica.coordinator, PinningCoordinator)
        coordinator.pinned = scope.pinned
        replica.catchup._coordinator = coordinator
    if scope.chunk:
        replica.catchup = catchup = retyped(replica.catchup, SmallCatchup)
        catchup.chunk_max = scope.chunk
    tidy(replica, keep_records=False, keep_offers=scope.chunk is not None)
    return replica


def tidy(replica: Replica, *, keep_records: bool, keep_offers: bool = False) -> None:
    """Put away what no later step depends on, and what a later step may be told again.

    The pool goes: what it holds is a client's command, which may arrive again at any time. So do votes, watermarks and
    reports, and what they made the executor run ahead: see :mod:`~genpaxos.simulation.explore.hearing`.
    """
    replica.pool.clear()
    coordinator, acceptor = replica.coordinator, replica.acceptor
    if coordinator.phase is Phase.PHASE1:
        coordinator._reports = {replica.node: coordinator._reports[replica.node]}
    else:
        coordinator._reports = {}
    if coordinator.phase is Phase.IDLE:
        coordinator.recovered = coordinator._unsent = 0
    acceptor.votes, acceptor.votes_start = ([], []), 0
    offer = acceptor._offer
    if not keep_offers or offer.ballot < acceptor.promised:
        acceptor._offer = type(offer)(ZERO)
    elif not offer.ids:
        offer.first = 1
    if offer.ballot == acceptor.accepted:
        offer.recovered = offer.committed = 0  # these matter on the way into a ballot only
    replica._watermark.sent(acceptor.accepted, replica.history.length)
    if not keep_records:
        acceptor.records = []
        replica._committed_written = 0
    forget(replica)


def forget(replica: Replica) -> None:
    """Leave nothing of what other replicas' phase 2b messages said."""
    acceptor, history = replica.acceptor, replica.history
    replica.learner = Learner(history, replica.coordinator._quorums)
    replica.learner.start(acceptor.accepted, acceptor.kind)
    replica.reports = Reports(replica.proposals.known)
    executor = WatchedExecutor(Cells(), history, replica.proposals.known)
    executor.run_committed()
    executor.done = ([], [])
    replica.executor = executor


def recall(replica: Replica) -> None:
    """What a replica knows by itself: its own votes and adoptions, and that the coordinator has adopted what it decreed."""
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


class Copies:
    """Copies of one replica's states, to resume from. What never changes is shared by all of them."""

    def __init__(self, replica: Replica) -> None:
        settings, table = replica.settings, type(replica.executor.machine).table
        shared = [replica.proposals, replica.proposals.known, replica.coordinator._quorums, settings, table]
        self._shared: dict[str, object] = {type(value).__name__: value for value in shared}

    def dump(self, replica: Replica) -> bytes:
        """A copy."""
        fixed = {id(replica.proposals): "Proposals", id(replica.proposals.known): "dict"}
        fixed[id(replica.coordinator._quorums)] = "QuorumSystem"
        fixed[id(replica.settings)] = "Settings"
        fixed[id(type(replica.executor.machine).table)] = "CommutativityTable"
        file = io.BytesIO()
        pickler = pickle.Pickler(file, pickle.HIGHEST_PROTOCOL)
        pickler.persistent_id = lambda value: fixed.get(id(value))  # type: ignore[method-assign]
        pickler.dump(replica)
        return file.getvalue()

    def load(self, data: bytes) -> Replica:
        """The replica again."""
        unpickler = pickle.Unpickler(io.BytesIO(data))
        unpickler.persistent_load = self._shared.__getitem__  # type: ignore[method-assign]
        replica: Replica = unpickler.load()
        return replica


def value_of(replica: Replica) -> tuple[Any, ...]:
    """The replica's state as nested tuples: equal exactly when the replicas behave alike from now on."""
    roles = {name: value for name, value in vars(replica).items() if name not in OUTSIDE}
    stop = {id(value) for value in roles.values() if hasattr(value, "__dict__")}
    stop |= {id(replica.proposals), id(replica.coordinator._quorums), id(replica.learner.quorums)}
    return tuple(
        (name, _attributes(value, stop) if hasattr(value, "__dict__") else freeze(value))
        for name, value in sorted(roles.items())
    )


def _attributes(role: object, stop: Container[int]) -> tuple[Any, ...]:
    return tuple(
        (name, _counts(value) if name in UNORDERED else freeze(value, stop))
        for name, value in sorted(vars(role).items())
        if id(value) not in stop and name not in DERIVED
    )


def _counts(value: Any) -> Any:
    return frozenset((key, _counts(inner)) for key, inner in value.items()) if isinstance(value, dict) else value


def freeze(value: Any, stop: Container[int] = ()) -> Any:
    """A hashable image of a value. Dictionaries keep their order: tails and reports mean something by it."""
    kind = type(value)
    if kind in ATOMS:
        return value
    if kind is Ballot:
        return (value.number, value.coordinator)
    if kind is dict:
        return tuple([(key, freeze(inner, stop)) for key, inner in value.items()])
    if kind in (list, tuple):
        return tuple([freeze(inner, stop) for inner in value])
    if kind in (set, frozenset):
        return frozenset(freeze(inner, stop) for inner in value)
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value):
        return (kind.__name__, *[freeze(getattr(value, field.name), stop) for field in fields(value)])
    return (kind.__name__, _attributes(value, stop))
