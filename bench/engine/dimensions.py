"""What a command costs against the number of resources, of replicas, and its own size.

Every point is measured once a round on a cluster of its own, fresh and filled, turn by turn (A B C A B C), so that a
drift of the machine does not look like growth; peers come right before or after, with as many members, as many keys and
values as large. Rates are noisy where others work on the machine; processor time is less so.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from bench.errors import BenchError
from bench.harness import tally
from bench.harness.client_check import client_check
from bench.harness.cluster import Bench, running
from bench.harness.contender import ENGINE, Contender, Progress, in_turn
from bench.harness.options import Options
from bench.harness.sample import Sample, measure, summary
from bench.harness.verify import verify
from bench.peers.against import PEERS, beside
from bench.peers.peer import Peer
from genpaxos.runtime.wire import COMMAND_BYTES_MAX

VALUE_BYTES = 16
KIB = 1_024
ENVELOPE_BYTES = 64
"""What a command has beside its value, and some room: the largest value fills the largest command."""
FILL_OUTSTANDING = 8
ROUND_BYTES_MAX = 16 * KIB * KIB
"""The size of all values in one round: there are fewer large commands."""
FLIGHT_BYTES_MAX = 4 * KIB * KIB
"""The size of all values outstanding."""

Samples = Mapping[str, list[list[Sample]]]
"""By contender, and by point."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A point: the value on the axis, and what is measured there."""

    value: int
    options: Options
    value_bytes: int = VALUE_BYTES


def _resources(options: Options) -> list[Setting]:
    return [Setting(count, replace(options, resources=count)) for count in (10, 10**2, 10**3, 10**4, 10**5, 10**6)]


def _replicas(options: Options) -> list[Setting]:
    return [Setting(count, replace(options, replicas=count)) for count in (3, 5, 7)]


def _size(options: Options) -> list[Setting]:
    """There are fewer large commands, in a warm-up as in a round."""
    sizes = (16, 256, KIB, 4 * KIB, 16 * KIB, COMMAND_BYTES_MAX - ENVELOPE_BYTES)
    return [Setting(size, _bounded(options, size), value_bytes=size) for size in sizes]


def _bounded(options: Options, size: int) -> Options:
    most = max(1, ROUND_BYTES_MAX // size)
    return replace(
        options,
        commands=min(options.commands, most),
        warmup=min(options.warmup_commands, most),
        outstanding=max(1, min(options.outstanding, FLIGHT_BYTES_MAX // size)),
    )


DIMENSIONS: Mapping[str, Callable[[Options], list[Setting]]] = {
    "resources": _resources,
    "replicas": _replicas,
    "size": _size,
}
"""Beside ``commands``, which :mod:`bench.engine.growth` measures in one long run."""


async def dimension(options: Options, progress: Progress) -> dict[str, Any]:
    """Measure every point of ``options.over`` in every round. Raises :class:`BenchError`."""
    if options.snapshot_commands:
        raise BenchError(
            f"growth over {options.over} is verified by the whole log, and a snapshot cuts it: leave "
            "--snapshot-commands out, or measure --over commands"
        )
    return await measured(DIMENSIONS[options.over](options), options, progress)


async def measured(settings: Sequence[Setting], options: Options, progress: Progress) -> dict[str, Any]:
    """The points, in their order. Raises :class:`BenchError`."""
    names = (ENGINE, *options.against)
    samples: Samples = {name: [[] for _ in settings] for name in names}
    peers: dict[str, Peer] = {}
    acknowledged, total = dict.fromkeys(names, 0), options.rounds * len(settings)
    for number in range(options.rounds):
        for index, setting in enumerate(settings):
            for name in in_turn(names, number + index):
                progress(f"measuring {name} over {options.over}", number * len(settings) + index, total)
                async with _filled(name, setting.options) as contender:
                    samples[name][index].append(await _sample(contender, setting, f"{options.seed}/{number}"))
                    acknowledged[name] += await _verified(contender)
                if isinstance(contender, Peer):
                    peers[name] = contender
    points = [_point(options.over, setting, index, samples) for index, setting in enumerate(settings)]
    return {
        "commands_per_second": points[0]["commands_per_second"],
        "ratios": _ratios(options.over, points),
        "client": client_check(_all(samples[ENGINE]), inside=False),
        "points": points,
        "peers": {
            name: {
                "about": peer.about,
                "client": client_check(_all(samples[name]), inside=peer.client_inside),
                "verified": {"acknowledged": acknowledged[name]},
            }
            for name, peer in peers.items()
        },
        "verified": {"replicas_agree": True, "acknowledged": acknowledged[ENGINE]},
    }


def _all(samples: Sequence[Sequence[Sample]]) -> list[Sample]:
    return [sample for point in samples for sample in point]


def _point(over: str, setting: Setting, index: int, samples: Samples) -> dict[str, Any]:
    ours = samples[ENGINE][index]
    return {
        over: setting.value,
        "commands": setting.options.commands,
        "outstanding": setting.options.outstanding,
        **summary(ours),
        "peers": {name: beside(ours, theirs[index]) for name, theirs in samples.items() if name != ENGINE},
    }


def _ratios(over: str, points: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Processor time per command at each point, as a ratio to the first; none where the system does not tell. And our
    commands/s over each peer's at each point; its name alone is for the first."""
    first = points[0]["cpu_us_per_command"]
    costs = {str(p[over]): round(p["cpu_us_per_command"] / first, 3) for p in points} if first else {}
    beside_peers = {
        f"{name} at {point[over]}": point["peers"][name]["ratio"]["median"]
        for name in points[0]["peers"]
        for point in points
    }
    calm = {name: peer["ratio"]["median"] for name, peer in points[0]["peers"].items()}
    return {**costs, **calm, **beside_peers}


@asynccontextmanager
async def _filled(name: str, options: Options) -> AsyncIterator[Bench | Peer]:
    """A contender that is up, and has all its keys; gone when left."""
    options = replace(options, machine=tally.Tally)
    if name == ENGINE:
        async with running(options, options.policy) as bench:
            await bench.run(tally.opening(options.resources), FILL_OUTSTANDING)
            yield bench
    else:
        async with PEERS[name](options) as peer:
            await peer.fill(options.resources)
            yield peer


async def _sample(contender: Contender, setting: Setting, seed: str) -> Sample:
    """One point once."""
    options = setting.options
    stream = tally.commands(seed, options.resources, setting.value_bytes)
    if options.warmup_commands:
        await measure(contender, stream, options.warmup_commands, options.outstanding)
    return await measure(contender, stream, options.commands, options.outstanding)


async def _verified(contender: Bench | Peer) -> int:
    """How many commands it took in all."""
    found = verify(contender) if isinstance(contender, Bench) else await contender.verify()
    return int(found["acknowledged"])
