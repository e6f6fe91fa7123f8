"""Many seeds on all cores, and what came of them."""

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import islice
from multiprocessing import get_context
from typing import Any

from genpaxos.core.ballot import Policy
from genpaxos.simulation.marks import Mark
from genpaxos.simulation.run import run
from genpaxos.simulation.shrink import shrink
from genpaxos.simulation.swarm import Climate, draw_plan

CHUNK_SEEDS = 8
"""Handed to a worker at a time: about half a second of work."""
SHRUNK_MAX = 1
"""Failures that are shrunk; the others are reported by their seeds."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What the plans of a campaign have in common; everything else the seed draws."""

    climate: Climate | None = None
    policy: Policy | None = None


@dataclass(slots=True)
class Report:
    """What a campaign found."""

    seeds: int = 0
    first: int = 0
    workers: int = 1
    seconds: float = 0.0
    simulated_seconds: float = 0.0
    events: int = 0
    committed: int = 0
    recovery_worst: float = 0.0
    """The slowest recovery after healing, as a share of the bound it must keep."""
    answer_worst: float = 0.0
    """The longest that a client waited for an answer when all had healed, likewise."""
    marks: dict[str, int] = field(default_factory=lambda: {mark.name.lower(): 0 for mark in Mark})
    failures: list[dict[str, Any]] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """The answer of ``genpaxos simulate --seeds --json``."""
        return {
            "seeds": self.seeds,
            "from": self.first,
            "violations": len(self.failures),
            "marks": self.marks,
            "simulated_seconds": round(self.simulated_seconds, 3),
            "seconds": round(self.seconds, 3),
            "ratio": round(self.simulated_seconds / self.seconds, 1) if self.seconds else None,
            "seeds_per_hour": round(self.seeds / self.seconds * 3600) if self.seconds else None,
            "workers": self.workers,
            "events": self.events,
            "committed": self.committed,
            "recovery_worst": round(self.recovery_worst, 3),
            "answer_worst": round(self.answer_worst, 3),
            "failures": self.failures,
        }

    def add(self, other: "Report") -> None:
        """Take in what a worker found."""
        self.seeds += other.seeds
        self.simulated_seconds += other.simulated_seconds
        self.events += other.events
        self.committed += other.committed
        self.recovery_worst = max(self.recovery_worst, other.recovery_worst)
        self.answer_worst = max(self.answer_worst, other.answer_worst)
        for mark, count in other.marks.items():
            self.marks[mark] = self.marks.get(mark, 0) + count
        self.failures.extend(other.failures)


def campaign(
    seeds: range,
    selection: Selection | None = None,
    *,
    workers: int | None = None,
    shrunk_max: int = SHRUNK_MAX,
    progress: Callable[[str, int, int], None] | None = None,
) -> Report:
    """Run every seed; the first failures are shrunk as well."""
    selection = selection or Selection()
    workers = max(1, min(workers or os.cpu_count() or 1, -(-len(seeds) // CHUNK_SEEDS)))
    report = Report(first=seeds.start, workers=workers)
    start_s = time.perf_counter()
    for part in _parts(seeds, selection, workers):
        report.add(part)
        if progress is not None:
            progress("seeds", report.seeds, len(seeds))
    report.seconds = time.perf_counter() - start_s
    report.failures.sort(key=lambda failure: failure["seed"])
    for number, failure in enumerate(report.failures[:shrunk_max], 1):
        if progress is not None:
            progress("shrinking", number, min(shrunk_max, len(report.failures)))
        failure["shrunk"] = shrink(run(_plan(failure["seed"], selection))).to_json()
    return report


def run_seeds(seeds: range, selection: Selection) -> Report:
    """Run these, here."""
    report = Report()
    for seed in seeds:
        outcome = run(_plan(seed, selection))
        recovered = (outcome.recovery_ms or 0.0) / outcome.recovery_bound_ms
        failure = outcome.failure()
        report.add(
            Report(
                seeds=1,
                simulated_seconds=outcome.simulated_ms / 1000,
                events=outcome.events,
                committed=len(outcome.log),
                recovery_worst=recovered,
                answer_worst=outcome.answer_worst,
                marks=outcome.marks,
                failures=[failure] if failure else [],
            )
        )
    return report


def _plan(seed: int, selection: Selection) -> Any:
    return draw_plan(seed, selection.climate, selection.policy)


def _parts(seeds: range, selection: Selection, workers: int) -> Iterator[Report]:
    """The reports of all chunks, as they come; only so many are handed out that an interrupt ends it soon."""
    chunks = (seeds[start : start + CHUNK_SEEDS] for start in range(0, len(seeds), CHUNK_SEEDS))
    if workers == 1:
        for chunk in chunks:
            yield run_seeds(chunk, selection)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        running: set[Future[Report]] = {
            pool.submit(run_seeds, chunk, selection) for chunk in islice(chunks, 2 * workers)
        }
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            running |= {pool.submit(run_seeds, chunk, selection) for chunk in islice(chunks, len(done))}
            for future in done:
                yield future.result()
