"""What ends a measurement without a result."""

from genpaxos.errors import GenpaxosError


class BenchError(GenpaxosError):
    """The run did not end, or was wrong: its figures mean nothing."""
