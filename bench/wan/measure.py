"""What clients wait in each region: a closed loop beside every replica, all at once, for the same seconds.

Contenders are up in the same run and take turns at every share of interference, in an order that turns too; a contender
that is not under load sends only its own heartbeats.
"""

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

from bench.harness import workload
from bench.harness.contender import ENGINE, Progress
from bench.harness.cpu import read_cpu
from bench.harness.stats import Spread, quantile
from bench.wan import engine, etcd
from bench.wan.contender import WanContender
from bench.wan.echo import Echoes, echoes
from bench.wan.options import WanOptions
from bench.wan.proxies import NAME as PROXY
from bench.wan.proxies import Proxies, proxies
from genpaxos.core.ballot import Policy
from genpaxos.plan import recommend

CLASSIC, ETCD = "classic", "etcd"
AGAINST = (CLASSIC, ETCD)
WARM_UP_S = 1.0
"""Connections are made and code is loaded by then, on round trips of some hundred milliseconds."""
WARM_UP_TRIPS = 10
TOLERANCE_MS = 5.0
"""What may come on top of delays: syncs, processes, and the emulation."""


@dataclass(frozen=True, slots=True)
class Run:
    """A contender at a share, once: what the client of each region waited, command by command."""

    latencies_ms: Sequence[Sequence[float]]
    cores: Mapping[str, float]

    @property
    def p50_ms(self) -> list[float]:
        """Per region."""
        return [quantile(region, 0.5) for region in self.latencies_ms]

    @property
    def mean_ms(self) -> float:
        """The mean of the regions' medians."""
        return sum(self.p50_ms) / len(self.p50_ms)

    def to_json(self, names: Sequence[str]) -> dict[str, Any]:
        """One round of a result."""
        p50 = {name: round(ms, 3) for name, ms in zip(names, self.p50_ms, strict=True)}
        return {"p50_ms": p50, "mean_ms": round(self.mean_ms, 3)}


Runs = dict[str, dict[float, list[Run]]]

_STARTING: Mapping[str, Callable[[WanOptions, Proxies], AbstractAsyncContextManager[WanContender]]] = {
    ENGINE: partial(engine.start, policy=Policy.LEADER_ORDERED),
    CLASSIC: partial(engine.start, policy=Policy.CLASSIC),
    ETCD: etcd.start,
}


async def wan(options: WanOptions, progress: Progress) -> dict[str, Any]:
    """Measure all contenders at all shares in every round. Raises :class:`bench.errors.BenchError`."""
    async with AsyncExitStack() as stack:
        links = stack.enter_context(proxies(options.directory))
        echo = await stack.enter_async_context(echoes(options, links))
        contenders = await _start(options, links, stack, progress)
        runs = await _Rounds(options, links, echo, contenders).run(progress)
        progress("verifying", options.rounds, options.rounds)
        for contender in contenders.values():
            await contender.check()
        verified = {name: await contender.verify() for name, contender in contenders.items()}
    names = options.trips.regions
    bound_ms = recommend(options.trips).lower_bound_ms
    return {
        "regions": list(names),
        "rtt_ms": {names[i]: dict(zip(names, row, strict=True)) for i, row in enumerate(options.trips.ms)},
        "lower_bound": {
            "mean_ms": round(sum(bound_ms) / len(names), 3),
            "per_region": dict(zip(names, bound_ms, strict=True)),
        },
        "tolerance_ms": TOLERANCE_MS,
        "emulation": echo.to_json(),
        "ratios": _ratios(runs),
        "contenders": {
            name: {**_described(names, contender), "verified": verified[name], "shares": shares}
            for name, contender in contenders.items()
            for shares in [[_summary(names, bound_ms, contender, p, found) for p, found in runs[name].items()]]
        },
    }


async def _start(
    options: WanOptions, links: Proxies, stack: AsyncExitStack, progress: Progress
) -> dict[str, WanContender]:
    found: dict[str, WanContender] = {}
    for name in (ENGINE, *options.against):
        progress(f"starting {name}", 0, options.rounds)
        found[name] = await stack.enter_async_context(_STARTING[name](options, links))
    return found


