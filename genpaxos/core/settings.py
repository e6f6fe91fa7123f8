"""What all replicas of a cluster agree on before they start."""

from dataclasses import dataclass, field

from genpaxos.core.ballot import FastQuorums, Policy
from genpaxos.core.election import Timing


@dataclass(frozen=True, slots=True)
class Settings:
    """What all replicas of a cluster agree on."""

    replicas: int
    policy: Policy = Policy.LEADER_ORDERED
    fast: FastQuorums = FastQuorums.PINNED
    timing: Timing = field(default_factory=Timing)
    preference: tuple[int, ...] = ()
    """Replicas in the order in which they should coordinate; by number if empty."""
    pinned: tuple[int, ...] = ()
    """The fast quorum to pin whenever its members answer and the coordinator is one of them: a majority; if it is
    empty, or one of them is gone, those who answer soonest."""
    acceptors: tuple[int, ...] = ()
    """The replicas that are acceptors, all if empty; the others are learners, and may coordinate."""
    settle_commands: int = 512
    """How many commands behind the commit index may be looked up by id before they are settled, all at once."""
    checksum_ms: float = 0
    """How often the coordinator proposes a checksum, if something was written since the last; 0: never."""
    session_ms: float = 3_600_000.0
    """A session ends when neither a command of it nor its client was heard for so long; 0: never by itself."""
    farewell_ms: float = 10_000.0
    """How long farewells of clients are gathered before their sessions end together."""
    saturated_commands: int = 384
    """Clients that bring so many in one step saturate the replica: for a while its acceptor abstains."""
    distinguished: int | None = None
    """In classic ballots: the learner that acceptors tell what they adopted, and that tells the others what is chosen.
    If it is ``None``, acceptors tell every learner."""

    interruptible: bool = True
    """Whether a ``KeyboardInterrupt`` in an operation comes from a user's Ctrl-C. Where signals are handled otherwise,
    it is the program's own, an exception like others."""

    def accepts(self, node: int) -> bool:
        """Whether a replica is an acceptor: it answers phase 1a and votes, and quorums are made of such."""
        return not self.acceptors or node in self.acceptors
