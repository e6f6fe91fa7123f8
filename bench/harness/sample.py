"""One measured run: a number of commands in a closed loop, and what they took."""

import gc
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from bench.harness.contender import Contender
from bench.harness.cpu import OTHERS, read_cpu
from bench.harness.stats import Spread, quantile
from commutativity import Command


@dataclass(frozen=True, slots=True)
class Sample:
    """What one run took."""

    commands: int
    seconds: float
    p50_ms: float
    p99_ms: float
    cores: dict[str, float]
    """Processor cores used, by process; empty where the system does not tell."""
    fast_share: float | None
    """Share of commands the home learned first on the fast path; ``None`` if it learned none."""

    @property
    def per_second(self) -> float:
        """Commands acknowledged per second."""
        return self.commands / self.seconds

    @property
    def cpu_us(self) -> float | None:
        """Processor time of client and servers per command; ``None`` where the system does not tell."""
        if not self.cores:
            return None
        return sum(used for name, used in self.cores.items() if name != OTHERS) * self.seconds / self.commands * 1e6

    def to_json(self) -> dict[str, Any]:
        """One round of a result."""
        return {
            "commands": self.commands,
            "seconds": round(self.seconds, 4),
            "commands_per_second": round(self.per_second, 1),
            "latency_ms": {"p50": round(self.p50_ms, 3), "p99": round(self.p99_ms, 3)},
            "cpu_cores": {name: round(cores, 3) for name, cores in self.cores.items()},
            "cpu_us_per_command": None if self.cpu_us is None else round(self.cpu_us, 2),
            "fast_share": None if self.fast_share is None else round(self.fast_share, 4),
        }


async def measure(contender: Contender, commands: Iterator[Command[Any]], count: int, outstanding: int) -> Sample:
    """Run ``count`` commands with ``outstanding`` at a time. Raises :class:`BenchError` if they do not end in time."""
    ready = list(islice(commands, count))  # made beforehand: not what is measured
    before = contender.learned()
    pids = contender.pids()
    gc.collect()
    gc.freeze()
    cpu_before, started_s = read_cpu(pids), time.perf_counter()
    try:
        load = await contender.run(ready, outstanding)
    finally:
        cpu_after, seconds = read_cpu(pids), time.perf_counter() - started_s
        gc.unfreeze()
    return Sample(
        commands=count,
        seconds=load.seconds,
        p50_ms=quantile(load.latencies_s, 0.5) * 1000,
        p99_ms=quantile(load.latencies_s, 0.99) * 1000,
        cores=cpu_after.cores_since(cpu_before, seconds),
        fast_share=_fast_share(before, contender.learned()),
    )


def _fast_share(before: tuple[int, int], after: tuple[int, int]) -> float | None:
    fast, classic = (now - then for now, then in zip(after, before, strict=True))
    return fast / (fast + classic) if fast + classic > 0 else None


def _median_cpu_us(samples: list[Sample]) -> float | None:
    known = [sample.cpu_us for sample in samples if sample.cpu_us is not None]
    return round(Spread.of(known).median, 2) if known else None


def summary(samples: list[Sample]) -> dict[str, Any]:
    """Medians over rounds, with their ranges."""
    rates = Spread.of([sample.per_second for sample in samples])
    p50, p99 = (Spread.of([getattr(sample, name) for sample in samples]) for name in ("p50_ms", "p99_ms"))
    names = dict.fromkeys(name for sample in samples for name in sample.cores)
    return {
        "commands_per_second": round(rates.median, 1),
        "commands_per_second_range": [round(rates.low, 1), round(rates.high, 1)],
        "latency_ms": {"p50": round(p50.median, 3), "p99": round(p99.median, 3)},
        "latency_ms_range": {
            "p50": [round(p50.low, 3), round(p50.high, 3)],
            "p99": [round(p99.low, 3), round(p99.high, 3)],
        },
        "cpu_us_per_command": _median_cpu_us(samples),
        "cpu_cores": {n: round(Spread.of([s.cores[n] for s in samples if n in s.cores]).median, 3) for n in names},
        "rounds": [sample.to_json() for sample in samples],
    }
