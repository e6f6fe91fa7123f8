"""What simulated runs found: one seed, or many, as rich renderables of their JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from genpaxos.view.flow import FlowView
from genpaxos.view.label import printable
from genpaxos.view.palette import BAD, GOOD, QUIET, UNSURE, Glyphs, glyphs_for

COLUMN_MIN = 58
"""A column of marks is at least so wide; on a wide console they stand in two."""


class CampaignView:
    """Many seeds: the verdict, the speed, the marks, and the first failure, shrunk."""

    def __init__(self, found: Mapping[str, Any], marks: Mapping[str, str], invariants: Mapping[str, str]) -> None:
        self.found = found
        self.marks = marks
        """What each mark stands for."""
        self.invariants = invariants

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        found, glyphs = self.found, glyphs_for(console, options, False)
        yield _marks(found["marks"], self.marks, glyphs, options.max_width)
        for failure in found["failures"]:
            yield from _failure(failure, self.invariants, glyphs)
        violations = found["violations"]
        verdict = f"{_count(found['seeds'], 'seed')} from {found['from']}, {_count(violations, 'violation')}"
        yield Text(f"{glyphs.no if violations else glyphs.yes} {verdict}", glyphs.style(BAD if violations else GOOD))
        yield Text(_speed(found), glyphs.style(QUIET), overflow="fold")


class RunView:
    """One seed: its world, what happened, and whether every invariant held."""

    def __init__(self, found: Mapping[str, Any], marks: Mapping[str, str], invariants: Mapping[str, str]) -> None:
        self.found = found
        self.marks = marks
        self.invariants = invariants

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        found, plan, glyphs = self.found, self.found["plan"], glyphs_for(console, options, False)
        for name, text in _world(plan):
            yield Text.assemble((f"{name:12}", glyphs.style(QUIET)), printable(text), overflow="fold")
        reached = {name: count for name, count in found["marks"].items() if count}
        yield _marks(reached, self.marks, glyphs, options.max_width)
        if found["failure"] is not None:
            yield from _failure(found["failure"], self.invariants, glyphs)
        else:
            yield Text(f"{glyphs.yes} every invariant held", glyphs.style(GOOD))
        recovery = (
            ""
            if found["recovery_ms"] is None
            else (
                f"; healed, it committed a command in {found['recovery_ms']:.0f} ms "
                f"(bound: {found['recovery_bound_ms']:.0f})"
            )
        )
        yield Text(
            f"{found['committed']} commands committed in {found['simulated_seconds']:.1f} s of virtual time, "
            f"{found['events']:,} events{recovery}",
            glyphs.style(QUIET),
            overflow="fold",
        )


def _world(plan: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """A plan in words."""
    fast = "" if plan["policy"] == "classic" else f", fast quorums {plan['fast_quorums']}"
    yield "cluster", f"{plan['replicas']} replicas, {plan['policy']}{fast}"
    yield "load", f"{plan['commands']} commands of {plan['clients']} clients on a {plan['workload']}"
    least, most = plan["delay_ms"]
    batches = f", batches of up to {plan['batch_ms']:g} ms" if plan["batch_ms"] else ""
    yield (
        "network",
        (f"{plan['loss']:.0%} lost, {plan['duplication']:.0%} twice, {least:g} to {most:g} ms on the way{batches}"),
    )
    if plan["clock_rates"]:
        yield "clocks", f"run at {min(plan['clock_rates']):g} to {max(plan['clock_rates']):g} of the right speed"
    if plan["snapshot_commands"]:
        soonest, latest = plan["snapshot_writing_ms"]
        yield (
            "snapshots",
            f"every {_count(plan['snapshot_commands'], 'command')}, written in {soonest:g} to {latest:g} ms, "
            f"sent in chunks of {plan['chunk_bytes']:,} bytes",
        )
    faults = ", ".join(f"{count} × {kind}" for kind, count in plan["faults"].items()) or "none"
    healing = f"; then first a majority of {plan['core']}, in this order, is healed" if plan["core"] else ""
    yield "faults", f"{faults}, in {plan['chaos_ms'] / 1000:.1f} s{healing}"


def _marks(counts: Mapping[str, int], texts: Mapping[str, str], glyphs: Glyphs, width: int) -> RenderableType:
    """The marks with their counts; those never reached stand out."""
    columns = 2 if width >= 2 * COLUMN_MIN else 1
    table = Table.grid(padding=(0, 1), expand=False)
    for _ in range(columns):
        table.add_column(justify="right")
        table.add_column(overflow="fold")
    cells = [_mark(texts.get(name, name), count, glyphs) for name, count in counts.items()]
    rows = -(-len(cells) // columns)
    for row in range(rows):
        line = [cell for column in range(columns) for cell in (cells[row + column * rows :] or [("", "")])[0]]
        table.add_row(*line)
    return table


def _mark(text: str, count: int, glyphs: Glyphs) -> tuple[RenderableType, RenderableType]:
    style = glyphs.style(QUIET if count else UNSURE)
    return Text(f"{count:,}" if count else "never", glyphs.style(UNSURE) if not count else ""), Text(text, style)


def _failure(failure: Mapping[str, Any], invariants: Mapping[str, str], glyphs: Glyphs) -> Iterator[RenderableType]:
    """What failed, in which seed, and how little of the plan it takes."""
    name = failure["invariant"]
    what = printable(failure["what"], length_max=len(failure["what"]))
    yield Text(f"{glyphs.no} seed {failure['seed']}: {what}", glyphs.style(BAD))
    yield Text(f"  broken: {invariants.get(name, name)}", glyphs.style(QUIET), overflow="fold")
    yield Text(f"  again: genpaxos simulate --seed {failure['seed']} --trace", glyphs.style(QUIET))
    shrunk = failure.get("shrunk")
    if shrunk is None:
        return
    yield Text(f"  shrunk, in {shrunk['runs']} runs, to:", glyphs.style(QUIET))
    for title, text in _world(shrunk["plan"]):
        yield Text(f"    {title:12}{printable(text)}", overflow="fold")
    for line in [*shrunk["faults"], *shrunk["commands"]]:
        yield Text(f"    {printable(line)}", overflow="fold")
    yield FlowView.from_json(shrunk["flow"])


def _speed(found: Mapping[str, Any]) -> str:
    ratio, per_hour = found["ratio"] or 0.0, found["seeds_per_hour"] or 0
    return (
        f"{found['simulated_seconds']:,.0f} s of virtual time in {found['seconds']:.1f} s with "
        f"{_count(found['workers'], 'worker')}: {ratio:,.0f} × real time, {per_hour:,} seeds per hour; "
        f"{found['committed']:,} commands committed, {found['events']:,} events; "
        f"slowest recovery {found['recovery_worst']:.0%} of its bound"
    )


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}" if number else f"no {what}s"
