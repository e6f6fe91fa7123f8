"""Why two commands do or do not commute: their footprints, the resource they share, and the cell of the table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from commutativity.command import JSON, Command
from commutativity.footprint import described
from commutativity.interference import Meeting, interferes, meetings
from commutativity.machine import Machine
from commutativity.table import CommutativityTable

if TYPE_CHECKING:
    from rich.console import RenderableType


@dataclass(frozen=True, slots=True)
class Explanation:
    """The answer of :func:`explain`. ``touches`` describes the two footprints, ``meetings`` where they meet."""

    first: Command[Any]
    second: Command[Any]
    interferes: bool
    touches: tuple[tuple[str, ...], tuple[str, ...]]
    meetings: tuple[Meeting, ...]
    undeclared: tuple[Command[Any], ...]
    """Those of the two that declare no footprint."""
    table: CommutativityTable

    def reasons(self) -> list[str]:
        """One line per reason, the decisive ones first."""
        if self.undeclared:
            return [f"{c!r} declares no footprint, so it interferes with everything" for c in self.undeclared]
        if not self.meetings:
            return ["they touch nothing in common"]
        ordered = sorted(self.meetings, key=lambda meeting: not meeting.interferes)
        return [self._reason(meeting) for meeting in ordered]

    def to_json(self) -> JSON:
        met: list[JSON] = [
            {
                "resource": meeting.resource,
                "modes": [self.table.modes[meeting.first], self.table.modes[meeting.second]],
                "interferes": meeting.interferes,
            }
            for meeting in self.meetings
        ]
        return {
            "first": repr(self.first),
            "second": repr(self.second),
            "interferes": self.interferes,
            "touches": [list(touches) for touches in self.touches],
            "meetings": met,
            "undeclared": [repr(command) for command in self.undeclared],
            "reasons": list(self.reasons()),
        }

    def verdict(self) -> str:
        """The answer in a sentence."""
        return f"{self.first!r} and {self.second!r} {'interfere' if self.interferes else 'commute'}"

    def footprint_lines(self) -> list[str]:
        """What each of the two touches."""
        pairs = zip((self.first, self.second), self.touches, strict=True)
        return [f"{command!r} touches {', '.join(touches) or 'nothing'}" for command, touches in pairs]

    def __str__(self) -> str:
        lines = [*self.reasons(), *self.footprint_lines()]
        return "\n".join([f"{self.verdict()}:", *(f"  {line}" for line in lines)])

    def __rich__(self) -> RenderableType:
        from commutativity.drawing import drawn_explanation

        return drawn_explanation(self)

    def _reason(self, meeting: Meeting) -> str:
        a, b = self.table.modes[meeting.first], self.table.modes[meeting.second]
        where = "the whole machine" if meeting.resource is None else repr(meeting.resource)
        word = "interfere" if meeting.interferes else "commute"
        modes = f"in mode {a}" if a == b else f"in modes {a} and {b}"
        return f"both touch {where} {modes}, which the table says {word}"


def explain(machine_type: type[Machine], first: Command[Any], second: Command[Any]) -> Explanation:
    """Why the two commands do or do not commute. Raises :class:`InvalidCommand` for one the machine refuses."""
    table = machine_type.table
    one = machine_type.admit(first.operation, first.arguments)
    two = machine_type.admit(second.operation, second.arguments)
    return Explanation(
        first,
        second,
        interferes(table, one, two),
        (tuple(described(one, table)), tuple(described(two, table))),
        tuple(meetings(table, one, two)),
        tuple(
            command
            for command in (first, second)
            if machine_type.operations[command.operation].declaration.is_undeclared(command.operation, table)
        ),
        table,
    )


def table_of_commands(machine_type: type[Machine], commands: Mapping[str, Command[Any]]) -> CommutativityTable:
    """The table of particular commands, named as the mapping says: which of them interfere by the machine's rules.

    The article's table of ReadA, WriteA, ReadB and WriteB is that of registers A and B. Raises :class:`InvalidCommand`
    for a command the machine refuses, :class:`TableError` for a name a table cannot have.
    """
    footprints = {name: machine_type.admit(command.operation, command.arguments) for name, command in commands.items()}
    return CommutativityTable(
        {
            a: {b: interferes(machine_type.table, one, two) for b, two in footprints.items()}
            for a, one in footprints.items()
        }
    )
