"""What each region waits, as a table: it takes the JSON object of a measurement."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console, ConsoleOptions, RenderResult
from rich.style import Style
from rich.table import Table
from rich.text import Text

from bench.harness.contender import ENGINE
from bench.harness.cpu import CLIENT, OTHERS
from bench.wan.proxies import NAME as PROXY
from genpaxos.view.label import printable
from genpaxos.view.palette import BAD, COORDINATOR, GOOD, HEADING, QUIET, UNSURE, Glyphs, glyphs_for

NAMES_CELLS = 18
"""The regions and their lower bounds, with what surrounds them."""
FULL_CELLS, SHORT_CELLS = 16, 8
"""A share's column: with plan and range, and the median alone where the console is narrow."""

_Object = Mapping[str, Any]


class WanTable:
    """A rich renderable: regions as rows, every contender at every share as columns, as many beside each other as fit.

    Green is within the tolerance of the lower bound, yellow of what was planned, red is beyond both.
    """

    def __init__(self, result: _Object) -> None:
        self._result = result
        self._contenders: _Object = result["contenders"]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        glyphs, result = glyphs_for(console, options), self._result
        yield Text(self._title(), glyphs.style(HEADING))
        shares = len(result["options"]["interference"])
        full = NAMES_CELLS + shares * FULL_CELLS <= options.max_width
        beside = max(1, (options.max_width - NAMES_CELLS) // (shares * (FULL_CELLS if full else SHORT_CELLS)))
        names = list(self._contenders)
        for first in range(0, len(names), beside):
            yield self._table(names[first : first + beside], full, glyphs)
        yield from (Text(note, glyphs.style(QUIET)) for note in self._notes(full))

    def _title(self) -> str:
        options = self._result["options"]
        return (
            f"wan: what a client waits in its region, p50 in ms; {options['rtt']}, "
            f"{len(self._result['regions'])} durable replicas, {options['outstanding']} outstanding per region"
        )

    def _table(self, names: Sequence[str], full: bool, glyphs: Glyphs) -> Table:
        result, bound = self._result, self._result["lower_bound"]
        alone = len(names) == 1
        table = Table(
            box=box.ASCII2 if glyphs.ascii_only else box.SIMPLE_HEAD,
            padding=(0, 1),
            pad_edge=False,
            title=self._name(names[0], " ", glyphs) if alone else None,
            title_style=Style.null(),
            title_justify="left",
        )
        table.add_column("region")
        table.add_column(Text("lower\nbound", glyphs.style(QUIET)), justify="right", style=glyphs.style(QUIET))
        columns = [(name, share) for name in names for share in self._contenders[name]["shares"]]
        for name, share in columns:
            first = share is self._contenders[name]["shares"][0]
            heading = self._name(name, "\n", glyphs) if first and not alone else Text("" if alone else "\n")
            table.add_column(heading.append(f"\n{share['interference']:.0%}"), justify="right")
        for region in result["regions"]:
            least = bound["per_region"][region]
            cells = [self._cell(share["per_region"][region], least, full, glyphs) for _, share in columns]
            table.add_row(printable(region), _ms(least), *cells)
        table.add_section()
        means = [
            self._cell({"p50_ms": s["mean_ms"], "planned_ms": s["planned_mean_ms"]}, bound["mean_ms"], full, glyphs)
            for _, s in columns
        ]
        table.add_row("mean", _ms(bound["mean_ms"]), *means, style=glyphs.style(HEADING))
        return table

    def _name(self, name: str, apart: str, glyphs: Glyphs) -> Text:
        coordinator = printable(self._contenders[name]["coordinator"])
        return Text.assemble((name, glyphs.style(HEADING)), apart, (f"by {coordinator}", glyphs.style(COORDINATOR)))

    def _cell(self, figures: _Object, least_ms: float, full: bool, glyphs: Glyphs) -> Text:
        """The median, and what was planned; beneath, the range over rounds."""
        p50 = figures["p50_ms"]
        text = Text.assemble(
            (f"{p50['median']:.1f}", self._ink(p50["median"], least_ms, figures["planned_ms"], glyphs))
        )
        if full:
            text.append(f" ({_ms(figures['planned_ms'])})", glyphs.style(QUIET))
            text.append(f"\n{p50['low']:.1f}{glyphs.dash}{p50['high']:.1f}", glyphs.style(QUIET))
        return text

    def _ink(self, ms: float, least_ms: float, planned_ms: float, glyphs: Glyphs) -> Style:
        tolerance_ms = self._result["tolerance_ms"]
        ink = GOOD if ms <= least_ms + tolerance_ms else UNSURE if ms <= planned_ms + tolerance_ms else BAD
        return glyphs.style(ink)

    def _notes(self, full: bool) -> Iterator[str]:
        result = self._result
        options, tolerance = result["options"], f"{result['tolerance_ms']:g} ms"
        if full:
            yield f"(as planned); beneath: range over {options['rounds']} rounds of {options['seconds']:g} s"
        yield f"green: within {tolerance} of the lower bound; yellow: of the plan; red: beyond both"
        yield "lower bound: to the nearest majority and back; %: commands that update one account, of every region"
        late = result["emulation"]["late_ms"]
        if late:
            yield (
                f"emulation: {result['emulation']['echoes']:,} echoes between all pairs during the run came back "
                f"{late['p50']:.2f} ms later than the matrix says (p99 {late['p99']:.2f}, at most {late['most']:.2f})"
            )
        yield from _ratios(result["ratios"])
        for name, contender in self._contenders.items():
            pinned = f", pinning {'-'.join(contender['pinned'])}" if contender["pinned"] else ""
            used = _cores([share["cpu_cores"] for share in contender["shares"]])
            yield (
                f"{name}: {contender['about']}; led by {contender['coordinator']}{pinned}; cores: {used}; "
                f"verified, {contender['verified']['acknowledged']:,} commands"
            )


def _ratios(ratios: Mapping[str, float]) -> Iterator[str]:
    """A line for each peer; the keys are like ``etcd at 0.02``."""
    peers: dict[str, list[str]] = {}
    for key, ratio in ratios.items():
        name, _, share = key.partition(" at ")
        peers.setdefault(name, []).append(f"{ratio:.2f} at {float(share):.0%}")
    for name, found in peers.items():
        yield f"mean wait with {name}, as a ratio to that with {ENGINE}: {', '.join(found)}"


def _cores(shares: Sequence[Mapping[str, float]]) -> str:
    """The most of any share, by kind of process."""
    kinds = (CLIENT, PROXY, OTHERS)
    most = {kind: max(share.get(kind, 0.0) for share in shares) for kind in kinds}
    servers = max(sum(used for process, used in share.items() if process not in kinds) for share in shares)
    return f"replicas {servers:.2f}, clients {most[CLIENT]:.2f}, proxy {most[PROXY]:.2f}, others {most[OTHERS]:.2f}"


def _ms(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
