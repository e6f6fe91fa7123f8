"""Checking a machine against what it says of itself: every pair in a small scope, then what lies beyond it.

Two commands that the table lets commute must, from every state, leave the same state and get each its own
result in both orders; that is what makes one command history stand for all its orders (protocol.md §2). A
check in a scope is no proof for all states, but wrong cells show in small states. The parts, in order: machines that
live on, the scope, other names, constants and capacities, larger cases drawn by Hypothesis, two hash seeds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeAlias

from commutativity.checking import seeds
from commutativity.checking.beyond import fill_sequences, repeats, wide_commands
from commutativity.checking.capacity import Capacity
from commutativity.checking.clock import Clock, OutOfTime
from commutativity.checking.fault import Fault, FaultFound, Kind
from commutativity.checking.harvest import harvest
from commutativity.checking.lives import Lives, sequences
from commutativity.checking.pairs import all_cells, footprint_of
from commutativity.checking.pools import accepted
from commutativity.checking.report import Beyond, Bounds, CheckReport, Conclusion, Verdict
from commutativity.checking.scope import Scope, SmallValues, scoped_commands
from commutativity.checking.search import Found, Search, missing
from commutativity.checking.spelling import Spellings
from commutativity.checking.statics import Statics
from commutativity.checking.survey import Progress, Survey
from commutativity.checking.travel import decoded
from commutativity.checking.trial import Trials
from commutativity.command import Command
from commutativity.machine import Machine

__all__ = ["CheckReport", "Conclusion", "Progress", "Scope", "Verdict", "check"]


def check(
    machine_type: type[Machine],
    *,
    scope: Scope | None = None,
    examples: int = 200,
    seed: int = 0,
    beyond: bool = True,
    hash_seeds: bool = True,
    progress: Progress | None = None,
) -> CheckReport:
    """Check that what the table and the footprints call commuting commutes.

    Tries every pair of small commands in every state near the start (``scope``), so the counterexample
    reported is the smallest; then other names, values at the constants of the code and filled states; then
    ``examples`` larger ones that Hypothesis, where it is installed, draws from ``seed`` and shrinks; last, unless
    ``hash_seeds`` is false, the same commands in processes of their own. A fault after which no result can be trusted
    (two answers from one state, a state that no snapshot holds) ends the check; others (an undeclared exception, a
    result that cannot travel) are reported beside it. Without ``beyond``, only the scope and the examples are tried.

    Raises ``TypeError`` when the machine has no operations or its ``check_values`` fit none.
    """
    if not machine_type.operations:
        raise TypeError(f"{machine_type.__name__} has no operations to check")
    bounds = Bounds(scope or Scope(), examples, seed, beyond, beyond and hash_seeds)
    return _Check(machine_type, bounds, progress or _silent).run()


def _silent(phase: str, done: int, total: int) -> None:
    """No progress is shown."""


Part: TypeAlias = tuple[str, float, Callable[[Trials], None]]
"""A part of a check: its name, the share of all time at which it ends, and what runs it."""


class _Check:
    """One check: its parts in turn, and what they found."""

    def __init__(self, machine_type: type[Machine], bounds: Bounds, progress: Progress) -> None:
        self._machine_type = machine_type
        self._bounds = bounds
        self._told = progress
        self._harvest = harvest(machine_type)
        self._clock = Clock(bounds.scope.seconds_max)
        self._set_values({})
        self._beyond = Beyond()
        self._found: Found | None = None
        self._found_in_search = False
        self._warnings: list[str] = []
        self._unfinished: list[str] = []
        self._sequences: list[tuple[Command[Any], ...]] = []
        self._trials: Trials | None = None

    def run(self) -> CheckReport:
        """All parts, until one finds a counterexample or a fault that leaves nothing to be trusted."""
        parts: list[Part] = [("scope", 0.6, self._try_scope), ("examples", 1.0, self._search)]
        if self._bounds.beyond:
            parts = [
                ("machines that live on", 0.15, self._live),
                ("scope", 0.55, self._try_scope),
                ("names", 0.7, self._spell),
                ("constants and capacities", 0.82, self._go_to_limits),
                ("examples", 0.92, self._search),
                ("hash seeds", 1.0, self._change_hash_seeds),
            ]
        with self._clock.limiting():
            fatal = self._run(parts)
        return self._report(fatal)

    def _run(self, parts: list[Part]) -> Fault | None:
        """Run the parts; gives the fault that ended them, if one did.

        Each ends when its share of the time has passed, so that a slow one leaves some to the others.
        """
        try:
            self._trials = Trials(self._machine_type, self._clock, Statics(self._harvest))
            self._set_values(accepted(self._machine_type, self._trials, self._harvest))
            for name, share, part in parts:
                if self._found is None:
                    self._run_part(name, share, part, self._trials)
        except FaultFound as ended:
            return ended.fault
        except OutOfTime:
            self._unfinished.append(f"{self._time()} before the scope was tried")
        return None

    def _run_part(self, name: str, share: float, part: Callable[[Trials], None], trials: Trials) -> None:
        try:
            with self._clock.until(share):
                self._clock.check()
                part(trials)
        except OutOfTime:
            if name != "scope":
                self._warnings.append(f"{self._time()}: the part {name!r} was not finished")
            elif self._survey.settle():
                self._warnings.append(
                    f"{self._time()}: depth {self._survey.depth} was finished, and more states were tried in part"
                )
            else:
                self._unfinished.append(self._time())

    def _time(self) -> str:
        return f"time: of {self._bounds.scope.seconds_max:g} s, the share of this part was over (--seconds)"

    def _set_values(self, accepted: dict[type, tuple[Any, ...]]) -> None:
        """Take the small values, or those that the program accepts in their place."""
        scope = self._bounds.scope
        self._small = SmallValues(self._machine_type, scope.commands_max, accepted)
        self._survey = Survey(self._small, scope, self._told)

    def _live(self, trials: Trials) -> None:
        small, operations = self._small, self._machine_type.operations.values()
        lives = Lives(self._machine_type, trials, self._told)
        few: list[Command[Any]] = [Command(made.name, small.plain(made)) for made in operations]
        few += [
            Command(made.name, tuple(values[min(1, len(values) - 1)] for values in small.of(made)))
            for made in operations
            if made.parameters
        ]
        wide = wide_commands(small, self._harvest, self._harvest.names())
        many = [*scoped_commands(small, self._bounds.scope).commands, *wide]
        count = repeats(self._harvest.limits())
        fills = list(map(self._admitted, fill_sequences(small, count)))
        trials.followers = fills
        chosen = sequences(self._admitted(few), self._admitted(many), fills, count, self._bounds.seed)
        self._sequences = [sequence for sequence in chosen if sequence]
        lives.run(self._sequences)
        self._beyond.sequences = lives.done
        self._warnings += lives.warnings

    def _admitted(self, commands: list[Command[Any]] | tuple[Command[Any], ...]) -> tuple[Command[Any], ...]:
        return tuple(c for c in commands if footprint_of(self._machine_type, c) is not None)

    def _try_scope(self, trials: Trials) -> None:
        try:
            self._survey.run(trials)
        finally:
            self._found = self._survey.found
            self._unfinished += self._survey.bounds_hit
            if self._survey.cut_off and not self._survey.bounds_hit:
                self._warnings.append(
                    f"time: states beyond {self._survey.depth} commands from the start were not all found (--seconds)"
                )

    def _spell(self, trials: Trials) -> None:
        trials.careful = False
        spellings = Spellings(self._small, trials, self._survey, self._harvest, self._told)
        try:
            self._found = spellings.run()
        finally:
            self._beyond.names = spellings.names
            self._warnings += spellings.warnings
            self._beyond.spellings, self._beyond.spelling_pairs = spellings.spellings, spellings.tried

    def _go_to_limits(self, trials: Trials) -> None:
        capacity = Capacity(self._small, trials, self._survey, self._harvest, self._beyond.names, self._told)
        try:
            self._found = capacity.run()
        finally:
            self._beyond.limits = self._harvest.limits()
            self._beyond.limit_pairs, self._beyond.filled = capacity.tried, capacity.filled

    def _search(self, trials: Trials) -> None:
        trials.careful = True
        if self._bounds.examples and (why := missing()) is not None:
            self._warnings.append(
                f"the {self._bounds.examples} larger examples were not tried, as they are drawn by Hypothesis, which "
                f"cannot be imported ({why}): pip install 'genpaxos[check]' installs it"
            )
            return
        search = Search(self._small, trials, self._told, self._beyond.names, self._harvest.limits())
        try:
            self._found = search.run(self._bounds.examples, self._bounds.seed)
            self._found_in_search = self._found is not None
        finally:
            self._beyond.examples = search.examples

    def _change_hash_seeds(self, trials: Trials) -> None:
        if not self._bounds.hash_seeds or any(kind in (Kind.OUTSIDE, Kind.CHANCE) for kind, _ in trials.noted):
            return
        self._told("hash seeds", 0, 1)
        try:
            fault = seeds.compare(self._machine_type, self._sequences, decoded(trials.initial), self._clock.left_s())
        except seeds.NotTried as reason:
            self._warnings.append(f"two hash seeds were not tried: {reason}")
            return
        self._told("hash seeds", 1, 1)
        self._beyond.hash_seeds = len(seeds.SEEDS)
        if fault is not None:
            trials.note(fault)

    def _report(self, fatal: Fault | None) -> CheckReport:
        machine_type, survey, table = self._machine_type, self._survey, self._machine_type.table
        noted = list(self._trials.noted.values()) if self._trials is not None else []
        faults = ([fatal] if fatal is not None else []) + [fault for fault in noted if fault != fatal]
        counterexample, cells = self._found or (None, ())
        witnesses = survey.witnesses()
        wrong = survey.wrong() if survey.found is not None else set(cells)
        return CheckReport(
            machine=machine_type.__name__,
            table=table,
            bounds=self._bounds,
            values={
                f"{made.name}.{parameter}": values
                for made in machine_type.operations.values()
                for parameter, values in zip(made.parameters, self._small.of(made), strict=True)
            },
            verdicts={
                cell: _verdict(table.interferes(*cell), cell in survey.met, cell in witnesses, cell in wrong)
                for cell in all_cells(table)
            },
            witnesses=witnesses,
            counterexample=counterexample,
            counterexample_cells=cells,
            faults=tuple(faults),
            ended_early=fatal is not None,
            undeclared=tuple(
                n for n, made in machine_type.operations.items() if made.declaration.is_undeclared(n, table)
            ),
            depth=survey.depth,
            states=survey.states,
            pairs=survey.pairs,
            commuting_pairs=survey.commuting_pairs,
            beyond=replace(self._beyond),
            notes=tuple(self._warnings),
            unfinished=tuple(self._unfinished),
        )


def _verdict(interferes: bool, met: bool, witnessed: bool, wrong: bool) -> Verdict:
    if wrong:
        return Verdict.WRONG
    if not met:
        return Verdict.UNEXERCISED
    if not interferes:
        return Verdict.COMMUTES
    return Verdict.INTERFERES if witnessed else Verdict.OVER_CAUTIOUS
