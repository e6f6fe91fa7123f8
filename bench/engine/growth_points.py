"""What a long run is read for at each point, and how flat the curves through the points are."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from bench.harness.contender import Load

TENTHS = 10
WINDOWS = 20
"""Windows per interval that the median is of; fewer if they would be too short."""
LAPS = 4
"""How often the commands outstanding must fit into a window: results come in batches, and one is no rate."""
FLAT = 1.2
"""Up to this ratio of the last point to the first after a snapshot a curve counts as flat."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What was read of a contender after so many commands. The lists are by process."""

    commands: int
    microseconds: float
    """Per command since the point before: the median of windows."""
    mean_microseconds: float
    """The same over the whole interval, pauses included."""
    cpu_us: float | None
    """Processor time of client and servers per command; ``None`` where the system does not tell."""
    rss_mib: list[float | None]
    disk_mib: list[float | None]
    """``None`` of what keeps nothing on a disk."""

    def to_json(self) -> dict[str, Any]:
        """One point of a result."""
        return {
            "commands": self.commands,
            "microseconds_per_command": round(self.microseconds, 2),
            "mean_microseconds_per_command": round(self.mean_microseconds, 2),
            "cpu_us_per_command": None if self.cpu_us is None else round(self.cpu_us, 2),
            "rss_mib": rounded(self.rss_mib),
            "disk_mib": rounded(self.disk_mib),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Point(Cost):
    """What was read of the engine, its snapshots included. The lists are by replica."""

    writer_peak_mib: list[float | None]
    snapshots: list[int]
    cut: list[int]

    def to_json(self) -> dict[str, Any]:
        """One point of a result."""
        return {
            **Cost.to_json(self),
            "snapshot_writer_rss_peak_mib": rounded(self.writer_peak_mib),
            "snapshots": self.snapshots,
            "cut": self.cut,
        }


def points_of(commands: int) -> list[int]:
    """Numbers of commands to read at: powers of ten, then tenths of the whole."""
    tenths = {commands * tenth // TENTHS for tenth in range(1, TENTHS + 1)} - {0}
    powers = {10**power for power in range(3, 9)}
    return sorted(tenths | {power for power in powers if power < min(tenths)})


def times_of(load: Load, outstanding: int) -> tuple[float, float]:
    """Microseconds per command of an interval: the median over windows, and the mean."""
    median = median_microseconds([load.started_s, *load.acknowledged_s], LAPS * outstanding)
    return median, load.seconds / len(load.acknowledged_s) * 1e6


def median_microseconds(times_s: Sequence[float], shortest: int) -> float:
    """Microseconds per command: the median over windows of at least ``shortest`` commands, or one of them all.

    ``times_s`` are when the first command started, and when each was acknowledged.
    """
    count = len(times_s) - 1
    size = min(count, max(count // WINDOWS, shortest))
    edges = times_s[::size]
    return statistics.median((late - soon) / size * 1e6 for soon, late in pairwise(edges))


def settled(points: Sequence[Point]) -> tuple[int, int] | None:
    """Which two points show whether a curve is flat: the first after every replica's first snapshot, and the last."""
    found = [index for index, point in enumerate(points) if all(point.snapshots)]
    return (found[0], found[-1]) if len(found) > 1 else None


def flat(points: Sequence[Cost], between: tuple[int, int] | None) -> dict[str, float | None]:
    """The later of two points as a ratio to the earlier: of memory and disk the process's that grew most. ``None``
    where there are no such two points, or the system does not tell."""
    if between is None:
        return {"time": None, "memory": None, "disk": None}
    first, last = (points[index] for index in between)
    return {
        "time": round(last.microseconds / first.microseconds, 3),
        "memory": _most_grown(first.rss_mib, last.rss_mib),
        "disk": _most_grown(first.disk_mib, last.disk_mib),
    }


def _most_grown(first: Sequence[float | None], last: Sequence[float | None]) -> float | None:
    ratios = [now / then for then, now in zip(first, last, strict=True) if then and now]
    return round(max(ratios), 3) if ratios else None


def rounded(values: Sequence[float | None]) -> list[float | None]:
    """As a result shows them."""
    return [None if value is None else round(value, 1) for value in values]
