"""The statistics of this package, each defined in one place."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spread:
    """Median and range of a figure over rounds, all of one unit."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """The spread of one value or more."""
        return cls(statistics.median(values), min(values), max(values))

    def to_json(self, digits: int = 3) -> dict[str, float]:
        """``{"median", "low", "high"}``, rounded."""
        return {"median": round(self.median, digits), "low": round(self.low, digits), "high": round(self.high, digits)}

    def text(self, form: str = ",.0f") -> str:
        """``median (low–high)``."""
        return f"{self.median:{form}} ({self.low:{form}}–{self.high:{form}})"


def quantile(values: Sequence[float], share: float) -> float:
    """The nearest-rank quantile: the smallest value that ``share`` of all values do not exceed.

    ``values`` need not be sorted; raises :class:`ValueError` if there are none.
    """
    if not values:
        raise ValueError("no values, no quantile")
    return sorted(values)[max(0, math.ceil(len(values) * share) - 1)]
