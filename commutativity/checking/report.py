"""What a check found: a verdict per cell of the table, and a counterexample a person can follow."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from commutativity.checking.fault import Fault, reached_by
from commutativity.checking.pairs import Cell
from commutativity.checking.scope import Scope
from commutativity.checking.trial import Difference
from commutativity.command import JSON
from commutativity.table import CommutativityTable

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


class Conclusion(Enum):
    """What a check came to."""

    PROVED = "proved"
    """Nothing was found, and the scope was finished."""
    UNDECIDED = "undecided"
    """Nothing was found, but the scope was not finished: that proves nothing."""
    REFUTED = "refuted"
    """A counterexample or a fault was found."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a check was asked to try."""

    scope: Scope
    examples: int
    seed: int
    beyond: bool
    hash_seeds: bool

    def to_json(self) -> dict[str, JSON]:
        seconds = self.scope.seconds_max
        return {
            "depth": self.scope.depth,
            "states": self.scope.states_max,
            "commands": self.scope.commands_max,
            "trials": self.scope.trials_max,
            "seconds": seconds if math.isfinite(seconds) else None,
            "examples": self.examples,
            "seed": self.seed,
            "beyond": self.beyond,
            "hash_seeds": self.hash_seeds,
        }


@dataclass(slots=True)
class Beyond:
    """What was tried beyond the scope."""

    sequences: int = 0
    """Sequences of commands run on machines that live on."""
    names: tuple[str, ...] = ()
    """Names found in the code and in states."""
    spellings: int = 0
    """Pairs of names that a program could take for one."""
    spelling_pairs: int = 0
    """Pairs of commands with such names."""
    limits: tuple[int, ...] = ()
    """Numbers found in the code."""
    limit_pairs: int = 0
    """Pairs of commands around these and in filled states."""
    filled: int = 0
    """States that operations were repeated to fill."""
    examples: int = 0
    """Larger cases drawn by Hypothesis."""
    hash_seeds: int = 0
    """Processes with different hash seeds."""

    def to_json(self) -> dict[str, JSON]:
        return {
            "sequences": self.sequences,
            "names": list(self.names),
            "spellings": self.spellings,
            "spelling_pairs": self.spelling_pairs,
            "limits": list(self.limits),
            "limit_pairs": self.limit_pairs,
            "filled": self.filled,
            "examples": self.examples,
            "hash_seeds": self.hash_seeds,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """The result of :func:`commutativity.check.check`.

    ``states`` machine states and ``pairs`` of commands in them were tried, ``commuting_pairs`` of these in both orders
    because the table says that they commute. ``values`` are the small values of each parameter; ``beyond`` says what
    was tried beyond that scope. ``unfinished`` says what kept the scope from being finished. ``undeclared`` names the
    operations without a footprint, which interfere with everything.
    """

    machine: str
    table: CommutativityTable
    bounds: Bounds
    values: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    verdicts: dict[Cell, Verdict]
    witnesses: dict[Cell, Difference] = field(default_factory=dict)
    counterexample: Difference | None = None
    counterexample_cells: tuple[Cell, ...] = ()
    faults: tuple[Fault, ...] = ()
    ended_early: bool = False
    """Whether a fault ended the check."""
    undeclared: tuple[str, ...] = ()
    depth: int = 0
    states: int = 0
    pairs: int = 0
    commuting_pairs: int = 0
    beyond: Beyond = field(default_factory=Beyond)
    notes: tuple[str, ...] = ()
    """Warnings that the parts gave."""
    unfinished: tuple[str, ...] = ()

    @property
    def conclusion(self) -> Conclusion:
        """What the check came to."""
        if not self.ok:
            return Conclusion.REFUTED
        return Conclusion.PROVED if self.complete else Conclusion.UNDECIDED

    @property
    def ok(self) -> bool:
        """No counterexample and no fault. Over-cautious and unexercised cells are warnings."""
        return self.counterexample is None and not self.faults

    @property
    def complete(self) -> bool:
        """The scope was finished."""
        return not self.unfinished and not self.ended_early

    @property
    def fault(self) -> Fault | None:
        """The first fault."""
        return self.faults[0] if self.faults else None

    @property
    def examples(self) -> int:
        """Cases drawn by Hypothesis."""
        return self.beyond.examples

    @property
    def over_cautious(self) -> list[Cell]:
        """Cells marked as interfering without a witness in the scope."""
        return [cell for cell, verdict in self.verdicts.items() if verdict is Verdict.OVER_CAUTIOUS]

    @property
    def unexercised(self) -> list[Cell]:
        """Cells in which no two commands of the scope met."""
        return [cell for cell, verdict in self.verdicts.items() if verdict is Verdict.UNEXERCISED]

    def summary(self) -> str:
        """The conclusion and what it rests on."""
        return f"{self.machine}: {self._concluded()} Tried {self.tried()}."

    def _concluded(self) -> str:
        match self.conclusion:
            case Conclusion.PROVED:
                return "proved within the scope: what the table calls commuting commutes."
            case Conclusion.UNDECIDED:
                why = "; ".join(self.unfinished)
                trials = self.commuting_pairs + self.beyond.spelling_pairs + self.beyond.limit_pairs + self.examples
                return (
                    f"no counterexample found in {trials} trials, but the scope was not finished, so nothing is "
                    f"proved: {why}."
                )
        if self.counterexample is not None:
            return f"refuted: {'the table' if self.counterexample_cells else 'a footprint'} is wrong."
        return f"refuted: {'an operation is' if len(self.faults) == 1 else 'operations are'} at fault."

    def tried(self) -> str:
        """How much was tried, in words."""
        beyond = self.beyond
        return (
            f"{self.commuting_pairs} of {self.pairs} pairs of commands in both orders, from {self.states} states "
            f"within {self.depth} commands of the start ({'all' if self.complete else 'not all'} of the "
            f"scope); beyond it {beyond.spelling_pairs} pairs with {beyond.spellings} other spellings of names, "
            f"{beyond.limit_pairs} pairs around constants and in {beyond.filled} filled states, {beyond.examples} "
            f"larger examples, {beyond.sequences} long runs"
            + (f", {beyond.hash_seeds} hash seeds" if beyond.hash_seeds else "")
        )

    def scope_lines(self) -> list[str]:
        """The scope: values of each parameter, and bounds."""
        scope, shown = self.bounds.scope, []
        for name, values in self.values.items():
            text = ", ".join(map(repr, values))
            shown.append(f"{name} in {text if len(text) <= 60 else text[:59] + '…'}")
        small = "; ".join(shown) or "no parameters"
        bounds = (
            f"depth {self.depth}, at most {scope.states_max} states, {scope.commands_max} commands per operation, "
            f"{scope.trials_max} trials, {scope.seconds_max:g} s; {self.bounds.examples} examples, "
            f"seed {self.bounds.seed}"
        )
        return [f"Scope: {small}.", f"Bounds: {bounds}."]

    def counterexample_lines(self) -> list[str]:
        """The counterexample and the faults in words; empty when there are none."""
        lines = [str(fault) for fault in self.faults]
        if self.counterexample is None:
            return lines
        found = self.counterexample
        lines.append(f"from {found.state!r}{reached_by(found.path)}:")
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
                "They touch nothing in common, so a footprint leaves something out: name in it all that the operation "
                "reads or changes, and names as the program takes them (folded as it folds them)."
            )
        cells = " and ".join(f"{a} with {b}" for a, b in self.counterexample_cells)
        return (
            f"They meet in {cells}, which the table calls commuting: "
            "mark it x, or give one of them another mode, or let the operation show less."
        )

    def warnings(self) -> list[str]:
        """What does no harm but may be improved. Nothing after a fault that ended the check early."""
        if self.ended_early:
            return []
        lines = [
            f"{a} and {b} are marked x, but no order of commands that met there showed: perhaps over-cautious"
            for a, b in self.over_cautious
        ]
        lines += [f"{a} and {b}: no two commands met there" for a, b in self.unexercised]
        lines += [f"{name} declares no footprint and so interferes with everything" for name in self.undeclared]
        lines += self.notes
        if not self.complete and self.ok:
            lines.append(
                "the scope was larger than its bounds: raise them to try it all (--states, --commands, --trials, "
                "--seconds), or lower --depth, or give fewer check_values"
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
            "conclusion": self.conclusion.value,
            "ok": self.ok,
            "complete": self.complete,
            "unfinished": list(self.unfinished),
            "bounds": self.bounds.to_json(),
            "values": {name: list(values) for name, values in self.values.items()},
            "depth": self.depth,
            "states": self.states,
            "pairs": self.pairs,
            "commuting_pairs": self.commuting_pairs,
            "examples": self.examples,
            "beyond": self.beyond.to_json(),
            "undeclared": list(self.undeclared),
            "cells": cells,
            "counterexample": None if self.counterexample is None else self.counterexample.to_json(),
            "counterexample_cells": [list(cell) for cell in self.counterexample_cells],
            "fault": None if self.fault is None else self.fault.to_json(),
            "faults": [fault.to_json() for fault in self.faults],
            "warnings": list(self.warnings()),
        }

    def __str__(self) -> str:
        return "\n".join([self.summary(), *self.scope_lines(), *self.counterexample_lines(), *self.warnings()])

    def __rich__(self) -> RenderableType:
        from commutativity.drawing import drawn_report

        return drawn_report(self)
