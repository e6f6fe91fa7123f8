"""What interference costs: shares of interfering commands, each run on the policy, on classic and on peers, in turn.

All are up in the same run; one at a time is under load, and which goes first changes from turn to turn, so that a drift
of the machine does not look like a difference. To a peer, which orders everything, interfering commands are puts of one
hot key.
"""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any

from bench.harness import workload
from bench.harness.client_check import client_check
from bench.harness.cluster import running
from bench.harness.contender import Contender, Progress, in_turn
from bench.harness.options import Options
from bench.harness.sample import Sample, measure, summary
from bench.harness.verify import verify
from bench.peers.against import beside, described, started
from bench.peers.peer import Peer
from genpaxos.core.ballot import Policy

SHARES = (0.0, 0.02, 0.25, 1.0)
TESTED, CLASSIC = "tested", "classic"

Samples = Mapping[str, dict[float, list[Sample]]]


async def interference(options: Options, progress: Progress) -> dict[str, Any]:
    """Measure every share on all contenders in every round. Raises :class:`BenchError`."""
    progress("starting two clusters", 0, options.rounds)
    async with AsyncExitStack() as stack:
        ours = {
            TESTED: await stack.enter_async_context(running(options, options.policy)),
            CLASSIC: await stack.enter_async_context(running(options, Policy.CLASSIC)),
        }
        peers = await started(options, stack, progress)
        for peer in peers.values():
            await peer.run(workload.opening(), 1)  # as the clusters had it
        contenders: dict[str, Contender] = {**ours, **peers}
        for contender in contenders.values():
            await measure(contender, workload.commands("warm-up", 0.1), options.warmup_commands, options.outstanding)
        samples = await _rounds(options, contenders, progress)
        progress("verifying", options.rounds, options.rounds)
        verified = {name: verify(bench) for name, bench in ours.items()}
        roles = {name: bench.roles() for name, bench in ours.items()}
        beside_us = {
            name: {**_described(peer, samples[name], options), "verified": await peer.verify()}
            for name, peer in peers.items()
        }
    shares = [_compared(share, samples, list(peers)) for share in SHARES]
    calm = shares[0][TESTED]
    return {
        "commands_per_second": calm["commands_per_second"],
        "latency_ms": calm["latency_ms"],
        "ratios": _ratios(shares),
        "client": client_check(_all(samples[TESTED]), inside=False),
        "shares": shares,
        "peers": beside_us,
        "roles": roles,
        "verified": verified,
    }


async def _rounds(options: Options, contenders: Mapping[str, Contender], progress: Progress) -> Samples:
    samples: Samples = {name: {share: [] for share in SHARES} for name in contenders}
    total = options.rounds * len(SHARES)
    for number in range(options.rounds):
        for index, share in enumerate(SHARES):
            progress("measuring", number * len(SHARES) + index, total)
            for name, contender in in_turn(list(contenders.items()), number + index):
                commands = workload.commands(f"{options.seed}/{number}", share)  # the same for all
                samples[name][share].append(await measure(contender, commands, options.commands, options.outstanding))
    return samples


def _all(samples: Mapping[float, list[Sample]]) -> list[Sample]:
    return [sample for found in samples.values() for sample in found]


def _described(peer: Peer, samples: Mapping[float, list[Sample]], options: Options) -> dict[str, Any]:
    return described(peer, _all(samples), options.outstanding)


def _compared(share: float, samples: Samples, peers: list[str]) -> dict[str, Any]:
    ours = samples[TESTED][share]
    classic = beside(ours, samples[CLASSIC][share])
    return {
        "interference": share,
        "ratio": classic.pop("ratio"),
        TESTED: summary(ours),
        CLASSIC: classic,
        "peers": {name: beside(ours, samples[name][share]) for name in peers},
    }


def _ratios(shares: list[dict[str, Any]]) -> dict[str, float]:
    """Our commands/s over each other's, by name and share; a peer's name alone is for the share that is calm."""
    calm = {name: peer["ratio"]["median"] for name, peer in shares[0]["peers"].items()}
    return calm | {
        f"{name} at {entry['interference']:g}": ratio["median"]
        for name in (CLASSIC, *shares[0]["peers"])
        for entry in shares
        for ratio in [entry["ratio"] if name == CLASSIC else entry["peers"][name]["ratio"]]
    }
