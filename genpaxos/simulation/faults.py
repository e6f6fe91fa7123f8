"""Faults as data: what is to go wrong, when, and for how long. Drawn up front, so that a plan can be shrunk by deleting
them.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from genpaxos.simulation.network import Link


class CrashPoint(StrEnum):
    """Where in its work a process dies."""

    IDLE = "between two steps"
    BEFORE = "before its records are written"
    INSIDE = "inside the write"
    AFTER = "after the sync, before anything is sent"
    SENDING = "while it sends"
    CAPTURED = "with a snapshot captured, before it is written"
    WRITTEN = "with a snapshot written, before it is adopted"
    ADOPTED = "with a snapshot adopted, before the log is cut"


IN_A_STEP = (CrashPoint.BEFORE, CrashPoint.INSIDE, CrashPoint.AFTER, CrashPoint.SENDING)
"""Those that any step with something to write comes to."""


class Shape(StrEnum):
    """What a cut of links looks like."""

    ONE_WAY = "one way"
    BOTH_WAYS = "both ways"
    ISOLATED = "one replica alone"
    SPLIT = "two halves"
    STAR = "a star"
    CHAIN = "a chain"
    DEAF = "one replica hears nobody"
    MUTE = "nobody hears one replica"


@dataclass(frozen=True, slots=True)
class Crash:
    """The process dies at the next step that reaches ``point``, and starts again later."""

    kind: ClassVar[str] = "crash"
    at_ms: float
    node: int
    point: CrashPoint
    down_ms: float
    share: float = 0.5
    """The share of the write (inside it), or of the messages (while sending), that still gets through."""

    def __str__(self) -> str:
        return f"replica {self.node} crashes {self.point}, down for {self.down_ms:.0f} ms"


@dataclass(frozen=True, slots=True)
class Pause:
    """The process stands still; what arrives waits for it."""

    kind: ClassVar[str] = "pause"
    at_ms: float
    node: int
    for_ms: float

    def __str__(self) -> str:
        return f"replica {self.node} pauses for {self.for_ms:.0f} ms"


@dataclass(frozen=True, slots=True)
class ClockJump:
    """The process's clock jumps ahead."""

    kind: ClassVar[str] = "clock jump"
    at_ms: float
    node: int
    by_ms: float

    def __str__(self) -> str:
        return f"the clock of replica {self.node} jumps by {self.by_ms:.0f} ms"


@dataclass(frozen=True, slots=True)
class Cut:
    """Links lose everything."""

    kind: ClassVar[str] = "cut"
    at_ms: float
    links: tuple[Link, ...]
    for_ms: float
    shape: Shape = Shape.ONE_WAY

    def __str__(self) -> str:
        return f"cut ({self.shape}) for {self.for_ms:.0f} ms: {_links(self.links)}"


@dataclass(frozen=True, slots=True)
class Clog:
    """Links keep everything back for a while."""

    kind: ClassVar[str] = "clog"
    at_ms: float
    links: tuple[Link, ...]
    for_ms: float

    def __str__(self) -> str:
        return f"clogged for {self.for_ms:.0f} ms: {_links(self.links)}"


@dataclass(frozen=True, slots=True)
class SyncFailure:
    """The next sync of the disk fails; its process stops, and is started again later."""

    kind: ClassVar[str] = "sync failure"
    at_ms: float
    node: int
    down_ms: float
    share: float = 0.5
    """The share of the write that reaches the disk all the same."""

    def __str__(self) -> str:
        return f"the next sync of replica {self.node} fails, down for {self.down_ms:.0f} ms"


@dataclass(frozen=True, slots=True)
class DiskFull:
    """The disk takes nothing more for a while; its process stops at the next write, and is started again later."""

    kind: ClassVar[str] = "disk full"
    at_ms: float
    node: int
    for_ms: float

    def __str__(self) -> str:
        return f"the disk of replica {self.node} is full for {self.for_ms:.0f} ms"


@dataclass(frozen=True, slots=True)
class BitFlip:
    """The process dies, and a bit of what it had synced flips."""

    kind: ClassVar[str] = "bit flip"
    at_ms: float
    node: int
    down_ms: float
    place: float
    """Where on the disk, from 0 to 1."""
    rejoin_ms: float = 200.0
    """How long after it was found out the replica is made to rejoin."""

    def __str__(self) -> str:
        return f"replica {self.node} crashes, and a bit flips {self.place:.0%} into its disk"


@dataclass(frozen=True, slots=True)
class Wipe:
    """The process dies, and its disk is empty afterwards."""

    kind: ClassVar[str] = "wipe"
    at_ms: float
    node: int
    down_ms: float
    rejoin_ms: float = 200.0
    """How long after it was found out the replica is made to rejoin."""
    at_promise: bool = False
    """Not before it promises a ballot: its report is still on its way when it is another incarnation."""

    def __str__(self) -> str:
        when = " as soon as it has promised a ballot" if self.at_promise else ""
        return f"replica {self.node} crashes{when}, and its disk is wiped"


Fault = Crash | Pause | ClockJump | Cut | Clog | SyncFailure | DiskFull | BitFlip | Wipe
KINDS = tuple(fault.kind for fault in (Crash, Pause, ClockJump, Cut, Clog, SyncFailure, DiskFull, BitFlip, Wipe))


def _links(links: tuple[Link, ...]) -> str:
    return ", ".join(f"{sender}->{receiver}" for sender, receiver in links)
