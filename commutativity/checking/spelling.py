"""The part of a check that puts other names into commands: does the program take two of them for one?

Where the order of two commands on one resource showed, the two get different names. If the table then says that they
commute and the order shows all the same, the program has made one name of two.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from commutativity.checking.harvest import Harvest
from commutativity.checking.names import SEPARATORS, folds, numbers
from commutativity.checking.pairs import Atom, Cell, common_name, footprint_of, pair_of, shared_places
from commutativity.checking.scope import SmallValues
from commutativity.checking.survey import Path, Progress, Survey
from commutativity.checking.trial import Difference, Trials
from commutativity.command import Command
from commutativity.value.value_types import Scalar, walk
from commutativity.value.values import Plain, codec_of, problem

TRIED_MAX: Final = 15_000
"""Pairs of commands; those of one operation come first."""

Found: TypeAlias = tuple[Difference, tuple[Cell, ...]]


@dataclass(frozen=True, slots=True)
class Template:
    """Two commands that share ``name``, the first at ``places[n][0]``, the second at ``places[n][1]``."""

    path: Path
    first: Command[Any]
    second: Command[Any]
    place: tuple[int, int]
    name: Atom

    @property
    def is_of_one_operation(self) -> bool:
        """Whether both commands have the name at the same place."""
        return self.first.operation == self.second.operation and self.place[0] == self.place[1]


class Spellings:
    """Tries every template with every pair of names. ``tried`` counts those that the table lets commute."""

    def __init__(
        self, small: SmallValues, trials: Trials, survey: Survey, harvested: Harvest, progress: Progress
    ) -> None:
        self._small = small
        self._machine_type = small.machine_type
        self._trials = trials
        self._survey = survey
        self._progress = progress
        mentioned = (name for name in survey.mentioned if len(name) > 1)
        self.names = tuple(dict.fromkeys((*small.accepted.get(str, ()), *harvested.names(), *mentioned)))[:24]
        self._folds = list(folds(self.names, harvested.separators(), harvested.limits()))
        self._numbers = list(dict.fromkeys(numbers(harvested.limits())))
        self._separators = tuple(dict.fromkeys(("", *SEPARATORS, *harvested.separators())))
        self.tried = 0
        self.templates = 0
        self.warnings: list[str] = []

    @property
    def spellings(self) -> int:
        """Pairs of names."""
        return len(self._folds) + len(self._numbers)

    def run(self) -> Found | None:
        """The first pair of names that the program takes for one. Raises :class:`FaultFound`."""
        templates = sorted(self._templates(), key=lambda template: not template.is_of_one_operation)
        for template in templates:
            self._progress("names", self.templates, len(templates))
            if self.tried >= TRIED_MAX:
                self.warnings.append(
                    f"other names were tried in {self.templates} of {len(templates)} ways in which operations share one"
                )
                return None
            for first, second, path in itertools.chain(self._renamed(template), self._joined(template)):
                found = self._try(first, second, path)
                if found is not None:
                    return found
            self.templates += 1
        self._progress("names", len(templates), len(templates))
        return None

    def _templates(self) -> Iterator[Template]:
        """From every witness, then plain ones for what has none: a name in either place, from the start."""
        covered = set()
        for (one, two, places), (path, pair) in self._survey.shared.items():
            for place in places:
                if (one, two, place) not in covered:
                    covered.add((one, two, place))
                    yield _template(path, pair.first, pair.second, place)
        operations = list(self._machine_type.operations.values())
        for command in self._with_own_keys():
            for place in shared_places(command, command):
                yield _template((), command, command, place)
        plain: list[Command[Any]] = [Command(made.name, self._small.plain(made)) for made in operations]
        for first, second in itertools.combinations_with_replacement(plain, 2):
            for place in shared_places(first, second):
                names = (first.operation, second.operation), (second.operation, first.operation)
                known = (*names[0], place) in covered or (*names[1], place[::-1]) in covered
                if not known:
                    yield _template((), first, second, place)

    def _with_own_keys(self) -> Iterator[Command[Any]]:
        """Commands whose dicts have the keys that the code knows."""
        for made in self._machine_type.operations.values():
            arguments = list(self._small.plain(made))
            for place, kind in enumerate(made.types):
                value: Any = dict.fromkeys(self.names[:12], "a")
                if problem(kind, value) is None:
                    key = codec_of(kind).encode(value)
                    yield Command(made.name, (*arguments[:place], key, *arguments[place + 1 :]))

    def _renamed(self, template: Template) -> Iterator[tuple[Command[Any], Command[Any], Path]]:
        pairs: list[Any] = self._folds if isinstance(template.name, str) else self._numbers
        if isinstance(template.name, str) and self._is_bytes(template):
            pairs = [(_as_bytes(one), _as_bytes(two)) for one, two in pairs]
        symmetric = template.is_of_one_operation
        for one, two in pairs:
            for first_name, second_name in ((one, two),) if symmetric else ((one, two), (two, one)):
                yield (
                    _with(template.first, template.place[0], template.name, first_name),
                    _with(template.second, template.place[1], template.name, second_name),
                    tuple(_with(command, None, template.name, first_name) for command in template.path),
                )

    def _is_bytes(self, template: Template) -> bool:
        """Whether what has the name may hold bytes, which travel as other text than they are."""
        kind = self._machine_type.operations[template.first.operation].types[template.place[0]]
        return any(found == Scalar(bytes) for found in walk(kind)) and all(found != Plain(str) for found in walk(kind))

    def _joined(self, template: Template) -> Iterator[tuple[Command[Any], Command[Any], Path]]:
        """Two parts of a name that are joined could be divided elsewhere: ``a/b`` and ``c``, or ``a`` and ``b/c``."""
        i, j = template.place
        first, second = template.first.arguments, template.second.arguments
        others = [
            (k, n)
            for k, one in enumerate(first)
            for n, two in enumerate(second)
            if k > i and n > j and type(one) is str and type(two) is str
        ]
        if not others or type(first[i]) is not str or type(second[j]) is not str:
            return
        for (k, n), separator in itertools.product(others, self._separators):
            one, two = ("a", f"b{separator}c"), (f"a{separator}b", "c")
            yield (
                _placed(template.first, {i: one[0], k: one[1]}),
                _placed(template.second, {j: two[0], n: two[1]}),
                tuple(_placed(c, {i: one[0], k: one[1]}) for c in template.path if len(c.arguments) > k),
            )

    def _try(self, first: Command[Any], second: Command[Any], path: Path) -> Found | None:
        machine_type, trials = self._machine_type, self._trials
        one, two = footprint_of(machine_type, first), footprint_of(machine_type, second)
        if one is None or two is None:
            return None
        pair = pair_of(machine_type.table, (first, one), (second, two))
        if pair.interferes:
            return None
        path = tuple(command for command in path if footprint_of(machine_type, command) is not None)
        self.tried += 1
        _, state = trials.run(trials.initial, *path)
        difference = trials.difference(state, first, second, path)
        return None if difference is None else (difference, pair.cells)


def _template(path: Path, first: Command[Any], second: Command[Any], place: tuple[int, int]) -> Template:
    name = common_name(first.arguments[place[0]], second.arguments[place[1]])
    assert name is not None
    return Template(path, first, second, place, name)


def _with(command: Command[Any], place: int | None, old: Atom, new: Atom) -> Command[Any]:
    """The command with another name at one place, or everywhere."""
    return Command(
        command.operation,
        tuple(
            _replaced(value, old, new) if place is None or place == i else value
            for i, value in enumerate(command.arguments)
        ),
    )


def _replaced(value: Any, old: Atom, new: Atom) -> Any:
    if type(value) is type(old) and value == old:
        return new
    if type(value) is list:
        return [_replaced(item, old, new) for item in value]
    if type(value) is dict:
        return {_replaced(key, old, new): _replaced(item, old, new) for key, item in value.items()}
    return value


def _as_bytes(name: str) -> str:
    """How the bytes of a text travel."""
    return str(codec_of(Scalar(bytes)).encode(name.encode()))


def _placed(command: Command[Any], values: dict[int, str]) -> Command[Any]:
    return Command(
        command.operation,
        tuple(values.get(i, value) if type(value) is str else value for i, value in enumerate(command.arguments)),
    )
