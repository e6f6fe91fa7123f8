"""What each region waits, as a table: it takes the JSON object of a measurement."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from bench.harness.contender import ENGINE
from bench.harness.cpu import CLIENT, OTHERS
from bench.publish.report_cells import table
from bench.publish.tables import Cell, Grade, Graded, Grid, Range
from bench.wan.proxies import NAME as PROXY
from genpaxos.view.label import printable

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
        yield Text(self._title(), "bold")
        shares = len(self._result["options"]["interference"])
        full = NAMES_CELLS + shares * FULL_CELLS <= options.max_width
        beside = max(1, (options.max_width - NAMES_CELLS) // (shares * (FULL_CELLS if full else SHORT_CELLS)))
        names = list(self._contenders)
        for first in range(0, len(names), beside):
            yield table(self._grid(names[first : first + beside], full))
        yield from (Text(note, "dim") for note in self._notes(full))

    def _title(self) -> str:
        options = self._result["options"]
        return (
            f"wan: what a client waits in its region, p50 in ms; {options['rtt']}, "
            f"{len(self._result['regions'])} durable replicas, {options['outstanding']} outstanding per region"
        )

    def _grid(self, names: Sequence[str], full: bool) -> Grid:
        """Some contenders beside each other; the name of one alone is the title."""
        bound, regions = self._result["lower_bound"], self._result["regions"]
        alone = len(names) == 1
        headings = ["region", "lower\nbound"]
        for name in names:
            shares = [f"{share['interference']:.0%}" for share in self._contenders[name]["shares"]]
            headings += shares if alone else [f"{name}\nby {self._coordinator(name)}\n{shares[0]}", *shares[1:]]
        columns = [share for name in names for share in self._contenders[name]["shares"]]
        rows = [
            self._row(region, bound["per_region"][region], [share["per_region"][region] for share in columns], full)
            for region in regions
        ]
        means = [{"p50_ms": share["mean_ms"], "planned_ms": share["planned_mean_ms"]} for share in columns]
        rows.append(self._row("mean", bound["mean_ms"], means, full))
        last = len(regions)
        title = f"{names[0]} by {self._coordinator(names[0])}" if alone else None
        return Grid(headings, rows, title=title, sections=(last,), totals=(last,))

    def _row(self, label: str, least_ms: float, figures: Sequence[_Object], full: bool) -> list[Cell]:
        return [printable(label), _ms(least_ms), *(self._cell(one, least_ms, full) for one in figures)]

    def _coordinator(self, name: str) -> str:
        return printable(self._contenders[name]["coordinator"])

    def _cell(self, figures: _Object, least_ms: float, full: bool) -> Graded:
        """The median; if there is room for it, also what was planned, and the range over rounds."""
        p50, planned_ms = figures["p50_ms"], figures["planned_ms"]
        low, high = (p50["low"], p50["high"]) if full else (p50["median"], p50["median"])
        grade = self._grade(p50["median"], least_ms, planned_ms)
        return Graded(Range(p50["median"], low, high, ".1f"), grade, _ms(planned_ms) if full else None)

    def _grade(self, ms: float, least_ms: float, planned_ms: float) -> Grade:
        tolerance_ms = self._result["tolerance_ms"]
        if ms <= least_ms + tolerance_ms:
            return Grade.GOOD
        return Grade.FAIR if ms <= planned_ms + tolerance_ms else Grade.BAD

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
