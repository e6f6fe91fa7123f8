"""The blocking client: the same engine on a loop of its own in a background thread."""

import asyncio
import os
import threading
import time
from collections.abc import Coroutine, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar, overload

from commutativity import Command, Machine
from genpaxos.errors import Disconnected, Unknown, WrongContext
from genpaxos.runtime import options, ownership
from genpaxos.runtime.client import Client
from genpaxos.runtime.config import ClusterConfig

R = TypeVar("R")

GRACE_S = 5.0
"""How long after its deadline a call is waited for. The client ends it by then, unless its thread does not run."""


class BlockingClient:
    """Like :class:`genpaxos.Client`, for code without asyncio; may be used from several threads at once.

    It belongs to the process that made it: in a fork its methods raise :class:`WrongContext`, and ``close`` does
    nothing.
    """

    def __init__(
        self,
        config: ClusterConfig,
        *,
        timeout_s: float = 10.0,
        retry_s: float = 0.5,
        home: int | None = None,
        machine: type[Machine] | None = None,
    ) -> None:
        self._client = Client(config, timeout_s=timeout_s, retry_s=retry_s, home=home, machine=machine)
        self._pid = os.getpid()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="genpaxos-client", daemon=True)
        self._thread.start()
        self._closed = False
        self._lock = threading.Lock()
        try:
            self._run(self._client.__aenter__())
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "BlockingClient":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def submit(self, command: Command[R], *, timeout_s: float | None = None, key: str | None = None) -> R:
        """Have a command executed exactly once; returns its result. Raises as :meth:`Client.submit` does."""
        return self._run(self._client.submit(command, timeout_s=timeout_s, key=key), timeout_s)

    def submit_many(self, commands: Iterable[Command[R]], *, timeout_s: float | None = None) -> list[R]:
        """Submit commands together; results in the same order. Raises as :meth:`Client.submit_many` does.

        The commands are all taken from the iterable before the first is sent, in the thread that calls.
        """
        self._check_usable()
        within_s = self._within(timeout_s)
        end_s = time.monotonic() + within_s
        rest = options.iterator(commands)
        taken: list[Command[R]] = []
        while chunk := options.chunk(rest):
            taken += chunk
            if time.monotonic() >= end_s:
                break  # what is left of the time says the same to the client
        left_s = max(end_s - time.monotonic(), 1e-9)
        return self._run(self._client.submit_many(taken, timeout_s=left_s), left_s)

    @overload
    def resubmit(self, unknown: Unknown, *, timeout_s: float | None = None) -> Any: ...
    @overload
    def resubmit(self, unknown: str, command: Command[R], *, timeout_s: float | None = None) -> R: ...
    def resubmit(
        self, unknown: Unknown | str, command: Command[Any] | None = None, *, timeout_s: float | None = None
    ) -> Any:
        """Ask again for a command whose outcome is unknown, by the error or by id and command, in any process."""
        again: Any = self._client.resubmit(unknown, command, timeout_s=timeout_s)  # type: ignore[arg-type]
        return self._run(again, timeout_s)

    def close(self) -> None:
        """Close the connections and end the thread. In a fork, where there is neither, does nothing."""
        if os.getpid() != self._pid:
            return
        with self._lock:
            if self._closed:
                return
            self._closed = True
            closing = asyncio.run_coroutine_threadsafe(self._end(), self._loop)
        closing.result(GRACE_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(GRACE_S)
        self._loop.close()

    async def _end(self) -> None:
        """Close the client, and let every thread that waits for a result see that."""
        await self._client.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:
            await asyncio.wait(others, timeout=GRACE_S / 2)

    def _within(self, timeout_s: float | None) -> float:
        return self._client.timeout_s if timeout_s is None else options.seconds("timeout_s", timeout_s)

    def _check_usable(self) -> None:
        """Raises :class:`Disconnected` at once where nothing could be run."""
        if os.getpid() != self._pid:
            raise WrongContext(ownership.after_fork(self._pid))
        if threading.current_thread() is self._thread:
            raise WrongContext("this is the client's own thread, which cannot wait for itself: call it from another")
        if self._closed:
            raise Disconnected("this client is closed: connect_sync(...) makes another one")

    def _run(self, work: Coroutine[Any, Any, R], timeout_s: float | None = None) -> R:
        try:
            within_s = self._within(timeout_s)
            self._check_usable()  # before the lock, which another thread may have held when the process was forked
            with self._lock:  # nothing is handed to a loop that will not run it
                self._check_usable()
                running = asyncio.run_coroutine_threadsafe(work, self._loop)
        except BaseException:
            work.close()
            raise
        try:
            return running.result(within_s + GRACE_S)
        except TimeoutError:
            if running.done():
                raise
            running.cancel()
            raise Disconnected(
                f"the client's thread did not answer within {within_s + GRACE_S:g} s: the outcome is unknown. "
                "Something keeps the interpreter from running threads; make another client"
            ) from None
        except BaseException:  # such as Ctrl-C: nobody waits any more
            running.cancel()
            raise


def connect_sync(
    cluster: str | Path | ClusterConfig,
    *,
    timeout_s: float = 10.0,
    retry_s: float = 0.5,
    home: int | None = None,
    machine: type[Machine] | None = None,
) -> BlockingClient:
    """A blocking client of the cluster a file describes; the options are :class:`Client`'s.

    Raises :class:`ConfigError` and :class:`InvalidOption`.
    """
    config = cluster if isinstance(cluster, ClusterConfig) else ClusterConfig.load(cluster)
    return BlockingClient(config, timeout_s=timeout_s, retry_s=retry_s, home=home, machine=machine)
