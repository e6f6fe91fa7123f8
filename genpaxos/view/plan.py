"""Plans for a cluster across regions: what each region waits, and the best plans."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from genpaxos.view.label import printable
from genpaxos.view.palette import COORDINATOR, GOOD, HEADING, QUIET, Glyphs, glyphs_for

COLUMN_CELLS = 18
"""A column of the table of regions with what surrounds it; on a narrow console fewer policies are compared."""
LISTED_WIDTH_MIN = 60
"""On a narrower console the list of plans says only what tells them apart."""

_Plan = Mapping[str, Any]


class PlanView:
    """A rich renderable of a recommendation's JSON: regions as rows, the best plan first.

    The lines for the cluster file are to follow it, unwrapped, so that they can be copied.
    """

    def __init__(self, found: Mapping[str, Any]) -> None:
        self.found = found

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        found, glyphs = self.found, glyphs_for(console, options)
        share = f"{found['interference_percent']:g} %"
        yield _summary(found["recommended"], share, glyphs)
        yield Text(
            f"\nWhat a client waits in its region, in ms, where 0 % {glyphs.dot} 100 % of the commands interfere:",
            glyphs.style(QUIET),
        )
        yield self._regions(glyphs, options.max_width)
        if len(found["plans"]) > 1:
            listed = f"The best {len(found['plans'])} of {found['plans_considered']:,} plans, by their mean at {share}:"
            yield Text(f"\n{listed}", glyphs.style(QUIET))
            yield _ranking(found["plans"], glyphs, options.max_width)
        yield Text("\nFor the cluster file:", glyphs.style(QUIET))

    def _regions(self, glyphs: Glyphs, width: int) -> Table:
        """The lower bound, then the best plan of each policy, as many as fit."""
        found, bound = self.found, self.found["lower_bound"]
        plans = found["by_policy"][: max(1, width // COLUMN_CELLS - 1)]
        table = Table(box=box.ASCII2 if glyphs.ascii_only else box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
        table.add_column("region")
        for number, plan in enumerate(plans):
            table.add_column(_heading(plan, number == 0, glyphs), justify="right")
        table.add_column(Text("lower\nbound", glyphs.style(QUIET)), justify="right", style=glyphs.style(QUIET))
        for region in found["regions"]:
            waits = [_ends(plan["per_region"][region], glyphs) for plan in plans]
            table.add_row(printable(region), *waits, _ms(bound["per_region"][region]))
        table.add_section()
        for name, key in (("mean", "mean_ms"), ("worst", "worst_ms")):
            waits = [_ends(plan[key], glyphs) for plan in plans]
            table.add_row(name, *waits, _ms(bound[key]), style=glyphs.style(HEADING if key == "mean_ms" else QUIET))
        return table


def _summary(plan: _Plan, share: str, glyphs: Glyphs) -> Text:
    """The recommendation in one line."""
    coordinator = printable(plan["coordinator"])
    return Text.assemble(
        (f"{glyphs.yes} {plan['policy']}", glyphs.style(GOOD)),
        ", coordinated by ",
        (coordinator, glyphs.style(COORDINATOR)),
        f", {_quorum(plan)}: " if _quorum(plan) else ": ",
        (f"{_ms(plan['mean_ms']['expected'])} ms", glyphs.style(HEADING)),
        f" on average at {share} interference",
        overflow="fold",
    )


def _heading(plan: _Plan, best: bool, glyphs: Glyphs) -> Text:
    lines = [plan["policy"], f"by {printable(plan['coordinator'])}", _quorum(plan, short=True)]
    return Text("\n".join(lines), glyphs.style(GOOD if best else HEADING))


def _quorum(plan: _Plan, *, short: bool = False) -> str:
    """Its fast quorum in words; nothing if it has none."""
    if plan["pinned"]:
        names = "-".join(map(printable, plan["pinned"]))
        return names if short else f"pinning {names}"
    if plan["fast_quorum"] is None:
        return ""
    return "any 3/4" if short else "any three quarters voting"


def _ranking(plans: Sequence[_Plan], glyphs: Glyphs, width: int) -> Table:
    """A row per plan."""
    wide = width >= LISTED_WIDTH_MIN
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style=glyphs.style(QUIET))
    for name, right in _columns(wide):
        table.add_column(name, justify="right" if right else "left", overflow="fold")
    for number, plan in enumerate(plans):
        means, worst = plan["mean_ms"], plan["worst_ms"]
        cells = [plan["policy"], printable(plan["coordinator"]), _quorum(plan, short=True) or glyphs.dash]
        numbers = [means["0"], means["100"], worst["expected"]] if wide else [means["expected"]]
        table.add_row(*cells, *map(_ms, numbers), style=glyphs.style(GOOD) if number == 0 else "")
    return table


def _columns(wide: bool) -> Iterator[tuple[str, bool]]:
    yield from (("policy", False), ("by", False), ("quorum", False))
    if wide:
        yield from (("mean 0 %", True), ("100 %", True), ("worst", True))
    else:
        yield "mean", True


def _ends(values: Mapping[str, float], glyphs: Glyphs) -> str:
    """Both ends; one number where they are the same."""
    quiet, interfering = _ms(values["0"]), _ms(values["100"])
    return quiet if quiet == interfering else f"{quiet} {glyphs.dot} {interfering}"


def _ms(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