@dataclass(frozen=True, slots=True)
class _Rounds:
    """Everything that is up, and turns at it."""

    options: WanOptions
    links: Proxies
    echo: Echoes
    contenders: Mapping[str, WanContender]

    async def run(self, progress: Progress) -> Runs:
        options, turns = self.options, list(self.contenders.items())
        for name, contender in turns:
            progress(f"warming up {name}", 0, options.rounds)
            await self._run(contender, "warm-up", 0.0, max(WARM_UP_S, WARM_UP_TRIPS * options.trips.longest_ms / 1000))
        runs: Runs = {name: {share: [] for share in options.shares} for name in self.contenders}
        shares, total = list(options.shares), options.rounds * len(options.shares)
        for done in range(total):
            number, share = done // len(shares), shares[done % len(shares)]
            for name, contender in turns:
                progress(f"{name} at {share:.0%}", done, total)
                seed = f"{options.seed}/{number}"
                runs[name][share].append(await self._run(contender, seed, share, options.seconds))
            turns = [*turns[1:], turns[0]]
        return runs

    async def _run(self, contender: WanContender, seed: str, share: float, seconds: float) -> Run:
        options = self.options
        streams = [workload.commands(f"{seed}/{region}", share) for region in options.trips.regions]
        pids = {**contender.pids(), PROXY: self.links.pids()[PROXY]}
        gc.collect()
        gc.freeze()
        before, started_s = read_cpu(pids), time.perf_counter()
        try:
            with self.echo.probing():
                latencies_s = await contender.run(streams, options.outstanding, seconds, options.deadline_s)
        finally:
            gc.unfreeze()
        cores = read_cpu(pids).cores_since(before, time.perf_counter() - started_s)
        return Run([[late * 1000 for late in region] for region in latencies_s], cores)


def _described(names: Sequence[str], contender: WanContender) -> dict[str, Any]:
    return {
        "about": contender.about,
        "coordinator": names[contender.coordinator],
        "pinned": [names[node] for node in contender.pinned],
    }


def _summary(
    names: Sequence[str], bound_ms: Sequence[float], contender: WanContender, share: float, runs: Sequence[Run]
) -> dict[str, Any]:
    """Medians over rounds with their ranges; the 99th percentile is of all rounds together."""
    expected_ms = contender.expected_ms(share)
    per_region = {}
    for region, name in enumerate(names):
        p50 = Spread.of([run.p50_ms[region] for run in runs])
        pooled = [late for run in runs for late in run.latencies_ms[region]]
        per_region[name] = {
            "p50_ms": p50.to_json(),
            "p99_ms": round(quantile(pooled, 0.99), 3),
            "commands": len(pooled),
            "planned_ms": round(expected_ms[region], 3),
            "above_plan_ms": round(p50.median - expected_ms[region], 3),
            "above_bound_ms": round(p50.median - bound_ms[region], 3),
        }
    processes = dict.fromkeys(process for run in runs for process in run.cores)
    return {
        "interference": share,
        "mean_ms": Spread.of([run.mean_ms for run in runs]).to_json(),
        "planned_mean_ms": round(sum(expected_ms) / len(names), 3),
        "per_region": per_region,
        "cpu_cores": {p: round(Spread.of([r.cores[p] for r in runs if p in r.cores]).median, 3) for p in processes},
        "rounds": [run.to_json(names) for run in runs],
    }


def _ratios(runs: Runs) -> dict[str, float]:
    """Their mean wait over the engine's, of runs next to one another, then the median of those."""
    ours = runs[ENGINE]
    return {
        f"{name} at {share:g}": round(
            Spread.of([t.mean_ms / o.mean_ms for t, o in zip(theirs, ours[share], strict=True)]).median, 3
        )
        for name, shares in runs.items()
        if name != ENGINE
        for share, theirs in shares.items()
    }
