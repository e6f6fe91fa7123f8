"""What a run is checked for, each invariant by its name."""

from enum import StrEnum


class Invariant(StrEnum):
    """The name is short, for a report; the value says what must hold."""

    COMMITTED = "a committed index never changes and is the same everywhere"
    LEARNED = "what any replica learned by the fast rule is committed with that digest"
    ONCE = "no replica runs a command twice"
    ORDER = "every replica runs a command after the same interfering commands"
    RESULTS = "every replica computes the same result, and a client never gets another one"
    BALLOTS = "ballots only rise, and a replica that restarts keeps what it said"
    QUORUM = (
        "a ballot starts with promises of a classic quorum, and what is learned fast has a fast quorum's votes in it"
    )
    QUIET = "while the same links stay cut, elections come to rest"
    DURABLE = "a promise, a vote or an adoption that leaves is on the disk"
    BOUNDED = "with snapshots no replica keeps more of the log than from the last but one on"
    REPORTED = "a report of votes that leaves equals what its acceptor holds at the place that it names"
    REJOINING = "a replica that lost its data says nothing in a ballot that its earlier incarnation may have a part in"
    SOUND = "no replica stops by itself but for its disk"
    AGREED = "replicas whose machines compute the same never find that their results differ"
    LINEARIZABLE = "one order explains every result and keeps real time"
    IDENTICAL = "after healing all logs, machines and session tables are equal"
    LIVENESS = "after the faults a majority commits a fresh command in bounded time"
    REST = "after healing every command a client waits for is answered, and the replicas come to rest"


LIVE = (Invariant.QUIET, Invariant.LIVENESS, Invariant.REST)
"""Liveness: what fails when the protocol merely makes no progress."""


class ViolationError(AssertionError):
    """An invariant does not hold."""

    def __init__(self, invariant: Invariant, what: str) -> None:
        super().__init__(what)
        self.invariant = invariant
        self.what = what


def unsound(node: int, error: Exception) -> ViolationError:
    """What the core raised inside a replica."""
    return ViolationError(Invariant.SOUND, f"replica {node} stopped: {type(error).__name__}: {error}")
