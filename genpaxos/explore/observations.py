"""What the explorer sees of a replica and of what its steps did."""

from dataclasses import dataclass
from typing import NamedTuple

from genpaxos.core.ballot import ZERO, Ballot, BallotKind
from genpaxos.core.coordinator import Phase
from genpaxos.core.effects import Effects
from genpaxos.core.messages import Phase1b, Phase2a, Phase2b
from genpaxos.core.policies import rules_of
from genpaxos.core.replica import Replica

Pairs = tuple[tuple[str, int], ...]
"""Commands with their digests."""


class Vote(NamedTuple):
    """What an acceptor says in a ballot: fast votes, and how many decrees it has adopted."""

    ballot: Ballot
    step: int
    votes: Pairs
    adopted: int


class Deeds(NamedTuple):
    """What a step did that the invariants are about."""

    node: int
    promised: Ballot
    """The highest ballot that the step's messages promise, or vote in."""
    voted: tuple[Vote, ...]
    led: tuple[Ballot, BallotKind, int, Pairs] | None
    """The ballot led, the length V was started with, and V."""
    committed: Pairs
    learned: Pairs


@dataclass(frozen=True, slots=True)
class Facts:
    """What can be seen of a replica's state from outside."""

    promised: Ballot
    accepted: Ballot
    length: int
    committed: int
    watching: Ballot
    """The ballot whose votes its learner counts."""
    asking: Ballot | None
    """The ballot whose phase 1 it runs."""
    step: int
    leading: bool
    kind: BallotKind
    decreed: frozenset[str]
    settled: frozenset[str]
    serves: tuple[object, ...]
    """What its answers to requests depend on."""


def deeds_of(node: int, replica: Replica, effects: Effects) -> Deeds:
    """What a step did, by what it sent and where it left the replica."""
    voted, promised = [], ZERO
    for message in effects.messages:
        if isinstance(message, Phase2a):
            counts = rules_of(message.kind).acceptors_vote and rules_of(message.kind).coordinator_orders
            votes = tuple(zip(message.ids, message.digests, strict=True)) if counts else ()
            voted.append(Vote(message.ballot, 0, votes, message.first + len(message.ids) - 1))
        elif isinstance(message, Phase2b):
            pairs = tuple(zip(message.ids, message.digests, strict=True))
            voted.append(Vote(message.ballot, message.step, pairs, message.adopted))
        if isinstance(message, (Phase1b, Phase2a, Phase2b)):
            promised = max(promised, message.ballot)
    history, coordinator = replica.history, replica.coordinator
    pairs = tuple(zip(history.ids, history.digests, strict=True))
    led = (coordinator.ballot, coordinator.kind, coordinator.recovered, pairs) if coordinator.leading else None
    learned = tuple(sorted({pair for news in effects.learned for pair in zip(news.ids, news.digests, strict=True)}))
    return Deeds(node, promised, tuple(voted), led, pairs[: history.committed], learned)


def facts_of(replica: Replica) -> Facts:
    """Look at a replica."""
    acceptor, coordinator = replica.acceptor, replica.coordinator
    asking = coordinator.phase is Phase.PHASE1
    return Facts(
        acceptor.promised,
        acceptor.accepted,
        replica.history.length,
        replica.history.committed,
        acceptor.accepted,
        coordinator.ballot if asking else None,
        acceptor.step,
        coordinator.leading,
        acceptor.kind,
        frozenset(replica.history.ids),
        frozenset(replica.history.ids[: replica.history.committed]),
        serves(replica),
    )


def serves(replica: Replica) -> tuple[object, ...]:
    """What its answers to requests depend on."""
    coordinator, history = replica.coordinator, replica.history
    led = (coordinator.ballot, history.length) if coordinator.leading else None
    return (led, replica.acceptor.promised, history.committed)
