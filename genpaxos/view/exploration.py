"""What an exploration found, and its count while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Protocol

from rich.console import Console, ConsoleOptions, RenderResult
from rich.status import Status
from rich.text import Text

from genpaxos.view.flow import FlowView
from genpaxos.view.label import printable
from genpaxos.view.palette import BAD, GOOD, QUIET, UNSURE, glyphs_for


class Counted(Protocol):
    """How far an exploration has come."""

    @property
    def states(self) -> int: ...
    @property
    def waiting(self) -> int: ...
    @property
    def depth(self) -> int: ...


class StateCounter:
    """Call it with the numbers so far; a line that lives on a terminal, and nothing in a pipe."""

    def __init__(self, console: Console, *, doing: str = "exploring", silent: bool = False) -> None:
        self._doing = doing
        self._status = Status(doing, console=console) if console.is_terminal and not silent else None

    def __enter__(self) -> StateCounter:
        return self  # the line, and the thread that draws it, start with the first count: processes are forked before

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._status is not None:
            self._status.stop()

    def __call__(self, progress: Counted) -> None:
        if self._status is not None:
            self._status.start()
            self._status.update(
                f"{self._doing}: {progress.states:,} states visited, {progress.waiting:,} to go on from, "
                f"depth {progress.depth}"
            )


class ExplorationView:
    """A rich renderable of an exploration's JSON: the verdict, the numbers, and the way to a violation."""

    def __init__(self, found: Mapping[str, Any]) -> None:
        self.found = found

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        found, glyphs = self.found, glyphs_for(console, options, False)
        violation = found["violation"]
        numbers = f"{found['states']:,} states, {found['transitions']:,} transitions, depth {found['depth']}"
        if violation is not None:
            what = printable(violation["what"], length_max=len(violation["what"]))
            yield Text(f"{glyphs.no} {what}", glyphs.style(BAD), overflow="fold")
            yield FlowView.from_json(violation["flow"])
        elif found["complete"]:
            yield Text(f"{glyphs.yes} no violation in the whole scope", glyphs.style(GOOD))
        else:
            yield Text(f"? no violation in what was visited; ended by: {found['bound']}", glyphs.style(UNSURE))
        yield Text(f"{numbers}, {found['seconds']:.1f} s", glyphs.style(QUIET))
