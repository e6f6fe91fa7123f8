"""A table as data, headings and cells: the terminal and the page make theirs of it, each in its own way."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

NOTHING = "–"


@dataclass(frozen=True, slots=True)
class Range:
    """A median with its range; a figure that was measured once has none."""

    median: float
    low: float
    high: float
    form: str = ",.0f"

    def text(self, pattern: str) -> str:
        """The median alone, or in the pattern's first place, and the range in its second."""
        median = f"{self.median:{self.form}}"
        if self.low == self.high:
            return median
        return pattern.format(median, f"{self.low:{self.form}}–{self.high:{self.form}}")


class Grade(Enum):
    """How good a figure is."""

    GOOD = auto()
    FAIR = auto()
    BAD = auto()


@dataclass(frozen=True, slots=True)
class Graded:
    """A figure with its grade and what was planned for it, where that is to be shown."""

    figure: Range
    grade: Grade
    planned: str | None = None


Cell = str | Range | Graded


@dataclass(frozen=True, slots=True)
class Grid:
    """Columns of ``words`` are text, the others are figures."""

    headings: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    words: Container[int] = (0,)
    title: str | None = None
    sections: Container[int] = ()
    """The rows above which a line is drawn, where lines are drawn between rows."""
    totals: Container[int] = ()
    """The rows that sum up the others."""


def figure(value: float | None, form: str = ",.0f") -> str:
    """A number, or a dash where there is none."""
    return NOTHING if value is None else f"{value:{form}}"


def rate(side: Mapping[str, Any]) -> Range:
    """Commands/s."""
    return Range(side["commands_per_second"], *side["commands_per_second_range"])


def ranged(values: Mapping[str, float], form: str = ".2f") -> Range:
    """The range given by ``median``, ``low`` and ``high``."""
    return Range(values["median"], values["low"], values["high"], form)
