"""The part of a check that goes to the program's limits: its constants, and states that its operations have filled."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any, Final, TypeAlias

from commutativity.checking.beyond import filling, fills, levels, named_value, wide_commands
from commutativity.checking.fault import Fault, FaultFound
from commutativity.checking.harvest import Harvest
from commutativity.checking.pairs import Cell, footprint_of, pair_of
from commutativity.checking.scope import SmallValues
from commutativity.checking.survey import Path, Progress, Survey
from commutativity.checking.travel import decoded
from commutativity.checking.trial import Difference, Trials
from commutativity.command import Command
from commutativity.footprint import Footprint
from commutativity.interference import interferes
from commutativity.operation import Operation
from commutativity.value.values import INT_MAX, INT_MIN, OneOf, Plain, ValueType

Found: TypeAlias = tuple[Difference, tuple[Cell, ...]]
Admitted: TypeAlias = tuple[Command[Any], Footprint]

TRIALS_MAX: Final = 12_000
"""Pairs around constants; then as many in filled states."""
STATES: Final = 8
REPEATS: Final = 300
FILLED_LEAST: Final = 140
"""An outcome that changes up to here shows a capacity of which the code holds no constant."""
STATE_BYTES_MAX: Final = 1_000_000


class Capacity:
    """``tried`` counts the pairs that the table lets commute; ``filled`` the states that were filled."""

    def __init__(
        self,
        small: SmallValues,
        trials: Trials,
        survey: Survey,
        harvested: Harvest,
        names: tuple[str, ...],
        progress: Progress,
    ) -> None:
        self._small = small
        self._machine_type = small.machine_type
        self._trials = trials
        self._survey = survey
        self._progress = progress
        self._levels = levels(harvested.limits())
        self.wide = [c for c in wide_commands(small, harvested, names) if self._admits(c) is not None]
        self.tried = 0
        self.filled = 0

    def run(self) -> Found | None:
        """The first difference. Raises :class:`FaultFound`."""
        found = self._around_constants() or self._in_filled_states()
        if found is None:
            self._to_extremes()
        return found

    def _around_constants(self) -> Found | None:
        wide = self._admitted(self.wide)
        small = self._admitted(self._survey.commands)
        pairs = [*itertools.combinations_with_replacement(wide, 2), *itertools.product(wide, small)]
        table = self._machine_type.table
        commuting = [(one, two) for one, two in pairs if not interferes(table, one[1], two[1])]
        states = self._near()
        for count, (state, path) in enumerate(states):
            self._progress("constants", count, len(states))
            share = TRIALS_MAX // len(states)
            step = max(1, -(-len(commuting) // share))  # spread over all pairs where there are too many
            for one, two in commuting[count % step :: step]:
                found = self._try(state, path, one, two)
                if found is not None:
                    return found
        self._progress("constants", len(states), len(states))
        return None

    def _near(self) -> list[tuple[bytes, Path]]:
        """The start, and a state by each operation."""
        firsts: dict[str, tuple[bytes, Path]] = {}
        lasts: dict[str, tuple[bytes, Path]] = {}
        for state, path in self._survey.reached:
            if len(path) <= 1:
                operation = path[0].operation if path else ""
                firsts.setdefault(operation, (state, path))
                lasts[operation] = (state, path)
        states = dict([*firsts.values(), *lasts.values()])
        return list(states.items())[:STATES]

    def _in_filled_states(self) -> Found | None:
        ways = [(made, places) for made in self._machine_type.operations.values() for places in fills(made)]
        for count, (made, places) in enumerate(ways):
            self._progress("capacities", count, len(ways))
            left = TRIALS_MAX // len(ways)
            for state, path in self._filled(made, places):
                probes = self._probes(made, places, len(path))[: max(0, left)]
                left -= len(probes)
                self.filled += bool(probes)
                for one, two in probes:
                    found = self._try(state, path, one, two)
                    if found is not None:
                        return found
        self._progress("capacities", len(ways), len(ways))
        return None

    def _filled(self, made: Operation[..., Any], places: list[int]) -> Iterable[tuple[bytes, Path]]:
        """States that an operation fills: as full as constants say, and where its outcome changes."""
        commands = [filling(self._small, made, places, n) for n in range(max(FILLED_LEAST, self._levels[-1] + 1))]
        commands = [command for command in commands if self._admits(command) is not None]
        if len(commands) <= 2 or self._trials.run(self._trials.initial, *commands[:2])[1] == self._trials.initial:
            return
        wanted = self._wanted(commands)
        machine, state = self._machine_type(), self._trials.initial
        for count, command in enumerate(commands, 1):
            self._trials.clock.check()
            outcome, state = self._trials.answered(machine, state, command)
            if outcome.undeclared or len(state) > STATE_BYTES_MAX:
                return
            if count in wanted:
                yield state, tuple(commands[:count])

    def _wanted(self, commands: list[Command[Any]]) -> set[int]:
        wanted, before = set(self._levels), None
        machine = self._machine_type()
        for count, command in enumerate(commands, 1):
            self._trials.clock.check()
            try:
                value = machine.apply(command.operation, list(command.arguments))
                seen: object = value if isinstance(value, bool) else type(value)
            except BaseException as error:
                if self._trials.clock.interrupted:
                    raise
                seen = type(error)
            if before is not None and seen != before:
                wanted.update((count - 2, count - 1, count))
            before = seen
        return wanted

    def _probes(self, made: Operation[..., Any], places: list[int], count: int) -> list[tuple[Admitted, Admitted]]:
        """Commands of the operation that filled, with all others: names that are new, and some that are there."""
        own = [filling(self._small, made, places, n) for n in (count, count + 1, 0)]
        own.append(filling(self._small, made, [], 0))
        others = [*own]
        for other in self._machine_type.operations.values():
            plain = self._small.plain(other)
            others.append(Command(other.name, plain))
            for n in (0, count - 1, count, count + 1):
                fresh = tuple(
                    value
                    if (named := named_value(kind, n, self._small.accepted)) is None or kind == Plain(int)
                    else named
                    for kind, value in zip(other.types, plain, strict=True)
                )
                others.append(Command(other.name, fresh))
        table = self._machine_type.table
        pairs = itertools.product(self._admitted(own), self._admitted(others))
        return [(one, two) for one, two in pairs if not interferes(table, one[1], two[1])]

    def _to_extremes(self) -> None:
        """Repeat operations, also with the largest numbers: what they leave must still be a snapshot."""
        for made in self._machine_type.operations.values():
            plain = self._small.plain(made)
            self._repeat(Command(made.name, plain), REPEATS)
            for kind, extreme in ((int, INT_MAX), (int, INT_MIN), (float, 1e308), (float, -1e308)):
                arguments = tuple(_extreme(k, v, kind, extreme) for k, v in zip(made.types, plain, strict=True))
                if arguments != plain:
                    self._repeat(Command(made.name, arguments), 3)

    def _repeat(self, command: Command[Any], times: int) -> None:
        if self._admits(command) is None:
            return
        machine, state = self._machine_type(), self._trials.initial
        for count in range(times):
            self._trials.clock.check()
            try:
                outcome, after = self._trials.answered(machine, state, command)
            except FaultFound as ended:
                what = f"{command!r}, {count + 1} times, makes a state that no snapshot holds: "
                raise FaultFound(
                    Fault(what + ended.fault.what, decoded(state), command, ended.fault.kind, (command,) * count)
                ) from None
            if after == state or outcome.undeclared or len(after) > STATE_BYTES_MAX:
                return
            state = after
        self._trials.check_restores(state)

    def _try(self, state: bytes, path: Path, one: Admitted, two: Admitted) -> Found | None:
        self.tried += 1
        difference = self._trials.difference(state, one[0], two[0], path)
        if difference is None:
            return None
        return difference, pair_of(self._machine_type.table, one, two).cells

    def _admits(self, command: Command[Any]) -> Footprint | None:
        return footprint_of(self._machine_type, command)

    def _admitted(self, commands: Iterable[Command[Any]]) -> list[Admitted]:
        distinct = {repr(command): command for command in commands}
        return [(c, found) for c in distinct.values() if (found := self._admits(c)) is not None]


def _extreme(kind: ValueType, value: Any, of: type, extreme: Any) -> Any:
    options = kind.options if isinstance(kind, OneOf) else (kind,)
    return extreme if any(isinstance(option, Plain) and option.kind is of for option in options) else value
