"""A closed loop in bulk: batches of commands go to ``submit_many``; when one has its results, the next goes out.

For thousands outstanding: the client is spared a callback a command, and replicas get full batches. What a command
took is known by its batch only, so each counts with its whole batch: from handing it over until all of it is done.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Any, Protocol

from bench.errors import BenchError
from bench.harness.contender import Load
from commutativity import Command, OperationError
from genpaxos.errors import GenpaxosError

BATCHES = 8
"""In flight at a time: while one is answered, others are on their way."""
MANY = 1_024
"""From so many outstanding on the load is made in bulk unless it is said otherwise."""


class BulkSubmitter(Protocol):
    """A client that takes many commands at once: the engine's."""

    async def submit_many(self, commands: Sequence[Command[Any]]) -> list[Any]:
        """The results, in order."""


class BulkLoop:
    """Runs ``commands`` to their end in :func:`batching` batches."""

    def __init__(self, client: BulkSubmitter, commands: Sequence[Command[Any]], outstanding: int) -> None:
        self._client = client
        self._flights, size = batching(outstanding)
        self._batches = iter([commands[at : at + size] for at in range(0, len(commands), size)])
        self._done = 0
        self._latencies_s: list[float] = []
        self._acknowledged_s: list[float] = []

    async def run(self, deadline_s: float) -> Load:
        """Until every command has its result. Raises :class:`BenchError` if one fails or that takes longer."""
        started_s = time.perf_counter()
        try:
            async with asyncio.timeout(deadline_s):
                async with asyncio.TaskGroup() as group:
                    for _ in range(self._flights):
                        group.create_task(self._fly())
        except TimeoutError:
            raise BenchError(f"wedged: {self._done:,} commands acknowledged in {deadline_s:g} s") from None
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None
        return Load(started_s, self._acknowledged_s, self._latencies_s)

    async def _fly(self) -> None:
        for batch in self._batches:
            began_s = time.perf_counter()
            try:
                await self._client.submit_many(batch)
            except OperationError:
                pass  # a declared result, after all others of its batch have come
            except GenpaxosError as error:
                raise BenchError(f"a batch of {len(batch)} commands failed: {error}") from error
            now_s = time.perf_counter()
            self._acknowledged_s += [now_s] * len(batch)
            self._latencies_s += [now_s - began_s] * len(batch)
            self._done += len(batch)


def batching(outstanding: int) -> tuple[int, int]:
    """How many batches are in flight, and of how many commands: never more than ``outstanding`` together."""
    flights = min(BATCHES, outstanding)
    return flights, outstanding // flights


def described(outstanding: int, *, many: bool) -> str:
    """How the load is made, in words."""
    if not many:
        return f"{outstanding:,} at a time, each started by the result of one before"
    flights, size = batching(outstanding)
    return f"{flights} batches of {size:,} at a time through submit_many; a command counts with its batch's latency"
