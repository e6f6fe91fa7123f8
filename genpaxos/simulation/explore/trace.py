"""A path through the states, as lines for people to read."""

from typing import NamedTuple

from genpaxos.core.messages import Committed, Fetch, Nack, PeerMessage, Phase1a, Phase1b, Phase2a, Phase2b
from genpaxos.simulation.explore.scope import Scope


class Step(NamedTuple):
    """A replica and what happens to it."""

    node: int
    kind: str
    value: int
    posts: tuple[tuple[int, PeerMessage], ...] = ()
    """Senders and messages."""


def readable(steps: list[Step], scope: Scope) -> tuple[str, ...]:
    """One line per step."""
    return tuple(_line(step, scope) for step in steps)


def _line(step: Step, scope: Scope) -> str:
    node, kind, value, posts = step
    match kind:
        case "command":
            return f"client's command {scope.command_list()[value][0]} reaches {node}"
        case "campaign":
            return f"{node} starts ballot {scope.ballot_list()[value]}"
        case "restart":
            return f"{node} crashes and restarts"
        case "ask":
            return f"{value}->{node} fetch(from 1)"
        case _:
            return "; ".join(f"{sender}->{node} {text(message)}" for sender, message in posts) or f"{node} goes on"


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
            votes = [f"{command} {digest >> 48:04x}" for command, digest in zip(ids, digests, strict=True)]
            return f"phase2b({ballot}, votes {_list(votes)}, adopted {adopted})"
        case Nack(ballot, promised):
            return f"nack({ballot}, promised {promised})"
        case Committed(ballot, first, ids):
            return f"committed({ballot}, V[{first}..]={_list(ids)})"
        case Fetch(first):
            return f"fetch(from {first})"
        case _:
            return str(message)


def _list(items: list[str]) -> str:
    return "[" + ", ".join(items) + "]"
