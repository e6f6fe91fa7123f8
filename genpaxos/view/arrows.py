"""What a message flow is made of, read from the JSON of `genpaxos flow NAME --json`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from genpaxos.view.snapshot import SnapshotError, expect, natural, optional, required


@dataclass(frozen=True, slots=True)
class Arrow:
    """Equal messages of one delay: who sends them, whom they reach, and on their way to whom they are lost."""

    step: int
    delay: int
    text: str
    senders: frozenset[int]
    receivers: frozenset[int]
    lost: frozenset[int]


@dataclass(frozen=True, slots=True)
class Event:
    """A failure, a timer, a remark; after the messages of its delay."""

    step: int
    delay: int
    text: str
    lane: int | None
    up: bool


@dataclass(frozen=True, slots=True)
class Learned:
    """A command that was learned, and the delay of the step at which each lane did."""

    step: int
    command: str
    rule: str
    delays: int
    learners: Mapping[int, int]


def arrows_of(messages: Sequence[object], lanes: Sequence[str]) -> list[Arrow]:
    """Messages of one delay that say the same, together: each of a group's senders sends to all its receivers."""
    groups: dict[tuple[int, int, str], tuple[set[int], set[int], set[int]]] = {}
    for message in _told([expect(item, dict, "message") for item in messages]):
        step, delay = natural(message, "step", "message"), natural(message, "delay", "message")
        group = groups.setdefault((step, delay, required(message, "message", str, "message")), (set(), set(), set()))
        lost = bool(optional(message, "lost", bool, "message"))
        group[0].add(_lane(message, "from", lanes))
        group[2 if lost else 1].add(_lane(message, "to", lanes))
    return [
        Arrow(step, delay, text, frozenset(senders), frozenset(reached), frozenset(lost - reached - senders))
        for (step, delay, text), (senders, reached, lost) in groups.items()
    ]


def _told(messages: Sequence[Mapping[str, object]]) -> Iterable[Mapping[str, object]]:
    """All but decrees of nothing that travel beside decrees of something."""
    decreed = {_link(message) for message in messages if message.get("kind") == "Phase2a" and message.get("commands")}
    for message in messages:
        if message.get("kind") != "Phase2a" or message.get("commands") or _link(message) not in decreed:
            yield message


def _link(message: Mapping[str, object]) -> tuple[object, ...]:
    return tuple(message.get(key) for key in ("step", "delay", "from", "to"))


def event_of(item: object, lanes: Sequence[str]) -> Event:
    """One entry of `notes`."""
    note = expect(item, dict, "note")
    lane = None if note.get("lane") is None else _lane(note, "lane", lanes)
    step, delay = natural(note, "step", "note"), natural(note, "delay", "note")
    return Event(step, delay, required(note, "note", str, "note"), lane, required(note, "up", bool, "note"))


def learned_of(item: object, lanes: Sequence[str]) -> Learned:
    """One entry of `learned`."""
    entry = expect(item, dict, "learned")
    learners = {
        _lane({"learner": lane}, "learner", lanes): expect(delays, int, "learners")
        for lane, delays in required(entry, "learners", dict, "learned").items()
    }
    command, rule = required(entry, "command", str, "learned"), required(entry, "rule", str, "learned")
    return Learned(natural(entry, "step", "learned"), command, rule, natural(entry, "delays", "learned"), learners)


def _lane(data: Mapping[str, object], key: str, lanes: Sequence[str]) -> int:
    name = required(data, key, str, "flow")
    if name not in lanes:
        raise SnapshotError(f"{name!r} is none of the flow's lanes: {', '.join(lanes)}")
    return lanes.index(name)
