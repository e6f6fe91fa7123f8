"""What ends a measurement without a result."""

from genpaxos.errors import GenpaxosError


class BenchError(GenpaxosError):
    """The run wedged, or was wrong: its figures mean nothing."""
