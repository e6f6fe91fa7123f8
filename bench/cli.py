"""Arguments, progress and printing."""

import argparse
import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from bench import machine, report
from bench.against import PEERS
from bench.failover import failover
from bench.growth import growth
from bench.interference import interference
from bench.options import Options
from bench.steady import Progress, steady
from bench.wan import arguments as wan_arguments
from bench.wan.measure import wan
from bench.wan.options import WanOptions
from bench.workload import ACCOUNTS
from genpaxos.core.ballot import Policy
from genpaxos.core.quorum import REPLICAS_MAX
from genpaxos.errors import GenpaxosError
from genpaxos.runtime.client import OUTSTANDING_MAX
from genpaxos.runtime.config import SNAPSHOT_COMMANDS
from genpaxos.view.progress import ProgressBar

DEADLINE_HELP = ("a longer run ends as an error", "a longer time between two points ends as an error")
EXIT_FAILED = 1
EXIT_INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A measurement and what it does unless told otherwise."""

    run: Callable[[Options, Progress], Awaitable[dict[str, Any]]]
    help: str
    rounds: int
    commands: int
    outstanding: int
    long: bool = False
    """One run of many commands with snapshots: no rounds, no warm-up."""


BENCHMARKS = {
    "throughput": Benchmark(steady, "deposits with many outstanding", rounds=5, commands=40_000, outstanding=256),
    "latency": Benchmark(steady, "deposits one after the other", rounds=3, commands=2_000, outstanding=1),
    "interference": Benchmark(
        interference, "shares of interfering commands, against classic", rounds=5, commands=8_000, outstanding=256
    ),
    "failover": Benchmark(
        failover, "kill -9 of the coordinator and of followers under load", rounds=3, commands=5_000, outstanding=64
    ),
    "growth": Benchmark(
        growth,
        "time, memory and disk over a long run with snapshots",
        rounds=1,
        commands=1_000_000,
        outstanding=1_024,
        long=True,
    ),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one measurement and print it; returns the exit status."""
    arguments = _parser().parse_args(argv)
    try:
        result = measure(arguments.benchmark, _options(arguments))
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except GenpaxosError as error:
        print(f"bench: {error}", file=sys.stderr)
        return EXIT_FAILED
    try:
        if arguments.json:
            print(orjson.dumps(result).decode(), flush=True)
        else:
            report.console().print(report.render(result))
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    return 0


def measure(name: str, options: Options | WanOptions) -> dict[str, Any]:
    """One measurement's result as a JSON object. Raises :class:`GenpaxosError` if it wedges or turns out wrong."""
    described = machine.describe(options.directory)
    with ProgressBar(_errors()) as progress:
        found = asyncio.run(_run(name, options, progress))
    return {"benchmark": name, "options": options.to_json(), **found, "machine": described}


async def _run(name: str, options: Options | WanOptions, progress: Progress) -> dict[str, Any]:
    if isinstance(options, WanOptions):
        return await wan(options, progress)
    return await BENCHMARKS[name].run(options, progress)


def _errors() -> Any:
    """Progress goes to standard error: standard output is the result's."""
    from rich.console import Console

    return Console(stderr=True)


def _options(arguments: argparse.Namespace) -> Options | WanOptions:
    if arguments.benchmark == wan_arguments.NAME:
        return wan_arguments.options(arguments)
    return Options(
        rounds=arguments.rounds,
        commands=arguments.commands,
        outstanding=arguments.outstanding,
        replicas=arguments.replicas,
        policy=Policy(arguments.policy),
        home=arguments.home,
        tcp=arguments.tcp,
        warmup=arguments.warmup,
        deadline_s=arguments.deadline,
        seed=arguments.seed,
        directory=arguments.directory,
        against=tuple(dict.fromkeys(getattr(arguments, "against", ()))),
        snapshot_commands=arguments.snapshot_commands,
        resources=arguments.resources,
    )


def _between(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        value = int(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text} is not between {low} and {high}")
        return value

    return parse


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure the engine: real replica processes, durable, on this machine.",
        epilog="Exit status: 0 measured and verified, 1 wedged or wrong, 2 wrong usage, 130 interrupted.",
    )
    commands = parser.add_subparsers(dest="benchmark", required=True, metavar="BENCHMARK")
    for name, benchmark in BENCHMARKS.items():
        _add(commands.add_parser(name, help=benchmark.help, description=benchmark.help), benchmark)
    wan_arguments.add(commands)
    return parser


def _add(parser: argparse.ArgumentParser, benchmark: Benchmark) -> None:
    count = _between(1, 10**9)
    parser.formatter_class = argparse.ArgumentDefaultsHelpFormatter
    parser.add_argument("--replicas", type=_between(1, REPLICAS_MAX), default=3, help="replica processes")
    if benchmark.long:
        _add_long(parser)
    else:
        _add_rounds(parser, benchmark)
    parser.add_argument("--commands", type=count, default=benchmark.commands, help="commands per run")
    parser.add_argument(
        "--outstanding", type=_between(1, OUTSTANDING_MAX), default=benchmark.outstanding, help="commands at a time"
    )
    parser.add_argument("--policy", choices=[str(p) for p in Policy], default=str(Policy.LEADER_ORDERED), help="kind")
    parser.add_argument(
        "--home", type=_between(0, REPLICAS_MAX - 1), help="replica to ask for results; else coordinator"
    )
    parser.add_argument("--tcp", action="store_true", help="tcp on 127.0.0.1 instead of ipc sockets")
    parser.add_argument("--deadline", type=float, default=120.0, metavar="S", help=DEADLINE_HELP[benchmark.long])
    parser.add_argument("--seed", type=int, default=1, help="of the commands")
    parser.add_argument(
        "--directory", type=Path, help="where the replicas keep their data; else the temporary directory"
    )
    if benchmark.run is steady:
        _add_against(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def _add_against(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--against",
        action="append",
        default=argparse.SUPPRESS,
        choices=list(PEERS),
        metavar="PEER",
        help=f"measure a peer turn by turn with the engine: {', '.join(PEERS)}; may be given several times",
    )


def _add_rounds(parser: argparse.ArgumentParser, benchmark: Benchmark) -> None:
    count = _between(1, 10**9)
    parser.add_argument("--rounds", type=count, default=benchmark.rounds, help="runs to take the median of")
    parser.add_argument("--warmup", type=count, help="commands before the first round; else as many as in one")
    parser.set_defaults(snapshot_commands=0, resources=ACCOUNTS)


def _add_long(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--snapshot-commands", type=_between(1, 10**9), default=SNAPSHOT_COMMANDS, help="commands between snapshots"
    )
    parser.add_argument("--resources", type=_between(1, 10**9), default=ACCOUNTS, help="accounts to deposit to")
    parser.set_defaults(rounds=1, warmup=0)
