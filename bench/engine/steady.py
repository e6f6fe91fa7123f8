"""Throughput (many commands outstanding) and latency (one): deposits at a steady state, round after round.

Peers are up in the same run and get the same commands turn by turn (A B A B), so that a drift of the machine does not
look like a difference. One contender at a time is under load; the others send only their heartbeats.
"""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from itertools import islice
from typing import Any

from bench.harness import workload
from bench.harness.client_check import client_check
from bench.harness.cluster import running
from bench.harness.contender import ENGINE, Contender, Progress
from bench.harness.options import Options
from bench.harness.sample import Sample, measure, summary
from bench.harness.verify import verify
from bench.peers.against import compared, started


async def steady(options: Options, progress: Progress) -> dict[str, Any]:
    """Warm up, then measure ``options.rounds`` runs on one cluster and on each peer. Raises :class:`BenchError`."""
    async with AsyncExitStack() as stack:
        progress("starting the replicas", 0, options.rounds)
        bench = await stack.enter_async_context(running(options, options.policy))
        peers = await started(options, stack, progress)
        samples = await _rounds(options, {ENGINE: bench, **peers}, progress)
        progress("verifying", options.rounds, options.rounds)
        found = {name: compared(peer, samples[ENGINE], samples[name], options) for name, peer in peers.items()}
        return {
            **summary(samples[ENGINE]),
            "ratios": {name: peer["ratio"]["median"] for name, peer in found.items()},
            "load": bench.load_made(options.outstanding),
            "client": client_check(samples[ENGINE], inside=False),
            "peers": {name: {**found[name], "verified": await peer.verify()} for name, peer in peers.items()},
            "roles": bench.roles(),
            "verified": verify(bench),
        }


async def _rounds(options: Options, contenders: Mapping[str, Contender], progress: Progress) -> dict[str, list[Sample]]:
    stream = workload.commands(options.seed)
    samples: dict[str, list[Sample]] = {name: [] for name in contenders}
    warm_up = list(islice(stream, options.warmup_commands))
    for contender in contenders.values():
        await measure(contender, iter(warm_up), len(warm_up), options.outstanding)
    for done in range(options.rounds):
        commands = list(islice(stream, options.commands))
        for name, contender in contenders.items():
            progress(f"measuring {name}", done, options.rounds)
            samples[name].append(await measure(contender, iter(commands), len(commands), options.outstanding))
    return samples
