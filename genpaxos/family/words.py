"""Messages in the words of the article "Paxos (computer science)"."""

from collections.abc import Mapping, Sequence

from genpaxos.core.ballot import ZERO
from genpaxos.core.messages import (
    Bodies,
    Committed,
    Fetch,
    FetchBodies,
    Nack,
    PeerMessage,
    Phase1a,
    Phase1b,
    Phase2a,
    Phase2b,
    Propose,
)
from genpaxos.core.policies import rules_of


def commands_of(message: PeerMessage) -> list[str]:
    """The ids of the commands that a message names."""
    match message:
        case Phase1b(ids=ids, tail=tail):
            return [*ids, *tail]
        case Propose() | Phase2a() | Phase2b() | FetchBodies() | Bodies() | Committed():
            return message.ids
    return []


def describe(message: PeerMessage, labels: Mapping[str, str], adopted: Sequence[str], *, digests: bool = False) -> str:
    """One message. ``adopted``: the commands whose adoption an ``Accepted`` tells for the first time.

    With ``digests``, votes are shown as they are sent: a hash for each command.
    """
    names = _sequence([labels[command] for command in commands_of(message)])
    match message:
        case Propose():
            return f"Request({names})"
        case Phase1a(ballot=ballot):
            return f"Prepare({ballot})"
        case Phase1b():
            return _promise(message, names)
        case Phase2a(ballot=ballot, ids=ids, first=first):
            empty = "Any" if rules_of(message.kind).acceptors_vote else "null"
            value = f"{first}: {names}" if ids else empty
            return f"Accept!({ballot}, {value}{_chosen(message.committed)})"
        case Phase2b():
            return _accepted(message, labels, adopted, digests)
        case Nack(promised=promised):
            return f"Nack({promised})"
        case Fetch(first=first):
            return f"Fetch({first})"
        case Committed(first=first):
            return f"Chosen({first}: {names})"
        case FetchBodies() | Bodies():
            return f"{type(message).__name__}({names})"
        case _:
            return type(message).__name__


def _promise(message: Phase1b, names: str) -> str:
    if message.accepted == ZERO:
        return f"Promise({message.ballot}, null)"
    value = f": {names}" if commands_of(message) else ""
    return f"Promise({message.ballot}, {message.accepted}{value}{_chosen(message.committed)})"


def _chosen(committed: int) -> str:
    """What the sender tells to be chosen, if anything."""
    return f", chosen to {committed}" if committed else ""


def _accepted(message: Phase2b, labels: Mapping[str, str], adopted: Sequence[str], digests: bool) -> str:
    parts = [str(message.ballot)]
    if message.step:
        parts.append(f"step {message.step + 1}")
    if message.ids:
        names = [labels[command] for command in message.ids]
        if digests:
            names = [f"{name}#{digest >> 48:04x}" for name, digest in zip(names, message.digests, strict=True)]
        parts.append(_sequence(names))
        if adopted:
            parts.append(f"adopted to {message.adopted}")
    elif adopted:
        first = message.adopted - len(adopted) + 1
        parts.append(f"{first}: {_sequence([labels[command] for command in adopted])}")
    return f"Accepted({', '.join(parts)})"


def _sequence(names: Sequence[str]) -> str:
    """One command by itself, several as the sequence in which they stand."""
    return names[0] if len(names) == 1 else f"⟨{', '.join(names)}⟩"
