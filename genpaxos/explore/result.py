"""What an exploration found."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Violation:
    """An invariant that does not hold, and the shortest way there."""

    what: str
    trace: tuple[str, ...]
    """A line per step."""
    flow: dict[str, Any] = field(default_factory=dict)
    """The same as a message flow, for :mod:`genpaxos.view.flow`."""

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        return {"what": self.what, "trace": list(self.trace), "flow": self.flow}


@dataclass(frozen=True, slots=True)
class Exploration:
    """The result of :func:`~genpaxos.explore.search.explore`."""

    states: int
    """Distinct global states visited."""
    transitions: int
    complete: bool
    """Every state within the scope was visited."""
    bound: str | None
    """The bound that ended the search early."""
    violation: Violation | None
    depth: int
    """The length of the longest shortest path to a state, or of the path to the violation but for its last step."""
    local_states: tuple[int, ...]
    """Per replica, its distinct states."""
    messages: tuple[int, ...]
    """Per replica, the distinct messages sent to it."""
    seconds: float
    scope: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "complete": self.complete,
            "violation": None if self.violation is None else self.violation.to_json(),
            "states": self.states,
            "transitions": self.transitions,
            "bound": self.bound,
            "depth": self.depth,
            "local_states": list(self.local_states),
            "messages": list(self.messages),
            "seconds": round(self.seconds, 1),
            "scope": self.scope,
        }
