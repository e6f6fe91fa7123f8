"""Counts promises and votes as Lamport's definitions do, beside the replicas that count them as engineered.

Two facts carry every proof of Paxos: a ballot starts with the promises of a classic quorum, and what is chosen fast has
the votes of a fast quorum, all cast in that one ballot, each acceptor once. Sources: Lamport, *Fast Paxos* §2.2 (quorum
sizes) and §3.1 (phases); protocol §3 and §5. What an acceptor said is read from its messages, not from who counts them.
"""

from collections.abc import Sequence

from genpaxos.core.ballot import Ballot, BallotKind
from genpaxos.core.messages import PeerMessage, Phase1b, Phase2a, Phase2b
from genpaxos.core.policies import rules_of
from genpaxos.core.settings import Settings
from genpaxos.simulation.rejoining import Floors
from genpaxos.simulation.violations import Invariant, ViolationError


class Tally:
    """What was promised and voted anywhere, by ballot."""

    def __init__(self, settings: Settings, floors: Floors) -> None:
        self._acceptors = settings.acceptors or tuple(range(settings.replicas))
        self._classic = len(self._acceptors) // 2 + 1
        self._fast = -(-3 * len(self._acceptors) // 4)
        self._floors = floors
        self._promises: dict[Ballot, set[tuple[int, int]]] = {}
        """Who promised it: acceptors, each in the incarnation it was."""
        self._votes: dict[tuple[Ballot, int, str, int], set[int]] = {}
        """By ballot, step, command and digest: the acceptors."""

    def left(self, node: int, incarnation: int, message: PeerMessage) -> None:
        """A message of a replica leaves."""
        match message:
            case Phase1b(ballot):
                self._promises.setdefault(ballot, set()).add((node, incarnation))
            case Phase2a(ballot, kind) if rules_of(kind).coordinator_orders:
                self.voted(node, ballot, message.ids, message.digests)
            case Phase2b(ballot):
                self.voted(node, ballot, message.ids, message.digests, message.step)

    def voted(self, node: int, ballot: Ballot, ids: Sequence[str], digests: Sequence[int], step: int = 0) -> None:
        """An acceptor voted; the coordinator of a leader-ordered ballot votes by decreeing."""
        for command, digest in zip(ids, digests, strict=True):
            self._votes.setdefault((ballot, step, command, digest), set()).add(node)

    def started(self, ballot: Ballot, incarnation: int) -> None:
        """The coordinator of ``ballot`` has come through phase 1; its own promise is one of those it needs."""
        given = self._promises.get(ballot, set()) | {(ballot.coordinator, incarnation)}
        count = len({a for a, i in given if a in self._acceptors and not self._floors.passed(a, i, ballot)})
        if count < self._classic:
            raise ViolationError(
                Invariant.QUORUM,
                f"replica {ballot.coordinator} started ballot {ballot} with the promises of {count} acceptors, not "
                f"{self._classic}",
            )

    def learned(
        self, node: int, ballot: Ballot, kind: BallotKind, ids: Sequence[str], digests: Sequence[int], step: int
    ) -> None:
        """A replica learned commands by the fast rule in a ballot, and a step of it."""
        for command, digest in zip(ids, digests, strict=True):
            votes = self._votes.get((ballot, step, command, digest), set())
            if not self._is_fast_quorum(votes, ballot, kind):
                raise ViolationError(
                    Invariant.QUORUM,
                    f"replica {node} learned {command} fast in ballot {ballot}; it has the votes of {sorted(votes)}",
                )

    def _is_fast_quorum(self, votes: set[int], ballot: Ballot, kind: BallotKind) -> bool:
        if kind.pinned:
            return votes.issuperset(kind.pinned)
        if rules_of(kind).coordinator_orders and ballot.coordinator not in votes:
            return False
        return len(votes.intersection(self._acceptors)) >= self._fast
