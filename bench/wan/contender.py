"""What is put under load across regions: a client in each, beside its own replica."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bench.harness.load import ClosedLoop, Submitter
from commutativity import Command

Commands = Iterator[Command[Any]]


class WanContender(ABC):
    """Replicas in regions that are up, with a client in each of them."""

    about: str
    """What it is, and how it is set up."""
    coordinator: int
    """The region that orders the commands."""
    pinned: tuple[int, ...] = ()
    """The fast quorum, if one is pinned."""

    def __init__(self, clients: Sequence[Submitter]) -> None:
        self._clients = clients

    @abstractmethod
    def expected_ms(self, interference: float) -> Sequence[float]:
        """Per region, what a client should wait for a command, delays alone."""

    @abstractmethod
    async def check(self) -> None:
        """Raise :class:`bench.errors.BenchError` unless the region that was planned to coordinates."""

    @abstractmethod
    async def verify(self) -> dict[str, Any]:
        """What was found after all rounds. Raises :class:`bench.errors.BenchError` if something is wrong."""

    @abstractmethod
    def pids(self) -> Mapping[str, int]:
        """Its processes by name."""

    @abstractmethod
    def took(self, loops: Sequence[ClosedLoop]) -> None:
        """Remember what was acknowledged, for :meth:`verify`."""

    async def run(
        self, streams: Sequence[Commands], outstanding: int, seconds: float, deadline_s: float
    ) -> list[Sequence[float]]:
        """All regions at once for so long, or until their streams end; gives what each command took, in seconds.

        Raises :class:`bench.errors.BenchError`.
        """
        pairs = zip(self._clients, streams, strict=True)
        loops = [ClosedLoop(client, stream, outstanding) for client, stream in pairs]
        timer = asyncio.get_running_loop().call_later(seconds, _stop, loops)
        try:
            await asyncio.gather(*(loop.run(seconds + deadline_s) for loop in loops))
        finally:
            timer.cancel()
        self.took(loops)
        return [loop.latencies_s for loop in loops]


def _stop(loops: Sequence[ClosedLoop]) -> None:
    for loop in loops:
        loop.stop()
