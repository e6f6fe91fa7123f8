"""A message flow drawn as the article "Paxos (computer science)" does: a lane per process, time downwards.

A line per message, or per group of equal messages of one delay: `●` sends, `▶` and `◀` receive, `✗` fails or loses. On
the left the delay at which they arrive. Under each part of the flow what was learned, with its delays, and the stable
graph.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.style import Style

from genpaxos.view.arrows import Arrow, Event, Learned, arrows_of, event_of, learned_of
from genpaxos.view.graph import CommandGraph
from genpaxos.view.heap import Heap
from genpaxos.view.label import pad, printable, shorten
from genpaxos.view.palette import BAD, COORDINATOR, GOOD, HEADING, QUIET, UNSURE, Glyphs, glyphs_for
from genpaxos.view.snapshot import expect, required

GUTTER = 4
LANE_MIN = 3
LANE_MAX = 11
TEXT_MIN = 34
"""What a message is given at least to the right of the lanes; below it the text goes on a line of its own."""
SMALL = 4
"""Lanes narrower than the names have them as single letters and numbers."""

Line = list[Segment]


@dataclass(frozen=True, slots=True)
class Marks:
    """The characters of the lanes."""

    lane: str = "│"
    send: str = "●"
    left: str = "◀"
    right: str = "▶"
    line: str = "─"
    cross: str = "┼"
    lost: str = "✗"
    learn: str = "★"


_ASCII = Marks("|", "o", "<", ">", "-", "-", "X", "*")


class FlowView:
    """A rich renderable: `console.print(FlowView.from_json(trace))`."""

    def __init__(
        self,
        title: str,
        lanes: Sequence[str],
        steps: Sequence[tuple[str, CommandGraph]],
        arrows: Sequence[Arrow],
        events: Sequence[Event],
        learned: Sequence[Learned],
        *,
        ascii: bool = False,  # noqa: A002  # the word a user looks for
    ) -> None:
        self.title = title
        self.lanes = tuple(lanes)
        self.steps = tuple(steps)
        self.arrows = tuple(arrows)
        self.events = tuple(events)
        self.learned = tuple(learned)
        self.ascii = ascii

    @classmethod
    def from_json(cls, data: Mapping[str, object], *, ascii: bool = False) -> FlowView:  # noqa: A002
        """Read what `genpaxos flow NAME --json` prints."""
        data = expect(data, dict, "the flow")
        lanes = [expect(lane, str, "flow.lanes") for lane in required(data, "lanes", list, "flow")]
        name, policy = required(data, "name", str, "flow"), required(data, "policy", str, "flow")
        steps = [
            (required(step, "title", str, "step"), CommandGraph.from_json(required(step, "graph", dict, "step")))
            for step in required(data, "steps", list, "flow")
        ]
        return cls(
            f"{name} ({policy}): {required(data, 'title', str, 'flow')}",
            lanes,
            steps,
            arrows_of(required(data, "messages", list, "flow"), lanes),
            [event_of(note, lanes) for note in required(data, "notes", list, "flow")],
            [learned_of(entry, lanes) for entry in required(data, "learned", list, "flow")],
            ascii=ascii,
        )

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        glyphs = glyphs_for(console, options, self.ascii)
        for line in self.lines(options.max_width, glyphs):
            yield from Segment.adjust_line_length(line, options.max_width, pad=False)
            yield Segment.line()

    def lines(self, width: int, glyphs: Glyphs) -> list[Line]:
        """The drawing, line by line."""
        canvas = _Canvas(self.lanes, width, glyphs)
        lines = [*canvas.text(self.title, HEADING), *canvas.legend(), *canvas.heading()]
        down: set[int] = set()
        for number, (title, graph) in enumerate(self.steps):
            lines += [canvas.lanes(down), *canvas.text(title, HEADING)]
            for delay in range(self._last(number) + 1):
                lines += self._delay(canvas, number, delay, down)
            if graph.commands:
                lines += [[], *canvas.text("stable after it:", QUIET)]
                lines += Heap(graph, ascii=self.ascii).lines(width, None, glyphs)
                lines.append([])
        return lines

    def _last(self, step: int) -> int:
        arrows = [arrow.delay for arrow in self.arrows if arrow.step == step]
        return max(arrows + [event.delay for event in self.events if event.step == step], default=0)

    def _delay(self, canvas: _Canvas, step: int, delay: int, down: set[int]) -> list[Line]:
        """What arrives at one delay, what is learned from it, what happens then."""
        lines: list[Line] = []
        for arrow in self.arrows:
            if (arrow.step, arrow.delay) == (step, delay):
                lines += canvas.arrow(arrow, down, first=not lines)
        learned: dict[tuple[tuple[int, ...], str], list[str]] = {}
        for entry in self.learned:
            lanes = tuple(lane for lane, at in sorted(entry.learners.items()) if at == delay)
            if entry.step == step and lanes:
                learned.setdefault((lanes, entry.rule), []).append(entry.command)
        for (lanes, rule), commands in learned.items():
            lines += canvas.learned(lanes, f"learned {', '.join(commands)} ({rule}, {delay} delays)", down)
        for event in self.events:
            if (event.step, event.delay) == (step, delay):
                lines += canvas.event(event, down)
        return lines


class _Canvas:
    """Turns arrows into lines, for one width and one set of glyphs."""

    def __init__(self, names: Sequence[str], width: int, glyphs: Glyphs) -> None:
        self.names = names
        self.width = width
        self.glyphs = glyphs
        self.marks = _ASCII if glyphs.ascii_only else Marks()
        room = (width - GUTTER - TEXT_MIN) // len(names)
        self.beside = room >= LANE_MIN
        """Whether texts stand to the right of the lanes."""
        if not self.beside:
            room = (width - GUTTER) // len(names)
        widest = max(map(cell_len, self._parts(0)), default=0)
        self.lane = max(LANE_MIN, min(LANE_MAX, room, max(widest + 1, SMALL)))
        self.room = width - GUTTER - self.lane * len(names)

    @property
    def _initials(self) -> bool:
        """Whether the lanes are too narrow for their names."""
        return max(map(cell_len, self._parts(0)), default=0) >= self.lane

    def legend(self) -> list[Line]:
        """What the initials over the lanes stand for, if there are any."""
        numbered = dict(zip(self._parts(0), self._parts(1), strict=True))
        words = (f"{name[:1]}{'n' if number else ''} {name}" for name, number in numbered.items())
        return self.text(f" {self.glyphs.dot} ".join(words), QUIET) if self._initials else []

    def heading(self) -> list[Line]:
        """The names over the lanes; `Acceptor 2` in two lines, or as `A2`."""
        style = self.glyphs.style(HEADING)
        if not self._initials:
            rows = [self._parts(0), self._parts(1)] if any(self._parts(1)) else [self._parts(0)]
        else:
            rows = [[name[:1] + number for name, number in zip(self._parts(0), self._parts(1), strict=True)]]
        return [
            [Segment(" " * GUTTER), *(Segment(pad(shorten(part, self.lane), self.lane), style) for part in row)]
            for row in rows
        ]

    def text(self, words: str, style: Style) -> list[Line]:
        """Words over the whole width, wrapped."""
        return [[Segment(line, self.glyphs.style(style))] for line in _wrapped(self._plain(words), self.width)]

    def lanes(self, down: set[int], delay: str = "") -> Line:
        """The lanes, and nothing on them."""
        quiet = self.glyphs.style(QUIET)
        cells = [pad(" " if lane in down else self.marks.lane, self.lane) for lane in range(len(self.names))]
        return [Segment(pad(delay, GUTTER), quiet), Segment("".join(cells), quiet)]

    def arrow(self, arrow: Arrow, down: set[int], *, first: bool) -> list[Line]:
        """One group of equal messages."""
        ends = arrow.senders | arrow.receivers | arrow.lost
        in_vain = not arrow.receivers
        start, stop = min(ends), max(ends)
        line: Line = [Segment(pad(str(arrow.delay) if first else "", GUTTER), self.glyphs.style(HEADING))]
        for lane in range(len(self.names)):
            inside = start <= lane <= stop
            mark = self._mark(arrow, lane, down, inside=inside)
            failed = lane in arrow.lost
            line.append(Segment(mark, self.glyphs.style(BAD if failed else COORDINATOR if lane in ends else QUIET)))
            wire = self.marks.line if start <= lane < stop else " "
            line.append(Segment(wire * (self.lane - 1), self.glyphs.style(BAD if in_vain else COORDINATOR)))
        return self._beside(line, arrow.text + "  lost" * in_vain, BAD if in_vain else Style.null(), down)

    def learned(self, lanes: Iterable[int], words: str, down: set[int]) -> list[Line]:
        """Who has learned a command."""
        return self._beside(self._marked(lanes, self.marks.learn, GOOD, down), words, GOOD, down)

    def event(self, event: Event, down: set[int]) -> list[Line]:
        """A failure ends the lane; anything else only remarks."""
        if event.lane is None:
            return self._beside(self.lanes(down), event.text, UNSURE, down)
        mark, style = ("!", UNSURE) if event.up else (self.marks.lost, BAD)
        (down.discard if event.up else down.add)(event.lane)
        return self._beside(self._marked([event.lane], mark, style, down), event.text, style, down)

    def _marked(self, lanes: Iterable[int], mark: str, style: Style, down: set[int]) -> Line:
        chosen = set(lanes)
        line: Line = [Segment(" " * GUTTER)]
        for lane in range(len(self.names)):
            plain = " " if lane in down else self.marks.lane
            shown = mark if lane in chosen else plain
            line.append(Segment(pad(shown, self.lane), self.glyphs.style(style if lane in chosen else QUIET)))
        return line

    def _mark(self, arrow: Arrow, lane: int, down: set[int], *, inside: bool) -> str:
        marks = self.marks
        if lane in arrow.senders:
            return marks.send
        if lane in arrow.lost:
            return marks.lost
        if lane in arrow.receivers:
            return marks.right if min(arrow.senders) < lane else marks.left
        if inside:
            return marks.line if lane in down else marks.cross
        return " " if lane in down else marks.lane

    def _beside(self, line: Line, words: str, style: Style, down: set[int]) -> list[Line]:
        """Words to the right of the lanes, or under them."""
        shown = self.glyphs.style(style)
        if not self.beside:
            return [line, *([Segment(" " * GUTTER + part, shown)] for part in _wrapped(words, self.width - GUTTER))]
        first, *rest = _wrapped(self._plain(words), self.room)
        return [[*line, Segment(first, shown)], *([*self.lanes(down), Segment(part, shown)] for part in rest)]

    def _plain(self, words: str) -> str:
        if self.glyphs.ascii_only:
            words = words.translate(str.maketrans("⟨⟩∥", "<>|"))
        return printable(words, ascii_only=self.glyphs.ascii_only)

    def _parts(self, which: int) -> list[str]:
        return [self._plain(name).partition(" ")[2 * which] for name in self.names]


def _wrapped(words: str, width: int) -> list[str]:
    """Words on lines of at most that many cells, broken between words."""
    lines = [""]
    for word in words.split(" "):
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if cell_len(joined) <= width or not lines[-1]:
            lines[-1] = joined
        else:
            lines.append("  " + word)
    return [shorten(line, width) for line in lines]
