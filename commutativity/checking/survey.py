"""The exhaustive part of a check: every pair of small commands in every state near the start."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from commutativity.checking.clock import OutOfTime
from commutativity.checking.harvest import text_of
from commutativity.checking.pairs import Cell, Pair, all_pairs, footprint_of
from commutativity.checking.scope import DEPTH_MAX, Scope, SmallValues, scoped_commands
from commutativity.checking.travel import decoded
from commutativity.checking.trial import Difference, Trials
from commutativity.command import Command

REACHING: Final = 0.5
"""Where the depth is free, states are looked for in so much of the time: those that are found are to be tried."""
Progress: TypeAlias = Callable[[str, int, int], None]
"""Called with a phase (``"states"``, ``"scope"`` or ``"examples"``), how much of it is done, and of how much."""
Path: TypeAlias = tuple[Command[Any], ...]


class Survey:
    """What trying the scope showed so far. Runs raise :class:`FaultFound` at the first fault of an operation.

    ``found`` is the first and smallest counterexample with its cells (none when the commands touch nothing in common).
    """

    def __init__(self, small: SmallValues, scope: Scope, progress: Progress) -> None:
        self._small = small
        self._machine_type = small.machine_type
        self._scope = scope
        self._progress = progress
        self._sole: dict[Cell, Difference] = {}
        self._joint: dict[tuple[Cell, ...], Difference] = {}
        self.commands: tuple[Command[Any], ...] = ()
        self.depth = DEPTH_MAX if scope.depth is None else scope.depth
        self.states = 0
        self.pairs = 0
        self.commuting_pairs = 0
        self.complete = False
        self.met: set[Cell] = set()
        self._wrong: set[tuple[Cell, ...]] = set()
        self.found: tuple[Difference, tuple[Cell, ...]] | None = None
        self.shared: dict[tuple[str, str, tuple[tuple[int, int], ...]], tuple[Path, Pair]] = {}
        """Interfering pairs whose order showed, with the path to the state: the first of each two operations and
        each way to share names."""
        self.reached: list[tuple[bytes, Path]] = []
        """The states within the scope, nearest first, with a shortest path to each."""
        self.mentioned: dict[str, None] = {}
        """The text in these states: keys, and values."""
        self._finished: tuple[int, int, int, int] | None = None
        """The greatest depth of which all states were tried, with the counts of then."""
        self.cut_off = False
        """Whether the time for finding states was over."""
        self.bounds_hit: list[str] = []
        """Which bounds kept the scope from being finished."""

    def run(self, trials: Trials) -> None:
        """Try the whole scope; the first counterexample does not end it, so that every cell gets its verdict."""
        scoped = scoped_commands(self._small, self._scope)
        admitted = [(c, f) for c in scoped.commands if (f := footprint_of(self._machine_type, c)) is not None]
        self.commands = trials.observers = tuple(command for command, _ in admitted)
        pairs = all_pairs(self._machine_type.table, admitted)
        affordable = max(1, self._scope.trials_max // max(1, len(pairs)))
        states, all_states = self._reachable(trials)
        if self._scope.depth is None:
            states, all_states = self._that_fit(states, all_states, affordable)
        self.reached = states
        for state, _ in states:
            self.mentioned.update(dict.fromkeys(text_of(decoded(state))))
        if not scoped.complete:
            self.bounds_hit.append(
                f"an operation has more than {self._scope.commands_max} commands with small arguments"
            )
        if not all_states:
            self.bounds_hit.append(
                "time: not all states within one command of the start were found (--seconds)"
                if self.cut_off
                else f"there are more than {self._scope.states_max} states"
            )
        if len(states) > affordable:
            self.bounds_hit.append(f"more than {self._scope.trials_max} pairs of commands in a state were to be tried")
        states = states[:affordable]
        for state, path in states:
            self._progress("scope", self.states, len(states))
            trials.careful = True
            for command in self.commands:
                trials.step(state, command)
            trials.careful = False  # every command has been run twice in this state
            for pair in pairs:
                self._try_pair(trials, state, path, pair)
            self.states += 1
            if len(path) >= 1 and (self.states == len(states) or len(states[self.states][1]) > len(path)):
                self._finished = (len(path), self.states, self.pairs, self.commuting_pairs)
        self._progress("scope", len(states), len(states))
        self.complete = not self.bounds_hit

    def settle(self) -> bool:
        """After the time was over: go back to the greatest depth that was finished, if there is one and the depth was
        not given. Says whether the scope so is finished."""
        if self._scope.depth is not None or not self._finished or self.bounds_hit:
            return False
        self.depth, self.states, self.pairs, self.commuting_pairs = self._finished
        self.reached = [(state, path) for state, path in self.reached if len(path) <= self.depth]
        self.complete = True
        return True

    def witnesses(self) -> dict[Cell, Difference]:
        """A witness per interfering cell.

        Commands that meet in several interfering cells witness none of them in particular: they count only where none
        of their cells has a witness of its own, since marking just one of them as commuting would change nothing.
        """
        witnesses = dict(self._sole)
        for cells, difference in self._joint.items():
            if not any(cell in self._sole for cell in cells):
                for cell in cells:
                    witnesses.setdefault(cell, difference)
        return witnesses

    def wrong(self) -> set[Cell]:
        """The cells that call commuting what does not commute; as in :meth:`witnesses`, commands that meet in several
        cells count against them only where none of these is wrong by itself."""
        alone = {cells[0] for cells in self._wrong if len(cells) == 1}
        together = (cells for cells in self._wrong if alone.isdisjoint(cells))
        return alone.union(*together)

    def _reachable(self, trials: Trials) -> tuple[list[tuple[bytes, Path]], bool]:
        """States with a shortest path to each, nearest first, and whether they are all within the depth."""
        states: list[tuple[bytes, Path]] = [(trials.initial, ())]
        if self._scope.depth is not None:
            return states, self._reach(trials, states)
        try:
            with trials.clock.within(REACHING):
                return states, self._reach(trials, states)
        except OutOfTime:
            self.cut_off = True
            return states, False

    def _reach(self, trials: Trials, states: list[tuple[bytes, Path]]) -> bool:
        """Add the states within the depth; says whether these are all."""
        seen = {trials.canonical(trials.initial)}
        for state, path in states:  # grows as it is read: breadth first
            if len(path) == self.depth:
                break
            for command in self.commands:
                after = trials.step(state, command)[1]
                if trials.canonical(after) in seen:
                    continue
                if len(states) == self._scope.states_max:
                    return False
                seen.add(trials.canonical(after))
                states.append((after, (*path, command)))
                self._progress("states", len(states), self._scope.states_max)
        return True

    def _that_fit(
        self, states: list[tuple[bytes, Path]], all_states: bool, affordable: int
    ) -> tuple[list[tuple[bytes, Path]], bool]:
        """The states within the greatest depth, from 1 on, at which all of them can be tried."""
        deepest = len(states[-1][1])
        whole = self.depth if all_states else deepest - 1  # of a level that was cut off, not all states are known
        for depth in range(whole, 0, -1):
            within = [(state, path) for state, path in states if len(path) <= depth]
            if len(within) <= affordable:
                self.depth = depth
                return within, True
        self.depth = 1
        return [(state, path) for state, path in states if len(path) <= 1], whole >= 1

    def _try_pair(self, trials: Trials, state: bytes, path: Path, pair: Pair) -> None:
        self.pairs += 1
        self.met.update(pair.cells)
        if pair.interferes:
            self._seek_witness(trials, state, path, pair)
            return
        self.commuting_pairs += 1
        difference = trials.difference(state, pair.first, pair.second, path)
        if difference is not None:
            self._wrong.add(pair.cells)
            self.found = self.found or (difference, pair.cells)

    def _seek_witness(self, trials: Trials, state: bytes, path: Path, pair: Pair) -> None:
        known = pair.cells in self._joint or all(cell in self._sole for cell in pair.cells)
        key = (pair.first.operation, pair.second.operation, pair.places)
        if known and (not pair.places or key in self.shared):
            return
        difference = trials.difference(state, pair.first, pair.second, path, observe=not known)
        if difference is None:
            return
        if pair.places:
            self.shared.setdefault(key, (path, pair))
        if known:
            return
        if len(pair.cells) == 1:
            self._sole[pair.cells[0]] = difference
        else:
            self._joint[pair.cells] = difference
