"""What replicas and clients send to each other. Field names are Lamport's; each message is one batch.

``ids`` and ``digests`` are parallel lists: a command and its digest (protocol §2.1). ``first`` is the index, from 1, of
the first command listed in the decree sequence V.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from genpaxos.core.ballot import Ballot, BallotKind
from genpaxos.core.commands import Body, Origin


@dataclass(frozen=True, slots=True)
class Propose:
    """A client's commands, or a replica's relay of them (protocol §3, Propose)."""

    ids: list[str]
    bodies: list[Body]
    asked: int = 0
    """Which replicas a client asks for the results (a bit mask); 0 where that is not said."""
    origin: Origin | None = None
    """What the ids say, taken apart, if a client sends its own commands. Not part of what replicas tell each other."""


@dataclass(frozen=True, slots=True)
class Phase1a:
    """The coordinator of ``ballot`` asks for promises (protocol §5)."""

    ballot: Ballot
    committed: int
    """The asker's commit index: reports start behind it."""


@dataclass(frozen=True, slots=True)
class Phase1b:
    """A promise, and what its acceptor voted for in its highest ballot (protocol §5)."""

    ballot: Ballot
    accepted: Ballot
    kind: BallotKind
    committed: int
    first: int
    ids: list[str]
    """The adopted decrees from index ``first`` on, which is just behind the larger of the two commit indices."""
    digests: list[int]
    tail: list[str]
    """The tail, in the acceptor's order."""
    incarnations: Sequence[int] = ()
    """Which incarnation of each replica the acceptor knows, its own included; empty if all are the first."""


@dataclass(frozen=True, slots=True)
class Phase2a:
    """Decrees V[first…] of ``ballot`` (protocol §3). In a leader-ordered ballot also the coordinator's own votes.

    An acceptor below ``ballot`` may take it up only with all of V[1..recovered]: a mere part of what phase 1 proved
    safe is not safe.
    """

    ballot: Ballot
    kind: BallotKind
    recovered: int
    committed: int
    first: int
    ids: list[str]
    digests: list[int]
    bodies: list[Body] | None = None
    """The commands' bodies: to those that do not have them from clients, and to acceptors that lag; else ``None``."""


@dataclass(frozen=True, slots=True)
class Phase2b:
    """Fast votes and the adoption watermark of one acceptor in ``ballot`` (protocol §3), to every learner
    whom it may concern at once (:mod:`genpaxos.core.askers`)."""

    ballot: Ballot
    ids: list[str]
    digests: list[int]
    adopted: int
    start: int = 0
    """Where in the acceptor's tail, behind V[1..adopted], ``ids`` begin."""
    step: int = 0
    """The step within an uncoordinated ballot (protocol §4.3)."""


@dataclass(frozen=True, slots=True)
class Nack:
    """The acceptor has promised a higher ballot."""

    ballot: Ballot
    promised: Ballot


@dataclass(frozen=True, slots=True)
class Fetch:
    """Asks for decrees from index ``first`` on: of the coordinator in its ballot, of anyone what is committed."""

    first: int


@dataclass(frozen=True, slots=True)
class FetchSnapshot:
    """Asks for more of the state at ``index``, from byte ``offset`` on (protocol §8)."""

    index: int
    offset: int


@dataclass(frozen=True, slots=True)
class SnapshotChunk:
    """A part of the state at a committed index, for a replica that lags behind what the sender's log still holds."""

    ballot: Ballot
    """The sender's promised ballot, as in :class:`Committed`."""
    index: int
    offset: int
    size: int
    """The size of the whole state, in bytes."""
    data: bytes


@dataclass(frozen=True, slots=True)
class FetchBodies:
    """Asks for the bodies of commands."""

    ids: list[str]


@dataclass(frozen=True, slots=True)
class Bodies:
    """The bodies of commands, to one that asked for them."""

    ids: list[str]
    bodies: list[Body]


@dataclass(frozen=True, slots=True)
class Committed:
    """Committed decrees V[first…] for a replica that lags (protocol §3: committed indices never change)."""

    ballot: Ballot
    """The sender's promised ballot: whoever takes these decrees must not vote below it any more."""
    first: int
    ids: list[str]
    digests: list[int]
    bodies: list[Body]


@dataclass(frozen=True, slots=True)
class Rejoin:
    """The sender has lost what it promised and comes back as a new incarnation."""

    incarnation: int
    floor: Ballot
    """It waits for a ballot above this one; ``ZERO`` until a quorum has acknowledged the incarnation."""


@dataclass(frozen=True, slots=True)
class RejoinAck:
    """The sender has written the incarnation down."""

    incarnation: int
    promised: Ballot
    """The highest ballot the sender has promised."""
    incarnations: list[int]
    """Those it knows of all replicas."""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """What a replica tells the others of itself at every interval (election, lost watermarks, lag)."""

    promised: Ballot
    accepted: Ballot
    adopted: int
    committed: int
    leading: bool
    """The sender is the coordinator of ``promised``, or is running its phase 1."""
    quorum: bool
    """The sender is quorum-connected: it and a classic quorum hear each other."""
    heard: int
    """Bit mask of the replicas the sender hears."""
    follows: bool
    """The sender itself hears the coordinator of ``promised``, alive and quorum-connected."""
    executed: int = 0
    """V[1..executed] is committed and has run at the sender."""
    sum: int = 0
    """What that gave (:meth:`genpaxos.core.agreement.Agreement.sum_at`)."""
    mark_sum: int = 0
    """The same at the last mark up to there."""


@dataclass(frozen=True, slots=True)
class Results:
    """What V gave at the sender up to some indices: sent while replicas look for the first difference."""

    asks: bool
    """The sender wants the receiver's for the same indices."""
    since: int
    """V[1..since] was executed by another replica, from whose state the sender went on."""
    indices: list[int]
    sums: list[int]
    shown: list[str]
    """The result of the command at each index, as it is compared; empty texts where it is not remembered."""


@dataclass(frozen=True, slots=True)
class Reply:
    """Results of a client's commands. A result is ``[None, value]`` or ``[error code, error message]``."""

    ids: list[str] = field(default_factory=list)
    results: list[list[Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Commands that were not accepted and never will be as they stand, each with the reason."""

    ids: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)


PeerMessage = (
    Propose
    | Phase1a
    | Phase1b
    | Phase2a
    | Phase2b
    | Nack
    | Fetch
    | FetchBodies
    | Bodies
    | Committed
    | FetchSnapshot
    | SnapshotChunk
    | Rejoin
    | RejoinAck
    | Heartbeat
    | Results
)
