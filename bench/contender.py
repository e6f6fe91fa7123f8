"""What is put under load: the engine, and what it is compared with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from commutativity import Command

ENGINE = "genpaxos"
"""The contender that the others are compared with."""


@dataclass(frozen=True, slots=True)
class Load:
    """What one closed loop took: from the first command to the last result, and each command by itself."""

    seconds: float
    latencies_s: Sequence[float]


class Contender(Protocol):
    """Runs commands in a closed loop, in processes of its own."""

    async def run(self, commands: Sequence[Command[Any]], outstanding: int) -> Load:
        """Run all commands, so many at a time. Raises :class:`bench.errors.BenchError` if they do not end in time."""

    def load_made(self, outstanding: int) -> str:
        """How so many commands come to be outstanding, in words."""

    def pids(self) -> Mapping[str, int]:
        """Its processes by name; empty where the system does not tell."""

    def learned(self) -> tuple[int, int]:
        """How many commands were learned on the fast and on the classic path; zeros where there are no such paths."""
