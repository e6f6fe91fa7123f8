"""Results as tables. They take the JSON object a measurement gives, so that both always say the same."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from bench.bars import Reached, Verdict, verdicts_on
from bench.client_check import BUSY_CORES
from bench.contender import ENGINE
from bench.cpu import CLIENT, OTHERS
from bench.dimensions import VALUE_BYTES
from bench.growth_points import FLAT
from bench.wan.table import WanTable

BARS = "▁▂▃▄▅▆▇█"
STYLES = {Reached.MET: "green", Reached.SHORT: "red", Reached.UNMEASURED: "dim"}
EIGHTHS = " ▏▎▍▌▋▊▉"
BAR_COLUMNS = 20
PIPE_COLUMNS = 120
"""The width where nobody says how wide it is."""
BY_LOG = "all replicas hold the same log and state, each acknowledged command once"
BY_OUTCOME = "all replicas applied as many commands as were acknowledged, and hold the very state these make"


def console() -> Console:
    """Standard output: coloured on a terminal unless NO_COLOR is set, plain in a pipe."""
    made = Console()
    return made if made.is_terminal else Console(width=PIPE_COLUMNS)


def render(result: dict[str, Any]) -> RenderableType:
    """Any measurement's result."""
    if result["benchmark"] == "wan":
        return Group(WanTable(result), *_held(result), *map(Text, machine_notes(result["machine"])))
    tables: dict[str, Callable[[dict[str, Any]], RenderableType]] = {
        "interference": _interference,
        "recovery": _recovery,
        "growth": _growth,
    }
    table = tables.get(result["benchmark"], _steady)(result)
    peers = [_peers(result)] if result.get("peers") else []
    return Group(Text(_title(result), style="bold"), table, *peers, *_held(result), *map(Text, _footnotes(result)))


def _held(result: dict[str, Any]) -> list[Table]:
    """The bars that the run is held against, if there are some."""
    verdicts = verdicts_on(result)
    return [bars_table(verdicts)] if verdicts else []


