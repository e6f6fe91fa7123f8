"""The runs of the whole programme: what the results page is made of, and which run a result is of."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Result = Mapping[str, Any]
"""What a measurement gives as JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One measurement of the programme. Results whose options include ``where`` are of this run."""

    name: str
    """The name of the file its result is kept in."""
    title: str
    benchmark: str
    where: Mapping[str, Any]
    arguments: tuple[str, ...] = ()
    """Beyond those that ``where`` asks for."""
    against: tuple[str, ...] = ()
    module: str = "bench"
    quick: tuple[str, ...] = ("--rounds", "2")
    """Options that make it short: to see that it works, not for figures."""

    def command_line(self, against: tuple[str, ...], *more: str) -> list[str]:
        """The words after ``python -m``, with such peers as there are."""
        words = [] if self.module != "bench" else [self.benchmark]
        for option, value in self.where.items():
            words += [f"--{option.replace('_', '-')}"] + ([] if value is True else [str(value)])
        for peer in against:
            words += ["--against", peer]
        return [self.module, *words, *self.arguments, *more, "--json"]


ALL_PEERS = ("etcd", "pysyncobj", "pysyncobj-tuned", "unreplicated", "unreplicated-nosync")

RUNS = (
    Run(
        name="throughput",
        title="Many commands outstanding",
        benchmark="throughput",
        where={"replicas": 3, "outstanding": 256},
        arguments=("--tcp", "--commands", "20000"),
        quick=("--rounds", "2", "--commands", "5000"),
        against=ALL_PEERS,
    ),
    Run(
        name="throughput-5",
        title="Five replicas",
        benchmark="throughput",
        where={"replicas": 5, "outstanding": 256},
        arguments=("--tcp", "--commands", "20000"),
        quick=("--rounds", "2", "--commands", "5000"),
        against=("etcd",),
    ),
    Run(
        name="saturation",
        title="Saturation",
        benchmark="throughput",
        where={"replicas": 3, "outstanding": 4096, "many": True},
        arguments=("--tcp", "--commands", "60000", "--warmup", "20000"),
        quick=("--rounds", "2", "--commands", "20000"),
        against=("etcd", "pysyncobj", "pysyncobj-tuned", "unreplicated"),
    ),
    Run(
        name="latency-64",
        title="Some commands outstanding",
        benchmark="throughput",
        where={"replicas": 3, "outstanding": 64},
        arguments=("--tcp", "--commands", "10000"),
        against=("etcd", "pysyncobj-tuned", "unreplicated"),
    ),
    Run(
        name="latency",
        title="One command at a time",
        benchmark="latency",
        where={"replicas": 3, "outstanding": 1},
        arguments=("--tcp", "--commands", "2000", "--warmup", "500", "--rounds", "5"),
        quick=("--rounds", "2", "--commands", "500"),
        against=("etcd", "pysyncobj-tuned", "unreplicated", "unreplicated-nosync"),
    ),
    Run(
        name="interference",
        title="Interference",
        benchmark="interference",
        where={"replicas": 3},
        arguments=("--tcp", "--rounds", "9"),
        against=("etcd", "pysyncobj-tuned", "unreplicated"),
        quick=("--rounds", "1"),
    ),
    Run(
        name="recovery",
        title="Recovery",
        benchmark="recovery",
        where={"replicas": 3},
        arguments=("--tcp",),
        quick=("--rounds", "1"),
        against=("etcd", "pysyncobj"),
    ),
    Run(
        name="wan",
        title="Across regions",
        benchmark="wan",
        where={},
        arguments=("--rounds", "3"),
        quick=("--rounds", "1", "--seconds", "1"),
        against=("classic", "etcd"),
    ),
    Run(
        name="growth-commands",
        title="Growth: commands",
        benchmark="growth",
        where={"over": "commands"},
        arguments=("--tcp",),
        quick=("--commands", "100000"),
        against=("etcd",),
    ),
    Run(
        name="growth-resources",
        title="Growth: resources",
        benchmark="growth",
        where={"over": "resources"},
        arguments=("--tcp", "--rounds", "2"),  # filling a million keys takes etcd half a minute
        quick=("--rounds", "1"),
        against=("etcd",),
    ),
    Run(
        name="growth-replicas",
        title="Growth: replicas",
        benchmark="growth",
        where={"over": "replicas"},
        arguments=("--tcp",),
        against=("etcd",),
    ),
    Run(
        name="growth-size",
        title="Growth: size of a command",
        benchmark="growth",
        where={"over": "size"},
        arguments=("--tcp",),
        quick=("--rounds", "1"),
        against=("etcd",),
    ),
    Run(
        name="snapshot",
        title="Snapshots of a large state",
        benchmark="snapshot",
        where={},
        module="bench.snapshot",
        quick=("--mb", "20", "--snapshots", "2"),
    ),
)
BY_NAME = {run.name: run for run in RUNS}


def run_of(result: Result) -> Run | None:
    """The run that a result is of; ``None``: it was measured with other options, or it is no result."""
    options = result.get("options", {})
    for run in RUNS:
        if run.benchmark == result.get("benchmark") and all(
            options.get(option) == value for option, value in run.where.items()
        ):
            return run
    return None
