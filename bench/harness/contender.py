"""What is put under load: the engine, and what it is compared with."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from commutativity import Command

ENGINE = "genpaxos"
"""The contender that the others are compared with."""

Progress = Callable[[str, int, int], None]
"""Called with ``(what, done, total)``."""
FLOWING_S = 0.02
"""Results this young show that a load has not stopped: a pause is never cut short by the end of the load."""


@dataclass(frozen=True, slots=True)
class Load:
    """What one closed loop took. The lists are parallel, in order of acknowledgement; times are those of
    ``time.perf_counter``, which is one clock for all processes of a machine."""

    started_s: float
    acknowledged_s: Sequence[float]
    latencies_s: Sequence[float]

    @property
    def seconds(self) -> float:
        """From the first command to the last result."""
        return self.acknowledged_s[-1] - self.started_s


Item = TypeVar("Item")


def in_turn(items: Sequence[Item], turn: int) -> list[Item]:
    """All of them, another one first every turn: whoever comes first finds the machine as the others left it."""
    first = turn % len(items)
    return [*items[first:], *items[:first]]


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
