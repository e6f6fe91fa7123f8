"""What a measurement across regions is told."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from genpaxos.plan import RoundTrips, parse_rtt

FIVE_REGIONS = """
VA-CA  60
VA-OR  70
VA-JP 150
VA-EU  75
CA-OR  20
CA-JP 110
CA-EU 140
OR-JP 100
OR-EU 130
JP-EU 220
"""
"""Virginia, California, Oregon, Japan and Ireland, as cloud regions are apart."""


@dataclass(frozen=True, slots=True)
class WanOptions:
    """Round trips, and how much is measured over them."""

    trips: RoundTrips = field(default_factory=lambda: parse_rtt(FIVE_REGIONS, "the five regions"))
    source: str = "five cloud regions"
    """Where the round trips come from, for people."""
    shares: tuple[float, ...] = (0.0, 0.02, 0.25, 1.0)
    """The share of the commands that all touch one account and interfere."""
    planned_for: float = 0.02
    """The share that the plan is made for."""
    against: tuple[str, ...] = ()
    rounds: int = 5
    seconds: float = 5.0
    """Each run: a contender at a share."""
    outstanding: int = 1
    """Commands that each region's client has under way."""
    deadline_s: float = 60.0
    """No run takes longer beyond its seconds, or it ends as an error."""
    seed: int = 1
    directory: Path | None = None

    def to_json(self) -> dict[str, Any]:
        """What a result needs to be repeated."""
        return {
            "rtt": self.source,
            "interference": list(self.shares),
            "planned_for": self.planned_for,
            "against": list(self.against),
            "rounds": self.rounds,
            "seconds": self.seconds,
            "outstanding": self.outstanding,
            "seed": self.seed,
        }
