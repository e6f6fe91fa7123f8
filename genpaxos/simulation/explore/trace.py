"""A path through the states, as lines for people to read."""

from genpaxos.core.messages import Committed, Fetch, Nack, PeerMessage, Phase1a, Phase1b, Phase2a, Phase2b
from genpaxos.simulation.explore.local import Event
from genpaxos.simulation.explore.numbering import Mailbox
from genpaxos.simulation.explore.scope import Scope

Step = tuple[int, Event]
"""A replica and what happens to it."""


def readable(steps: list[Step], scope: Scope, mailboxes: list[Mailbox]) -> tuple[str, ...]:
    """One line per step."""
    return tuple(_line(node, event, scope, mailboxes) for node, event in steps)


def _line(node: int, event: Event, scope: Scope, mailboxes: list[Mailbox]) -> str:
    match event:
        case ("command", index):
            return f"client's command {scope.command_list()[index][0]} reaches {node}"
        case ("campaign", index):
            return f"{node} starts ballot {scope.ballot_list()[index]}"
        case ("restart", _):
            return f"{node} crashes and restarts"
        case ("hear" | "wait" | "promises", bits):
            return f"{node} {event[0]}s " + "; ".join(f"{s}: {text(m)}" for s, m in (mailboxes[node][b] for b in bits))
        case ("ask", peer):
            return f"{peer}->{node} fetch(from 1)"
        case (_, bit):
            sender, message = mailboxes[node][bit]
            return f"{sender}->{node} {text(message)}"


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
