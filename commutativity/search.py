"""The random part of a check: larger arguments and longer prefixes, drawn and shrunk by Hypothesis."""

from __future__ import annotations

import random
from typing import Any, TypeAlias

from commutativity.command import Command
from commutativity.machine import Machine
from commutativity.pairs import Cell, footprint_of, pair_of
from commutativity.scope import commands_strategy
from commutativity.survey import Progress
from commutativity.trial import Difference, Fault, FaultFound, Trials

PREFIX_MAX = 6
"""Commands that lead to a drawn state."""

Drawn: TypeAlias = tuple[list[Command[Any]], Command[Any], Command[Any]]
Found: TypeAlias = tuple[Difference, tuple[Cell, ...]]


class Search:
    """Counts the ``examples`` tried; those of the shrinking are not counted."""

    def __init__(
        self,
        machine_type: type[Machine],
        trials: Trials,
        progress: Progress,
    ) -> None:
        self._machine_type = machine_type
        self._trials = trials
        self._progress = progress
        self.examples = 0

    def run(self, examples: int, seed: int) -> Found | None:
        """The shrunk counterexample, if any is found. Raises :class:`FaultFound` for a fault of an
        operation."""
        if examples <= 0:
            return None
        from hypothesis import HealthCheck, Phase, find, settings
        from hypothesis import strategies as st
        from hypothesis.errors import NoSuchExample

        commands = commands_strategy(self._machine_type)
        chosen = settings(
            max_examples=examples,
            database=None,
            deadline=None,
            derandomize=False,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        )

        def fails(drawn: Drawn) -> bool:
            if self.examples < examples:
                self.examples += 1
                self._progress("examples", self.examples, examples)
            return self._try(drawn) is not None

        drawings = st.tuples(st.lists(commands, max_size=PREFIX_MAX), commands, commands)
        try:
            smallest = find(drawings, fails, settings=chosen, random=random.Random(seed))
        except NoSuchExample:
            return None
        found = self._try(smallest)
        if isinstance(found, Fault):
            raise FaultFound(found)
        return found

    def _try(self, drawn: Drawn) -> Found | Fault | None:
        """What one drawn example shows: a counterexample, a fault, or nothing."""
        prefix, first, second = drawn
        trials = self._trials
        try:
            path = tuple(c for c in prefix if footprint_of(self._machine_type, c) is not None)
            one, two = footprint_of(self._machine_type, first), footprint_of(self._machine_type, second)
            if one is None or two is None:
                return None
            _, state = trials.run(trials.initial, *path)
            pair = pair_of(self._machine_type.table, (first, one), (second, two))
            if pair.interferes:
                trials.run(state, first)
                trials.run(state, second)
                return None
            difference = trials.difference(state, first, second, path)
        except FaultFound as ended:
            return ended.fault
        return None if difference is None else (difference, pair.cells)
