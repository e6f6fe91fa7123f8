"""``kill -9`` of a replica under load: how long nothing is acknowledged, and how long it takes to catch up.

Timeouts and snapshots are the engine's defaults. The load ends before the replica is started again, so that a pause
belongs to one kill; it then has to start, to read its disk, and to get the commands it missed. The log is cut behind
snapshots, so the run is verified by its outcome.
"""

import asyncio
import statistics
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Any

from bench import workload
from bench.cluster import Bench, running
from bench.errors import BenchError
from bench.load import ClosedLoop
from bench.options import Options
from bench.sample import measure
from bench.stats import Spread, quantile
from bench.steady import Progress
from bench.verify import verify_outcome
from commutativity import Command, Machine
from genpaxos.runtime.query import NoAnswer, ask

STEADY_S = 1.0
"""Load before the kill, and what the throughput is taken from."""
DOWN_S = 2.0
"""Load after the kill; the replica is started again when it has ended."""
FLOWING_S = 0.02
"""Results this young show that the load has not stopped: a pause is never cut short by the end of the load."""
SETTLED_S = 30.0
ASK_S = 0.1
POLL_S = 0.005
REPLICAS_MIN = 3


@dataclass(frozen=True, slots=True)
class Outage:
    """One kill. ``pause_ms`` is the longest time without an acknowledgement after it, ``resumed_ms`` when that ended,
    since the kill; ``calm_pause_ms`` the longest such time before it. ``slowest_ms`` is the longest a command took that
    was outstanding or started after the kill. From its start, the replica took ``answered_ms`` to say anything, and
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

    def to_json(self) -> dict[str, Any]:
        """One row of a result; throughput and latency are those before the kill."""
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


async def recovery(options: Options, progress: Progress) -> dict[str, Any]:
    """Kill every kind of replica once per round. Raises :class:`BenchError`."""
    if options.replicas < REPLICAS_MIN:
        raise BenchError(f"with fewer than {REPLICAS_MIN} replicas nothing goes on while one is down")
    outages: list[Outage] = []
    model: Machine = workload.MACHINE()
    _take(model, workload.opening())
    progress("starting the replicas", 0, options.rounds)
    async with running(options, options.policy) as bench:
        await measure(bench, workload.commands("warm-up"), options.warmup_commands, options.outstanding)
        _take(model, islice(workload.commands("warm-up"), options.warmup_commands))
        kinds = list(choose(bench.roles(), options.replicas))
        for number in range(options.rounds):
            for index, role in enumerate(kinds):
                progress(f"kill -9 {role}", number * len(kinds) + index, options.rounds * len(kinds))
                node = choose(bench.roles(), options.replicas)[role]
                seed, before = f"{number}/{role}", len(bench.acknowledged)
                outages.append(await _outage(bench, role, node, options, seed))
                _take(model, islice(workload.commands(seed), len(bench.acknowledged) - before))
        progress("verifying", options.rounds, options.rounds)
        verified = await asyncio.to_thread(verify_outcome, bench, model, len(bench.acknowledged))
    return {**_summary(outages, kinds), "verified": verified}


def _take(model: Machine, commands: Iterable[Command[Any]]) -> None:
    """What was started was acknowledged in the end, so it is the first so many of a stream."""
    for command in commands:
        model.apply(command.operation, list(command.arguments))


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
    back_s = await asyncio.to_thread(_restart, bench, node)
    return _outage_of(role, node, loop, killed_s, stopped_s, back_s)


def _flows(loop: ClosedLoop) -> bool:
    return bool(loop.acknowledged_s) and time.perf_counter() - loop.acknowledged_s[-1] < FLOWING_S


def _outage_of(
    role: str, node: int, loop: ClosedLoop, killed_s: float, stopped_s: float, back_s: tuple[float, float]
) -> Outage:
    before = [late for at, late in zip(loop.acknowledged_s, loop.latencies_s, strict=True) if at < killed_s]
    after = [late for at, late in zip(loop.acknowledged_s, loop.latencies_s, strict=True) if at >= killed_s]
    if not before:
        raise BenchError(f"nothing was acknowledged in {STEADY_S:g} s before the kill")
    pause_s, ended_s = longest_pause(loop.acknowledged_s, killed_s, stopped_s)
    return Outage(
        role,
        node,
        calm_pause_ms=longest_pause(loop.acknowledged_s, loop.started_s, killed_s)[0] * 1000,
        pause_ms=pause_s * 1000,
        resumed_ms=(ended_s - killed_s) * 1000,
        slowest_ms=max(after, default=0.0) * 1000,
        missed=len(after),
        answered_ms=back_s[0] * 1000,
        caught_up_ms=back_s[1] * 1000,
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


def _restart(bench: Bench, node: int) -> tuple[float, float]:
    """Start a replica again; gives the seconds until it answers, and until it has executed what the others had by then.

    Returns once all follow one coordinator. Raises :class:`BenchError` if that takes longer than ``SETTLED_S``.
    """
    target = max(row["executed"] for row in bench.status())
    address = bench.cluster.config.replicas[node].address
    started_s = time.monotonic()
    bench.cluster.restart(node)
    answered_s = None
    while (executed := _executed(address)) < target:
        if executed >= 0 and answered_s is None:
            answered_s = time.monotonic() - started_s
        bench.cluster.processes.check()
        if time.monotonic() > started_s + SETTLED_S:
            raise BenchError(f"replica {node} did not catch up in {SETTLED_S:g} s: {bench.status()}")
        time.sleep(POLL_S)
    caught_up_s = time.monotonic() - started_s
    bench.cluster.processes.wait_ready(SETTLED_S)
    return caught_up_s if answered_s is None else answered_s, caught_up_s


def _executed(address: str) -> int:
    """How many commands a replica says it has executed; -1 while it says nothing."""
    try:
        return int(ask(address, "status", timeout_s=ASK_S)["executed"])
    except NoAnswer:
        return -1


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
        **{name: _spreads(by_role, name) for name in _FIGURES},
        "missed": {role: round(statistics.median(o.missed for o in found)) for role, found in by_role.items()},
        "rounds": [outage.to_json() for outage in outages],
    }


_FIGURES = ("calm_pause_ms", "pause_ms", "slowest_ms", "answered_ms", "caught_up_ms")


def _spreads(by_role: dict[str, list[Outage]], name: str) -> dict[str, dict[str, float]]:
    return {
        role: Spread.of([getattr(outage, name) for outage in outages]).to_json(1) for role, outages in by_role.items()
    }
