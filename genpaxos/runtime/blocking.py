"""The blocking twin of the client: the same engine on a loop of its own in a background thread."""

import asyncio
import threading
from collections.abc import Coroutine, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from commutativity import Command
from genpaxos.errors import Disconnected, Unknown
from genpaxos.runtime.client import Client
from genpaxos.runtime.config import ClusterConfig

R = TypeVar("R")


class BlockingClient:
    """Like :class:`genpaxos.Client`, for code without asyncio; may be used from several threads at once."""

    def __init__(
        self, config: ClusterConfig, *, timeout_s: float = 10.0, retry_s: float = 0.5, home: int | None = None
    ) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="genpaxos-client", daemon=True)
        self._thread.start()
        self._client = Client(config, timeout_s=timeout_s, retry_s=retry_s, home=home)
        self._closed = False
        self._lock = threading.Lock()
        self._run(self._client.__aenter__())

    def __enter__(self) -> "BlockingClient":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def submit(self, command: Command[R], *, timeout_s: float | None = None) -> R:
        """Have a command executed exactly once; returns its result. Raises as :meth:`Client.submit` does."""
        return self._run(self._client.submit(command, timeout_s=timeout_s))

    def submit_many(self, commands: Iterable[Command[R]], *, timeout_s: float | None = None) -> list[R]:
        """Submit commands together; results in the same order."""
        return self._run(self._client.submit_many(commands, timeout_s=timeout_s))

    def resubmit(self, unknown: Unknown, *, timeout_s: float | None = None) -> Any:
        """Ask again for a command whose outcome is unknown, under the same id."""
        return self._run(self._client.resubmit(unknown, timeout_s=timeout_s))

    def close(self) -> None:
        """Close the connections and end the thread."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            closing = asyncio.run_coroutine_threadsafe(self._end(), self._loop)
        closing.result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        """Close the client, and let every thread that waits for a result see that."""
        await self._client.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:
            await asyncio.wait(others)

    def _run(self, work: Coroutine[Any, Any, R]) -> R:
        with self._lock:  # nothing is handed to a loop that will not run it
            if self._closed:
                work.close()
                raise Disconnected("this client is closed")
            running = asyncio.run_coroutine_threadsafe(work, self._loop)
        return running.result()


def connect_sync(
    cluster: str | Path | ClusterConfig, *, timeout_s: float = 10.0, retry_s: float = 0.5, home: int | None = None
) -> BlockingClient:
    """A blocking client of the cluster a file describes. Raises :class:`ConfigError`."""
    config = cluster if isinstance(cluster, ClusterConfig) else ClusterConfig.load(cluster)
    return BlockingClient(config, timeout_s=timeout_s, retry_s=retry_s, home=home)
