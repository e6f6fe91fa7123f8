"""Throughput (many commands outstanding) and latency (one): deposits at a steady state, round after round."""

from collections.abc import Callable
from typing import Any

from bench import workload
from bench.cluster import running
from bench.options import Options
from bench.sample import Sample, measure, summary
from bench.verify import verify

Progress = Callable[[str, int, int], None]
"""Told ``(what, done, total)``."""


async def steady(options: Options, progress: Progress) -> dict[str, Any]:
    """Warm up, then measure ``options.rounds`` runs on one cluster. Raises :class:`BenchError`."""
    samples: list[Sample] = []
    stream = workload.commands(options.seed)
    progress("starting the replicas", 0, options.rounds)
    async with running(options, options.policy) as bench:
        await measure(bench, stream, options.warmup_commands, options.outstanding)
        for done in range(options.rounds):
            progress("measuring", done, options.rounds)
            samples.append(await measure(bench, stream, options.commands, options.outstanding))
        progress("verifying", options.rounds, options.rounds)
        return {**summary(samples), "ratios": {}, "roles": bench.roles(), "verified": verify(bench)}
