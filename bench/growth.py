"""How the cost of a command, memory and disk develop over a long run with snapshots: flat, or the engine leaks.

One cluster takes all the commands. At each point the loop ends, so that what is read belongs to a known number of
commands. The log is cut behind snapshots, so the run is verified by its outcome: a copy of the machine here takes the
same commands, and every replica must have applied as many and hold the very same state.
"""

import asyncio
import gc
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Any

from bench import workload
from bench.cluster import Bench, running
from bench.cpu import OTHERS, CpuTimes, read_cpu
from bench.load import ClosedLoop
from bench.options import Options
from bench.steady import Progress
from bench.usage import ReplicaUsage, replicas_of
from bench.verify import verify_outcome
from commutativity import Command, Machine
from genpaxos.runtime.query import ask_all

LOOK_S = 0.1
ANSWER_S = 10.0
TENTHS = 10
WINDOWS = 20
"""Windows per interval that the median is of; fewer if they would be too short."""
LAPS = 4
"""How often the commands outstanding must fit into a window: results come in batches, and one is no rate."""
FLAT = 1.2
"""Up to this ratio of the last point to the first after a snapshot a curve counts as flat."""


@dataclass(frozen=True, slots=True)
class Point:
    """What was read after so many commands. The lists are by replica."""

    commands: int
    microseconds: float
    """Per command since the point before: the median of windows."""
    mean_microseconds: float
    """The same over the whole interval, pauses included."""
    cpu_us: float | None
    """Processor time of client and replicas per command; ``None`` where the system does not tell."""
    rss_mib: list[float | None]
    writer_peak_mib: list[float | None]
    disk_mib: list[float]
    snapshots: list[int]
    cut: list[int]

    def to_json(self) -> dict[str, Any]:
        """One point of a result."""
        return {
            "commands": self.commands,
            "microseconds_per_command": round(self.microseconds, 2),
            "mean_microseconds_per_command": round(self.mean_microseconds, 2),
            "cpu_us_per_command": None if self.cpu_us is None else round(self.cpu_us, 2),
            "rss_mib": _rounded(self.rss_mib),
            "snapshot_writer_rss_peak_mib": _rounded(self.writer_peak_mib),
            "disk_mib": _rounded(self.disk_mib),
            "snapshots": self.snapshots,
            "cut": self.cut,
        }


async def growth(options: Options, progress: Progress) -> dict[str, Any]:
    """Run all commands on one cluster and read it at every point. Raises :class:`GenpaxosError`."""
    stream = workload.commands(options.seed, accounts=options.resources)
    model: Machine = workload.MACHINE()
    _apply(model, workload.opening())
    points: list[Point] = []
    progress("starting the replicas", 0, options.commands)
    async with running(options, options.policy) as bench:
        replicas = replicas_of(bench.cluster.config, bench.cluster.cluster_file)
        for before, after in pairwise([0, *points_of(options.commands)]):
            commands = list(islice(stream, after - before))  # made beforehand: not what is measured
            cpu_before = read_cpu(bench.pids())
            loop = await _interval(bench, commands, options.outstanding, replicas, progress, before, options.commands)
            cpu_us = _cpu_us(cpu_before, read_cpu(bench.pids()), len(commands))
            points.append(_point(bench, after, loop, options.outstanding, replicas, cpu_us))
            _apply(model, commands)
        progress("verifying", options.commands, options.commands)
        verified = await asyncio.to_thread(verify_outcome, bench, model, options.commands + len(bench.acknowledged))
    return {
        "commands_per_second": round(1e6 / points[-1].microseconds, 1),
        "ratios": flat(points),
        "points": [point.to_json() for point in points],
        "verified": verified,
    }


def points_of(commands: int) -> list[int]:
    """Numbers of commands to read at: powers of ten, then tenths of the whole."""
    tenths = {commands * tenth // TENTHS for tenth in range(1, TENTHS + 1)} - {0}
    powers = {10**power for power in range(3, 9)}
    return sorted(tenths | {power for power in powers if power < min(tenths)})


async def _interval(
    bench: Bench,
    commands: Sequence[Command[Any]],
    outstanding: int,
    replicas: Sequence[ReplicaUsage],
    progress: Progress,
    done: int,
    total: int,
) -> ClosedLoop:
    loop = ClosedLoop(bench.client, iter(commands), outstanding)
    gc.collect()
    gc.freeze()
    run = asyncio.create_task(loop.run(bench.deadline_s))
    try:
        while not run.done():
            for replica in replicas:
                replica.look()
            progress("measuring", done + len(loop.ids), total)
            await asyncio.wait([run], timeout=LOOK_S)
        await run
    finally:
        run.cancel()
        gc.unfreeze()
    return loop


def _cpu_us(before: CpuTimes, after: CpuTimes, commands: int) -> float | None:
    """Per command; what writes a snapshot is a process of its own and not in it."""
    used = after.cores_since(before, 1.0)
    return sum(seconds for name, seconds in used.items() if name != OTHERS) / commands * 1e6 if used else None


def _point(
    bench: Bench,
    commands: int,
    loop: ClosedLoop,
    outstanding: int,
    replicas: Sequence[ReplicaUsage],
    cpu_us: float | None,
) -> Point:
    addresses = [replica.address for replica in bench.cluster.config.replicas]
    rows = ask_all(addresses, "status", timeout_s=ANSWER_S)
    for replica in replicas:
        replica.look()
    return Point(
        commands,
        microseconds=median_microseconds([loop.started_s, *loop.acknowledged_s], LAPS * outstanding),
        mean_microseconds=loop.seconds / len(loop.acknowledged_s) * 1e6,
        cpu_us=cpu_us,
        rss_mib=[replica.rss_mib for replica in replicas],
        writer_peak_mib=[replica.writer_peak_mib for replica in replicas],
        disk_mib=[replica.disk_mib for replica in replicas],
        snapshots=[replica.snapshots for replica in replicas],
        cut=[row["cut"] for row in rows],
    )


def median_microseconds(times_s: Sequence[float], shortest: int) -> float:
    """Microseconds per command: the median over windows of at least ``shortest`` commands, or one of them all.

    ``times_s`` are when the first command started, and when each was acknowledged.
    """
    count = len(times_s) - 1
    size = min(count, max(count // WINDOWS, shortest))
    edges = times_s[::size]
    return statistics.median((late - soon) / size * 1e6 for soon, late in pairwise(edges))


def flat(points: Sequence[Point]) -> dict[str, float | None]:
    """The last point as a ratio to the first after every replica's first snapshot: of memory and disk the replica's
    that grew most. ``None`` where there are no such two points, or the system does not tell."""
    settled = [point for point in points if all(point.snapshots)]
    if len(settled) < 2:
        return {"time": None, "memory": None, "disk": None}
    first, last = settled[0], settled[-1]
    return {
        "time": round(last.microseconds / first.microseconds, 3),
        "memory": _most_grown(first.rss_mib, last.rss_mib),
        "disk": _most_grown(first.disk_mib, last.disk_mib),
    }


def _most_grown(first: Sequence[float | None], last: Sequence[float | None]) -> float | None:
    ratios = [now / then for then, now in zip(first, last, strict=True) if then and now]
    return round(max(ratios), 3) if ratios else None


def _apply(model: Machine, commands: Sequence[Command[Any]]) -> None:
    for command in commands:
        model.apply(command.operation, command.arguments)


def _rounded(values: Sequence[float | None]) -> list[float | None]:
    return [None if value is None else round(value, 1) for value in values]
