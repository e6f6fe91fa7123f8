"""The tables of the results page, one function a benchmark: a result in, Markdown out."""

import statistics
from collections.abc import Callable, Mapping
from typing import Any

from bench.harness.contender import ENGINE
from bench.harness.cpu import CLIENT, OTHERS
from bench.publish.markdown import between, cell, paragraphs, table
from bench.publish.page_peers import interval_by_interval, most, turn_by_turn
from bench.publish.runs import Result
from bench.publish.tables import NOTHING, Cell, Grid, figure, ranged, rate


def section(result: Result) -> str:
    """What a run's section shows."""
    return _BY_BENCHMARK[result["benchmark"]](result)


def _steady(result: Result) -> str:
    rows = [_contender(name, side) for name, side in {ENGINE: result, **result["peers"]}.items()]
    headings = ("", "commands/s", "p50 ms", "p99 ms", "engine/peer", "cores: client + servers", "CPU µs a command")
    return paragraphs(_setting(result), table(Grid(headings, rows)), _load(result))


def _contender(name: str, side: Mapping[str, Any]) -> list[Cell]:
    ratio, latency, cores = side.get("ratio"), side["latency_ms"], side["cpu_cores"]
    servers = sum(used for process, used in cores.items() if process not in (CLIENT, OTHERS))
    return [
        f"**{name}**" if name == ENGINE else name,
        rate(side),
        figure(latency["p50"], ".2f"),
        figure(latency["p99"], ".2f"),
        "" if ratio is None else ranged(ratio),
        f"{cores[CLIENT]:.2f} + {servers:.2f}" if CLIENT in cores else NOTHING,
        figure(side["cpu_us_per_command"]),
    ]


def _setting(result: Result) -> str:
    options = result["options"]
    return (
        f"{options['replicas']} replicas over {options['transport']}, {options['policy']}, "
        f"{options['outstanding']:,} outstanding from one client, {options['rounds']} rounds of "
        f"{options['commands']:,} commands. {_fast(result)}Others took {_others(result)} cores meanwhile."
    )


def _fast(result: Result) -> str:
    """How much of it the coordinator learned by a fast quorum first."""
    shares = [row["fast_share"] for row in result["rounds"] if row["fast_share"] is not None]
    return f"{statistics.median(shares):.1%} of the engine's commands were learned on the fast path. " if shares else ""


def _others(result: Result) -> str:
    sides = [result, *result["peers"].values()]
    taken = [row["cpu_cores"][OTHERS] for side in sides for row in side["rounds"] if OTHERS in row["cpu_cores"]]
    return between(taken) if taken else NOTHING


def _load(result: Result) -> str:
    ways: dict[str, list[str]] = {}
    for name, side in {ENGINE: result, **result["peers"]}.items():
        ways.setdefault(side["load"], []).append(name)
    return "The load: " + "; ".join(f"{way} ({', '.join(names)})" for way, names in ways.items()) + "."


def _cluster(result: Result) -> str:
    return f"{result['options']['replicas']} replicas over {result['options']['transport']}"


def _interference(result: Result) -> str:
    rows: list[list[Cell]] = [
        [
            f"{share['interference']:.0%}",
            *(rate(share[s]) for s in _SIDES),
            *(figure(share[s]["latency_ms"]["p50"], ".2f") for s in _SIDES),
            ranged(share["ratio"]),
        ]
        for share in result["shares"]
    ]
    options = result["options"]
    policy = options["policy"]
    headings = ("interfering", f"{policy} /s", "classic /s", f"{policy} p50 ms", "classic p50 ms", "ratio")
    words = (
        "The share of commands that update one account; turn by turn with a cluster of the `classic` policy. "
        f"{_cluster(result)}, {options['outstanding']} outstanding, {options['rounds']} rounds of "
        f"{options['commands']:,} commands."
    )
    beside = turn_by_turn("interfering", [(f"{s['interference']:.0%}", s.get("peers", {})) for s in result["shares"]])
    key = "In the same rounds; to a key-value store such commands are puts of one key:" if beside else ""
    return paragraphs(words, table(Grid(headings, rows)), key, beside)


_SIDES = ("tested", "classic")


def _recovery(result: Result) -> str:
    peers = result.get("peers", {})
    rows: list[list[Cell]] = [
        [
            f"{name} {role}".strip(),
            figure(side["calm_pause_ms"][role]["high"]),
            ranged(pause, ",.0f"),
            figure(side["slowest_ms"][role]["high"]),
            figure(side["missed"][role]),
            ranged(side["answered_ms"][role], ",.0f"),
            ranged(side["caught_up_ms"][role], ",.0f"),
        ]
        for name, side in {"": result, **peers}.items()
        for role, pause in side["pause_ms"].items()
    ]
    words = (
        f"{_cluster(result)}, default timeouts and snapshots, {result['options']['outstanding']} outstanding, "
        f"{figure(result['commands_per_second'])} commands/s before the kills. Rounds: {result['options']['rounds']}. "
        "After the killed replica's start, without load: it *answers*, and has *caught up* with what it missed."
    )
    headings = (
        "kill -9 of",
        "longest pause before ms",
        "and after ms",
        "slowest command ms",
        "missed commands",
        "answers after ms",
        "caught up after ms",
    )
    return paragraphs(words, table(Grid(headings, rows)), "\n".join(_pause(name, peer) for name, peer in peers.items()))


