"""The search: breadth first over global states, by one process or several."""

import multiprocessing
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from math import inf
from typing import NamedTuple

from genpaxos.explore.crew import Crew
from genpaxos.explore.result import Exploration, Violation
from genpaxos.explore.scope import Scope
from genpaxos.explore.shard import Found, Limits, Shard
from genpaxos.explore.trace import Step, flow, readable

Mutation = Callable[[], AbstractContextManager[object]]
"""Puts a deliberate error into the real code for as long as it is entered; for tests."""


NEVER = Limits(sys.maxsize, inf)
"""No limits."""


class Progress(NamedTuple):
    """How far the search has come."""

    states: int
    waiting: int
    """States found but not expanded yet."""
    depth: int
    seconds: float


def explore(
    scope: Scope,
    *,
    workers: int = 1,
    seconds_max: float = inf,
    mutation: Mutation | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Exploration:
    """Visit every state of a scope, or stop at the first violation, which is then one at the least depth.

    ``workers`` processes share the work where processes can be forked; the states they visit are the same. The search
    gives up after ``seconds_max`` or beyond ``scope.states_max``, of which each process takes its share; the result
    then names that bound.
    """
    with mutation() if mutation is not None else nullcontext():
        if workers > 1 and "fork" in multiprocessing.get_all_start_methods():
            return _Together(scope, progress, seconds_max, workers).run()
        return _Alone(scope, progress, seconds_max).run()


class _Search:
    def __init__(self, scope: Scope, progress: Callable[[Progress], None] | None, seconds_max: float) -> None:
        self.scope = scope
        self.seconds_max = seconds_max
        self.depth = 0
        self._progress = progress
        self._began = time.monotonic()
        self.limits = Limits(scope.states_max, self._began + seconds_max)

    def tell(self, states: int, waiting: int) -> None:
        if self._progress is not None:
            self._progress(Progress(states, waiting, self.depth, time.monotonic() - self._began))

    def result(
        self,
        states: int,
        transitions: int,
        sizes: tuple[tuple[int, ...], tuple[int, ...]],
        *,
        violation: Violation | None,
        bounded: bool,
    ) -> Exploration:
        late = time.monotonic() >= self.limits.deadline_s
        bound = f"{self.seconds_max:g} s" if late else f"{self.scope.states_max} states"
        local_states, messages = sizes
        return Exploration(
            states=states,
            transitions=transitions,
            complete=violation is None and not bounded,
            bound=bound if bounded and violation is None else None,
            violation=violation,
            depth=self.depth,
            local_states=local_states,
            messages=messages,
            seconds=time.monotonic() - self._began,
            scope=self.scope.to_json(),
        )

    def violation(self, found: Found | None, trace: Callable[[Found], list[Step]]) -> Violation | None:
        if found is None:
            return None
        steps = trace(found)
        return Violation(found.what, readable(steps, self.scope), flow(steps, self.scope, found.what))


class _Alone(_Search):
    def run(self) -> Exploration:
        shard = Shard(self.scope)
        found = None
        while found is None and shard.frontier and not shard.stopped:
            self.depth = shard.depth
            found = shard.level(self.limits, lambda: self.tell(len(shard), shard.waiting))
        violation = self.violation(found, lambda found: _trace(shard, found))
        return self.result(len(shard), shard.transitions, shard.sizes(), violation=violation, bounded=shard.stopped)


def _trace(shard: Shard, found: Found) -> list[Step]:
    steps, position = [shard.told(found.event)], found.position
    while True:
        (home, position), cause = shard.before(position)
        if home < 0:
            return steps[::-1]
        steps.append(shard.told(cause))


class _Together(_Search):
    def __init__(
        self, scope: Scope, progress: Callable[[Progress], None] | None, seconds_max: float, workers: int
    ) -> None:
        super().__init__(scope, progress, seconds_max)
        self.workers = workers

    def run(self) -> Exploration:
        crew = Crew(self.scope, self.workers)
        try:
            return self.explored(crew)
        finally:
            crew.close()

    def explored(self, crew: Crew) -> Exploration:
        more, found = True, None
        while more and found is None and not crew.stopped:
            more, found = crew.level(self.limits, lambda: self.tell(sum(crew.lengths), sum(crew.waitings)))
            self.depth = crew.depth
        states = sum(crew.lengths)
        violation = None if found is None else self.violation(found[1], lambda one: crew.trace(found[0], one))
        return self.result(states, crew.transitions, crew.sizes, violation=violation, bounded=crew.stopped)
