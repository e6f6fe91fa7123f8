"""Counts promises and votes as Lamport's definitions do, beside the replicas that count them as engineered.

Two facts carry every proof of Paxos: a ballot starts with the promises of a classic quorum, and what is chosen fast has
the votes of a fast quorum, all cast in that one ballot, each acceptor once. Sources: Lamport, *Fast Paxos* §2.2 (quorum
sizes) and §3.1 (phases); protocol §3 and §5. What an acceptor said is taken from its mouth, not from who counts it.
"""

from collections.abc import Sequence

from genpaxos.core.ballot import Ballot, BallotKind
from genpaxos.core.messages import PeerMessage, Phase1b, Phase2a, Phase2b
from genpaxos.core.roles import Settings
from genpaxos.simulation.violations import Invariant, ViolationError


class Tally:
    """What was promised and voted anywhere, by ballot, as bit masks of acceptors."""

    def __init__(self, settings: Settings) -> None:
        acceptors = settings.acceptors or range(settings.replicas)
        self._acceptors = sum(1 << acceptor for acceptor in acceptors)
        self._classic = len(acceptors) // 2 + 1
        self._fast = -(-3 * len(acceptors) // 4)
        self._promises: dict[Ballot, int] = {}
        self._votes: dict[tuple[Ballot, int, str, int], int] = {}
        """By ballot, step, command and digest."""

    def left(self, node: int, message: PeerMessage) -> None:
        """A message of a replica leaves."""
        match message:
            case Phase1b(ballot):
                self._promises[ballot] = self._promises.get(ballot, 0) | 1 << node
            case Phase2a(ballot, kind) if not kind.acceptors_order:
                self.voted(node, ballot, message.ids, message.digests)
            case Phase2b(ballot):
                self.voted(node, ballot, message.ids, message.digests, message.step)

    def voted(self, node: int, ballot: Ballot, ids: Sequence[str], digests: Sequence[int], step: int = 0) -> None:
        """An acceptor voted, or the coordinator decreed."""
        for command, digest in zip(ids, digests, strict=True):
            key = ballot, step, command, digest
            self._votes[key] = self._votes.get(key, 0) | 1 << node

    def started(self, ballot: Ballot) -> None:
        """A coordinator has come through phase 1, its own promise included."""
        promised = (self._promises.get(ballot, 0) | 1 << ballot.coordinator) & self._acceptors
        if promised.bit_count() < self._classic:
            raise ViolationError(
                Invariant.QUORUM,
                f"replica {ballot.coordinator} started ballot {ballot}, which {promised.bit_count()} acceptors have "
                f"promised; it takes {self._classic}",
            )

    def learned(
        self, node: int, ballot: Ballot, kind: BallotKind, ids: Sequence[str], digests: Sequence[int], step: int
    ) -> None:
        """A replica learned commands by the fast rule in a ballot, and a step of it."""
        for command, digest in zip(ids, digests, strict=True):
            votes = self._votes.get((ballot, step, command, digest), 0)
            if not self._is_fast_quorum(votes, ballot, kind):
                raise ViolationError(
                    Invariant.QUORUM,
                    f"replica {node} learned {command} fast in ballot {ballot}; the votes for it are those of "
                    f"{[a for a in range(votes.bit_length()) if votes >> a & 1]}",
                )

    def _is_fast_quorum(self, votes: int, ballot: Ballot, kind: BallotKind) -> bool:
        if kind.pinned:
            return all(votes >> member & 1 for member in kind.pinned)
        ordered = kind.acceptors_order or bool(votes >> ballot.coordinator & 1)
        return ordered and (votes & self._acceptors).bit_count() >= self._fast
