"""A closed loop: one client keeps a number of commands outstanding; each result starts the next command.

Results are taken in callbacks, not in a task per command: the client process has to keep up with all the replicas.
"""

import asyncio
import contextvars
import time
from collections.abc import Iterator
from functools import partial
from typing import Any, Protocol

from bench.errors import BenchError
from bench.harness.contender import FLOWING_S, Load
from commutativity import Command, OperationError
from genpaxos.runtime.client import Submission


class Submitter(Protocol):
    """A client: the engine's, or one with the same interface."""

    def start(self, command: Command[Any]) -> Submission[Any]:
        """Submit a command without waiting."""


class ClosedLoop:
    """Runs ``commands`` to their end, or until :meth:`stop`. The lists are parallel, in order of acknowledgement.

    Times are seconds of ``time.perf_counter``; a latency lasts from handing the command to the client until the client
    hands out its result.
    """

    def __init__(self, client: Submitter, commands: Iterator[Command[Any]], outstanding: int) -> None:
        self.ids: list[str] = []
        self.latencies_s: list[float] = []
        self.acknowledged_s: list[float] = []
        self.started_s = 0.0
        self._client = client
        self._commands: Iterator[Command[Any]] = commands
        self._outstanding = outstanding
        self._running = 0
        self._finished: asyncio.Future[None] | None = None
        self._context = contextvars.copy_context()

    @property
    def load(self) -> Load:
        """What it took, once it has ended."""
        return Load(self.started_s, self.acknowledged_s, self.latencies_s)

    @property
    def flows(self) -> bool:
        """Whether results come just now."""
        return bool(self.acknowledged_s) and time.perf_counter() - self.acknowledged_s[-1] < FLOWING_S

    def stop(self) -> None:
        """Start no more commands; those outstanding are waited for."""
        self._commands = iter(())

    async def run(self, deadline_s: float) -> None:
        """Until every command has its result. Raises :class:`BenchError` if that takes longer than ``deadline_s``."""
        self._finished = asyncio.get_running_loop().create_future()
        self.started_s = time.perf_counter()
        for _ in range(self._outstanding):
            self._start_next()
        if not self._running:
            return
        try:
            await asyncio.wait_for(self._finished, deadline_s)
        except TimeoutError:
            raise BenchError(
                f"wedged: {len(self.latencies_s):,} commands acknowledged in {deadline_s:g} s, "
                f"{self._running:,} outstanding"
            ) from None

    def _start_next(self) -> None:
        command = next(self._commands, None)
        if command is None:
            return
        started_s = time.perf_counter()
        submission = self._client.start(command)
        self._running += 1
        submission.future.add_done_callback(partial(self._on_result, submission, started_s), context=self._context)

    def _on_result(self, submission: Submission[Any], started_s: float, future: "asyncio.Future[Any]") -> None:
        now_s = time.perf_counter()
        self._running -= 1
        assert self._finished is not None
        error = None if future.cancelled() else future.exception()
        if self._finished.done():
            return  # given up: the client fails what is left
        if error is not None and not isinstance(error, OperationError):
            self._finished.set_exception(BenchError(f"{submission.id} failed: {error}"))
            return
        self.ids.append(submission.id)
        self.latencies_s.append(now_s - started_s)
        self.acknowledged_s.append(now_s)
        self._start_next()
        if not self._running:
            self._finished.set_result(None)
