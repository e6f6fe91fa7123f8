"""Footprints: the (resource, mode) pairs a command touches, computed from its arguments alone (protocol.md §2).

A declaration is compiled once per machine class to a function of the arguments, because it runs for every command.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, TypeAlias

from commutativity.command import InvalidCommand
from commutativity.table import CommutativityTable, TableError
from commutativity.value.resources import check_resource, resource_name
from commutativity.value.values import Plain, ValueType, encodable, shown

Touch: TypeAlias = tuple[str | None, int]
Footprint: TypeAlias = tuple[Touch, ...]
"""Distinct ``(resource, mode index)`` pairs. The resource ``None`` is the whole machine, and comes first;
then resources sorted by name and mode. The mode index ``len(modes)``, only with ``None`` and alone, is
*undeclared*: interferes with everything. An empty footprint touches nothing."""

TOUCHES_MAX: Final = 1024
"""Pairs in one footprint: each costs the conflict index a look-up on every replica."""


class Whole(Enum):
    """The type of :data:`WHOLE`."""

    WHOLE = "the whole machine"


WHOLE: Final = Whole.WHOLE
"""What a footprint function names in place of a resource to touch the whole machine: ``{(WHOLE, "read")}``."""

FootprintFunction: TypeAlias = Callable[..., Iterable[tuple[object, str]]]
Compiled: TypeAlias = Callable[[Sequence[Any]], Footprint]


@dataclass(frozen=True, slots=True)
class FootprintDeclaration:
    """What ``@operation(...)`` was given: parameters in the operation's own mode, parameter -> mode, the
    whole machine's mode, or a function of the arguments."""

    own: tuple[str, ...] = ()
    by_mode: tuple[tuple[str, str], ...] = ()
    everything: str | None = None
    function: FootprintFunction | None = None

    def described(self, operation: str, table: CommutativityTable) -> str:
        """The declaration in canonical words, for fingerprints and explanations."""
        if self.function is not None:
            return f"function {getattr(self.function, '__qualname__', type(self.function).__qualname__)}"
        parts = [f"{name}: {mode}" for name, mode in sorted(self.touches(operation))]
        if (mode := self.whole_mode(operation, table)) is not None:
            parts.insert(0, f"whole machine: {mode}")
        return ", ".join(parts) if parts else "undeclared: interferes with everything"

    def is_undeclared(self, operation: str, table: CommutativityTable) -> bool:
        """Whether nothing was declared, so that the operation interferes with everything."""
        return self.function is None and not self.touches(operation) and self.whole_mode(operation, table) is None

    def touches(self, operation: str) -> set[tuple[str, str]]:
        """The (parameter, mode) pairs."""
        return {(name, operation) for name in self.own} | set(self.by_mode)

    def whole_mode(self, operation: str, table: CommutativityTable) -> str | None:
        """The mode in which the whole machine is touched. A bare ``@operation`` named like a mode means just that."""
        if self.everything is None and not self.touches(operation) and operation in table:
            return operation
        return self.everything


def compiled(
    declaration: FootprintDeclaration,
    operation: str,
    parameters: dict[str, ValueType],
    table: CommutativityTable,
) -> Compiled:
    """The footprint as a function of validated arguments.

    ``parameters`` maps names to types, in positional order. Raises ``TypeError`` for an unknown parameter and
    :class:`TableError` for an unknown mode.
    """
    if declaration.function is not None:
        return _from_function(declaration.function, operation, table)
    positions = list(parameters)
    touches = []
    for name, mode in sorted(declaration.touches(operation)):
        if name not in parameters:
            raise TypeError(
                f"@operation on {operation!r} gives a mode to {name!r}, which is not a parameter; "
                f"the parameters are {', '.join(positions) or 'none'}"
            )
        try:
            check_resource(parameters[name])
        except TypeError as error:
            raise TypeError(f"{operation}: {name!r} cannot name a resource: {error}") from None
        plain = parameters[name] == Plain(str)
        touches.append((positions.index(name), _mode_index(mode, operation, table), plain))
    whole = declaration.whole_mode(operation, table)
    if whole is not None:
        return _general(((None, _mode_index(whole, operation, table)),), touches)
    if not touches:
        return _constant(undeclared(table))
    if len(touches) == 1 and touches[0][2]:
        return _single(touches[0][0], touches[0][1])
    if len(touches) == 2 and touches[0][2] and touches[1][2]:
        return _pair(touches[0], touches[1])
    return _general((), touches)


def undeclared(table: CommutativityTable) -> Footprint:
    """The footprint that interferes with everything."""
    return ((None, len(table.modes)),)


def described(footprint: Footprint, table: CommutativityTable) -> list[str]:
    """A footprint in words, one entry per pair: ``"alice: add"``."""
    words = []
    for resource, mode in footprint:
        if mode == len(table.modes):
            words.append("undeclared: interferes with everything")
        else:
            words.append(f"{'whole machine' if resource is None else resource}: {table.modes[mode]}")
    return words


def _mode_index(mode: str, operation: str, table: CommutativityTable) -> int:
    try:
        return table.index(mode)
    except TableError:
        raise TableError(
            f"@operation on {operation!r} uses the mode {mode!r}, which the table does not have; "
            f"its modes are {', '.join(table.modes)}"
        ) from None


def _constant(footprint: Footprint) -> Compiled:
    return lambda _: footprint


def _single(position: int, mode: int) -> Compiled:
    return lambda arguments: ((arguments[position], mode),)


def _pair(first: tuple[int, int, bool], second: tuple[int, int, bool]) -> Compiled:
    position_a, mode_a, _ = first
    position_b, mode_b, _ = second

    def footprint(arguments: Sequence[Any]) -> Footprint:
        a, b = (arguments[position_a], mode_a), (arguments[position_b], mode_b)
        if a < b:
            return (a, b)
        return (b, a) if b < a else (a,)

    return footprint


def _general(wholes: Footprint, touches: list[tuple[int, int, bool]]) -> Compiled:
    def footprint(arguments: Sequence[Any]) -> Footprint:
        try:
            named = {(resource_name(arguments[position]), mode) for position, mode, _ in touches}
        except ValueError as error:
            raise InvalidCommand(f"an argument cannot name a resource: {error}") from None
        return (*wholes, *sorted(named))

    return footprint if touches else _constant(wholes)


def _from_function(function: FootprintFunction, operation: str, table: CommutativityTable) -> Compiled:
    def footprint(arguments: Sequence[Any]) -> Footprint:
        wholes: set[int] = set()
        named: set[tuple[str, int]] = set()
        try:
            for resource, mode in function(*arguments):
                if len(wholes) + len(named) >= TOUCHES_MAX:
                    raise ValueError(f"more than {TOUCHES_MAX} pairs")
                if resource is WHOLE:
                    wholes.add(table.index(mode))
                else:
                    named.add((_checked_name(resource), table.index(mode)))
        except Exception as error:
            # Every replica computes the same footprint, so all of them refuse this command alike; letting the
            # error through would stop them all.
            raise InvalidCommand(
                f"the footprint function of {operation!r} failed on these arguments ({type(error).__name__}: "
                f"{error}); it must return (resource, mode) pairs with JSON resources and modes of the table"
            ) from error
        return (*((None, mode) for mode in sorted(wholes)), *sorted(named))

    return footprint


def _checked_name(resource: object) -> str:
    if type(resource) is str:
        if not encodable(resource):
            raise ValueError(f"the resource {shown(resource)} is not UTF-8 text")
        return resource
    try:
        return resource_name(resource)
    except ValueError as error:
        raise ValueError(f"the resource {shown(resource)}: {error}") from None
