"""What a command costs against the number of resources, of replicas, and its own size.

Every point is measured once a round on a cluster of its own, fresh and filled, turn by turn (A B C A B C), so that a
drift of the machine does not look like growth. Rates are noisy where others work on the machine; processor time is
less so.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bench import tally
from bench.cluster import running
from bench.errors import BenchError
from bench.options import Options
from bench.sample import Sample, measure, summary
from bench.steady import Progress
from bench.verify import verify
from genpaxos.runtime.wire import COMMAND_BYTES_MAX

VALUE_BYTES = 16
KIB = 1_024
ENVELOPE_BYTES = 64
"""What a command has beside its value, and some room: the largest value fills the largest command."""
FILL_OUTSTANDING = 8
ROUND_BYTES_MAX = 16 * KIB * KIB
"""Of values in one round: of large commands there are fewer."""
FLIGHT_BYTES_MAX = 4 * KIB * KIB
"""Of values outstanding."""


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
    sizes = (16, 256, KIB, 4 * KIB, 16 * KIB, COMMAND_BYTES_MAX - ENVELOPE_BYTES)
    return [
        Setting(
            size,
            replace(
                options,
                commands=max(1, min(options.commands, ROUND_BYTES_MAX // size)),
                outstanding=max(1, min(options.outstanding, FLIGHT_BYTES_MAX // size)),
            ),
            value_bytes=size,
        )
        for size in sizes
    ]


DIMENSIONS: Mapping[str, Callable[[Options], list[Setting]]] = {
    "resources": _resources,
    "replicas": _replicas,
    "size": _size,
}
"""Beside ``commands``, which :mod:`bench.growth` measures in one long run."""


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
    samples: list[list[Sample]] = [[] for _ in settings]
    acknowledged, total = 0, options.rounds * len(settings)
    for number in range(options.rounds):
        for index, (setting, into) in enumerate(zip(settings, samples, strict=True)):
            progress(f"measuring over {options.over}", number * len(settings) + index, total)
            sample, count = await _sample(setting, f"{options.seed}/{number}")
            into.append(sample)
            acknowledged += count
    points = [
        {
            options.over: setting.value,
            "commands": setting.options.commands,
            "outstanding": setting.options.outstanding,
            **summary(found),
        }
        for setting, found in zip(settings, samples, strict=True)
    ]
    return {
        "commands_per_second": points[0]["commands_per_second"],
        "ratios": _ratios(options.over, points),
        "points": points,
        "verified": {"replicas_agree": True, "acknowledged": acknowledged},
    }


def _ratios(over: str, points: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Processor time per command at each point, as a ratio to the first; empty where the system does not tell."""
    first = points[0]["cpu_us_per_command"]
    return {str(p[over]): round(p["cpu_us_per_command"] / first, 3) for p in points} if first else {}


async def _sample(setting: Setting, seed: str) -> tuple[Sample, int]:
    """One point once, and how many commands it took in all."""
    options = setting.options
    stream = tally.commands(seed, options.resources, setting.value_bytes)
    async with running(options, options.policy, tally.Tally) as bench:
        await bench.run(tally.opening(options.resources), FILL_OUTSTANDING)
        await measure(bench, stream, options.warmup_commands, options.outstanding)
        sample = await measure(bench, stream, options.commands, options.outstanding)
        return sample, verify(bench)["acknowledged"]
