"""``kill -9`` of a replica under load: how long nothing is acknowledged. It is restarted and catches up in between."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from bench import workload
from bench.cluster import Bench, running
from bench.errors import BenchError
from bench.load import ClosedLoop
from bench.options import Options
from bench.sample import measure
from bench.stats import Spread, quantile
from bench.steady import Progress
from bench.verify import verify

STEADY_S = 1.0
"""Load before the kill, and what the throughput is taken from."""
DOWN_S = 2.0
"""Load after the kill; the replica is started again when it has ended."""
FLOWING_S = 0.02
"""Results this young show that the load has not stopped: a pause is never cut short by the end of the load."""
SETTLED_S = 30.0
REPLICAS_MIN = 3


@dataclass(frozen=True, slots=True)
class Outage:
    """One kill. ``pause_ms`` is the longest time without an acknowledgement, ``resumed_ms`` when it ended, since the
    kill; ``slowest_ms`` the longest a command took that was outstanding or started after the kill."""

    role: str
    node: int
    pause_ms: float
    resumed_ms: float
    slowest_ms: float
    per_second: float
    p50_ms: float
    p99_ms: float

    def to_json(self) -> dict[str, Any]:
        """One row of a result; throughput and latency are those before the kill."""
        return {
            "role": self.role,
            "node": self.node,
            "pause_ms": round(self.pause_ms, 1),
            "resumed_ms": round(self.resumed_ms, 1),
            "slowest_ms": round(self.slowest_ms, 1),
            "commands_per_second": round(self.per_second, 1),
            "latency_ms": {"p50": round(self.p50_ms, 3), "p99": round(self.p99_ms, 3)},
        }


def choose(roles: dict[str, Any], replicas: int) -> dict[str, int]:
    """Whom to kill: the coordinator and one follower of each kind there is."""
    coordinator, pinned = roles["coordinator"], roles["pinned"]
    if coordinator is None:
        raise BenchError("there is no coordinator to kill")
    followers = [node for node in range(replicas) if node != coordinator]
    groups = {
        "follower": [node for node in followers if pinned is None],
        "pinned follower": [node for node in followers if pinned is not None and node in pinned],
        "other follower": [node for node in followers if pinned is not None and node not in pinned],
    }
    return {"coordinator": int(coordinator), **{role: nodes[0] for role, nodes in groups.items() if nodes}}


async def failover(options: Options, progress: Progress) -> dict[str, Any]:
    """Kill every kind of replica once per round. Raises :class:`BenchError`."""
    if options.replicas < REPLICAS_MIN:
        raise BenchError(f"with fewer than {REPLICAS_MIN} replicas nothing goes on while one is down")
    outages: list[Outage] = []
    progress("starting the replicas", 0, options.rounds)
    async with running(options, options.policy) as bench:
        await measure(bench, workload.commands("warm-up"), options.warmup_commands, options.outstanding)
        kinds = list(choose(bench.roles(), options.replicas))
        for number in range(options.rounds):
            for index, role in enumerate(kinds):
                progress(f"kill -9 {role}", number * len(kinds) + index, options.rounds * len(kinds))
                node = choose(bench.roles(), options.replicas)[role]
                outages.append(await _outage(bench, role, node, options, f"{number}/{role}"))
        progress("verifying", options.rounds, options.rounds)
        verified = verify(bench)
    return {**_summary(outages, kinds), "verified": verified}


async def _outage(bench: Bench, role: str, node: int, options: Options, seed: str) -> Outage:
    loop = ClosedLoop(bench.client, workload.commands(seed), options.outstanding)
    load = asyncio.create_task(loop.run(options.deadline_s))
    try:
        await asyncio.sleep(STEADY_S)
        killed_s = time.perf_counter()
        await asyncio.to_thread(bench.cluster.kill, node)
        await asyncio.sleep(DOWN_S)
        while not (load.done() or _flows(loop)):
            await asyncio.sleep(FLOWING_S)
        stopped_s = time.perf_counter()
        loop.stop()
        await load
    finally:
        load.cancel()
    bench.acknowledged += loop.ids
    await asyncio.to_thread(bench.cluster.restart, node)
    await asyncio.to_thread(_settle, bench)
    return _outage_of(role, node, loop, killed_s, stopped_s)


def _flows(loop: ClosedLoop) -> bool:
    return bool(loop.acknowledged_s) and time.perf_counter() - loop.acknowledged_s[-1] < FLOWING_S


def _outage_of(role: str, node: int, loop: ClosedLoop, killed_s: float, stopped_s: float) -> Outage:
    before = [late for at, late in zip(loop.acknowledged_s, loop.latencies_s, strict=True) if at < killed_s]
    after = [late for at, late in zip(loop.acknowledged_s, loop.latencies_s, strict=True) if at >= killed_s]
    if not before:
        raise BenchError(f"nothing was acknowledged in {STEADY_S:g} s before the kill")
    pause_s, ended_s = longest_pause(loop.acknowledged_s, killed_s, stopped_s)
    return Outage(
        role,
        node,
        pause_ms=pause_s * 1000,
        resumed_ms=(ended_s - killed_s) * 1000,
        slowest_ms=max(after, default=0.0) * 1000,
        per_second=len(before) / (killed_s - loop.started_s),
        p50_ms=quantile(before, 0.5) * 1000,
        p99_ms=quantile(before, 0.99) * 1000,
    )


def longest_pause(acknowledged_s: Sequence[float], killed_s: float, stopped_s: float) -> tuple[float, float]:
    """The longest gap between two acknowledgements under load that ends after the kill, and when it ended.

    ``(0, killed_s)`` if there is none. Results the old coordinator had sent before it was killed end no pause this way.
    """
    gaps = [(late - soon, late) for soon, late in pairwise(acknowledged_s) if killed_s < late <= stopped_s]
    return max(gaps, default=(0.0, killed_s))


def _settle(bench: Bench) -> None:
    """Wait until all replicas follow one coordinator and hold the same number of commands."""
    bench.cluster.processes.wait_ready(SETTLED_S)
    end_s = time.monotonic() + SETTLED_S
    while True:
        rows = bench.status()
        if len(rows) == len(bench.cluster.config.replicas) and len({row["committed"] for row in rows}) == 1:
            return
        if time.monotonic() > end_s:
            raise BenchError(f"the restarted replica did not catch up in {SETTLED_S:g} s: {rows}")
        time.sleep(0.05)


def _summary(outages: list[Outage], kinds: list[str]) -> dict[str, Any]:
    rates = Spread.of([outage.per_second for outage in outages])
    by_role = {role: [outage for outage in outages if outage.role == role] for role in kinds}
    return {
        "commands_per_second": round(rates.median, 1),
        "commands_per_second_range": [round(rates.low, 1), round(rates.high, 1)],
        "latency_ms": {
            "p50": round(Spread.of([outage.p50_ms for outage in outages]).median, 3),
            "p99": round(Spread.of([outage.p99_ms for outage in outages]).median, 3),
        },
        "ratios": {},
        "pause_ms": {role: Spread.of([o.pause_ms for o in found]).to_json(1) for role, found in by_role.items()},
        "slowest_ms": {role: Spread.of([o.slowest_ms for o in found]).to_json(1) for role, found in by_role.items()},
        "rounds": [outage.to_json() for outage in outages],
    }
