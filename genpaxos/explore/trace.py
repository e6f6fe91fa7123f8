"""A path through the states, as lines for people to read."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from genpaxos.core.messages import PeerMessage
from genpaxos.explore.scope import Cells, Scope
from genpaxos.simulation.wording import short, text

SOMEBODY = -1
"""The sender of committed decrees: whoever it is, they do the same."""


class Step(NamedTuple):
    """A replica and what happens to it."""

    node: int
    kind: str
    value: int
    posts: tuple[tuple[int, PeerMessage], ...] = ()
    """Senders and messages."""


def readable(steps: Sequence[Step], scope: Scope) -> tuple[str, ...]:
    """One line per step."""
    return tuple(_line(step, scope) for step in steps)


def flow(steps: Sequence[Step], scope: Scope, what: str) -> dict[str, Any]:
    """The path as a message flow, as ``genpaxos flow NAME --json`` has it: a step of the path is a delay of it."""
    lanes = ["client", *(f"replica {node}" for node in range(scope.acceptors))]
    messages: list[dict[str, Any]] = []
    notes: list[dict[str, Any]] = []
    for delay, step in enumerate(steps, 1):
        lane = lanes[step.node + 1]
        for sender, told in _arrows(step, scope):
            arrow = {"from": lanes[sender + 1], "to": lane, "message": told, "kind": step.kind, "commands": []}
            messages.append({"step": 0, "delay": delay, **arrow})
        if (said := _note(step, scope)) is not None:
            notes.append({"step": 0, "delay": delay, "note": said, "lane": lane, "up": True})
    notes.append({"step": 0, "delay": len(steps), "note": what, "lane": lanes[steps[-1].node + 1], "up": False})
    part = {"title": "the shortest way there", "graph": {"table": Cells.table.text(), "commands": []}}
    return {
        "name": "explore",
        "title": "a violation",
        "policy": str(scope.policy),
        "lanes": lanes,
        "messages": messages,
        "notes": notes,
        "learned": [],
        "steps": [part],
    }


def _arrows(step: Step, scope: Scope) -> list[tuple[int, str]]:
    """Who sends what; the client is sender -1."""
    if step.kind == "command":
        return [_proposal(step, scope)]
    if step.kind == "with":
        return [_proposal(step, scope), *_arrows(step._replace(kind="deliver"), scope)]
    return [(sender, text(message)) for sender, message in step.posts if sender != SOMEBODY]


def _proposal(step: Step, scope: Scope) -> tuple[int, str]:
    return -1, f"propose({short(scope.command_list()[step.value][0])})"


def _note(step: Step, scope: Scope) -> str | None:
    """What cannot be drawn as an arrow."""
    match step.kind:
        case "campaign":
            return f"starts ballot {scope.ballot_list()[step.value]}"
        case "restart":
            return "crashes and restarts"
        case "wait":
            return "waits no longer for votes"
        case "ask":
            return f"is asked by replica {step.value} for what it has committed"
    told = [text(message) for sender, message in step.posts if sender == SOMEBODY]
    return f"is told by another: {told[0]}" if told else None


def _line(step: Step, scope: Scope) -> str:
    told = [f"{'client' if sender < 0 else sender}->{step.node} {text}" for sender, text in _arrows(step, scope)]
    note = _note(step, scope)
    return "; ".join([*told, *([f"{step.node} {note}"] if note else [])]) or f"{step.node} goes on"
