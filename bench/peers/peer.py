"""A peer: a contender that is not the engine."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.errors import BenchError
from bench.harness.bulk import described
from bench.harness.contender import Load
from bench.harness.load import ClosedLoop, Submitter
from bench.peers.children import Children
from commutativity import Command


class Peer(ABC):
    """A system under the same load as the engine; its processes are children of this one."""

    client_inside = False
    """Whether the client is part of one of its own processes."""

    def __init__(self, about: str, children: Children, deadline_s: float) -> None:
        self.about = about
        """Version, and how it is set up."""
        self.children = children
        self.deadline_s = deadline_s

    @abstractmethod
    async def run(self, commands: Sequence[Command[Any]], outstanding: int) -> Load:
        """Run all commands, so many at a time. Raises :class:`BenchError` if they do not end in time."""

    @abstractmethod
    async def fill(self, keys: int) -> None:
        """Make so many keys of :mod:`bench.harness.tally` be there, as fast as it goes. Raises :class:`BenchError`."""

    @abstractmethod
    async def verify(self) -> dict[str, Any]:
        """What was found right after all rounds. Raises :class:`BenchError` if something is wrong."""

    async def _closed_loop(self, client: Submitter, commands: Sequence[Command[Any]], outstanding: int) -> Load:
        """Run all by a client of this process. Raises :class:`BenchError`, with what a process of the
        peer said if it ended."""
        loop = ClosedLoop(client, iter(commands), outstanding)
        try:
            await loop.run(self.deadline_s)
        except BenchError:
            self.children.check()
            raise
        return loop.load

    def load_made(self, outstanding: int) -> str:
        """How commands come to be outstanding."""
        return described(outstanding, many=False)

    def pids(self) -> Mapping[str, int]:
        """Its processes by name."""
        return self.children.pids()

    def stored(self) -> Mapping[str, Path]:
        """Where its processes keep their data, by name; those that keep none are missing."""
        return {}

    def learned(self) -> tuple[int, int]:
        """Peers have no fast path."""
        return 0, 0