def bars_table(verdicts: Sequence[Verdict]) -> Table:
    """Each bar that the run is held against, in words that wrap."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for name, style, justify in (("bar", "", "left"), ("limit", "", "left"), ("figure", "bold", "right")):
        table.add_column(name, style=style, justify=justify)  # type: ignore[arg-type]
    table.add_column("verdict", overflow="fold")
    for verdict in verdicts:
        words = Text(verdict.text(), style=STYLES[verdict.reached])
        table.add_row(Text(verdict.bar.what, overflow="fold"), verdict.bar.text(), verdict.shown(), words)
    table.add_row()
    return table


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index == 0 else "right")
    return table


def _title(result: dict[str, Any]) -> str:
    options = result["options"]
    return (
        f"{result['benchmark']}: {options['replicas']} durable replicas over {options['transport']}, "
        f"{options['policy']}, {options['outstanding']} outstanding from one client"
    )


def _steady(result: dict[str, Any]) -> Table:
    processes = list(result["cpu_cores"])
    table = _table("round", "commands/s", "p50 ms", "p99 ms", "fast", *processes)
    for number, row in enumerate(result["rounds"], start=1):
        table.add_row(str(number), *_figures(row), _share(row["fast_share"]), *_cores(row["cpu_cores"], processes))
    table.add_section()
    table.add_row("median", *_figures(result), "", *_cores(result["cpu_cores"], processes), style="bold")
    ranges = result["latency_ms_range"]
    table.add_row(
        "range", _range(result["commands_per_second_range"], ",.0f"), _range(ranges["p50"]), _range(ranges["p99"])
    )
    return table


def _peers(result: dict[str, Any]) -> Table:
    """The engine and its peers, with ranges beneath: it fits 80 columns."""
    table = _table("turn by turn", "commands/s", "p50 ms", "p99 ms", "ours/theirs", "cores")
    table.pad_edge = False
    for name, side in {ENGINE: result, **result["peers"]}.items():
        rate, *latencies = _figures(side)
        ratio = side.get("ratio")
        table.add_row(
            name,
            f"{rate}\n{_range(side['commands_per_second_range'], ',.0f')}",
            *latencies,
            "" if ratio is None else f"{ratio['median']:.2f}\n{_range([ratio['low'], ratio['high']])}",
            _client_and_servers(side["cpu_cores"]) + f"\n{side['cpu_us_per_command'] or 0:,.0f} µs",
        )
    return table


def _client_and_servers(cores: dict[str, float]) -> str:
    servers = sum(used for process, used in cores.items() if process not in (CLIENT, OTHERS))
    return f"{cores.get(CLIENT, 0.0):.2f} + {servers:.2f}"


def _interference(result: dict[str, Any]) -> Table:
    policy = result["options"]["policy"]
    table = _table(
        "interfering",
        f"{policy} /s",
        "range",
        "p50 ms",
        "classic /s",
        "range",
        "p50 ms",
        "ratio",
        "range",
    )
    for entry in result["shares"]:
        cells: list[str] = []
        for side in (entry["tested"], entry["classic"]):
            rate, p50, _ = _figures(side)
            cells += [rate, _range(side["commands_per_second_range"], ",.0f"), p50]
        ratio = entry["ratio"]
        table.add_row(
            f"{entry['interference']:.0%}", *cells, f"{ratio['median']:.2f}", _range([ratio["low"], ratio["high"]])
        )
    return table


def _recovery(result: dict[str, Any]) -> Table:
    table = _table(
        "kill -9 of",
        "pause ms\nbefore",
        "and\nafter",
        "range",
        "slowest\ncommand ms",
        "missed\ncommands",
        "answers\nafter ms",
        "caught up\nafter ms",
        "range",
    )
    for role, pause in result["pause_ms"].items():
        caught_up = result["caught_up_ms"][role]
        table.add_row(
            role,
            f"{result['calm_pause_ms'][role]['high']:,.0f}",
            *_whole(pause),
            f"{result['slowest_ms'][role]['high']:,.0f}",
            f"{result['missed'][role]:,}",
            f"{result['answered_ms'][role]['median']:,.0f}",
            *_whole(caught_up),
        )
    return table


def _whole(spread: dict[str, float]) -> tuple[str, str]:
    return f"{spread['median']:,.0f}", _range([spread["low"], spread["high"]], ",.0f")


def _growth(result: dict[str, Any]) -> RenderableType:
    over = result["options"]["over"]
    return _growth_over_commands(result) if over == "commands" else _growth_over(over, result["points"])


def _growth_over(over: str, points: list[dict[str, Any]]) -> Table:
    """A point a line; the bar is of processor time, which others on the machine disturb least."""
    table = _table(over, "commands/s", "range", "p50 ms", "µs each", "CPU µs")
    table.add_column("")
    costs = [point["cpu_us_per_command"] or 0.0 for point in points]
    for point, cost in zip(points, costs, strict=True):
        rate, p50, _ = _figures(point)
        table.add_row(
            f"{point[over]:,}",
            rate,
            _range(point["commands_per_second_range"], ",.0f"),
            p50,
            f"{1e6 / point['commands_per_second']:,.1f}",
            f"{cost:,.0f}" if cost else "–",
            Text(bar(cost, max(costs)), style="cyan"),
        )
    return table


def bar(value: float, most: float) -> str:
    """A bar as long as the value is in proportion to the most."""
    eighths = round(BAR_COLUMNS * 8 * value / most) if most else 0
    full, part = divmod(eighths, 8)
    return "█" * full + (EIGHTHS[part] if part else "")


def _growth_over_commands(result: dict[str, Any]) -> RenderableType:
    points = result["points"]
    table = _table("commands", "µs each", "mean", "CPU µs", "memory\nMiB", "disk\nMiB", "snap-\nshots", "log cut\nto")
    for point in points:
        table.add_row(
            f"{point['commands']:,}",
            f"{point['microseconds_per_command']:.1f}",
            f"{point['mean_microseconds_per_command']:.1f}",
            "–" if point["cpu_us_per_command"] is None else f"{point['cpu_us_per_command']:.1f}",
            *(_each(point[name]) for name in ("rss_mib", "disk_mib", "snapshots")),
            f"{min(point['cut']):,}",
        )
    curves = Table(box=None)
    for name, values in _curves(points).items():
        curves.add_row(name, Text(sparkline(values), style="cyan"), _flatness(result["ratios"][name]))
    return Group(table, curves)


def _by_outcome(options: dict[str, Any]) -> bool:
    return bool(options["snapshot_commands"] or options["many"])


def _growth_notes(result: dict[str, Any]) -> list[str]:
    if result["options"]["over"] != "commands":
        least = min(result["points"], key=lambda point: int(point["commands"]))
        if result["options"]["over"] == "size":
            what = f"size: bytes of the value; of the largest {least['commands']:,}, {least['outstanding']:,} at a time"
        else:
            what = f"values of {VALUE_BYTES} bytes, {least['commands']:,} commands a round"
        return [
            "each point on fresh clusters, turn by turn, median of the rounds; CPU: client and replicas, per command",
            what,
        ]
    notes = [
        "CPU: of client and replicas together; a process that writes a snapshot is not in it",
        "µs each: per command since the point before, median of windows; mean: with all pauses",
        "memory: resident in each replica; several figures in a cell are by replica",
    ]
    writers = [peak for peak in result["points"][-1]["snapshot_writer_rss_peak_mib"] if peak is not None]
    if writers:
        notes.append(f"a process writing a snapshot: up to {max(writers):.0f} MiB, most of it shared with its replica")
    return notes


def _curves(points: list[dict[str, Any]]) -> dict[str, list[float | None]]:
    """Of memory and disk the replica's that takes most."""
    most = {"memory": "rss_mib", "disk": "disk_mib"}
    return {
        "time": [point["microseconds_per_command"] for point in points],
        **{
            name: [max((value for value in point[key] if value is not None), default=None) for point in points]
            for name, key in most.items()
        },
    }


