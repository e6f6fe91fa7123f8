"""Messages of the protocol, as text for people who read a trace."""

from collections.abc import Sequence

from genpaxos.core.messages import Committed, Fetch, Nack, PeerMessage, Phase1a, Phase1b, Phase2a, Phase2b


def short(command: str) -> str:
    """The explorer's commands, such as ``a:1``, by their letter."""
    return command[0] if len(command) == 3 else command


def text(message: PeerMessage) -> str:
    """A message, shortly."""
    match message:
        case Phase1a(ballot):
            return f"phase1a({ballot})"
        case Phase1b(ballot, accepted, _, committed, first, ids, _, tail):
            return f"phase1b({ballot}, accepted {accepted}, V[{first}..]={_list(ids)}, tail {_list(tail)}" + (
                f", committed {committed})" if committed else ")"
            )
        case Phase2a(ballot, _, recovered, committed, first, ids):
            notes = f", recovered {recovered}" * bool(recovered) + f", committed {committed}" * bool(committed)
            return f"phase2a({ballot}, V[{first}..]={_list(ids)}{notes})"
        case Phase2b(ballot, ids, digests, adopted):
            votes = [f"{short(command)} {digest >> 48:04x}" for command, digest in zip(ids, digests, strict=True)]
            return f"phase2b({ballot}, votes [{', '.join(votes)}], adopted {adopted})"
        case Nack(ballot, promised):
            return f"nack({ballot}, promised {promised})"
        case Committed(ballot, first, ids):
            return f"committed({ballot}, V[{first}..]={_list(ids)})"
        case Fetch(first):
            return f"fetch(from {first})"
        case _:
            return str(message)


def _list(items: Sequence[str]) -> str:
    return "[" + ", ".join(map(short, items)) + "]"
