"""Arguments, progress and printing."""

import argparse
import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import orjson

from bench.engine.dimensions import DIMENSIONS, dimension
from bench.engine.growth import growth
from bench.engine.interference import interference
from bench.engine.recovery import KILLABLE, REFUSED, recovery
from bench.engine.steady import steady
from bench.harness import machine
from bench.harness.bulk import MANY
from bench.harness.contender import Progress
from bench.harness.options import Options
from bench.harness.workload import ACCOUNTS
from bench.peers.against import PEERS, listed
from bench.publish import programme, report, results
from bench.wan import arguments as wan_arguments
from bench.wan.measure import wan
from bench.wan.options import WanOptions
from genpaxos.core.ballot import Policy
from genpaxos.core.quorum import REPLICAS_MAX
from genpaxos.errors import GenpaxosError
from genpaxos.runtime.config import SNAPSHOT_COMMANDS
from genpaxos.runtime.submitting import OUTSTANDING_MAX
from genpaxos.view.encoding import make_printable
from genpaxos.view.progress import ProgressBar

SNAPSHOT_HELP = "commands between snapshots; 0: none"
DEADLINE_HELP = "a longer run, or time between two points of a long one, ends as an error"
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


async def _grown(options: Options, progress: Progress) -> dict[str, Any]:
    return await (growth if options.over == LONG else dimension)(options, progress)


LONG = "commands"
"""Growth over commands: one run of many with snapshots, no rounds, no warm-up."""
GROWTH_DEFAULTS = {
    True: {
        "rounds": 1,
        "warmup": 0,
        "commands": 1_000_000,
        "outstanding": 1_024,
        "snapshot_commands": SNAPSHOT_COMMANDS,
    },
    False: {"rounds": 3, "warmup": 5_000, "commands": 20_000, "outstanding": 256, "snapshot_commands": 0},
}
"""By whether it is over commands."""

BENCHMARKS = {
    "throughput": Benchmark(steady, "deposits with many outstanding", rounds=5, commands=40_000, outstanding=256),
    "latency": Benchmark(steady, "deposits one after the other", rounds=3, commands=2_000, outstanding=1),
    "interference": Benchmark(
        interference, "shares of interfering commands, against classic", rounds=5, commands=8_000, outstanding=256
    ),
    "recovery": Benchmark(
        recovery, "kill -9 of the coordinator and of followers under load", rounds=3, commands=5_000, outstanding=64
    ),
    "growth": Benchmark(
        _grown,
        "what a command costs over many commands, with snapshots; or over resources, replicas, or its size",
        rounds=3,
        commands=20_000,
        outstanding=256,
    ),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one measurement and print it, or what else is asked for; returns the exit status."""
    make_printable(sys.stdout, sys.stderr)
    arguments = _parser().parse_args(argv)
    command = getattr(arguments, "command", _measure_and_print)
    try:
        status = int(command(arguments))
        sys.stdout.flush()
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except GenpaxosError as error:
        print(f"bench: {error}", file=sys.stderr)
        return EXIT_FAILED
    except BrokenPipeError:  # nobody reads on
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
        return 0
    return status


def _measure_and_print(arguments: argparse.Namespace) -> int:
    result = measure(arguments.benchmark, _options(arguments))
    if arguments.json:
        print(orjson.dumps(result).decode())
    else:
        report.console().print(report.render(result))
    return 0


def measure(name: str, options: Options | WanOptions) -> dict[str, Any]:
    """One measurement's result as a JSON object. Raises :class:`GenpaxosError` if it does not end or is wrong."""
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
    if hasattr(arguments, "over"):
        for name, value in GROWTH_DEFAULTS[arguments.over == LONG].items():
            setattr(arguments, name, getattr(arguments, name, value))
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
        many=_many(arguments),
        over=getattr(arguments, "over", ""),
    )


def _many(arguments: argparse.Namespace) -> bool:
    """As it was said, or by how many are outstanding; only where a load is steady."""
    if not hasattr(arguments, "many"):
        return False
    return arguments.outstanding >= MANY if arguments.many is None else bool(arguments.many)


