"""Ballots and their kinds (protocol §3; Lamport's *balnum*, and *Fast Paxos* §3 for fast and classic ballots)."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Ballot(NamedTuple):
    """A ballot number made unique by the coordinator that owns it; ordered by number, then by coordinator."""

    number: int
    coordinator: int

    def __str__(self) -> str:
        return f"{self.number}.{self.coordinator}"


ZERO = Ballot(0, -1)
"""The ballot below every ballot: nothing was ever voted for in it."""


class Policy(StrEnum):
    """Who orders interfering commands, and how a collision is recovered (protocol §4)."""

    CLASSIC = "classic"
    LEADER_ORDERED = "leader-ordered"
    COORDINATED = "coordinated"
    UNCOORDINATED = "uncoordinated"


class FastQuorums(StrEnum):
    """The family the fast quorums of a ballot are drawn from (protocol §3, Quorums)."""

    PINNED = "pinned"
    ANY = "any"


@dataclass(frozen=True, slots=True)
class BallotKind:
    """What the coordinator names when it starts a ballot; part of every acceptor's stable storage.

    ``pinned`` holds the members of the one fast quorum, in increasing order; it is empty in classic ballots, and in
    fast ballots whose fast quorums are any ⌈3N/4⌉ acceptors that include the coordinator.
    """

    policy: Policy
    pinned: tuple[int, ...] = ()


CLASSIC = BallotKind(Policy.CLASSIC)
