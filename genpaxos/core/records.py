"""What an acceptor writes to stable storage (protocol §3: a vote or a promise leaves only after the write is synced).

Records are replayed in order by :meth:`genpaxos.core.acceptor.Acceptor.replay`; the same code that produced the state
rebuilds it. All records of one step are one transaction.
"""

from dataclasses import dataclass

from genpaxos.core.ballot import Ballot, BallotKind
from genpaxos.core.commands import Body


@dataclass(frozen=True, slots=True)
class Promised:
    """``promised`` was raised."""

    ballot: Ballot


@dataclass(frozen=True, slots=True)
class Accepted:
    """Commands were appended to the tail."""

    ids: list[str]
    bodies: list[Body]


@dataclass(frozen=True, slots=True)
class Entered:
    """A ballot was entered: V from ``first`` on was replaced by the decrees that phase 1 proved safe."""

    ballot: Ballot
    kind: BallotKind
    first: int
    ids: list[str]
    digests: list[int]
    bodies: list[Body]


@dataclass(frozen=True, slots=True)
class Adopted:
    """The next decrees of the accepted ballot were adopted. ``bodies[i]`` is ``None`` for what the tail held."""

    ids: list[str]
    digests: list[int]
    bodies: list[Body | None]


@dataclass(frozen=True, slots=True)
class Resolved:
    """A collision was resolved without the coordinator: the tail was reordered, to be voted for in ``step``."""

    step: int
    ids: list[str]


@dataclass(frozen=True, slots=True)
class Learned:
    """Committed decrees from ``first`` on were taken over from a peer."""

    first: int
    ids: list[str]
    digests: list[int]
    bodies: list[Body]


@dataclass(frozen=True, slots=True)
class CommitIndex:
    """V[1..index] is known to be committed. A hint: losing it costs a restart some waiting, nothing else."""

    index: int


@dataclass(frozen=True, slots=True)
class Rejoining:
    """The first record of a replica that comes back without what it had promised, as a new incarnation."""

    incarnation: int


@dataclass(frozen=True, slots=True)
class Readmitted:
    """Another replica has come back as a new incarnation: nothing of its earlier ones counts any more."""

    node: int
    incarnation: int


Record = Promised | Accepted | Entered | Adopted | Resolved | Learned | CommitIndex | Rejoining | Readmitted
