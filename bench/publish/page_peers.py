"""The tables of the results page that put peers beside the engine, with the engine's points for rows."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bench.publish.markdown import table
from bench.publish.tables import Cell, Grid, figure, ranged, rate

Peers = Mapping[str, Mapping[str, Any]]
"""A point's figures by the names of the peers."""


def turn_by_turn(what: str, rows: Sequence[tuple[str, Peers]]) -> str:
    """Each peer at each point, and the engine's commands/s over its own; nothing without peers."""
    names = _names(peers for _, peers in rows)
    if not names:
        return ""
    headings = [f(name) for name in names for f in ("{} /s".format, "{} p50 ms".format, "engine/{}".format)]
    cells = [[label, *(cell for name in names for cell in _beside(peers[name]))] for label, peers in rows]
    return table(Grid((what, *headings), cells))


def _beside(side: Mapping[str, Any]) -> list[Cell]:
    return [rate(side), figure(side["latency_ms"]["p50"], ".2f"), ranged(side["ratio"])]


def interval_by_interval(points: Sequence[Mapping[str, Any]]) -> str:
    """Each peer on a long run; nothing without peers."""
    names = _names(point.get("peers", {}) for point in points)
    if not names:
        return ""
    what = ("µs each", "mean", "CPU µs", "memory MiB", "disk MiB")
    headings = [f"{name} {words}" for name in names for words in what]
    rows = [
        [figure(point["commands"]), *(cell for name in names for cell in _cost(point["peers"][name]))]
        for point in points
    ]
    return table(Grid(("commands", *headings), rows))


def _cost(side: Mapping[str, Any]) -> list[str]:
    return [
        figure(side["microseconds_per_command"], ".1f"),
        figure(side["mean_microseconds_per_command"], ".1f"),
        figure(side["cpu_us_per_command"], ".1f"),
        figure(most(side["rss_mib"])),
        figure(most(side["disk_mib"])),
    ]


def most(values: Iterable[float | None]) -> float | None:
    """The value of the process that takes most; ``None`` if none tells."""
    return max((value for value in values if value is not None), default=None)


def _names(points: Iterable[Peers]) -> list[str]:
    return list(dict.fromkeys(name for peers in points for name in peers))
