"""How the cost of a command, memory and disk develop over a long run with snapshots: flat, or the engine leaks.

One cluster takes all the commands. At each point the loop ends, so that what is read belongs to a known number of
commands. The log is cut behind snapshots, so the run is verified by its outcome: a copy of the machine here takes the
same commands, and every replica must have applied as many and hold the very same state.

A peer takes the same commands, interval by interval in turn with the cluster.
"""

import asyncio
import gc
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Any, Protocol

from bench.engine.growth_points import Cost, Point, flat, points_of, settled, times_of
from bench.harness import workload
from bench.harness.client_check import client_check
from bench.harness.cluster import Bench, running
from bench.harness.contender import Load, Progress, in_turn
from bench.harness.cpu import OTHERS, read_cpu
from bench.harness.load import ClosedLoop
from bench.harness.options import Options
from bench.harness.stats import Spread
from bench.harness.usage import disk_mib, replicas_of, resident_mib
from bench.harness.verify import verify_outcome
from bench.peers.against import described, started
from bench.peers.peer import Peer
from commutativity import Command, Machine
from genpaxos.runtime.query import ask_all

LOOK_S = 0.1
ANSWER_S = 10.0

Commands = Sequence[Command[Any]]


@dataclass(frozen=True, slots=True)
class Interval:
    """The load between two points."""

    load: Load
    cores: dict[str, float]
    """Processor cores used, by process; empty where the system does not tell."""

    @property
    def cpu_us(self) -> float | None:
        """Per command; what writes a snapshot is a process of its own and not in it."""
        if not self.cores:
            return None
        used = sum(cores for name, cores in self.cores.items() if name != OTHERS)
        return used * self.load.seconds / len(self.load.acknowledged_s) * 1e6


class Growing(Protocol):
    """A contender on a long run."""

    intervals: list[Interval]

    async def take(self, commands: Commands, total: int) -> None:
        """Take the commands of an interval, after which it has taken so many in all, and read it at that point."""


class GrowingCluster:
    """The engine's."""

    def __init__(self, bench: Bench, options: Options, progress: Progress) -> None:
        self.points: list[Point] = []
        self.intervals: list[Interval] = []
        self._bench, self._options, self._progress = bench, options, progress
        self._replicas = replicas_of(bench.cluster.config, bench.cluster.cluster_file)

    async def take(self, commands: Commands, total: int) -> None:
        """Watch for snapshots meanwhile."""
        loop = ClosedLoop(self._bench.client, iter(commands), self._options.outstanding)

        def look() -> None:
            for replica in self._replicas:
                replica.look()
            self._progress("measuring", total - len(commands) + len(loop.latencies_s), self._options.commands)

        async def run() -> Load:
            await loop.run(self._bench.deadline_s)
            return loop.load

        interval = await _interval(run(), self._bench.pids(), look)
        look()
        self.intervals.append(interval)
        self.points.append(self._point(interval, total))

    def _point(self, interval: Interval, total: int) -> Point:
        addresses = [replica.address for replica in self._bench.cluster.config.replicas]
        rows = ask_all(addresses, "status", timeout_s=ANSWER_S)
        median, mean = times_of(interval.load, self._options.outstanding)
        return Point(
            commands=total,
            microseconds=median,
            mean_microseconds=mean,
            cpu_us=interval.cpu_us,
            rss_mib=[replica.rss_mib for replica in self._replicas],
            disk_mib=[replica.disk_mib for replica in self._replicas],
            writer_peak_mib=[replica.writer_peak_mib for replica in self._replicas],
            snapshots=[replica.snapshots for replica in self._replicas],
            cut=[row["cut"] for row in rows],
        )


class GrowingPeer:
    """A peer."""

    def __init__(self, name: str, peer: Peer, options: Options, progress: Progress) -> None:
        self.peer = peer
        self.points: list[Cost] = []
        self.intervals: list[Interval] = []
        self._name, self._options, self._progress = name, options, progress

    async def take(self, commands: Commands, total: int) -> None:
        """What it takes is known by its processes and directories."""

        def look() -> None:
            self._progress(f"measuring {self._name}", total - len(commands), self._options.commands)

        pids, stored = self.peer.pids(), self.peer.stored()
        interval = await _interval(self.peer.run(commands, self._options.outstanding), pids, look)
        median, mean = times_of(interval.load, self._options.outstanding)
        cost = Cost(
            commands=total,
            microseconds=median,
            mean_microseconds=mean,
            cpu_us=interval.cpu_us,
            rss_mib=[resident_mib(pid) for pid in pids.values()],
            disk_mib=[disk_mib(stored[name]) if name in stored else None for name in pids],
        )
        self.intervals.append(interval)
        self.points.append(cost)

    async def to_json(self, ours: Sequence[Point]) -> dict[str, Any]:
        """What it is and how flat its curves are between the points that show whether ours are. Raises
        :class:`BenchError` if something is wrong with it."""
        ratio = Spread.of(
            [theirs.microseconds / one.microseconds for one, theirs in zip(ours, self.points, strict=True)]
        )
        return {
            **described(self.peer, self.intervals, self._options.outstanding),
            "ratio": ratio.to_json(),
            "grown": flat(self.points, settled(ours)),
            "verified": await self.peer.verify(),
        }


async def growth(options: Options, progress: Progress) -> dict[str, Any]:
    """Run all commands on one cluster and each peer, and read them at every point. Raises :class:`GenpaxosError`."""
    stream = workload.commands(options.seed, accounts=options.resources)
    model: Machine = workload.MACHINE()
    _apply(model, workload.opening())
    progress("starting the replicas", 0, options.commands)
    async with AsyncExitStack() as stack:
        bench = await stack.enter_async_context(running(options, options.policy))
        ours = GrowingCluster(bench, options, progress)
        peers = {
            name: GrowingPeer(name, peer, options, progress)
            for name, peer in (await started(options, stack, progress)).items()
        }
        growing: list[Growing] = [ours, *peers.values()]
        for turn, (before, after) in enumerate(pairwise([0, *points_of(options.commands)])):
            commands = list(islice(stream, after - before))  # made beforehand: not what is measured
            for contender in in_turn(growing, turn):
                await contender.take(commands, after)
            _apply(model, commands)
        progress("verifying", options.commands, options.commands)
        verified = await asyncio.to_thread(verify_outcome, bench, model, options.commands + len(bench.acknowledged))
        found = {name: await peer.to_json(ours.points) for name, peer in peers.items()}
    return {
        "commands_per_second": round(1e6 / ours.points[-1].microseconds, 1),
        "ratios": {
            **flat(ours.points, settled(ours.points)),
            **{name: peer["ratio"]["median"] for name, peer in found.items()},
        },
        "load": bench.load_made(options.outstanding),
        "client": client_check(ours.intervals, inside=False),
        "points": [
            {**point.to_json(), "peers": {name: peer.points[index].to_json() for name, peer in peers.items()}}
            for index, point in enumerate(ours.points)
        ],
        "peers": found,
        "verified": verified,
    }


async def _interval(run: Awaitable[Load], pids: Mapping[str, int], look: Callable[[], None]) -> Interval:
    gc.collect()
    gc.freeze()
    before = read_cpu(pids)
    task = asyncio.ensure_future(run)
    try:
        while not task.done():
            look()
            await asyncio.wait([task], timeout=LOOK_S)
        load = await task
        used = read_cpu(pids)
    finally:
        task.cancel()
        gc.unfreeze()
    return Interval(load, used.cores_since(before, load.seconds))


def _apply(model: Machine, commands: Commands) -> None:
    for command in commands:
        model.apply(command.operation, command.arguments)
