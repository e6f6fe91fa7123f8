"""What an operation, a snapshot or a machine class must not do, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

from commutativity.checking.travel import shallow
from commutativity.command import JSON, Command


class Kind(Enum):
    """What sort of fault was found. The value is its name in JSON."""

    UNDECLARED = "undeclared-exception"
    RESULT = "result-cannot-travel"
    CHANCE = "not-deterministic"
    OUTSIDE = "looks-outside"
    SNAPSHOT = "snapshot-fails"
    ALIASED = "snapshot-aliased"
    RESTORE = "restore-differs"
    MISSED = "snapshot-misses-state"
    SHARED = "state-outside-the-machine"
    HASH_SEED = "depends-on-the-hash-seed"
    ENDLESS = "does-not-end"
    FOOTPRINT = "footprint-not-a-function"

    @property
    def advice(self) -> str:
        """What to do, in a sentence."""
        return _ADVICE[self]


_ADVICE = {
    Kind.UNDECLARED: "Declare it (a subclass of OperationError) or handle it; until then the command has no effect "
    "and its client gets OperationFailed.",
    Kind.RESULT: "Return what a client can be sent: values of the types that an argument may have.",
    Kind.CHANCE: "An operation may depend on nothing but the state and its arguments: "
    "pass clocks and random numbers as arguments.",
    Kind.OUTSIDE: "Replicas would each see something else: let the client pass it as an argument.",
    Kind.SNAPSHOT: "Bound the state, or override snapshot() and restore() so that they can hold it.",
    Kind.ALIASED: "Let snapshot() return a copy.",
    Kind.RESTORE: "Let restore() rebuild all that snapshot() tells, and forget what was there before.",
    Kind.MISSED: "Let snapshot() and restore() include all that a later result can depend on.",
    Kind.SHARED: "Keep all state in attributes of the instance, set in __init__: all machines of a process share what "
    "sits elsewhere, and no snapshot holds it.",
    Kind.HASH_SEED: "Sort what comes out of a set (or use a dict or a list), and do not use hash(): "
    "the hashes of text differ between processes.",
    Kind.ENDLESS: "Refuse such arguments: every replica would run it, and nothing else meanwhile.",
    Kind.FOOTPRINT: "A footprint must be a function of the arguments alone, and leave them as they are.",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: what was seen, with the state it was seen from and the command."""

    what: str
    state: JSON
    command: Command[Any] | None
    kind: Kind = Kind.CHANCE
    path: tuple[Command[Any], ...] = ()
    """The commands that led to the state, where known."""

    def __str__(self) -> str:
        return f"{self.where()}{self.what}; {self.kind.advice[0].lower()}{self.kind.advice[1:]}"

    def where(self) -> str:
        """The command and the state, ready to be followed by what happened."""
        if self.command is None:
            return ""
        return f"{self.command!r} from {brief(self.state)}{reached_by(self.path)}: "

    def to_json(self) -> JSON:
        return {
            "kind": self.kind.value,
            "what": self.what,
            "state": shallow(self.state),
            "command": None if self.command is None else repr(self.command),
            "path": [repr(command) for command in self.path],
            "advice": self.kind.advice,
        }


def reached_by(path: tuple[Command[Any], ...]) -> str:
    """A path in words, for the end of a clause; of a long one the ends."""
    if not path:
        return ""
    shown = [repr(command) for command in path]
    if len(shown) > 8:
        shown[4:-2] = [f"… ({len(shown) - 6} more) …"]
    return f", reached by {', '.join(shown)}"


def brief(value: object, length_max: int = 1_000) -> str:
    """A value as text, cut off where it is very long."""
    text = repr(value)
    return text if len(text) <= length_max else f"{text[: length_max - 1]}…"


class FaultFound(Exception):  # noqa: N818  # it carries a finding to the report; no error of the check
    """Ends a check at a fault after which no result can be trusted."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault))
        self.fault = fault


def said(error: BaseException) -> str:
    """What an exception of the program says, as text that can be encoded. Never raises."""
    try:
        text = str(error)
    except Exception as worse:  # the program's own __str__
        text = f"(its text cannot be had: {type(worse).__name__})"
    return text.encode("utf-8", "backslashreplace").decode()
