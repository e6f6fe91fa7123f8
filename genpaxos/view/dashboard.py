"""The live demo on one screen: progress, replicas, the stable command graph, and what happened.

The dashboard is a pure function of a `DemoSnapshot` and the size of the console. `plain_line` says the same in one line
for pipes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.segment import Segment
from rich.style import Style
from rich.text import Text

from genpaxos.view.cluster import ClusterStatus
from genpaxos.view.graph import CommandGraph
from genpaxos.view.heap import Heap
from genpaxos.view.label import pad, printable, shorten
from genpaxos.view.palette import BAD, GOOD, HEADING, QUIET, Glyphs, glyphs_for
from genpaxos.view.status import StatusView, flow, percent, shown

SIDE_BY_SIDE_WIDTH_MIN = 132
"""From this width on the graph stands beside the replicas and the events instead of between them."""
EVENTS_MAX = 5
HEAP_ROWS_MIN = 6
EVENT_STYLES = {"fault": BAD, "repair": GOOD, "note": Style.null()}

Line = list[Segment]


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoEvent:
    """Something that happened: `kill -9 replica 2 (coordinator)`, `new coordinator 0 after 0.9 s`."""

    at_s: float
    text: str
    kind: Literal["fault", "repair", "note"] = "note"


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoSnapshot:
    """All the dashboard shows. `prefer` names the resources that keep the first columns of the heap."""

    title: str
    status: ClusterStatus
    graph: CommandGraph | None = None
    acknowledged: int = 0
    total: int = 0
    rate_per_s: float = 0.0
    elapsed_s: float = 0.0
    phase: str = ""
    events: tuple[DemoEvent, ...] = ()
    prefer: tuple[str, ...] = ()


class Dashboard:
    """A rich renderable that fills the console (or the height rich offers, as inside `Live(screen=True)`)."""

    def __init__(self, snapshot: DemoSnapshot, *, ascii: bool = False) -> None:  # noqa: A002
        self.snapshot = snapshot
        self.ascii = ascii

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        glyphs = glyphs_for(console, options, self.ascii)
        screen = _Screen(self.snapshot, console, options, glyphs)
        wide = options.max_width >= SIDE_BY_SIDE_WIDTH_MIN
        lines = screen.side_by_side() if wide else screen.stacked()
        for i, line in enumerate(lines[: screen.height]):
            if i:
                yield Segment.line()
            yield from Segment.adjust_line_length(line, options.max_width, pad=False)
        yield Segment.line()


class _Screen:
    """Divides the lines of one screen among the parts: the graph gets what the others leave."""

    def __init__(self, snapshot: DemoSnapshot, console: Console, options: ConsoleOptions, glyphs: Glyphs) -> None:
        self.snapshot = snapshot
        self.console = console
        self.options = options
        self.glyphs = glyphs
        self.height = options.height or max(1, options.size.height - 1)

    def stacked(self) -> list[Line]:
        """Progress, replicas, graph, events, one below the other."""
        width = self.options.max_width
        top = self.top(width)
        events = self.events(width, EVENTS_MAX if self.height >= 30 else EVENTS_MAX // 2)
        room = self.height - len(top) - len(events)
        if room < HEAP_ROWS_MIN:
            events = events[: max(0, len(events) - (HEAP_ROWS_MIN - room))]
            room = self.height - len(top) - len(events)
        return top + self.graph(width, room) + events

    def side_by_side(self) -> list[Line]:
        """The graph on the left; progress, replicas and events on the right."""
        gap = 3
        right_width = max(60, self.options.max_width * 2 // 5)
        left_width = self.options.max_width - right_width - gap
        parts = self.top(right_width, notes=True)
        wanted = min(EVENTS_MAX, len(self.snapshot.events)) + 1
        if len(parts) + wanted > self.height:
            parts = self.top(right_width)
        parts += self.events(right_width, max(0, self.height - len(parts) - 1))
        left = self.graph(left_width, self.height)
        blank: Line = []
        count = max(len(left), len(parts))
        left += [blank] * (count - len(left))
        parts += [blank] * (count - len(parts))
        return [
            [*Segment.adjust_line_length(a, left_width), Segment(" " * gap), *b]
            for a, b in zip(left, parts, strict=True)
        ]

    def graph(self, width: int, rows: int) -> list[Line]:
        """The heap under its rule, in at most `rows` lines."""
        if rows < 2:
            return []
        rule = self.rule("stable command graph", width)
        if self.snapshot.graph is None:
            return [*rule, [Segment("not known yet", self.glyphs.style(QUIET))]]
        prefer, ascii_only = self.snapshot.prefer, self.glyphs.ascii_only
        heap = Heap(self.snapshot.graph, rows=rows - 1, prefer=prefer, ascii=ascii_only)
        return [*rule, *self.draw(heap, width)]

    def events(self, width: int, count: int) -> list[Line]:
        """The newest events under their rule, oldest first."""
        newest = self.snapshot.events[-count:] if count > 0 else ()
        lines = [event_line(event, width, self.glyphs) for event in newest]
        return [*self.rule("events", width), *lines] if lines else []

    def rule(self, title: str, width: int) -> list[Line]:
        glyphs = self.glyphs
        words = shorten(f"{glyphs.bar * 2} {title} ", width, glyphs.ellipsis)
        return [[Segment(pad(words, width, "<", glyphs.bar), glyphs.style(QUIET))]]

    def top(self, width: int, *, notes: bool = False) -> list[Line]:
        """Progress and replicas."""
        status = StatusView(self.snapshot.status, name=False, notes=notes, ascii=self.glyphs.ascii_only)
        lines = progress(self.snapshot, width, self.glyphs)
        return self.draw(Group(*lines, status), width)

    def draw(self, part: RenderableType, width: int) -> list[Line]:
        return self.console.render_lines(part, self.options.update(width=width, height=None), pad=False)


def progress(snapshot: DemoSnapshot, width: int, glyphs: Glyphs) -> list[Text]:
    """`demo bank  ██████░░░░  612/1,000 acknowledged · 410/s · 12.3 s`, on two lines when narrow."""
    words = progress_words(snapshot)
    facts = f" {glyphs.dot} ".join(words)
    title = shorten(printable(snapshot.title, ascii_only=glyphs.ascii_only), width // 2, glyphs.ellipsis)
    share = min(1.0, snapshot.acknowledged / snapshot.total) if snapshot.total > 0 else 0.0
    heading = Text(f"{title}  ", glyphs.style(HEADING))
    one_line = width - heading.cell_len - len(facts) - 2 >= 10
    room = min(40, width - heading.cell_len - (len(facts) + 2 if one_line else 0))
    full = round(room * share)
    bar = Text.assemble(
        heading,
        (glyphs.full * full, glyphs.style(GOOD if share == 1 else Style(color="cyan"))),
        (glyphs.empty * (room - full), glyphs.style(QUIET)),
    )
    if one_line:
        return [Text.assemble(bar, f"  {facts}")]
    return [bar, *flow([Text(shown(fact, width, glyphs)) for fact in words], width, glyphs)]


def progress_words(snapshot: DemoSnapshot) -> list[str]:
    """What is acknowledged, how fast, for how long, and in what phase."""
    done = f"{snapshot.acknowledged:,}" + (f"/{snapshot.total:,}" if snapshot.total else "")
    words = [f"{done} acknowledged", f"{snapshot.rate_per_s:,.0f}/s", f"{snapshot.elapsed_s:.1f} s"]
    return [*words, printable(snapshot.phase, ascii_only=True)] if snapshot.phase else words


def event_line(event: DemoEvent, width: int, glyphs: Glyphs) -> Line:
    """`  12.3 s  kill -9 replica 2 (coordinator)`"""
    at = f"{event.at_s:6.1f} s  "
    text = shorten(printable(event.text, ascii_only=glyphs.ascii_only), width - len(at), glyphs.ellipsis)
    return [Segment(at, glyphs.style(QUIET)), Segment(text, glyphs.style(EVENT_STYLES[event.kind]))]


def plain_line(snapshot: DemoSnapshot) -> str:
    """The snapshot as one line of plain text, without control characters."""
    status = snapshot.status
    ok, _ = status.quorum
    words = [
        *progress_words(snapshot),
        f"fast {percent(status.fast_share)}",
        f"replicas {len(status.reachable)}/{len(status.replicas)}",
        f"quorum {'yes' if ok else 'NO'}",
        "no coordinator" if status.coordinator is None else f"coordinator {status.coordinator}",
    ]
    if snapshot.events:
        last = snapshot.events[-1]
        words.append(f"[{last.at_s:.1f} s] {printable(last.text)}")
    return printable(snapshot.title) + ": " + ", ".join(words)
