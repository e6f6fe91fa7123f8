"""What a check tries: small values of every type exhaustively, then larger ones that Hypothesis draws."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from commutativity.checking.samples import drawn_values, few_values
from commutativity.command import Command
from commutativity.machine import Machine
from commutativity.operation import Operation
from commutativity.value.values import (
    AnyJSON,
    DictOf,
    ListOf,
    Members,
    OneOf,
    Plain,
    ValueType,
    codec_of,
    problem,
)

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

PLAIN_VALUES: Final[dict[type, tuple[Any, ...]]] = {
    str: ("a", "b"),
    int: (0, 1, 2, -1),
    bool: (False, True),
    float: (0.0, 1.0, -1.5),
    type(None): (None,),
}
"""Two names suffice to share a resource or not; 1 and 2 to be enough or not; 0 and -1 are the usual special cases."""
JSON_VALUES: Final = ("a", 0, None, ["a"])
DRAWN_INT_MAX: Final = 2**40
"""Sums of millions of these stay within 64 bits: what is looked for is commands whose order shows, not the point at
which a machine without limits of its own runs out of integers."""
COMMANDS_TOTAL: Final = 64
"""Operations together get about so many commands: where there are many operations, each gets fewer."""
COMMANDS_LEAST: Final = 8
DEPTH_MAX: Final = 3
VALUES_MAX: Final = 6
"""Small values of one parameter, lists, dicts and unions included. ``check_values`` may give more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The bounds of an exhaustive check.

    ``depth``: states reachable by at most so many commands are tried; ``None`` takes the greatest up to
    :data:`DEPTH_MAX` at which the other bounds hold. ``states_max``: the nearest states, at most so many.
    ``commands_max``: commands per operation; parameters get fewer values where there would be more. ``trials_max``:
    pairs of commands tried, over all states; the nearest states are tried whole. A check that hit a bound is not
    ``complete``. ``seconds_max``: the whole check ends after so long.
    """

    depth: int | None = None
    states_max: int = 200
    commands_max: int = 40
    trials_max: int = 300_000
    seconds_max: float = 60.0


@dataclass(frozen=True, slots=True)
class ScopedCommands:
    """The commands of a scope, smallest arguments first, and whether any were left out."""

    commands: tuple[Command[Any], ...]
    complete: bool


class SmallValues:
    """The small values of every parameter of a machine, as they travel: the class's ``check_values``, else its type's.

    ``accepted`` are values by type that the program accepts where it refuses the usual ones (see ``pools.py``). Raises
    ``TypeError`` for ``check_values`` that fit no parameter.
    """

    def __init__(
        self, machine_type: type[Machine], commands_max: int, accepted: dict[type, tuple[Any, ...]] | None = None
    ) -> None:
        self.machine_type = machine_type
        self.accepted = accepted or {}
        self._chosen = _check_values(machine_type)
        self._values: dict[str, list[tuple[Any, ...]]] = {}
        made = machine_type.operations.values()
        while True:
            self._values = {each.name: self._few(each, commands_max) for each in made}
            counts = [math.prod(map(len, values)) for values in self._values.values()]
            if sum(counts) <= COMMANDS_TOTAL or commands_max <= COMMANDS_LEAST:
                break
            commands_max = max(COMMANDS_LEAST, min(commands_max, max(counts)) - 1)

    def of(self, made: Operation[..., Any]) -> list[tuple[Any, ...]]:
        """The values of each parameter, the simplest first."""
        return self._values[made.name]

    def plain(self, made: Operation[..., Any]) -> tuple[Any, ...]:
        """One value for each parameter, rather one that does something: 1, ``["a"]``, ``"a"``."""
        return tuple(next((value for value in values if value), values[0]) for values in self.of(made))

    def _few(self, made: Operation[..., Any], commands_max: int) -> list[tuple[Any, ...]]:
        """So few that the commands fit their bound; what the class gives stays whole."""
        values = [
            tuple(map(codec_of(kind).encode, self._chosen.get(parameter) or small_values(kind, self.accepted)))
            for parameter, kind in zip(made.parameters, made.types, strict=True)
        ]
        free = [place for place, parameter in enumerate(made.parameters) if parameter not in self._chosen]
        while free and math.prod(map(len, values)) > commands_max:
            longest = max(free, key=lambda place: (len(values[place]), place))
            if len(values[longest]) == 1:
                break
            left = values[longest]
            values[longest] = left[:-1] if len(left) > 2 else tuple(value for value in left if value)[:1] or left[:1]
        return values


def scoped_commands(small: SmallValues, scope: Scope) -> ScopedCommands:
    """Every operation with small arguments."""
    ranked: list[tuple[int, Command[Any]]] = []
    complete = True
    for name, made in small.machine_type.operations.items():
        found = list(itertools.islice(_by_rank(small.of(made)), scope.commands_max + 1))
        complete = complete and len(found) <= scope.commands_max
        ranked += [(rank, Command(name, arguments)) for rank, arguments in found[: scope.commands_max]]
    ranked.sort(key=lambda entry: entry[0])
    return ScopedCommands(tuple(command for _, command in ranked), complete)


def small_values(kind: ValueType, accepted: dict[type, tuple[Any, ...]] | None = None) -> tuple[Any, ...]:
    """A few values of a type, the simplest first; ``accepted`` ones in place of the usual."""
    match kind:
        case Plain(plain):
            return (accepted or {}).get(plain, PLAIN_VALUES[plain])
        case Members(values):
            return values
        case AnyJSON():
            return JSON_VALUES
        case ListOf(item):
            few = small_values(item, accepted)[:2]
            return ([], *([value] for value in few), list(few))[:VALUES_MAX]
        case DictOf(item, Plain()) if kind.key == Plain(str):
            few = small_values(item, accepted)[:2]
            return ({}, *({"a": value} for value in few), {"b": few[0]})[:VALUES_MAX]
        case OneOf(options):
            rows = itertools.zip_longest(*(small_values(option, accepted) for option in options), fillvalue=_NOTHING)
            return tuple(value for row in rows for value in row if value is not _NOTHING)[:VALUES_MAX]
        case _:
            return few_values(kind, small_values)


_NOTHING: Final = object()


def _by_rank(values: list[tuple[Any, ...]]) -> Iterator[tuple[int, tuple[Any, ...]]]:
    """The product of the values, those nearest the front of their tuples first."""
    places = itertools.product(*(range(len(options)) for options in values))
    for place in sorted(places, key=lambda place: (sum(place), place)):
        yield sum(place), tuple(options[i] for options, i in zip(values, place, strict=True))


def _check_values(machine_type: type[Machine]) -> dict[str, tuple[Any, ...]]:
    """The class's own small values by parameter name, checked against every parameter of that name."""
    given = machine_type.check_values
    chosen = {name: tuple(values) for name, values in given.items()}
    used: set[str] = set()
    for made in machine_type.operations.values():
        for parameter, kind in zip(made.parameters, made.types, strict=True):
            if parameter not in chosen:
                continue
            used.add(parameter)
            if not chosen[parameter]:
                raise TypeError(f"{machine_type.__name__}.check_values[{parameter!r}] is empty: give a value")
            for value in chosen[parameter]:
                if (found := problem(kind, value)) is not None:
                    raise TypeError(f"{machine_type.__name__}.check_values[{parameter!r}], for {made.usage()}: {found}")
    if unknown := sorted(chosen.keys() - used):
        raise TypeError(
            f"{machine_type.__name__}.check_values names {unknown[0]!r}, a parameter of no operation; "
            "it maps parameter names to the values to try"
        )
    return chosen


