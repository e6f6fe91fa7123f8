"""What is going to break, when and for how long: drawn beforehand, all of it from one seed.

A plan is a list of rounds. In a round one fault happens, or two that overlap, to different replicas and never to more
than a minority; now and then all replicas are killed at once. Everything a round broke heals before the next one
begins, though nobody waits for those that were down to catch up. A replica that loses its data does so alone.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

LASTS_S = (0.4, 4.0)
CALM_S = (0.3, 2.5)
FINAL_CALM_S = 2.0
"""The plan ends so much before the load does."""
COORDINATOR = 0.5
"""How often a round's first victim is whoever coordinates then."""
TWICE = 0.35
"""How often a round has two faults, where a minority is more than one replica."""
BLACKOUT = 0.04
DELAY_S = (0.02, 0.3)


class Kind(StrEnum):
    """The faults, by what happens to the victim."""

    KILL = "killed"
    KILL_AGAIN = "killed, and again while it starts"
    LAST_WORDS = "killed, its last words lost"
    PAUSE = "paused"
    DISK = "disk full, killed"
    WIPE = "killed, its data deleted"
    ROT = "killed, a bit of its data flipped"
    ISOLATE = "cut off from all"
    CUT = "cut off from one"
    CLIENTS = "cut off from clients"
    MUTE = "unheard by all"
    DEAF = "hears nobody"
    ONE_WAY = "unheard by one"
    SLOW = "slow links"
    HALF_OPEN = "links broken at its own end only"
    BLACKOUT = "all killed"


LOSSES = frozenset({Kind.WIPE, Kind.ROT})
"""What takes a replica's promises: at most one at a time, and only when all others take part (DESIGN.md, Rejoining)."""
DRAWN = (Kind.LAST_WORDS, *(kind for kind in Kind if kind is not Kind.BLACKOUT))
"""What a plan has, each once before any comes again; the sharpest for recovery twice. A blackout comes on top."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that breaks and heals."""

    kind: Kind
    victim: int
    peer: int
    """The other end, where the fault is between two."""
    after_s: float
    """Since the round began."""
    lasts_s: float
    lose: bool
    """Whether what a silent link held back is lost when it heals, rather than late."""
    delay_s: float
    """Of slow links; of a second kill, after the start that follows the first; how long the last words are."""
    where: float
    """Which bit rots, as a share of all."""
    coordinates: bool = False
    """Whether the victim is known to coordinate when the round begins."""

    def __str__(self) -> str:
        between = f", with {self.peer}" if self.kind in (Kind.CUT, Kind.ONE_WAY) else ""
        slow = f" by {self.delay_s * 1000:.0f} ms" if self.kind is Kind.SLOW else ""
        role = " (coordinator)" if self.coordinates else ""
        who = "" if self.kind is Kind.BLACKOUT else f"replica {self.victim}{role} "
        return f"{who}{self.kind}{between}{slow}"


@dataclass(frozen=True, slots=True)
class Round:
    """Faults that overlap, and the calm after them."""

    faults: tuple[Fault, ...]
    at_coordinator: bool
    """Whether the first victim changes places with the coordinator."""
    calm_s: float

    @property
    def lasts_s(self) -> float:
        """Until everything has healed and the calm is over, as planned."""
        return max(fault.after_s + fault.lasts_s for fault in self.faults) + self.calm_s


def plan(seed: int, seconds: float, replicas: int, kinds: Sequence[Kind] = DRAWN) -> list[Round]:
    """The rounds that fit into a run. The same for the same arguments.

    Kinds come in turns, so that a short run misses none by bad luck.
    """
    draw = random.Random(f"faults/{seed}")
    turns = _turns(draw, kinds, twice=(replicas - 1) // 2 > 1)
    rounds: list[Round] = []
    left_s = seconds - FINAL_CALM_S
    while left_s > 0:
        drawn = _round(draw, turns, replicas)
        left_s -= drawn.lasts_s
        if left_s >= 0:
            rounds.append(drawn)
    return rounds


def _turns(draw: random.Random, kinds: Sequence[Kind], *, twice: bool) -> Iterator[list[Kind]]:
    """What happens in each round."""
    while True:
        left = draw.sample(kinds, len(kinds))
        while left:
            drawn = [left.pop()]
            if twice and left and draw.random() < TWICE and LOSSES.isdisjoint([*drawn, left[-1]]):
                drawn.append(left.pop())
            yield drawn


def _round(draw: random.Random, turns: Iterator[list[Kind]], replicas: int) -> Round:
    if draw.random() < BLACKOUT:
        faults = [_fault(draw, Kind.BLACKOUT, 0, replicas, 0.0)]
    else:
        kinds = next(turns)
        victims = draw.sample(range(replicas), len(kinds))
        begins_s = [0.0, draw.uniform(0.0, 1.0)]
        faults = [
            _fault(draw, kind, victim, replicas, begin_s)
            for kind, victim, begin_s in zip(kinds, victims, begins_s, strict=False)
        ]
    at_coordinator = draw.random() < COORDINATOR or faults[0].kind is Kind.LAST_WORDS
    return Round(tuple(faults), at_coordinator, draw.uniform(*CALM_S))


def _fault(draw: random.Random, kind: Kind, victim: int, replicas: int, after_s: float) -> Fault:
    return Fault(
        kind=kind,
        victim=victim,
        peer=draw.choice([node for node in range(replicas) if node != victim]),
        after_s=after_s,
        lasts_s=draw.uniform(*LASTS_S),
        lose=draw.random() < 0.5,
        delay_s=draw.uniform(*DELAY_S),
        where=draw.random(),
    )
