"""The language of the scenario files: lines that begin with ``>`` are events, what follows each is the trace.

::

    start N [classic|any]         N replicas of the bank; leader-ordered and pinned unless said otherwise
    lead N                        replica N becomes coordinator and all take part in its ballot; not shown
    campaign N                    replica N starts phase 1 of a ballot of its own
    propose N,M OPERATION ARGS    a client's next command reaches these replicas (or `all`); named c:1, c:2, …
    propose N,M c:1               an earlier command reaches these replicas
    propose N,M OPERATION ARGS ; OPERATION ARGS   a run of several operations
    propose N,M asks K …          and its client waits at replica K; at all of them unless that is said
    deliver [A->B] [MESSAGE]      what is in flight now, or what of it is on this link (`*` is any) or of this kind
    drop [A->B] [MESSAGE]         lose it instead
    stabilize                     deliver until nothing is in flight
    run MS                        let time pass; messages take a millisecond, heartbeats are not shown
    tick MS                       let time pass, while messages other than heartbeats stay in flight
    crash N [before-sync]         now, or in the middle of its next step, which is then lost
    restart N                     from what it had synced
    cut A->B · heal A->B          one direction of a link
    status                        every replica in one line
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from commutativity import Command
from genpaxos.core.ballot import FastQuorums, Policy
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
from genpaxos.core.quorum import EVERYBODY
from genpaxos.examples.bank import Bank
from tests.core.bench import Bench

MESSAGES = {
    kind.__name__.lower(): kind
    for kind in (Propose, Phase1a, Phase1b, Phase2a, Phase2b, Nack, Fetch, FetchBodies, Bodies, Committed)
}


class Script(Bench):
    """A bench that keeps a trace."""

    def arriving(self, sender: int, receiver: int, message: PeerMessage) -> None:
        self.events.append(f"{sender}->{receiver} {shown(message)}")


def play(text: str) -> str:
    """Run the events of a scenario; returns it with the trace it has now."""
    lines: list[str] = []
    script: Script | None = None
    for line in text.splitlines():
        if line.startswith(("#", ">")) or not line.strip():
            lines.append(line)
        if line.startswith(">"):
            words = line[1:].split()
            if words[0] == "start":
                script = _start(words[1:])
            else:
                assert script is not None, "a scenario starts with `start`"
                _event(script, words[0], words[1:])
            lines.extend(f"  {event}" for event in script.events)
            script.events.clear()
    return "\n".join(lines) + "\n"


def _start(words: list[str]) -> Script:
    options = words[1:]
    policy = Policy.CLASSIC if "classic" in options else Policy.LEADER_ORDERED
    return Script(int(words[0]), policy, FastQuorums.ANY if "any" in options else FastQuorums.PINNED)


def _event(script: Script, event: str, words: list[str]) -> None:
    if event not in EVENTS:
        raise ValueError(f"unknown event {event}")
    EVENTS[event](script, words)


def _lead(script: Script, words: list[str]) -> None:
    script.led_by(int(words[0]))
    script.events[:] = [f"{words[0]} leads {script[int(words[0])].coordinator.ballot}"]


def _propose(script: Script, words: list[str]) -> None:
    to = None if words[0] == "all" else [int(node) for node in words[0].split(",")]
    asked, words = (1 << int(words[2]), words[3:]) if words[1] == "asks" else (EVERYBODY, words[1:])
    if "+" in words[0]:
        script.propose_run(script.proposed_runs[words[0]], to, words[0])
    elif ":" in words[0]:
        script.propose(script.commands[words[0]], to, words[0], asked)
    elif ";" in words:
        run = [part.split() for part in " ".join(words).split(";")]
        script.propose_run([_command(part[0], part[1:]) for part in run], to)
    else:
        script.propose(_command(words[0], words[1:]), to, asked=asked)


def _drop(script: Script, words: list[str]) -> None:
    for sender, receiver, message in script.drop(*_which(words)):
        script.events.append(f"{sender}-x {receiver} {shown(message)}")


def _crash(script: Script, words: list[str]) -> None:
    if words[1:] == ["before-sync"]:
        script.unsynced.add(int(words[0]))
    else:
        script.crash(int(words[0]))


EVENTS: dict[str, Callable[[Script, list[str]], None]] = {
    "lead": _lead,
    "campaign": lambda script, words: script.campaign(int(words[0])),
    "propose": _propose,
    "deliver": lambda script, words: script.deliver(*_which(words)),
    "drop": _drop,
    "stabilize": lambda script, _: script.stabilize(),
    "run": lambda script, words: script.run_for(int(words[0])),
    "tick": lambda script, words: script.pass_time(int(words[0])),
    "crash": _crash,
    "restart": lambda script, words: script.restart(int(words[0])),
    "cut": lambda script, words: script.cut.add(_link(words[0])),
    "heal": lambda script, words: script.cut.discard(_link(words[0])),
    "status": lambda script, _: script.events.extend(status(script)),
}


def _command(operation: str, arguments: list[str]) -> Command[Any]:
    values = [int(word) if word.isdecimal() else word for word in arguments]
    return Command(operation, Bank.operations[operation].bind(*values))


def _which(words: list[str]) -> tuple[int | None, int | None, type | None]:
    sender, receiver, kind = None, None, None
    for word in words:
        if "->" in word:
            sender, receiver = (None if end == "*" else int(end) for end in word.split("->"))
        else:
            kind = MESSAGES[word]
    return sender, receiver, kind


def _link(word: str) -> tuple[int, int]:
    sender, receiver = word.split("->")
    return int(sender), int(receiver)


def status(script: Bench) -> list[str]:
    """One line per replica."""
    lines = []
    for node, replica in enumerate(script.replicas):
        if replica is None:
            lines.append(f"{node} is down")
            continue
        acceptor, history = replica.acceptor, replica.history
        parts = [
            f"{node} {replica.coordinator.phase.value}, promised {acceptor.promised}, accepted {acceptor.accepted}",
            f"V {' '.join(history.ids) or '-'} (committed {history.committed})",
            f"tail {' '.join(history.tail) or '-'}",
            f"pool {' '.join(replica.pool) or '-'}",
            " ".join(f"{account} {cents}" for account, cents in sorted(script.cents(node).items())) or "empty",
        ]
        lines.append(" | ".join(parts))
    return lines


def shown(message: PeerMessage) -> str:
    """A message in one line. Digests are cut to 4 digits: enough to see which are equal."""
    match message:
        case Propose(ids):
            return f"propose {' '.join(ids)}"
        case Phase1a(ballot, committed):
            return f"phase1a {ballot} committed {committed}"
        case Phase1b(ballot, accepted, _, committed, first, ids, digests, tail):
            return (
                f"phase1b {ballot} accepted {accepted} committed {committed} {_decrees(first, ids, digests)}"
                f" tail {' '.join(tail) or '-'}"
            )
        case Phase2a(ballot, _, recovered, committed, first, ids, digests, with_bodies):
            bodies = " with bodies" if with_bodies is not None and ids else ""
            return (
                f"phase2a {ballot} recovered {recovered} committed {committed} {_decrees(first, ids, digests)}{bodies}"
            )
        case Phase2b(ballot, ids, digests, adopted):
            return f"phase2b {ballot} votes {_labelled(ids, digests)} adopted {adopted}"
        case Nack(ballot, promised):
            return f"nack {ballot} promised {promised}"
        case Fetch(first):
            return f"fetch from {first}"
        case FetchBodies(ids):
            return f"fetchbodies {' '.join(ids)}"
        case Bodies(ids):
            return f"bodies {' '.join(ids)}"
        case Committed(ballot, first, ids, digests):
            return f"committed {ballot} {_decrees(first, ids, digests)}"
    return type(message).__name__.lower()


def _decrees(first: int, ids: list[str], digests: list[int]) -> str:
    return f"V[{first}..] {_labelled(ids, digests)}"


def _labelled(ids: list[str], digests: list[int]) -> str:
    return (
        " ".join(f"{command}/{digest:016x}"[: len(command) + 5] for command, digest in zip(ids, digests, strict=True))
        or "-"
    )
