"""What the tables of a measurement have in common: their look, and figures as cells."""

from collections.abc import Iterable, Sequence
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from bench.engine.growth_points import FLAT

SPARKS = "▁▂▃▄▅▆▇█"


def table(*columns: str, title: str | None = None) -> Table:
    """Words in the first column, figures in the others."""
    made = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", title_style="bold", padding=(0, 1, 0, 0))
    for index, column in enumerate(columns):
        made.add_column(column, justify="left" if index == 0 else "right")
    return made


def figures(row: dict[str, Any]) -> list[str]:
    """Commands/s, p50 and p99."""
    latency = row["latency_ms"]
    return [f"{row['commands_per_second']:,.0f}", f"{latency['p50']:.2f}", f"{latency['p99']:.2f}"]


def between(pair: Sequence[float], form: str = ".2f") -> str:
    """A range."""
    return f"{pair[0]:{form}}–{pair[1]:{form}}"


def rate(side: dict[str, Any]) -> str:
    """Commands/s, the range beneath."""
    return _over(side["commands_per_second"], side["commands_per_second_range"], ",.0f")


def spread(values: dict[str, float], form: str = ".2f") -> str:
    """A median, the range beneath."""
    return _over(values["median"], [values["low"], values["high"]], form)


def _over(median: float, pair: Sequence[float], form: str) -> str:
    """A figure that was measured once has no range."""
    return f"{median:{form}}" if pair[0] == pair[1] else f"{median:{form}}\n{between(pair, form)}"


def cost(value: float | None, form: str = ",.0f") -> str:
    """Of processor time; a dash where the system does not tell."""
    return "–" if value is None else f"{value:{form}}"


def each(values: Iterable[float | None]) -> str:
    """By process, or once if all are the same."""
    shown = [cost(value, ".0f") for value in values]
    return shown[0] if len(set(shown)) == 1 else " ".join(shown)


def sparkline(values: Sequence[float | None]) -> str:
    """One bar per value, as high as it is in proportion to the largest: what is flat looks flat."""
    top = max((value for value in values if value is not None), default=0.0) or 1.0
    last = len(SPARKS) - 1
    return "".join(" " if value is None else SPARKS[min(last, round(value / top * last))] for value in values)


def curves(points: Sequence[dict[str, Any]], ratios: dict[str, float | None], since: str) -> Table:
    """Of time, memory and disk, of the latter two the process's that takes most; and whether they are flat since."""
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