def commands_strategy(
    small: SmallValues, names: tuple[str, ...] = (), limits: tuple[int, ...] = ()
) -> SearchStrategy[Command[Any]]:
    """Commands of any size, the small values of the scope often among the arguments, so that resources are
    shared; now and then one of the program's own ``names`` or a number beside its ``limits``."""
    from hypothesis import strategies as st

    own: tuple[str | int, ...] = (*names, *(n + more for n in limits for more in (-1, 0, 1)))
    return st.one_of([_one_operation(small, made, own) for made in small.machine_type.operations.values()])


def _one_operation(
    small: SmallValues, made: Operation[..., Any], own: tuple[str | int, ...]
) -> SearchStrategy[Command[Any]]:
    from hypothesis import strategies as st

    arguments = []
    for values, kind in zip(small.of(made), made.types, strict=True):
        encode = codec_of(kind).encode
        fitting = [encode(value) for value in own if problem(kind, value) is None]
        drawn = st.sampled_from(values) | value_strategy(kind).map(encode)
        arguments.append(drawn | st.sampled_from(fitting) if fitting else drawn)
    return st.tuples(*arguments).map(lambda values: Command(made.name, values))


def value_strategy(kind: ValueType) -> SearchStrategy[Any]:
    """A Hypothesis strategy for values of a type that an operation accepts; integers up to :data:`DRAWN_INT_MAX`."""
    from hypothesis import strategies as st

    text = st.text(st.characters(codec="utf-8"), max_size=4)
    plain: dict[type, SearchStrategy[Any]] = {
        str: text,
        int: st.integers(-10, 10) | st.integers(-DRAWN_INT_MAX, DRAWN_INT_MAX),
        bool: st.booleans(),
        float: st.floats(allow_nan=False, allow_infinity=False),
        type(None): st.none(),
    }
    match kind:
        case Plain(of):
            return plain[of]
        case Members(values):
            return st.sampled_from(values)
        case ListOf(item):
            return st.lists(value_strategy(item), max_size=4)
        case DictOf(item, Plain()) if kind.key == Plain(str):
            return st.dictionaries(text, value_strategy(item), max_size=4)
        case OneOf(options):
            return st.one_of([value_strategy(option) for option in options])
        case AnyJSON():
            return st.recursive(
                st.one_of([plain[of] for of in plain]),
                lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
                max_leaves=4,
            )
        case _:
            return drawn_values(kind, value_strategy)
