"""``python -m bench wan``: its arguments."""

import argparse
import shutil
from functools import partial
from pathlib import Path
from typing import Any

from bench.errors import BenchError
from bench.peers.against import listed
from bench.wan.measure import AGAINST, ETCD
from bench.wan.options import WanOptions
from genpaxos.plan import read_rtt

NAME = "wan"
NOBODY = "nobody"
_HELP = "what clients wait in each of several regions, against classic and etcd"
_DESCRIPTION = (
    "What clients wait in each of several regions: real replicas on this machine, with the delays of a matrix of round "
    "trips between them, as `genpaxos plan` recommends; beside what it expects and what nobody can beat."
)
_DEFAULT = WanOptions()


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = commands.add_parser(
        NAME, help=_HELP, description=_DESCRIPTION, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--rtt", metavar="FILE", help="round trips, as `genpaxos plan` reads them; else five regions'")
    parser.add_argument("--rounds", type=_count, default=_DEFAULT.rounds, help="to take the median of")
    parser.add_argument("--seconds", type=_seconds, default=_DEFAULT.seconds, help="of each contender at each share")
    parser.add_argument(
        "--outstanding", type=_count, default=_DEFAULT.outstanding, help="commands per region at a time"
    )
    parser.add_argument(
        "--shares",
        type=_shares,
        default="0,2,25,100",
        metavar="PERCENT,…",
        help="of commands that all touch one account and interfere",
    )
    parser.add_argument("--planned-for", type=_percent, default="2", metavar="PERCENT", help="the plan's interference")
    parser.add_argument(
        "--against",
        action="extend",
        type=partial(listed, known=(*AGAINST, NOBODY)),
        metavar="PEER,…",
        help=f"measure it turn by turn: {', '.join(AGAINST)} or {NOBODY}; else all that are installed",
    )
    parser.add_argument("--deadline", type=_seconds, default=_DEFAULT.deadline_s, metavar="S", help="for what is late")
    parser.add_argument("--seed", type=int, default=_DEFAULT.seed, help="of the commands")
    parser.add_argument("--directory", type=Path, help="where replicas keep their data; else the temporary directory")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def options(arguments: argparse.Namespace) -> WanOptions:
    """What was asked for. Raises :class:`genpaxos.plan.RttError`, or :class:`BenchError` for no such file."""
    installed = tuple(name for name in AGAINST if name != ETCD or shutil.which(ETCD))
    asked = tuple(name for name in AGAINST if name in arguments.against) if arguments.against else installed
    return WanOptions(
        **_trips(arguments.rtt),
        shares=arguments.shares,
        planned_for=arguments.planned_for,
        against=asked,
        rounds=arguments.rounds,
        seconds=arguments.seconds,
        outstanding=arguments.outstanding,
        deadline_s=arguments.deadline,
        seed=arguments.seed,
        directory=arguments.directory,
    )


def _trips(file: str | None) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        return {"trips": read_rtt(file), "source": file}
    except OSError as error:
        raise BenchError(f"cannot read the round trips: {error}") from None


def _count(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 10_000:
        raise argparse.ArgumentTypeError(f"{text} is not between 1 and 10000")
    return value


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value <= 3_600:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 3600 seconds")
    return value


def _percent(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 100:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 100")
    return value / 100


def _shares(text: str) -> tuple[float, ...]:
    try:
        return tuple(dict.fromkeys(map(_percent, text.split(","))))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is no list of percentages like 0,2,25,100") from None
