"""A progress bar for long jobs that report ``(phase, done, total)``; silent where nobody looks (a pipe)."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


class ProgressBar:
    """Call it with ``(phase, done, total)``; gone from the screen when left."""

    def __init__(self, console: Console, *, silent: bool = False) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=silent or not console.is_terminal,
        )
        self._phase: str | None = None

    def __enter__(self) -> ProgressBar:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def __call__(self, phase: str, done: int, total: int) -> None:
        if phase != self._phase:
            for task in self._progress.task_ids:
                self._progress.remove_task(task)
            self._progress.add_task(phase, total=total)
            self._phase = phase
        self._progress.update(self._progress.task_ids[0], completed=done, total=total)
