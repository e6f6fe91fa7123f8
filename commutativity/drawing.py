"""Check reports and explanations drawn with rich. Imported only when something is drawn."""

from __future__ import annotations

from typing import Final

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from commutativity.checking.fault import reached_by
from commutativity.checking.report import CheckReport, Conclusion, Verdict
from commutativity.checking.trial import Difference, Run
from commutativity.explain import Explanation

STYLES: Final = {
    Verdict.COMMUTES: "green",
    Verdict.INTERFERES: "red",
    Verdict.OVER_CAUTIOUS: "yellow",
    Verdict.UNEXERCISED: "bright_black",
    Verdict.WRONG: "bold white on red",
}
WORDS: Final = {
    Verdict.COMMUTES: "commutes, proved in the scope",
    Verdict.INTERFERES: "interferes, with a witness",
    Verdict.OVER_CAUTIOUS: "marked x without a witness",
    Verdict.UNEXERCISED: "never met",
    Verdict.WRONG: "called commuting, and is not",
}


def drawn_report(report: CheckReport) -> RenderableType:
    """The summary, the table of verdicts, and a counterexample's two orders side by side."""
    colours = {Conclusion.PROVED: "bold green", Conclusion.UNDECIDED: "bold yellow", Conclusion.REFUTED: "bold red"}
    parts: list[RenderableType] = [
        Text(report.summary(), colours[report.conclusion]),
        *(Text(line, "dim") for line in report.scope_lines()),
        _verdicts(report),
        _legend(report),
    ]
    parts += [
        Panel(Text(str(fault)), title=f"Fault: {fault.kind.value}", border_style="red", title_align="left")
        for fault in report.faults
    ]
    if report.counterexample is not None:
        parts.append(_counterexample(report, report.counterexample))
    parts += [Text(f"~ {line}", "yellow") for line in report.warnings()]
    return Group(*parts)


def drawn_explanation(explanation: Explanation) -> RenderableType:
    """The answer, its reasons and the two footprints."""
    colour = "red" if explanation.interferes else "green"
    parts = [Text(explanation.verdict(), f"bold {colour}")]
    parts += [Text(f"  {line}", colour) for line in explanation.reasons()]
    parts += [Text(f"  {line}", "dim") for line in explanation.footprint_lines()]
    return Group(*parts)


def _verdicts(report: CheckReport) -> Table:
    drawn = Table()
    for name in ("", *report.table.modes):
        drawn.add_column(Text(name), justify="center" if name else "left")
    modes = report.table.modes
    for i, row in enumerate(modes):
        cells = [report.verdicts[(row, column) if i <= j else (column, row)] for j, column in enumerate(modes)]
        drawn.add_row(Text(row, "bold"), *(Text(verdict.value, STYLES[verdict]) for verdict in cells))
    return drawn


def _legend(report: CheckReport) -> Text:
    legend = Text()
    present = set(report.verdicts.values())
    for verdict in Verdict:
        if verdict in present:
            legend.append(f"{verdict.value} ", STYLES[verdict])
            commutes = verdict is Verdict.COMMUTES and report.conclusion is not Conclusion.PROVED
            legend.append(f"{'commuted where it was tried' if commutes else WORDS[verdict]}   ", "dim")
    return legend


def _counterexample(report: CheckReport, found: Difference) -> Panel:
    orders = Table.grid(padding=(0, 4))
    orders.add_row(Text("in one order", "bold"), Text("in the other", "bold"))
    orders.add_row(*(_order(run) for run in found.runs))
    start = Text(f"from {found.state!r}")
    start.append(reached_by(found.path), "dim")
    lines = [Text(line, "red") for line in found.differing()]
    return Panel(
        Group(start, Text(), orders, Text(), *lines, Text(report.advice())),
        title="Counterexample",
        title_align="left",
        border_style="red",
    )


def _order(run: Run) -> Text:
    drawn = Text()
    for label, outcome in zip(run.labels, run.outcomes, strict=True):
        drawn.append(f"{label}\n", "bold")
        drawn.append(f"  {outcome}\n")
    drawn.append(f"leaves {run.state!r}", "dim")
    return drawn
