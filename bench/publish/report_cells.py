"""What the tables of a measurement have in common: their look, and figures as cells."""

from collections.abc import Iterable, Sequence
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from bench.engine.growth_points import FLAT
from bench.publish import tables
from genpaxos.view.palette import BAD, GOOD, QUIET, UNSURE

SPARKS = "▁▂▃▄▅▆▇█"
INKS = {tables.Grade.GOOD: GOOD, tables.Grade.FAIR: UNSURE, tables.Grade.BAD: BAD}


def table(of: tables.Grid) -> Table:
    """A table; figures are aligned to the right."""
    title = None if of.title is None else Text(of.title)
    made = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", title_style="bold", padding=(0, 1, 0, 0))
    for index, column in enumerate(of.headings):
        made.add_column(Text(column), justify="left" if index in of.words else "right")
    for index, row in enumerate(of.rows):
        if index in of.sections:
            made.add_section()
        made.add_row(*map(cell, row), style="bold" if index in of.totals else "")
    return made


def cell(content: tables.Cell) -> Text:
    """A median has its range beneath; one with a grade has its colour, and what was planned behind it."""
    if isinstance(content, tables.Graded):
        median, _, beneath = content.figure.text("{}\n{}").partition("\n")
        planned = "" if content.planned is None else f" ({content.planned})"
        text = Text.assemble((median, INKS[content.grade]), (planned, QUIET))
        return text.append(f"\n{beneath}", QUIET) if beneath else text
    return Text(content if isinstance(content, str) else content.text("{}\n{}"))


def figures(row: dict[str, Any]) -> list[str]:
    """Commands/s, p50 and p99."""
    latency = row["latency_ms"]
    return [f"{row['commands_per_second']:,.0f}", f"{latency['p50']:.2f}", f"{latency['p99']:.2f}"]


def between(pair: Sequence[float], form: str = ".2f") -> str:
    """A range."""
    return f"{pair[0]:{form}}–{pair[1]:{form}}"


def each(values: Iterable[float | None]) -> str:
    """By process, or once if all are the same."""
    shown = [tables.figure(value, ".0f") for value in values]
    return shown[0] if len(set(shown)) == 1 else " ".join(shown)


def sparkline(values: Sequence[float | None]) -> str:
    """One bar per value, as high as it is in proportion to the largest: what is flat looks flat."""
    top = max((value for value in values if value is not None), default=0.0) or 1.0
    last = len(SPARKS) - 1
    return "".join(" " if value is None else SPARKS[min(last, round(value / top * last))] for value in values)


def curves(points: Sequence[dict[str, Any]], ratios: dict[str, float | None], since: str) -> Table:
    """Curves of time, memory and disk (of the process that takes most), and whether they are flat since."""
    most = {"memory": "rss_mib", "disk": "disk_mib"}
    drawn: dict[str, list[float | None]] = {
        "time": [point["microseconds_per_command"] for point in points],
        **{
            name: [max((value for value in point[key] if value is not None), default=None) for point in points]
            for name, key in most.items()
        },
    }
    made = Table(box=None)
    for name, values in drawn.items():
        if any(value is not None for value in values):
            made.add_row(name, Text(sparkline(values), style="cyan"), _flatness(ratios[name], since))
    made.add_row()
    return made


def _flatness(ratio: float | None, since: str) -> str:
    if ratio is None:
        return "no two points after a snapshot to compare"
    verdict = "flat" if ratio <= FLAT else "grows"
    return f"×{ratio:.2f} since {since}: {verdict} (the bar is ×{FLAT:g})"
