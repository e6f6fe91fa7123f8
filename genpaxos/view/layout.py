"""Which pieces a heap shows, and where: columns for resources, lines for levels.

A `Piece` is one command or a run of commands that share a level, their resources, their operation and their state.
`columns_for` orders the resources, `arrange` folds and packs the pieces. Nothing here knows about colours or cells.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

from genpaxos.view.graph import Command, CommandGraph, State
from genpaxos.view.label import argument_text, describe, printable
from genpaxos.view.order import Footprint

LINES_PER_LEVEL_MAX = 6
"""Lines of one level; commuting pieces beyond that are counted, not drawn."""

RESOURCES_PAIRED_MAX = 8
"""Resources of one command that count as meeting one another: a command on hundreds of them says nothing of order."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The resources with a column of their own, left to right, and how many share a last column."""

    names: tuple[str, ...]
    others: int = 0

    @property
    def count(self) -> int:
        return max(1, len(self.names) + bool(self.others))


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of `count` commuting commands drawn as one block.

    `columns` are the columns touched, in increasing order; `whole` means the whole machine. `labels` say the same from
    longest to shortest, without the count.
    """

    columns: tuple[int, ...]
    whole: bool
    state: State
    labels: tuple[str, ...]
    count: int

    @property
    def span(self) -> range:
        return range(self.columns[0], self.columns[-1] + 1)


@dataclass(frozen=True, slots=True)
class Level:
    """One level: lines of pieces that do not overlap, and how many commands were left out of it."""

    number: int
    lines: tuple[tuple[Piece, ...], ...]
    hidden: int = 0

    @property
    def height(self) -> int:
        return len(self.lines) + bool(self.hidden)


def columns_for(graph: CommandGraph, capacity: int, prefer: Sequence[str] = ()) -> Columns:
    """At most `capacity` columns; resources without one share the last column.

    The most used resources get them, in natural order, those that meet in one command next to each other. A live view
    gives `prefer` so that columns stay in place from frame to frame: those resources come first, in that order and even
    while nothing touches them, and the natural order alone chooses the rest.
    """
    heat: Counter[str] = Counter(dict.fromkeys(prefer, 0))
    meetings: Counter[tuple[str, str]] = Counter()
    for command in graph.commands:
        resources = sorted({r for r, _ in command.footprint if r is not None})
        heat.update(resources)
        meetings.update(combinations(resources[:RESOURCES_PAIRED_MAX], 2))
    fixed = list(dict.fromkeys(prefer))
    free = sorted(set(heat) - set(fixed), key=_natural)
    if not fixed:
        free.sort(key=lambda name: -heat[name])
    if len(heat) > capacity:
        shown = max(0, capacity - 1)
        fixed, free = fixed[:shown], free[: max(0, shown - len(fixed))]
    if not fixed:
        free = _beside(sorted(free, key=_natural), meetings)
    names = (*fixed, *free)
    return Columns(names, len(heat) - len(names))


def arrange(graph: CommandGraph, columns: Columns, lines_max: int | None = None) -> tuple[list[Level], int]:
    """The newest levels that fit in `lines_max` lines, oldest first, and the number of earlier levels left out."""
    by_level: list[list[Command]] = [[] for _ in range(graph.height)]
    for command, level in zip(graph.commands, graph.levels, strict=True):
        if command.footprint:
            by_level[level].append(command)
    place = {name: column for column, name in enumerate(columns.names)}
    room = 10**9 if lines_max is None else max(1, lines_max)
    shown: list[Level] = []
    for number in reversed(range(graph.height)):
        if not by_level[number]:
            continue  # only commands that touch nothing
        first_fits = LINES_PER_LEVEL_MAX if shown else min(max(1, room - bool(number)), LINES_PER_LEVEL_MAX)
        packed = _pack(number, _fold(by_level[number], place, columns), first_fits)
        if shown and packed.height > room - bool(number):
            return shown[::-1], number + 1
        shown.append(packed)
        room -= packed.height
    return shown[::-1], 0


def touching_nothing(graph: CommandGraph) -> dict[State, int]:
    """How many commands have an empty footprint, by state. They follow nothing and belong to no column."""
    return dict(Counter(command.state for command in graph.commands if not command.footprint))


def _fold(commands: Iterable[Command], place: dict[str, int], columns: Columns) -> list[Piece]:
    runs: dict[tuple[tuple[int, ...], bool, str, State], list[Command]] = {}
    for command in commands:
        touched, whole = _columns_of(command.footprint, place, columns)
        runs.setdefault((touched, whole, command.operation, command.state), []).append(command)
    return [
        Piece(touched, whole, state, _labels(operation, run, place), len(run))
        for (touched, whole, operation, state), run in runs.items()
    ]


def _columns_of(footprint: Footprint, place: dict[str, int], columns: Columns) -> tuple[tuple[int, ...], bool]:
    if any(resource is None for resource, _ in footprint):
        return tuple(range(columns.count)), True
    others = len(columns.names)
    return tuple(sorted({place.get(resource or "", others) for resource, _ in footprint})), False


def _labels(operation: str, run: list[Command], place: dict[str, int]) -> tuple[str, ...]:
    """`deposit 10` (without what its column names), or only `deposit` when the arguments differ."""
    named = {resource for command in run for resource, _ in command.footprint if resource in place}
    short = printable(operation)
    if len({tuple(map(argument_text, command.arguments)) for command in run}) > 1:
        return (short,)
    return describe(operation, (a for a in run[0].arguments if argument_text(a) not in named)), short


def _pack(number: int, pieces: list[Piece], lines_max: int) -> Level:
    """First fit: every piece on the first line with room for its span."""
    lines: list[list[Piece]] = []
    for piece in sorted(pieces, key=lambda piece: (piece.span.start, len(piece.span))):
        fits = (line for line in lines if line[-1].span.stop <= piece.span.start)
        line = next(fits, None)
        if line is None:
            lines.append([piece])
        else:
            line.append(piece)
    kept = lines if len(lines) <= lines_max else lines[: lines_max - 1]
    hidden = sum(piece.count for line in lines[len(kept) :] for piece in line)
    return Level(number, tuple(map(tuple, kept)), hidden)


def _beside(names: list[str], meetings: Counter[tuple[str, str]]) -> list[str]:
    """Insert each name where the sum of (meetings x distance) grows least; the natural order breaks ties."""
    placed: list[str] = []
    for name in names:
        weights = [meetings[min(name, other), max(name, other)] for other in placed]
        if not any(weights):
            placed.append(name)
            continue
        # Inserted before position i: distances to the left are i - j, to the right j + 1 - i, and every
        # earlier meeting that now spans the new name grows by one.
        costs = [
            (
                sum(w * (i - j if j < i else j + 1 - i) for j, w in enumerate(weights))
                + sum(meetings[min(a, b), max(a, b)] for a in placed[:i] for b in placed[i:]),
                -i,
            )
            for i in range(len(placed) + 1)
        ]
        placed.insert(-min(costs)[1], name)
    return placed


def _natural(name: str) -> tuple[tuple[tuple[int, int, str], ...], str]:
    """Sort key: digits by value, so that `a10` follows `a9`; ties by the name itself."""
    parts = re.findall(r"[0-9]+|[^0-9]+", name[:80])
    return tuple((0, int(p), "") if p[0] in "0123456789" else (1, 0, p) for p in parts), name
