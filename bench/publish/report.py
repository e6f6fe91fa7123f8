"""Results as tables. They take the JSON object a measurement gives, so that both always say the same."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from bench.engine.dimensions import VALUE_BYTES
from bench.publish import report_peers
from bench.publish.bars import Reached, Verdict, verdicts_on
from bench.publish.report_cells import between, cell, curves, each, figures, table
from bench.publish.report_wan import WanTable
from bench.publish.tables import Cell, Grid, figure, ranged, rate

STYLES = {Reached.MET: "green", Reached.SHORT: "red", Reached.UNMEASURED: "dim"}
EIGHTHS = " ▏▎▍▌▋▊▉"
BAR_COLUMNS = 20
PIPE_COLUMNS = 120
"""The width of the output where it is not a terminal."""
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
    ours = tables.get(result["benchmark"], _steady)(result)
    title, notes = Text(_title(result), style="bold"), map(Text, _footnotes(result))
    return Group(title, ours, *report_peers.tables(result), *_held(result), *notes)


def _held(result: dict[str, Any]) -> list[Table]:
    """The bars that the run is held against, if there are some."""
    verdicts = verdicts_on(result)
    return [bars_table(verdicts)] if verdicts else []


def bars_table(verdicts: Sequence[Verdict]) -> Table:
    """Each bar that the run is held against, in words that wrap."""
    made = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for name, style, justify in (("bar", "", "left"), ("limit", "", "left"), ("figure", "bold", "right")):
        made.add_column(name, style=style, justify=justify)  # type: ignore[arg-type]
    made.add_column("verdict", overflow="fold")
    for verdict in verdicts:
        words = Text(verdict.text(), style=STYLES[verdict.reached])
        made.add_row(Text(verdict.bar.what, overflow="fold"), verdict.bar.text(), verdict.shown(), words)
    made.add_row()
    return made


def _title(result: dict[str, Any]) -> str:
    options = result["options"]
    return (
        f"{result['benchmark']}: {options['replicas']} durable replicas over {options['transport']}, "
        f"{options['policy']}, {options['outstanding']} outstanding from one client"
    )


def _steady(result: dict[str, Any]) -> Table:
    processes = list(result["cpu_cores"])
    rows = [
        [str(number), *figures(row), _share(row["fast_share"]), *_cores(row["cpu_cores"], processes)]
        for number, row in enumerate(result["rounds"], start=1)
    ]
    made = table(Grid(("round", "commands/s", "p50 ms", "p99 ms", "fast", *processes), rows))
    made.add_section()
    made.add_row("median", *figures(result), "", *_cores(result["cpu_cores"], processes), style="bold")
    ranges = result["latency_ms_range"]
    made.add_row(
        "range", between(result["commands_per_second_range"], ",.0f"), between(ranges["p50"]), between(ranges["p99"])
    )
    return made


def _interference(result: dict[str, Any]) -> Table:
    headings = ("interfering", f"{result['options']['policy']} /s", "p50 ms", "classic /s", "p50 ms", "ratio")
    rows = [
        [
            f"{entry['interference']:.0%}",
            *(content for side in (entry["tested"], entry["classic"]) for content in (rate(side), figures(side)[1])),
            ranged(entry["ratio"]),
        ]
        for entry in result["shares"]
    ]
    return table(Grid(headings, rows))


def _recovery(result: dict[str, Any]) -> RenderableType:
    """The engine, and its peers beneath: it fits 80 columns."""
    headings = (
        "kill -9 of",
        "pause ms\nbefore",
        "and\nafter",
        "slowest\ncommand",
        "commands\nmissed",
        "answers\nafter ms",
        "caught up\nafter ms",
    )
    rows: list[list[Cell]] = []
    sections = []
    for name, side in {"": result, **result.get("peers", {})}.items():
        sections.append(len(rows))
        rows += [
            [
                f"{name} {role}".strip(),
                figure(side["calm_pause_ms"][role]["high"]),
                ranged(pause, ",.0f"),
                figure(side["slowest_ms"][role]["high"]),
                figure(side["missed"][role]),
                figure(side["answered_ms"][role]["median"]),
                ranged(side["caught_up_ms"][role], ",.0f"),
            ]
            for role, pause in side["pause_ms"].items()
        ]
    made = table(Grid(headings, rows, sections=sections))
    pauses = [*_pauses(result), ""] if result.get("peers") else []
    return Group(made, *map(Text, pauses))


def _pauses(result: dict[str, Any]) -> list[str]:
    """Theirs over ours, where the process that leads is killed."""
    coordinator = next(iter(result["pause_ms"]))
    return [
        f"{name}'s pause after kill -9 of its {next(iter(peer['pause_ms']))}, as a ratio to ours of the {coordinator}: "
        f"{ratio['median']:.2f} ({between([ratio['low'], ratio['high']])})"
        for name, peer in result.get("peers", {}).items()
        for ratio in [peer["ratio"]]
    ]


def _growth(result: dict[str, Any]) -> RenderableType:
    over = result["options"]["over"]
    return _growth_over_commands(result) if over == "commands" else _growth_over(over, result["points"])


def _growth_over(over: str, points: list[dict[str, Any]]) -> Table:
    """A point a line; the bar is of processor time, which others on the machine disturb least."""
    made = table(Grid((over, "commands/s", "p50 ms", "µs each", "CPU µs"), ()))
    made.add_column("", no_wrap=True, overflow="crop")
    costs = [point["cpu_us_per_command"] or 0.0 for point in points]
    for point, cost in zip(points, costs, strict=True):
        made.add_row(
            f"{point[over]:,}",
            cell(rate(point)),
            figures(point)[1],
            f"{1e6 / point['commands_per_second']:,.1f}",
            f"{cost:,.0f}" if cost else "–",
            Text(bar(cost, max(costs)), style="cyan"),
        )
    return made


def bar(value: float, most: float) -> str:
    """A bar as long as the value is in proportion to the most."""
    eighths = round(BAR_COLUMNS * 8 * value / most) if most else 0
    full, part = divmod(eighths, 8)
    return "█" * full + (EIGHTHS[part] if part else "")


def _growth_over_commands(result: dict[str, Any]) -> RenderableType:
    points = result["points"]
    headings = ("commands", "µs each", "mean", "CPU µs", "memory\nMiB", "disk\nMiB", "snap-\nshots", "log cut\nto")
    rows = [
        [
            figure(point["commands"]),
            figure(point["microseconds_per_command"], ".1f"),
            figure(point["mean_microseconds_per_command"], ".1f"),
            figure(point["cpu_us_per_command"], ".1f"),
            *(each(point[name]) for name in ("rss_mib", "disk_mib", "snapshots")),
            figure(min(point["cut"])),
        ]
        for point in points
    ]
    return Group(table(Grid(headings, rows)), curves(points, result["ratios"], "the first snapshot"))


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


def _cores(cores: dict[str, float], processes: Iterable[str]) -> list[str]:
    return [f"{cores[name]:.2f}" if name in cores else "" for name in processes]


def _share(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"


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
    notes[:0] = report_peers.notes_before(result)
    notes += report_peers.notes_after(result)
    if "cpu_cores" in result:
        notes.insert(0, "columns on the right: processor cores used by each process, by others on this machine")
    return notes
