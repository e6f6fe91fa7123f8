"""The time of the present step, told by the owner: one object that all roles of a replica look at."""


class Now:
    """Milliseconds of any monotonic clock. Written by :meth:`genpaxos.core.replica.Replica.step` alone."""

    __slots__ = ("ms",)

    def __init__(self, ms: float) -> None:
        self.ms = ms
