"""The stable command graph drawn as a heap of pieces (Viennot, *Heaps of pieces, I*, 1986).

A column per resource, a row per level, newest at the bottom. A command is a block on the columns it touches, directly
below what it must follow; commands that commute share a level. A command on several resources is a bar from the first
to the last of them: solid over the columns it touches, dashed where it only crosses. One on the whole machine is a
double bar over all columns. Runs of commuting commands fold (`deposit ×37`), cold resources share a last column.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment

from genpaxos.view.graph import CommandGraph, State
from genpaxos.view.label import pad, printable, shorten
from genpaxos.view.layout import Columns, Level, Piece, arrange, columns_for, touching_nothing
from genpaxos.view.palette import HEADING, QUIET, Glyphs, glyphs_for

COLUMN_WIDTH_MAX = 22
COLUMN_WIDTH_MIN = 11
COLUMN_WIDTH_MIN_MAX = 15
"""Between these two a column must hold every `▐operation ×9▌`: more columns would only show names cut short."""
NARROW = 60
"""Below this width columns are as narrow as they may be, and the level is a bare number."""

Line = list[Segment]


class Heap:
    """A rich renderable: `console.print(Heap(graph))`.

    `rows` is the height in lines, heading and legend included: older levels are counted, not drawn. Default: the height
    rich offers inside a Layout, else every level. `columns` limits the number of columns (default: what the width
    takes). `prefer` names resources that get the first columns, in that order, used or not, so that columns stay in
    place in a live view.
    """

    def __init__(
        self,
        graph: CommandGraph,
        *,
        rows: int | None = None,
        columns: int | None = None,
        prefer: Sequence[str] = (),
        ascii: bool = False,  # noqa: A002  # the word a user looks for
    ) -> None:
        self.graph = graph
        self.rows = rows
        self.columns = columns
        self.prefer = tuple(prefer)
        self.ascii = ascii

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        glyphs = glyphs_for(console, options, self.ascii)
        rows = options.height if self.rows is None else self.rows
        for line in self.lines(options.max_width, rows, glyphs):
            yield from Segment.adjust_line_length(line, options.max_width, pad=False)
            yield Segment.line()

    def lines(self, width: int, rows: int | None, glyphs: Glyphs) -> list[Line]:
        """The drawing, line by line, at most `rows` of them."""
        if not self.graph.commands:
            return [[Segment("no commands yet", glyphs.style(QUIET))]][:rows]
        gutter = 7 if width >= NARROW else max(3, len(str(self.graph.height))) + 1
        wanted = COLUMN_WIDTH_MIN
        if width >= NARROW:
            longest = max(cell_len(printable(command.operation)) for command in self.graph.commands)
            wanted = min(max(wanted, longest + len("▐ ×9▌")), COLUMN_WIDTH_MIN_MAX)
        limit = max(1, (width - gutter) // wanted)
        capacity = limit if self.columns is None else max(1, min(self.columns, limit))
        columns = columns_for(self.graph, capacity, self.prefer)
        cell = max(2, min(COLUMN_WIDTH_MAX, (width - gutter) // columns.count))
        canvas = _Canvas(columns, gutter, cell, glyphs)

        legend = legend_lines(self.graph, width, glyphs)
        around = 1 + len(legend)
        levels, earlier = arrange(self.graph, columns, None if rows is None else rows - around)
        body = [canvas.heading()]
        if earlier:
            words = f"{glyphs.ellipsis} {earlier:,} earlier level{'s' * (earlier != 1)}"
            body.append([Segment(pad("", gutter) + words, glyphs.style(QUIET))])
        for level in levels:
            body += canvas.level(level)
        return [*body, *legend][:rows]


class _Canvas:
    """Turns levels into lines of segments, for one width and one set of glyphs."""

    def __init__(self, columns: Columns, gutter: int, cell: int, glyphs: Glyphs) -> None:
        self.columns = columns
        self.gutter = gutter
        self.cell = cell
        self.glyphs = glyphs

    def heading(self) -> Line:
        """`level         alice                  bob         `"""
        glyphs = self.glyphs
        word = pad("level" if self.gutter > 5 else "", self.gutter)
        line = [Segment(word, glyphs.style(QUIET))]
        for name in self.columns.names:
            shown = shorten(printable(name, ascii_only=glyphs.ascii_only) or '""', self.cell - 2, glyphs.ellipsis)
            line.append(Segment(pad(shown, self.cell, "^"), glyphs.style(HEADING)))
        if self.columns.others:
            more = f"+{self.columns.others:,} other{'s' * (self.columns.others != 1)}"
            line.append(Segment(pad(shorten(more, self.cell, glyphs.ellipsis), self.cell, "^"), glyphs.style(QUIET)))
        elif not self.columns.names:
            line.append(Segment(pad("(machine)", self.cell, "^"), glyphs.style(QUIET)))
        return line

    def level(self, level: Level) -> list[Line]:
        """The lines of a level, its number on the first."""
        quiet = self.glyphs.style(QUIET)
        lines = [self.pieces(pieces, level.number) for pieces in level.lines]
        if level.hidden:
            more = f"+{level.hidden:,} more command{'s' * (level.hidden != 1)} of this level"
            lines.append([Segment(more, quiet)])
        number = str(level.number)
        first = (
            pad(pad(number, self.gutter // 2, ">"), self.gutter)
            if self.gutter > 5
            else number.rjust(self.gutter - 1) + " "
        )
        gutters = [first] + [" " * self.gutter] * (len(lines) - 1)
        return [[Segment(gutter, quiet), *line] for gutter, line in zip(gutters, lines, strict=True)]

    def pieces(self, pieces: Sequence[Piece], level: int) -> Line:
        """One line of pieces that do not overlap, in order."""
        line: Line = []
        column = 0
        for piece in pieces:
            line.append(Segment(" " * self.cell * (piece.span.start - column)))
            line += self.piece(piece, level)
            column = piece.span.stop
        return line

    def piece(self, piece: Piece, level: int) -> Line:
        """A block per stretch of neighbouring columns that are touched, joined by dashes over those that are not."""
        touched = set(piece.columns)
        stretches = [(on, len(list(run))) for on, run in groupby(piece.span, touched.__contains__)]
        widest = max(length for on, length in stretches if on)
        named = next(i for i, (on, length) in enumerate(stretches) if on and length == widest)
        line: Line = []
        for i, (on, length) in enumerate(stretches):
            if on:
                line += self.block(piece, self.cell * length, level, named=i == named)
            else:
                line.append(Segment(self.glyphs.crossed * (self.cell * length), self.glyphs.wire(piece.state)))
        return line

    def block(self, piece: Piece, width: int, level: int, *, named: bool) -> Line:
        """`▐─── transfer 3 ───▌`: the edges tell the state, the fill whether it is a bar."""
        glyphs = self.glyphs
        left, right = glyphs.edge(piece.state)
        outline, ink = glyphs.outline(piece.state, level), glyphs.ink(piece.state, level)
        fill = glyphs.whole if piece.whole else glyphs.bar if len(piece.columns) > 1 else " "
        label = self.label(piece, width - 2) if named else ""
        if label and fill != " ":
            fill, label = (fill, f" {label} ") if cell_len(label) <= width - 6 else (" ", label)
        face = pad(label, width - 2, "^", fill)
        return [Segment(left, outline), Segment(face, ink), Segment(right, outline)]

    def label(self, piece: Piece, width: int) -> str:
        """The longest label that fits; the count is not cut off while a letter fits before it."""
        glyphs = self.glyphs
        times = f" {glyphs.times}{piece.count:,}" if piece.count > 1 else ""
        labels = [printable(label, ascii_only=glyphs.ascii_only) or '""' for label in piece.labels]
        for label in labels:
            if cell_len(label) + len(times) <= width:
                return label + times
        if len(times) >= width:
            return shorten(times.strip(), width, "")
        # One command keeps the start of its arguments; a run keeps the name it shares.
        return shorten(labels[-1] if times else labels[0], width - len(times), glyphs.ellipsis) + times


def legend_lines(graph: CommandGraph, width: int, glyphs: Glyphs) -> list[Line]:
    """What the edges and colours mean, how many commands are in each state, and how much history there is."""
    counts = Counter(command.state for command in graph.commands)
    entries: list[Line] = []
    for state in State:
        if counts[state]:
            left, right = glyphs.edge(state)
            outline = glyphs.outline(state)
            block = [Segment(left, outline), Segment(state.value, glyphs.ink(state)), Segment(right, outline)]
            entries.append([*block, Segment(f" {counts[state]:,}")])
    entries += [[Segment(words, glyphs.style(QUIET))] for words in _summary(graph, glyphs)]
    lines: list[Line] = [[]]
    for entry in entries:
        gap = [Segment("  " if len(entry) > 1 else f" {glyphs.dot} ", glyphs.style(QUIET))] if lines[-1] else []
        if Segment.get_line_length([*lines[-1], *gap, *entry]) <= width or not lines[-1]:
            lines[-1] += [*gap, *entry]
        else:
            lines.append(entry)
    return lines


def _summary(graph: CommandGraph, glyphs: Glyphs) -> list[str]:
    operations, height = len(graph.commands), graph.height
    shown = len({command.id.partition("#")[0] for command in graph.commands})  # the operations of a run are one
    words = [f"{height:,} level{'s' * (height != 1)}"]
    if graph.total > shown:
        words.append(f"commands {graph.first:,}{glyphs.dash}{graph.first + shown - 1:,} of {graph.total:,}")
    if operations > shown:
        words.append(f"{operations:,} operations")
    nothing = sum(touching_nothing(graph).values())
    if nothing:
        words.append(f"{nothing:,} touching nothing")
    if graph.undeclared:
        words.append(f"{graph.undeclared:,} undeclared")
    return words
