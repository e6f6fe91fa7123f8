"""The bodies of commands that are settled: in the log, and looked up by index only (protocol §3, §8).

They are kept as JSON, in runs: little memory, and nothing that the garbage collector would have to walk through.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from math import inf

import orjson

from genpaxos.core.commands import Body

RUN_COMMANDS_MAX = 512
RUN_BYTES_MAX = 128 * 1024
"""Settled bodies that are encoded together, unless one alone is longer: to get at one, all of them are decoded."""


class SettledBodies:
    """The settled bodies of one history."""

    def __init__(self) -> None:
        self.run_commands = RUN_COMMANDS_MAX
        """How many bodies as large as those that came last fill a run."""
        self._runs: list[tuple[int, bytes]] = []
        """With the index of the last body in each."""

    def add(self, last: int, bodies: Sequence[Body]) -> int:
        """The bodies up to index ``last``, no more than :attr:`run_commands` and as many as are settled now; returns
        how many bytes they take, 0 if they were too much for a run: then fewer are to be added."""
        encoded = orjson.dumps(bodies)
        if len(encoded) > RUN_BYTES_MAX and len(bodies) > 1:
            self.run_commands = min(len(bodies) - 1, max(1, len(bodies) * RUN_BYTES_MAX // len(encoded)))
            return 0
        if 2 * len(encoded) < RUN_BYTES_MAX and len(bodies) == self.run_commands:
            self.run_commands = min(RUN_COMMANDS_MAX, 2 * self.run_commands)
        self._runs.append((last, encoded))
        return len(encoded)

    def between(self, first: int, last: int, bytes_max: float = inf) -> tuple[list[Body], int, bool]:
        """Those from ``first`` to ``last``, their size, and whether that is as much as was asked for; with
        ``bytes_max`` no more are decoded than take so much or little more."""
        found: list[Body] = []
        size = 0
        if first > last:
            return found, size, False
        for place in range(bisect_left(self._runs, (first,)), len(self._runs)):
            end, encoded = self._runs[place]
            run = orjson.loads(encoded)
            start = end - len(run) + 1
            found += run[max(0, first - start) : max(0, last + 1 - start)]
            size += len(encoded)
            if end >= last or size >= bytes_max:
                break
        return found, size, size >= bytes_max

    def at(self, indices: Iterable[int], bytes_max: float = inf) -> Iterator[tuple[int, Body]]:
        """Those at these indices, which rise; likewise."""
        run: list[Body] = []
        end = size = 0
        for index in indices:
            if index > end:
                if size >= bytes_max:
                    return
                end, encoded = self._runs[bisect_left(self._runs, (index,))]
                run = orjson.loads(encoded)
                size += len(encoded)
            yield index, run[index - end - 1]

    def cut(self, index: int) -> None:
        """Forget those up to ``index``, run by run."""
        del self._runs[: bisect_left(self._runs, (index + 1,))]

    def clear(self) -> None:
        """Forget all."""
        self._runs.clear()
