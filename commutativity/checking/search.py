"""The random part of a check: larger arguments and longer prefixes, drawn and shrunk by Hypothesis."""

from __future__ import annotations

import importlib
import random
from typing import Any, Final, TypeAlias

from commutativity.checking.clock import OutOfTime
from commutativity.checking.fault import Fault, FaultFound, Kind
from commutativity.checking.pairs import Cell, footprint_of, pair_of
from commutativity.checking.scope import SmallValues, commands_strategy
from commutativity.checking.survey import Progress
from commutativity.checking.trial import Difference, Trials
from commutativity.command import Command

PREFIX_MAX: Final = 6
"""Commands that lead to a drawn state."""
ROUNDS: Final = 4
"""The search goes on after so many faults that leave results to be trusted."""
GOES_ON: Final = (Kind.UNDECLARED, Kind.RESULT)

Drawn: TypeAlias = tuple[list[Command[Any]], Command[Any], Command[Any]]
Found: TypeAlias = tuple[Difference, tuple[Cell, ...]]


def missing() -> str | None:
    """Why nothing can be drawn: Hypothesis is an optional dependency, the extra ``check``. ``None`` if it is there."""
    try:
        importlib.import_module("hypothesis")
    except ImportError as error:
        return str(error)
    return None


class Search:
    """Counts the ``examples`` tried; those of the shrinking are not counted."""

    def __init__(
        self,
        small: SmallValues,
        trials: Trials,
        progress: Progress,
        names: tuple[str, ...] = (),
        limits: tuple[int, ...] = (),
    ) -> None:
        self._small = small
        self._machine_type = small.machine_type
        self._trials = trials
        self._progress = progress
        self._names = names
        self._limits = limits
        self._known: set[tuple[Kind, str]] = set()
        self._best: Drawn | None = None
        self.examples = 0

    def run(self, examples: int, seed: int) -> Found | None:
        """The shrunk counterexample, if any is found. Raises :class:`FaultFound` for a fault of an
        operation after which no result can be trusted; other faults are noted, and the search goes on."""
        for _ in range(ROUNDS):
            found = self._round(examples - self.examples, examples, seed)
            if not isinstance(found, Fault):
                return found
            if found.kind not in GOES_ON:
                raise FaultFound(found)
            self._trials.note(found)
        return None

    def _round(self, left: int, examples: int, seed: int) -> Found | Fault | None:
        if left <= 0:
            return None
        from hypothesis import HealthCheck, Phase, find, settings
        from hypothesis import strategies as st
        from hypothesis.errors import NoSuchExample

        commands = commands_strategy(self._small, self._names, self._limits)
        chosen = settings(
            max_examples=left,
            database=None,
            deadline=None,
            derandomize=False,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        )

        def fails(drawn: Drawn) -> bool:
            if self._best is not None and self._trials.clock.left_s() <= 0:
                return repr(drawn) == repr(self._best)  # no time is left to look for a smaller one
            self._trials.clock.check()
            if self.examples < examples:
                self.examples += 1
                self._progress("examples", self.examples, examples)
            try:
                failed = self._try(drawn) is not None
            except OutOfTime:
                if self._best is None:
                    raise
                return False
            if failed:
                self._best = drawn
            return failed

        drawings = st.tuples(st.lists(commands, max_size=PREFIX_MAX), commands, commands)
        self._known, self._best = set(self._trials.noted), None
        try:
            smallest = find(drawings, fails, settings=chosen, random=random.Random(seed))
        except NoSuchExample:
            return None
        finally:
            self._trials.forget(self._known)
        with self._trials.clock.stopped():
            return self._try(smallest)

    def _try(self, drawn: Drawn) -> Found | Fault | None:
        """What one drawn example shows: a counterexample, a fault, or nothing."""
        prefix, first, second = drawn
        trials = self._trials
        try:
            path = tuple(c for c in prefix if footprint_of(self._machine_type, c) is not None)
            one, two = footprint_of(self._machine_type, first), footprint_of(self._machine_type, second)
            if one is None or two is None:
                return None
            outcomes, state = trials.run(trials.initial, *path)
            pair = pair_of(self._machine_type.table, (first, one), (second, two))
            difference = None if pair.interferes else trials.difference(state, first, second, path)
            orders = ((first,), (second,)) if pair.interferes else ((first, second), (second, first))
            for order in orders:
                outcomes += trials.run(state, *order)[0]
        except FaultFound as ended:
            return ended.fault
        for fault in (outcome.fault for outcome in outcomes if outcome.fault is not None):
            assert fault.command is not None
            if (fault.kind, fault.command.operation) not in self._known:
                return fault
        return None if difference is None else (difference, pair.cells)