def sparkline(values: Sequence[float | None]) -> str:
    """One bar per value, as high as it is in proportion to the largest: what is flat looks flat."""
    top = max((value for value in values if value is not None), default=0.0) or 1.0
    last = len(BARS) - 1
    return "".join(" " if value is None else BARS[min(last, round(value / top * last))] for value in values)


def _flatness(ratio: float | None) -> str:
    if ratio is None:
        return "no two points after a snapshot to compare"
    verdict = "flat" if ratio <= FLAT else "grows"
    return f"×{ratio:.2f} since the first snapshot: {verdict} (the bar is ×{FLAT:g})"


def _each(values: Sequence[float | None]) -> str:
    """By replica, or once if all are the same."""
    shown = ["–" if value is None else f"{value:.0f}" for value in values]
    return shown[0] if len(set(shown)) == 1 else " ".join(shown)


def _figures(row: dict[str, Any]) -> list[str]:
    latency = row["latency_ms"]
    return [f"{row['commands_per_second']:,.0f}", f"{latency['p50']:.2f}", f"{latency['p99']:.2f}"]


def _cores(cores: dict[str, float], processes: Iterable[str]) -> list[str]:
    return [f"{cores[name]:.2f}" if name in cores else "" for name in processes]


def _share(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"


def _range(pair: list[float], form: str = ".2f") -> str:
    return f"{pair[0]:{form}}–{pair[1]:{form}}"


def _loads(result: dict[str, Any]) -> list[str]:
    """How the load was made, once for all that got it the same way."""
    ways: dict[str, list[str]] = {}
    for name, side in {ENGINE: result, **result["peers"]}.items():
        ways.setdefault(side["load"], []).append(name)
    if len(ways) == 1:
        return list(ways)
    return [f"{', '.join(names)}: {way}" for way, names in ways.items()]


def _clients(result: dict[str, Any]) -> str:
    """What the load generators took of a core, and what that says."""
    shares = []
    for name, side in {ENGINE: result, **result["peers"]}.items():
        client = side["client"]
        share = "unknown" if client["cores"] is None else f"{client['cores']:.2f}"
        inside = " (inside its leader)" if client["inside"] else " (may be the limit)" if client["may_limit"] else ""
        shares.append(f"{name} {share}{inside}")
    return f"the client's share of a core (from {BUSY_CORES:g} it may be the limit): {', '.join(shares)}"


def machine_notes(machine: dict[str, Any]) -> list[str]:
    """What the figures were measured on."""
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    sync = machine["sync_ms"]
    return [
        f"{machine['cpu']}, {machine['cores']} cores, {machine['system']}, {machine['python']}",
        versions,
        f"a sync of 4 KiB on {machine['file_system'] or 'its file system'}: p50 {sync['p50']:.2f} ms, "
        f"p99 {sync['p99']:.2f} ms; load before the run {machine['load_average'][0]:.2f}",
    ]


def _footnotes(result: dict[str, Any]) -> list[str]:
    notes = [
        *machine_notes(result["machine"]),
        f"verified: {BY_OUTCOME if _by_outcome(result['options']) else BY_LOG}",
    ]
    if result["benchmark"] == "growth":
        notes[:0] = _growth_notes(result)
    if result["benchmark"] == "recovery":
        notes[:0] = [
            f"default timeouts and snapshots; before the kills: {result['commands_per_second']:,.0f} commands/s",
            "pause: the longest time without an acknowledgement; slowest: the longest any command took after a kill",
            "after its start, without load: it answers; caught up: it has executed what it missed",
        ]
    if result.get("peers"):
        notes.insert(
            0,
            "turn by turn: median and range; ours/theirs is of commands/s; cores: client + servers, CPU per command",
        )
        notes += [f"{name}: {peer['about']}; verified" for name, peer in result["peers"].items()]
    if "load" in result:
        notes[:0] = [f"load: {words}" for words in _loads(result)] + [_clients(result)]
    if "cpu_cores" in result:
        notes.insert(0, "columns on the right: processor cores used by each process, by others on this machine")
    return notes
