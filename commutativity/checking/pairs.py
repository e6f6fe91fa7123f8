"""Pairs of commands, and the cells of the table in which they meet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Any, TypeAlias

from commutativity.checking import travel
from commutativity.checking.fault import Fault, FaultFound, Kind
from commutativity.command import Command, InvalidCommand
from commutativity.footprint import Footprint
from commutativity.interference import interferes, meetings
from commutativity.machine import Machine
from commutativity.table import CommutativityTable

Cell: TypeAlias = tuple[str, str]
"""Two names of a table, in table order."""
Admitted: TypeAlias = tuple[Command[Any], Footprint]
Atom: TypeAlias = str | int
"""What can be a name: text, or an integer."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two commands, whether they interfere, and the cells in which they meet.

    Of an interfering pair, only the cells that say so: a cell that calls commuting is not tried by it.
    """

    first: Command[Any]
    second: Command[Any]
    interferes: bool
    cells: tuple[Cell, ...]
    places: tuple[tuple[int, int], ...] = ()
    """Positions of arguments with a name in common; of interfering pairs only."""


def pair_of(table: CommutativityTable, first: Admitted, second: Admitted) -> Pair:
    """Two admitted commands as a pair."""
    clash = interferes(table, first[1], second[1])
    met = {
        (min(meeting.first, meeting.second), max(meeting.first, meeting.second))
        for meeting in meetings(table, first[1], second[1])
        if meeting.interferes or not clash
    }
    cells = tuple((table.modes[a], table.modes[b]) for a, b in sorted(met))
    return Pair(first[0], second[0], clash, cells, shared_places(first[0], second[0]) if clash else ())


def all_pairs(table: CommutativityTable, commands: Iterable[Admitted]) -> list[Pair]:
    """Every two of the commands, a command with itself too, the pairs of early commands first."""
    ranked = combinations_with_replacement(enumerate(commands), 2)
    chosen = sorted(ranked, key=lambda pair: pair[0][0] + pair[1][0])
    return [pair_of(table, first, second) for (_, first), (_, second) in chosen]


def all_cells(table: CommutativityTable) -> list[Cell]:
    """Every cell of a table once."""
    return [(a, b) for i, a in enumerate(table.modes) for b in table.modes[i:]]


def footprint_of(machine_type: type[Machine], command: Command[Any]) -> Footprint | None:
    """The command's footprint, or ``None`` when it is refused, so that no replica would run it.

    Raises :class:`FaultFound` for a footprint function that is not a function of the arguments.
    """
    before = travel.sent(command)
    try:
        footprint = machine_type.admit(command.operation, command.arguments)
        again = machine_type.admit(command.operation, command.arguments)
    except InvalidCommand:
        return None
    if again != footprint or travel.sent(command) != before:
        what = (
            "its footprint function is not a function of the arguments: it answers twice differently, or changes them"
        )
        raise FaultFound(Fault(what, None, command, Kind.FOOTPRINT))
    return footprint


def shared_places(first: Command[Any], second: Command[Any]) -> tuple[tuple[int, int], ...]:
    """Where two commands have a name in common: positions of their arguments."""
    return tuple(
        (i, j)
        for i, one in enumerate(first.arguments)
        for j, two in enumerate(second.arguments)
        if common_name(one, two) is not None
    )


def common_name(one: Any, two: Any) -> Atom | None:
    """A name that two arguments have in common; ``None`` when there is none."""
    others = [(type(atom), atom) for atom in _atoms(two)]
    return next((atom for atom in _atoms(one) if (type(atom), atom) in others), None)


def _atoms(value: Any) -> Iterator[Atom]:
    if type(value) in (str, int):
        yield value
    elif type(value) is list:
        for item in value:
            yield from _atoms(item)
    elif type(value) is dict:
        for item in value.values():
            yield from _atoms(item)
        yield from value
