"""What happened in a flow, as the drawing, the JSON and the golden files tell it."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Sent:
    """A message, at the delay at which it arrives or is lost; the step it belongs to counts its delays from one."""

    step: int
    delay: int
    sender: str
    receiver: str
    kind: str
    text: str
    commands: list[str] = field(default_factory=list)
    digests: list[int] = field(default_factory=list)
    """What a vote carries of its commands."""
    lost: bool = False

    def to_json(self) -> dict[str, Any]:
        """One entry of ``messages``; ``lost`` is there only if it was."""
        told = {
            "step": self.step,
            "delay": self.delay,
            "from": self.sender,
            "to": self.receiver,
            "message": self.text,
            "kind": self.kind,
            "commands": self.commands,
        }
        if self.digests:
            told["digests"] = [f"{digest:016x}" for digest in self.digests]
        return told | ({"lost": True} if self.lost else {})


@dataclass(slots=True)
class Note:
    """Something else that happened after the messages of a delay: a failure, a timer, a remark."""

    step: int
    delay: int
    text: str
    lane: str | None = None
    """The lane that it happened to."""
    up: bool = True
    """Whether that one is up afterwards."""

    def to_json(self) -> dict[str, Any]:
        """One entry of ``notes``."""
        return {"step": self.step, "delay": self.delay, "note": self.text, "lane": self.lane, "up": self.up}


@dataclass(slots=True)
class Learning:
    """A command that was learned, with the delays from its client's send to every learner."""

    command: str
    id: str
    step: int
    rule: str
    learners: dict[str, int]

    @property
    def delays(self) -> int:
        """To the first learner."""
        return min(self.learners.values())

    def to_json(self) -> dict[str, Any]:
        """One entry of ``learned``."""
        return {
            "command": self.command,
            "delays": self.delays,
            "rule": self.rule,
            "step": self.step,
            "learners": self.learners,
            "id": self.id,
        }


@dataclass(slots=True)
class Step:
    """A part of a flow, with the command graph that is stable after it."""

    title: str
    graph: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """One entry of ``steps``."""
        return {"title": self.title, "graph": self.graph}


@dataclass(slots=True)
class Trace:
    """A whole run."""

    name: str
    title: str
    policy: str
    lanes: tuple[str, ...]
    messages: list[Sent] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    learned: list[Learning] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    script: list[tuple[int, int, str]] = field(default_factory=list)
    """What was made to happen: the step, the delay after which, and what. Not part of the JSON."""

    def to_json(self) -> dict[str, Any]:
        """The answer of ``genpaxos flow NAME --json``, and what :mod:`genpaxos.view.flow` draws."""
        return {
            "name": self.name,
            "title": self.title,
            "policy": self.policy,
            "lanes": list(self.lanes),
            "messages": [message.to_json() for message in self.messages],
            "notes": [note.to_json() for note in self.notes],
            "learned": [learning.to_json() for learning in self.learned],
            "steps": [step.to_json() for step in self.steps],
        }
