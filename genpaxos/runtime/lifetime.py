"""Where a client may be used, and from when to when: entered once, in one event loop of one process, and closed."""

import asyncio
import os
from abc import abstractmethod
from collections.abc import Callable
from types import TracebackType
from typing import TypeVar

from genpaxos.errors import Disconnected, GenpaxosError, WrongContext
from genpaxos.runtime import ownership
from genpaxos.runtime.connections import FAREWELL_MS, Connections
from genpaxos.runtime.pending import Pending, Session

S = TypeVar("S", bound="Lifetime")


class Lifetime(ownership.Forkable):
    """What a client is from ``async with`` to :meth:`close`; everywhere else it says at once what is wrong."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._loop: asyncio.AbstractEventLoop | None = None
        """While connected, in the process that connected."""
        self._pid = 0
        """The process that connected; 0 before that."""
        self._clock: asyncio.Task[None] | None = None
        self._closed = False
        self._session = Session()

    @abstractmethod
    async def _run_clock(self) -> None:
        """Sees to retries and deadlines until it is cancelled."""

    @abstractmethod
    async def _wait_for_first_answer(self) -> None:
        """Waits a moment for what a replica tells that the first session needs."""

    @abstractmethod
    def _say_farewell(self) -> bool:
        """Tells the replicas that the session is over, if it is; says whether something is to be sent."""

    @abstractmethod
    def _end_all(self, why: Callable[[Pending], GenpaxosError]) -> None:
        """Ends everything that waits for a result."""

    async def __aenter__(self: S) -> S:
        if self._pid and self._loop is asyncio.get_running_loop():
            raise Disconnected("this client is connected already: `async with` enters it once")
        if self._pid:
            raise self._not_open()
        try:
            self._connections.open()
        except BaseException:
            self._connections.close()
            raise
        self._pid, self._loop = os.getpid(), asyncio.get_running_loop()
        self._session = Session()  # not the one of __init__: the process may have been forked since, more than once
        ownership.watch_forks(self)
        self._clock = asyncio.create_task(self._run_clock())
        self._clock.add_done_callback(self._clock_ended)
        await self._wait_for_first_answer()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the sockets. Commands without a result fail with :class:`Disconnected`.

        In a fork of the process that connected it does nothing. Raises :class:`WrongContext` in another event loop,
        unless the client's own has ended.
        """
        loop = self._loop
        if loop is not None and loop is not asyncio.get_running_loop() and not loop.is_closed():
            raise WrongContext(ownership.OTHER_LOOP)
        self._closed, self._loop = True, None
        if self._pid not in (0, os.getpid()):
            return
        farewell = loop is asyncio.get_running_loop() and self._say_farewell()
        if self._clock is not None and loop is asyncio.get_running_loop():
            self._clock.cancel()
            await asyncio.gather(self._clock, return_exceptions=True)
        self._clock = None
        self._connections.close(linger_ms=FAREWELL_MS if farewell else 0)
        if loop is asyncio.get_running_loop():
            self._end_all(lambda pending: Disconnected(f"closed before {pending.command} had a result"))

    def cut_off(self) -> None:
        """In a fork of this process: what is connected is the parent's."""
        self._loop = None
        self._connections.cut_off()

    def _clock_ended(self, clock: "asyncio.Task[None]") -> None:
        """Without the clock no call would end: if it fails, everything ends with that."""
        if not clock.cancelled() and (error := clock.exception()) is not None and self._loop is not None:
            self._closed, self._loop = True, None
            self._connections.close()
            self._end_all(
                lambda pending: Disconnected(f"no result for {pending.command}: the client failed: {error!r}")
            )

    def _check_open(self) -> asyncio.AbstractEventLoop:
        loop = self._loop
        if loop is None or asyncio._get_running_loop() is not loop:
            raise self._not_open()
        return loop

    def _not_open(self) -> Disconnected:
        """Why this client cannot be used here."""
        if self._pid not in (0, os.getpid()):
            return WrongContext(ownership.after_fork(self._pid))
        if self._loop is not None:
            return WrongContext(ownership.OTHER_LOOP)
        return Disconnected(
            "this client is closed: connect(...) makes another one"
            if self._closed
            else "this client is not connected: use `async with`"
        )
