"""The checks a run ends with, and whether they all hold."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from genpaxos.view.label import printable
from genpaxos.view.palette import BAD, GOOD, HEADING, QUIET, UNSURE, glyphs_for

Checks = Mapping[str, tuple[bool | None, str]]
"""Name of the check -> (it holds, it does not, or it could not be decided; what was found)."""

DETAIL_LENGTH_MAX = 2_000
"""A detail is written by a checker, not by a user: it may hold a whole counterexample."""


class VerdictView:
    """A rich renderable of `checks`; `ok` is True when all hold, False when one fails, else None."""

    def __init__(self, checks: Checks, *, ascii: bool = False) -> None:  # noqa: A002
        self.checks = dict(checks)
        self.ascii = ascii

    @property
    def ok(self) -> bool | None:
        answers = [answer for answer, _ in self.checks.values()]
        if False in answers:
            return False
        return None if None in answers or not answers else True

    @property
    def summary(self) -> str:
        """The overall line, without its sign."""
        total = len(self.checks)
        checks = f"{total} check{'s' * (total != 1)}"
        failed = [name for name, (answer, _) in self.checks.items() if answer is False]
        open_ = [name for name, (answer, _) in self.checks.items() if answer is None]
        if failed:
            return f"{len(failed)} of {checks} FAILED: {', '.join(failed)}"
        if open_:
            return f"undecided: {len(open_)} of {checks} could not be decided: {', '.join(open_)}"
        return f"all {checks} hold" if total > 1 else f"{checks} holds" if total else "undecided: nothing was checked"

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        glyphs = glyphs_for(console, options, self.ascii)
        signs = {True: (glyphs.yes, GOOD), False: (glyphs.no, BAD), None: ("?", UNSURE)}
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(no_wrap=True, width=1)
        table.add_column(overflow="fold", max_width=max(8, options.max_width * 2 // 5))
        table.add_column(overflow="fold")
        for name, (answer, detail) in self.checks.items():
            sign, style = signs[answer]
            found = printable(detail, ascii_only=glyphs.ascii_only, length_max=DETAIL_LENGTH_MAX)
            table.add_row(
                Text(sign, glyphs.style(style)),
                Text(printable(name, ascii_only=glyphs.ascii_only), glyphs.style(HEADING)),
                Text(found, glyphs.style(QUIET if answer else style)),
            )
        if self.checks:
            yield table
        sign, style = signs[self.ok]
        words = printable(self.summary, ascii_only=glyphs.ascii_only, length_max=DETAIL_LENGTH_MAX)
        yield Text(f"{sign} {words}", glyphs.style(style), overflow="fold")
