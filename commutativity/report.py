"""What a check found: a verdict per cell of the table, and a counterexample a person can follow."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from commutativity.command import JSON
from commutativity.pairs import Cell
from commutativity.table import CommutativityTable
from commutativity.trial import Difference, Fault

if TYPE_CHECKING:
    from rich.console import RenderableType


class Verdict(Enum):
    """What was found about one cell, with its mark in the drawn table."""

    COMMUTES = "✓"
    """It says so, and all commands that met in it and interfere nowhere else commute."""
    INTERFERES = "x"
    """It says so, and a witness shows the order of some commands that met in it."""
    OVER_CAUTIOUS = "~"
    """It says interferes, but no order of the commands that met in it showed."""
    UNEXERCISED = "?"
    """No two commands met in it."""
    WRONG = "✗"
    """It says commutes, and a counterexample shows otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """The result of :func:`commutativity.check.check`.

    ``states`` machine states and ``pairs`` of commands in them were tried, ``commuting_pairs`` of these in
    both orders because the table says that they commute; ``complete`` says whether that was the whole scope.
    Hypothesis then tried ``examples`` larger ones. ``undeclared`` names the operations without a footprint,
    which interfere with everything.
    """

    machine: str
    table: CommutativityTable
    verdicts: dict[Cell, Verdict]
    witnesses: dict[Cell, Difference] = field(default_factory=dict)
    counterexample: Difference | None = None
    counterexample_cells: tuple[Cell, ...] = ()
    fault: Fault | None = None
    undeclared: tuple[str, ...] = ()
    depth: int
    states: int = 0
    pairs: int = 0
    commuting_pairs: int = 0
    examples: int = 0
    complete: bool = False

    @property
    def ok(self) -> bool:
        """No counterexample and no fault. Over-cautious and unexercised cells are warnings."""
        return self.counterexample is None and self.fault is None

    @property
    def over_cautious(self) -> list[Cell]:
        """Cells marked as interfering without a witness in the scope."""
        return [cell for cell, verdict in self.verdicts.items() if verdict is Verdict.OVER_CAUTIOUS]

    @property
    def unexercised(self) -> list[Cell]:
        """Cells in which no two commands of the scope met."""
        return [cell for cell, verdict in self.verdicts.items() if verdict is Verdict.UNEXERCISED]

    def summary(self) -> str:
        """The verdict and what it rests on, in a sentence or two."""
        scope = (
            f"{self.commuting_pairs} of {self.pairs} pairs of commands in both orders, from {self.states} states "
            f"within {self.depth} commands of the start ({'all' if self.complete else 'not all'} of the scope); "
            f"{self.examples} larger examples"
        )
        if self.fault is not None:
            return f"{self.machine}: an operation is at fault. Tried {scope}."
        if self.counterexample is not None:
            return f"{self.machine}: the table is wrong. Tried {scope}."
        return f"{self.machine}: what the table calls commuting commutes. Tried {scope}."

    def counterexample_lines(self) -> list[str]:
        """The counterexample or fault in words; empty when there is none."""
        if self.fault is not None:
            return [str(self.fault)]
        if self.counterexample is None:
            return []
        found = self.counterexample
        reached = f", reached by {', '.join(map(repr, found.path))}" if found.path else ""
        lines = [f"from {found.state!r}{reached}:"]
        for run in found.runs:
            steps = " then ".join(
                f"{label} ({outcome})" for label, outcome in zip(run.labels, run.outcomes, strict=True)
            )
            lines.append(f"  {steps} leaves {run.state!r}")
        return [*lines, *found.differing(), self.advice()]

    def advice(self) -> str:
        """What to change so that the counterexample goes away."""
        if not self.counterexample_cells:
            return (
                "They touch nothing in common, so a footprint leaves something out: "
                "name in it all that the operation reads or changes."
            )
        cells = " and ".join(f"{a} with {b}" for a, b in self.counterexample_cells)
        return (
            f"They meet in {cells}, which the table calls commuting: "
            "mark it x, or give one of them another mode, or let the operation show less."
        )

    def warnings(self) -> list[str]:
        """What does no harm but may be improved. Nothing after a fault, which ended the check early."""
        if self.fault is not None:
            return []
        lines = [
            f"{a} and {b} are marked x, but no order of commands that met there showed: perhaps over-cautious"
            for a, b in self.over_cautious
        ]
        lines += [f"{a} and {b}: no two commands met there" for a, b in self.unexercised]
        lines += [f"{name} declares no footprint and so interferes with everything" for name in self.undeclared]
        if not self.complete and self.ok:
            lines.append(
                "the scope was larger than its bounds: raise them to try it all (states_max, commands_max, trials_max)"
            )
        return lines

    def to_json(self) -> JSON:
        """Everything as JSON."""
        cells: list[JSON] = [
            {
                "cell": list(cell),
                "verdict": verdict.name.lower().replace("_", "-"),
                "witness": self.witnesses[cell].to_json() if cell in self.witnesses else None,
            }
            for cell, verdict in self.verdicts.items()
        ]
        return {
            "machine": self.machine,
            "ok": self.ok,
            "complete": self.complete,
            "depth": self.depth,
            "states": self.states,
            "pairs": self.pairs,
            "commuting_pairs": self.commuting_pairs,
            "examples": self.examples,
            "undeclared": list(self.undeclared),
            "cells": cells,
            "counterexample": None if self.counterexample is None else self.counterexample.to_json(),
            "counterexample_cells": [list(cell) for cell in self.counterexample_cells],
            "fault": None if self.fault is None else self.fault.to_json(),
            "warnings": list(self.warnings()),
        }

    def __str__(self) -> str:
        return "\n".join([self.summary(), *self.counterexample_lines(), *self.warnings()])

    def __rich__(self) -> RenderableType:
        from commutativity.drawing import drawn_report

        return drawn_report(self)
