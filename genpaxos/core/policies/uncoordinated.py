"""Uncoordinated ballots: every acceptor orders what has collided by itself, and votes anew (protocol §4.3)."""

from genpaxos.core.ballot import Policy
from genpaxos.core.policies.coordinated import AcceptorsOrderRules
from genpaxos.core.policies.rules import Collisions


class UncoordinatedRules(AcceptorsOrderRules):
    """All do it by the same rule, so that those who have the same reports vote alike. A second collision takes another
    ballot."""

    policy = Policy.UNCOORDINATED
    lingering_fails = True
    """Acceptors may stand at different steps."""

    def order(self, collisions: Collisions, *, collided: bool) -> bool:
        """Every acceptor votes for what the reports prove safe, once in a ballot."""
        if not collided:
            return False
        if collisions.step:
            return collisions.leads
        return not collisions.vote_safe() and collisions.leads and collisions.exceed_window()
