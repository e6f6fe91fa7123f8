"""One ``kill -9`` under load: what is measured of it, the same for the engine and for its peers.

The load ends before the killed process is started again, so that a pause belongs to one kill; it then has to start, to
read its disk, if it has one, and to get the commands it missed.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Protocol

from bench.errors import BenchError
from bench.harness.contender import FLOWING_S
from bench.harness.cpu import read_cpu
from bench.harness.load import ClosedLoop
from bench.harness.stats import quantile

STEADY_S = 1.0
"""Load before the kill, and what the throughput is taken from."""
DOWN_S = 2.0
"""Load after the kill; the process is started again when it has ended."""
SETTLED_S = 30.0
POLL_S = 0.005


@dataclass(frozen=True, slots=True)
class Interrupted:
    """A load with a kill in it; seconds of ``time.perf_counter``."""

    started_s: float
    killed_s: float
    stopped_s: float
    """From here on no more commands were started."""
    acknowledged_s: Sequence[float]
    latencies_s: Sequence[float]
    cores: dict[str, float] = field(default_factory=dict)
    """Processor cores used before the kill, by process."""


@dataclass(frozen=True, slots=True)
class Back:
    """What a killed process took from its start, until it said anything, and until it had executed what the others had
    by then."""

    answered_s: float
    caught_up_s: float


class Outages(Protocol):
    """A contender whose processes can be killed and come back."""

    how: str
    """What its client does when a process is killed."""

    async def roles(self) -> dict[str, int]:
        """One process of each kind there is, as things are; the first kind is the one that leads. Raises
        :class:`BenchError` if none does."""

    async def interrupt(self, node: int, seed: str, outstanding: int) -> Interrupted:
        """Put it under load, kill a process, and go on until results flow. Raises :class:`BenchError`."""

    async def restart(self, node: int) -> Back:
        """Start a killed process again; returns once all is as before. Raises :class:`BenchError`."""


@dataclass(frozen=True, slots=True)
class Outage:
    """One kill. ``pause_ms`` is the longest time without an acknowledgement after it, ``resumed_ms`` when that ended,
    since the kill; ``calm_pause_ms`` the longest such time before it. ``slowest_ms`` is the longest a command took that
    was outstanding or started after the kill. From its start, the process took ``answered_ms`` to say anything, and
    ``caught_up_ms`` to have executed the ``missed`` commands."""

    role: str
    node: int
    calm_pause_ms: float
    pause_ms: float
    resumed_ms: float
    slowest_ms: float
    missed: int
    answered_ms: float
    caught_up_ms: float
    per_second: float
    p50_ms: float
    p99_ms: float
    cores: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, role: str, node: int, load: Interrupted, back: Back) -> "Outage":
        """What a load and a return show. Raises :class:`BenchError` if there was no load before the kill."""
        taken = list(zip(load.acknowledged_s, load.latencies_s, strict=True))
        before = [late for at, late in taken if at < load.killed_s]
        after = [late for at, late in taken if at >= load.killed_s]
        if not before:
            raise BenchError(f"nothing was acknowledged in {STEADY_S:g} s before the kill of {role} {node}")
        pause_s, ended_s = longest_pause(load.acknowledged_s, load.killed_s, load.stopped_s)
        return cls(
            role,
            node,
            calm_pause_ms=longest_pause(load.acknowledged_s, load.started_s, load.killed_s)[0] * 1000,
            pause_ms=pause_s * 1000,
            resumed_ms=(ended_s - load.killed_s) * 1000,
            slowest_ms=max(after, default=0.0) * 1000,
            missed=len(after),
            answered_ms=back.answered_s * 1000,
            caught_up_ms=back.caught_up_s * 1000,
            per_second=len(before) / (load.killed_s - load.started_s),
            p50_ms=quantile(before, 0.5) * 1000,
            p99_ms=quantile(before, 0.99) * 1000,
            cores=load.cores,
        )

    def to_json(self) -> dict[str, Any]:
        """One row of a result; throughput, latency and cores are those before the kill."""
        return {
            "role": self.role,
            "node": self.node,
            "calm_pause_ms": round(self.calm_pause_ms, 1),
            "pause_ms": round(self.pause_ms, 1),
            "resumed_ms": round(self.resumed_ms, 1),
            "slowest_ms": round(self.slowest_ms, 1),
            "missed": self.missed,
            "answered_ms": round(self.answered_ms, 1),
            "caught_up_ms": round(self.caught_up_ms, 1),
            "commands_per_second": round(self.per_second, 1),
            "latency_ms": {"p50": round(self.p50_ms, 3), "p99": round(self.p99_ms, 3)},
            "cpu_cores": {name: round(cores, 3) for name, cores in self.cores.items()},
        }


def longest_pause(acknowledged_s: Sequence[float], killed_s: float, stopped_s: float) -> tuple[float, float]:
    """The longest gap between two acknowledgements under load that ends after the kill, and when it ended.

    ``(0, killed_s)`` if there is none. Results the old coordinator had sent before it was killed end no pause this way.
    """
    gaps = [(late - soon, late) for soon, late in pairwise(acknowledged_s) if killed_s < late <= stopped_s]
    return max(gaps, default=(0.0, killed_s))


async def interrupted(
    loop: ClosedLoop, kill: Callable[[], None], deadline_s: float, pids: Mapping[str, int]
) -> Interrupted:
    """A closed loop of this process, with a kill in it. Raises :class:`BenchError`."""
    load = asyncio.create_task(loop.run(deadline_s))
    try:
        before, began_s = read_cpu(pids), time.perf_counter()
        await asyncio.sleep(STEADY_S)
        cores = read_cpu(pids).cores_since(before, time.perf_counter() - began_s)
        killed_s = time.perf_counter()
        await asyncio.to_thread(kill)
        await asyncio.sleep(DOWN_S)
        while not (load.done() or loop.flows):
            await asyncio.sleep(FLOWING_S)
        stopped_s = time.perf_counter()
        loop.stop()
        await load
    finally:
        load.cancel()
    return Interrupted(loop.started_s, killed_s, stopped_s, loop.acknowledged_s, loop.latencies_s, cores)