def _between(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        value = int(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text} is not between {low} and {high}")
        return value

    return parse


OUTSTANDING = _between(1, OUTSTANDING_MAX)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure the engine: real replica processes, durable, on this machine. `programme` runs all of it, "
        "`results` makes the results page of that.",
        epilog="Exit status: 0 measured and verified, 1 wedged or wrong, 2 wrong usage, 130 interrupted.",
    )
    commands = parser.add_subparsers(dest="benchmark", required=True, metavar="BENCHMARK")
    for name, benchmark in BENCHMARKS.items():
        _add(commands.add_parser(name, help=benchmark.help, description=benchmark.help), benchmark)
    wan_arguments.add(commands)
    programme.add(commands)
    results.add(commands)
    return parser


def _add(parser: argparse.ArgumentParser, benchmark: Benchmark) -> None:
    count = _between(1, 10**9)
    parser.formatter_class = argparse.ArgumentDefaultsHelpFormatter
    parser.add_argument("--replicas", type=_between(1, REPLICAS_MAX), default=3, help="replica processes")
    if benchmark.run is _grown:
        _add_growth(parser)
    else:
        _add_rounds(parser, benchmark)
        parser.add_argument("--commands", type=count, default=benchmark.commands, help="commands per run")
        parser.add_argument("--outstanding", type=OUTSTANDING, default=benchmark.outstanding, help="commands at a time")
    parser.add_argument("--policy", choices=[str(p) for p in Policy], default=str(Policy.LEADER_ORDERED), help="kind")
    parser.add_argument(
        "--home", type=_between(0, REPLICAS_MAX - 1), help="replica to ask for results; else coordinator"
    )
    parser.add_argument("--tcp", action="store_true", help="tcp on 127.0.0.1 instead of ipc sockets")
    parser.add_argument("--deadline", type=float, default=120.0, metavar="S", help=DEADLINE_HELP)
    parser.add_argument("--seed", type=int, default=1, help="of the commands")
    parser.add_argument(
        "--directory", type=Path, help="where the replicas keep their data; else the temporary directory"
    )
    if benchmark.run is recovery:
        _add_against(parser, KILLABLE, REFUSED)
    else:
        _add_against(parser, PEERS)
    if benchmark.run is steady:
        parser.add_argument(
            "--many",
            action=argparse.BooleanOptionalAction,
            help=f"hand commands over in batches, through submit_many; by default from {MANY:,} outstanding on",
        )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def _add_against(
    parser: argparse.ArgumentParser, peers: Collection[str], refused: Mapping[str, str] = MappingProxyType({})
) -> None:
    parser.add_argument(
        "--against",
        action="extend",
        default=argparse.SUPPRESS,
        type=partial(listed, known=peers, why=refused),
        metavar="PEER,…",
        help=f"measure peers turn by turn with the engine: {', '.join(peers)}; may be given several times",
    )


def _add_rounds(parser: argparse.ArgumentParser, benchmark: Benchmark) -> None:
    count = _between(1, 10**9)
    parser.add_argument("--rounds", type=count, default=benchmark.rounds, help="runs to take the median of")
    parser.add_argument("--warmup", type=count, help="commands before the first round; else as many as in one")
    if benchmark.run is recovery:
        parser.add_argument(
            "--snapshot-commands", type=_between(0, 10**9), default=SNAPSHOT_COMMANDS, help=SNAPSHOT_HELP
        )
    parser.set_defaults(resources=ACCOUNTS, **({} if benchmark.run is recovery else {"snapshot_commands": 0}))


def _add_growth(parser: argparse.ArgumentParser) -> None:
    """Defaults differ by what growth is over."""
    long, short = GROWTH_DEFAULTS[True], GROWTH_DEFAULTS[False]

    def add(name: str, kind: Callable[[str], int], words: str) -> None:
        key = name.replace("-", "_")
        both = f"{words} (default: {short[key]:,}; over commands {long[key]:,})"
        parser.add_argument(f"--{name}", type=kind, default=argparse.SUPPRESS, help=both)

    count = _between(1, 10**9)
    parser.add_argument("--over", choices=[LONG, *DIMENSIONS], default=LONG, help="what a command's cost may grow with")
    parser.add_argument("--resources", type=count, default=ACCOUNTS, help="that commands are spread over")
    add("rounds", count, "runs of each point to take the median of; over commands there is one run")
    add("warmup", _between(0, 10**9), "commands before a point is measured")
    add("commands", count, "commands per point; over commands in all")
    add("outstanding", OUTSTANDING, "commands at a time")
    add("snapshot-commands", _between(0, 10**9), SNAPSHOT_HELP)