def _pause(name: str, peer: Mapping[str, Any]) -> str:
    """How long one waits for the next leader, beside ours."""
    ratio = cell(ranged(peer["ratio"]))
    return (
        f"- **{name}** ({peer['about']}) made {figure(peer['commands_per_second'])} commands/s before the kills; the "
        f"pause when its leader is killed is {ratio} times ours when the coordinator is."
    )


def _growth(result: Result) -> str:
    over = result["options"]["over"]
    return _growth_over_commands(result) if over == "commands" else _growth_over(over, result)


def _growth_over_commands(result: Result) -> str:
    rows = [
        [
            figure(point["commands"]),
            figure(point["microseconds_per_command"], ".1f"),
            figure(point["mean_microseconds_per_command"], ".1f"),
            figure(point["cpu_us_per_command"], ".1f"),
            figure(most(point["rss_mib"])),
            figure(most(point["disk_mib"])),
            figure(most(point["snapshots"])),
        ]
        for point in result["points"]
    ]
    headings = ("commands", "µs each", "mean", "CPU µs", "memory MiB", "disk MiB", "snapshots")
    options = result["options"]
    words = (
        f"{_cluster(result)}, one run, {options['resources']:,} accounts, {options['outstanding']:,} outstanding, a "
        f"snapshot every {options['snapshot_commands']:,} commands. *µs each*: since the row above, median of windows; "
        "*mean*: with all pauses; memory and disk of the replica that takes most."
    )
    ratios = {name: peer["ratio"] for name, peer in result.get("peers", {}).items()}
    beside = ", ".join(f"{name} {cell(ranged(r))}" for name, r in ratios.items())
    turns = f"In turn with that, interval by interval; the engine's commands/s as a ratio to theirs: {beside}."
    return paragraphs(
        words, table(Grid(headings, rows)), turns if ratios else "", interval_by_interval(result["points"])
    )


def _growth_over(over: str, result: Result) -> str:
    rows: list[list[Cell]] = [
        [
            figure(point[over]),
            rate(point),
            figure(1e6 / point["commands_per_second"], ",.1f"),
            figure(point["cpu_us_per_command"]),
            figure(point["latency_ms"]["p50"], ".2f"),
            figure(point["commands"]),
            figure(point["outstanding"]),
        ]
        for point in result["points"]
    ]
    headings = (_OVER[over], "commands/s", "µs each", "CPU µs", "p50 ms", "commands a round", "outstanding")
    replicas = f"Replicas over {result['options']['transport']}" if over == "replicas" else _cluster(result)
    words = f"{replicas}; each point on fresh clusters, the points turn by turn. Rounds: {result['options']['rounds']}."
    beside = turn_by_turn(_OVER[over], [(figure(point[over]), point.get("peers", {})) for point in result["points"]])
    return paragraphs(words, table(Grid(headings, rows)), "In the same rounds:" if beside else "", beside)


_OVER = {"resources": "resources", "replicas": "replicas", "size": "bytes of the value"}


def _snapshot(result: Result) -> str:
    rows = [
        [words, figure(result[key]["median"], ".1f"), figure(result[key]["max"], ".1f")]
        for words, key in (
            ("it stands still for the fork of a copy", "fork_ms"),
            ("it stands still while the finished file takes the old one's place", "adopt_ms"),
            ("a step of 100 commands while the copy writes", "step_while_writing_ms"),
        )
    ]
    words = f"A replica with {figure(result['state_mb'])} MB of state under load, {result['snapshots']} snapshots."
    return paragraphs(words, table(Grid(("", "median ms", "most ms"), rows)))


def _wan(result: Result) -> str:
    columns = [(name, share) for name, contender in result["contenders"].items() for share in contender["shares"]]
    headings = ("p50 ms", "lower bound", *(f"{name} {share['interference']:.0%}" for name, share in columns))
    bound = result["lower_bound"]
    rows = [
        [
            region,
            figure(bound["per_region"][region], ".1f"),
            *(figure(share["per_region"][region]["p50_ms"]["median"], ".1f") for _, share in columns),
        ]
        for region in result["regions"]
    ]
    means = [figure(share["mean_ms"]["median"], ".1f") for _, share in columns]
    planned = [figure(share["planned_mean_ms"], ".1f") for _, share in columns]
    words = "What a client waits in its region, by share of interfering commands, beside what nobody can beat."
    return paragraphs(
        words,
        table(
            Grid(
                headings,
                [*rows, ["**mean**", figure(bound["mean_ms"], ".1f"), *means], ["planned mean", "", *planned]],
            )
        ),
    )


_BY_BENCHMARK: Mapping[str, Callable[[Result], str]] = {
    "throughput": _steady,
    "latency": _steady,
    "interference": _interference,
    "recovery": _recovery,
    "growth": _growth,
    "snapshot": _snapshot,
    "wan": _wan,
}
