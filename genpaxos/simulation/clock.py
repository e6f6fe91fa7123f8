"""Virtual time: one queue of events for the whole world, and a clock of its own for every process.

Nothing here reads a real clock. The same events in the same order give the same run.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any

EVENTS_MAX = 1_000_000
"""A run takes some thousand events; one that takes more than this does not end."""


class EndlessRunError(RuntimeError):
    """More events than any run that comes to rest has."""


class Scheduler:
    """The world's time in milliseconds, and what is to happen when; equal times happen in the order of planning."""

    def __init__(self, events_max: int = EVENTS_MAX) -> None:
        self.now_ms = 0.0
        self.events = 0
        """How many have happened."""
        self._events_max = events_max
        self._order = 0
        self._queue: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []

    def at(self, at_ms: float, action: Callable[..., None], *arguments: Any) -> None:
        """Plan ``action(*arguments)``; what lies in the past happens now."""
        self._order += 1
        heappush(self._queue, (max(at_ms, self.now_ms), self._order, action, arguments))

    def run_until(self, end_ms: float) -> None:
        """Let time pass. Raises :class:`EndlessRunError`."""
        queue = self._queue
        while queue and queue[0][0] <= end_ms:
            self.now_ms, _, action, arguments = heappop(queue)
            self.events += 1
            if self.events > self._events_max:
                raise EndlessRunError(f"{self.events} events in {self.now_ms:.0f} ms of virtual time")
            action(*arguments)
        self.now_ms = max(self.now_ms, end_ms)


class LocalClock:
    """What one process takes for the time: monotonic, but it starts anywhere, drifts, and may jump ahead."""

    def __init__(self, scheduler: Scheduler, offset_ms: float = 0.0, rate: float = 1.0) -> None:
        self._scheduler = scheduler
        self._world_ms = scheduler.now_ms
        self._local_ms = offset_ms
        self._rate = rate

    @property
    def now_ms(self) -> float:
        """The process's time."""
        return self._local_ms + (self._scheduler.now_ms - self._world_ms) * self._rate

    def world_ms(self, local_ms: float) -> float:
        """When the process's clock will show ``local_ms``, in the world's time."""
        return self._world_ms + (local_ms - self._local_ms) / self._rate

    def jump(self, by_ms: float) -> None:
        """The clock jumps ahead, as that of a suspended machine does."""
        self._local_ms, self._world_ms = self.now_ms + by_ms, self._scheduler.now_ms
