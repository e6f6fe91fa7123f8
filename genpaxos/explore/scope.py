"""What is explored: how many acceptors, commands, ballots and crashes, under which policy."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from commutativity import CommutativityTable, Machine, operation
from genpaxos.core.ballot import Ballot, FastQuorums, Policy
from genpaxos.core.commands import Body, command_id
from genpaxos.core.election import Timing
from genpaxos.core.policies import rules_of
from genpaxos.core.settings import Settings


class Cells(Machine):
    """The machine of the model: cells that are written. Writes of one cell interfere, others commute."""

    table = CommutativityTable("""
                write
        write     x
    """)

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    @operation("cell")
    def write(self, cell: str, value: str) -> None:
        """Set a cell's value."""
        self.values[cell] = value


class Votes(StrEnum):
    """Which replicas phase 2b messages are delivered to.

    Whether something is *chosen* is always judged on all votes ever sent; this is about what replicas do with them.
    """

    NOBODY = "nobody"
    """Every subset of the votes stands for a learner; a replica's own learner sees its own votes and the decrees."""
    COORDINATORS = "coordinators"
    """To the coordinator of their ballot."""
    EVERYBODY = "everybody"
    """To every replica, whose commit index then rises by them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The bounds of one exploration. Within them, every order of events is explored."""

    policy: Policy
    acceptors: int = 3
    fast: FastQuorums = FastQuorums.PINNED
    pinned: tuple[int, ...] | None = None
    """The fast quorum of every ballot; ``None``: the one the coordinator pins."""
    commands: int = 2
    interfering: bool = True
    ballots: int = 2
    policies: tuple[Policy, ...] = ()
    """The policy of each ballot, in increasing order; all have ``policy`` if it is empty. A coordinator may fall back
    to another kind of ballot, and return (:mod:`genpaxos.core.fallback`)."""
    owners: tuple[int, ...] = ()
    """Who coordinates each ballot, in increasing order; by default replicas 0 and 1 in turn."""
    crashes: int = 0
    chunk: int | None = None
    """The most decrees in an answer to a replica that lags; ``None``: as in production."""
    cut: frozenset[tuple[int, int]] = frozenset()
    """Links, sender and receiver, on which nothing arrives: what takes many ballots can then be explored."""
    votes: Votes | None = None
    """``None``: to those that order commands by them, as the policy has it."""
    together: bool = True
    """Deliver a client's command also in one step with a message, or with votes and reports that are heard at once."""
    nacks: bool = False
    """Deliver refusals as well. Whoever gets one could have got the phase 1a behind it instead."""
    prune: bool = True
    """Forget messages and votes that cannot have an effect any more."""
    states_max: int = 20_000_000

    def __post_init__(self) -> None:
        if not (self.acceptors >= 1 and 1 <= self.commands <= 26 and self.ballots >= 1 and self.crashes >= 0):
            raise ValueError("a scope needs acceptors, commands (at most 26) and ballots")
        if self.owners and len(self.owners) != self.ballots:
            raise ValueError(f"{self.ballots} ballots need as many owners, not {len(self.owners)}")
        if self.policies and len(self.policies) != self.ballots:
            raise ValueError(f"{self.ballots} ballots need as many policies, not {len(self.policies)}")
        if not all(0 <= owner < self.acceptors for owner in [*self.owners, *(self.pinned or ())]):
            raise ValueError(f"owners and pinned replicas are numbered from 0 to {self.acceptors - 1}")
        if self.pinned is not None and not all(ballot.coordinator in self.pinned for ballot in self.ballot_list()):
            raise ValueError("a pinned quorum includes the coordinator of every ballot")

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        return {**asdict(self), "cut": sorted(self.cut)}

    def ballot_list(self) -> list[Ballot]:
        """The ballots, in increasing order."""
        owners = self.owners or tuple(index % min(2, self.acceptors) for index in range(self.ballots))
        return [Ballot(index + 1, owner) for index, owner in enumerate(owners)]

    def command_list(self) -> list[tuple[str, Body]]:
        """Ids and bodies of the clients' commands."""
        names = [chr(ord("a") + index) for index in range(self.commands)]
        cells = ["x"] * self.commands if self.interfering else names
        return [(command_id(name, 1), ["write", [cell, name], 0]) for name, cell in zip(names, cells, strict=True)]

    def settings(self) -> Settings:
        """The settings of the cluster; nothing in it waits for a clock."""
        return Settings(self.acceptors, self.policy, self.fast, Timing(watermark_ms=0))

    def policy_of(self, ballot: Ballot) -> Policy:
        """The policy of a ballot."""
        return self.policies[ballot.number - 1] if self.policies else self.policy

    @property
    def acceptors_order(self) -> bool:
        """Whether in some ballot replicas order commands by what phase 2b messages report."""
        return any(rules_of(policy).reports_tails for policy in self.policies or (self.policy,))

    def hears(self, node: int, ballot: Ballot, *, report: bool) -> bool:
        """Whether phase 2b messages of a ballot are delivered to this replica: reports, or votes and watermarks."""
        if report:
            everybody = self.policy_of(ballot) is Policy.UNCOORDINATED
            return everybody or any(b.coordinator == node and b <= ballot for b in self.ballot_list())
        votes = self.votes
        if votes is None:
            votes = Votes.COORDINATORS if self.acceptors_order else Votes.NOBODY
        if votes is Votes.COORDINATORS:
            return ballot.coordinator == node
        return votes is Votes.EVERYBODY
