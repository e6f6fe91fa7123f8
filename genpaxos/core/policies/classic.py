"""Classic ballots: the coordinator alone decides what is decreed, and decrees carry the bodies (protocol §3)."""

from typing import TYPE_CHECKING

from genpaxos.core.ballot import BallotKind, Policy
from genpaxos.core.policies.rules import Rules

if TYPE_CHECKING:
    from genpaxos.core.quorum import QuorumSystem


class ClassicRules(Rules):
    """Nobody votes for what comes from clients; there are no fast quorums."""

    policy = Policy.CLASSIC
    acceptors_vote = False
    pins = False

    def quorums(self, classic: "QuorumSystem", kind: BallotKind, coordinator: int) -> "QuorumSystem":  # noqa: ARG002
        """None is fast."""
        return classic.without_fast()
