"""Coordinated ballots: the coordinator orders what has collided, from the acceptors' reports (protocol §4.2)."""

from typing import TYPE_CHECKING

from genpaxos.core.ballot import BallotKind, Policy
from genpaxos.core.policies.rules import Collisions, Rules

if TYPE_CHECKING:
    from genpaxos.core.quorum import QuorumSystem


class AcceptorsOrderRules(Rules):
    """What coordinated and uncoordinated ballots have in common: every acceptor's own order counts."""

    coordinator_orders = False
    pins = False
    saturated_votes = True
    reports_tails = True

    def quorums(self, classic: "QuorumSystem", kind: BallotKind, coordinator: int) -> "QuorumSystem":  # noqa: ARG002
        """Any ⌈3N/4⌉ acceptors are a fast quorum."""
        return classic.with_any(classic.fast_size)


class CoordinatedRules(AcceptorsOrderRules):
    """Phase 2b of a round is phase 1b of the next: no further message is needed to order a collision."""

    policy = Policy.COORDINATED

    def order(self, collisions: Collisions, *, collided: bool) -> bool:
        """The coordinator decrees what the reports prove safe."""
        if not collisions.leads or not (collided or collisions.fast_path_fails):
            return False
        return not collisions.decree_safe(collided=collided) and collided and collisions.exceed_window()
