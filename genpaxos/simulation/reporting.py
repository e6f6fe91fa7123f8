"""What a phase 2b report must say, judged by the replica it leaves: the oracle of simulator and explorer alike.

A report names a place: a ballot, V[1..adopted], a step, and where in the tail behind it its commands begin. It must say
what the acceptor holds there when it leaves:

- where acceptors order, ids and digests are the tail from ``start`` on, in its order. Others put the tail together from
  such pieces and order by it (protocol §4.2, §4.3);
- where the coordinator orders, each command has the digest that the history holds it with, in V or in the tail. A label
  of the tail may be stale there (docs/proofs.md, "Lazy labels"); a vote for it then counts with no other.
"""

from collections.abc import Iterable, Mapping
from itertools import islice

from genpaxos.core.messages import PeerMessage, Phase2b
from genpaxos.core.replica import Replica


def misreported(replica: Replica, messages: Iterable[PeerMessage], chosen: Mapping[str, int]) -> str | None:
    """What the first wrong report among the messages of a step says wrongly; after the step. ``chosen``: the digests of
    what was cut off the log."""
    for message in messages:
        if isinstance(message, Phase2b):
            wrong = _place(replica, message) or _votes(replica, message, chosen)
            if wrong is not None:
                return f"replica {replica.node} {wrong}"
    return None


def _place(replica: Replica, message: Phase2b) -> str | None:
    acceptor = replica.acceptor
    said = (message.ballot, message.ballot, message.adopted, message.step)
    stands = (acceptor.accepted, acceptor.promised, replica.history.length, acceptor.step)
    if said != stands:
        return f"reports from {said}: ballot, the same, adopted, step; accepted, promised, length, step are {stands}"
    return None


def _votes(replica: Replica, message: Phase2b, chosen: Mapping[str, int]) -> str | None:
    history, votes = replica.history, list(zip(message.ids, message.digests, strict=True))
    if replica.acceptor.rules.reports_tails:
        held = list(islice(history.tail.items(), message.start, message.start + len(votes)))
        if votes != held:
            return f"reports {_shown(votes)} at {message.start} of its tail, where it holds {_shown(held)}"
        return None
    for command, digest in votes:
        label = history.tail.get(command)
        if label is None:
            label = _decreed(replica, command, chosen)
        if label != digest:
            return f"votes for {_shown([(command, digest)])}; it holds it with {label}"
    return None


def _decreed(replica: Replica, command: str, chosen: Mapping[str, int]) -> int | None:
    """The digest of a decree; it may be settled or cut off already."""
    history = replica.history
    index = history.positions.get(command)
    if index is not None:
        return history.digests[index - history.base - 1]
    for held, digest in zip(reversed(history.ids), reversed(history.digests), strict=True):
        if held == command:
            return digest
    return chosen.get(command)


def _shown(votes: Iterable[tuple[str, int]]) -> str:
    return "[" + ", ".join(f"{command} {digest >> 48:04x}" for command, digest in votes) + "]"
