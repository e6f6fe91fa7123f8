"""The tables that put peers beside the engine: one for each, with the engine's points for rows."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table

from bench.harness.client_check import BUSY_CORES
from bench.harness.contender import ENGINE
from bench.harness.cpu import CLIENT, OTHERS
from bench.publish.report_cells import curves, each, figures, table
from bench.publish.tables import Cell, Grid, figure, ranged, rate

Result = dict[str, Any]


def tables(result: Result) -> list[RenderableType]:
    """What there is to show beside the engine's own table. Recovery shows all in one."""
    if not result.get("peers") or result["benchmark"] == "recovery":
        return []
    return _BY_BENCHMARK.get(result["benchmark"], _steady)(result)


def _steady(result: Result) -> list[RenderableType]:
    """The engine and its peers, with ranges beneath: it fits 80 columns."""
    rows: list[list[Cell]] = [
        [
            name,
            rate(side),
            *figures(side)[1:],
            ranged(side["ratio"]) if side.get("ratio") is not None else "",
            _client_and_servers(side["cpu_cores"]) + f"\n{side['cpu_us_per_command'] or 0:,.0f} µs",
        ]
        for name, side in {ENGINE: result, **result["peers"]}.items()
    ]
    return [table(Grid(("turn by turn", "commands/s", "p50 ms", "p99 ms", "ours/theirs", "cores"), rows))]


def _client_and_servers(cores: dict[str, float]) -> str:
    servers = sum(used for process, used in cores.items() if process not in (CLIENT, OTHERS))
    return f"{cores.get(CLIENT, 0.0):.2f} + {servers:.2f}"


def _interference(result: Result) -> list[RenderableType]:
    rows = [(f"{share['interference']:.0%}", share["peers"]) for share in result["shares"]]
    return [_turn_by_turn(name, "interfering", rows) for name in result["peers"]]


def _growth(result: Result) -> list[RenderableType]:
    over, points = result["options"]["over"], result["points"]
    if over == "commands":
        return [_interval_by_interval(name, peer, points) for name, peer in result["peers"].items()]
    rows = [(f"{point[over]:,}", point["peers"]) for point in points]
    return [_turn_by_turn(name, over, rows) for name in result["peers"]]


def _turn_by_turn(name: str, what: str, rows: Iterable[tuple[str, dict[str, Any]]]) -> Table:
    headings = (what, "commands/s", "p50 ms", "p99 ms", "CPU µs", "ours/theirs")
    cells: list[list[Cell]] = [
        [label, rate(side), *figures(side)[1:], figure(side["cpu_us_per_command"]), ranged(side["ratio"])]
        for label, peers in rows
        for side in [peers[name]]
    ]
    return table(Grid(headings, cells, title=f"{name}, turn by turn"))


def _interval_by_interval(name: str, peer: dict[str, Any], points: Sequence[dict[str, Any]]) -> RenderableType:
    headings = ("commands", "µs each", "mean", "CPU µs", "memory\nMiB", "disk\nMiB", "ours/theirs")
    theirs = [point["peers"][name] for point in points]
    rows = [
        [
            figure(side["commands"]),
            figure(side["microseconds_per_command"], ".1f"),
            figure(side["mean_microseconds_per_command"], ".1f"),
            figure(side["cpu_us_per_command"], ".1f"),
            each(side["rss_mib"]),
            each(side["disk_mib"]),
            figure(side["microseconds_per_command"] / ours["microseconds_per_command"], ".2f"),
        ]
        for ours, side in zip(points, theirs, strict=True)
    ]
    made = table(Grid(headings, rows, title=f"{name}, interval by interval"))
    return Group(made, curves(theirs, peer["grown"], "our first snapshot"))


_BY_BENCHMARK: dict[str, Callable[[Result], list[RenderableType]]] = {
    "interference": _interference,
    "growth": _growth,
}


# Notes --------------------------------------------------------------------------------------------------------------


def notes_before(result: Result) -> list[str]:
    """How to read the tables, how the load was made, and whether the clients may have been the limit."""
    notes = [f"load: {words}" for words in _loads(result)] if "load" in result else []
    if "client" in result:
        notes.append(_clients(result))
    if result.get("peers"):
        notes.insert(0, _HOW_TO_READ.get(result["benchmark"], _TURN_BY_TURN))
    return notes


def notes_after(result: Result) -> list[str]:
    """What the peers are."""
    return [f"{name}: {peer['about']}; verified" for name, peer in result.get("peers", {}).items()]


_TURN_BY_TURN = "turn by turn: median and range; ours/theirs is of commands/s; cores: client + servers, CPU per command"
_HOW_TO_READ = {
    "interference": "to a peer, interfering commands are puts of one key; ours/theirs is of commands/s of the policy",
    "growth": "peers got the same commands, keys and values, in turn; ours/theirs is of commands/s",
    "recovery": "peers had the same load; ours and theirs were killed in turn, one at a time",
}


def _loads(result: Result) -> list[str]:
    """How the load was made, once for all that got it the same way."""
    ways: dict[str, list[str]] = {}
    for name, side in {ENGINE: result, **result["peers"]}.items():
        ways.setdefault(side["load"], []).append(name)
    if len(ways) == 1:
        return list(ways)
    return [f"{', '.join(names)}: {way}" for way, names in ways.items()]


def _clients(result: Result) -> str:
    """What the load generators took of a core, and what that says."""
    shares = []
    for name, side in {ENGINE: result, **result.get("peers", {})}.items():
        client = side["client"]
        share = "unknown" if client["cores"] is None else f"{client['cores']:.2f}"
        inside = " (inside its leader)" if client["inside"] else " (may be the limit)" if client["may_limit"] else ""
        shares.append(f"{name} {share}{inside}")
    return f"the client's share of a core (from {BUSY_CORES:g} it may be the limit): {', '.join(shares)}"
