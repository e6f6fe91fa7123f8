"""Leader-ordered ballots: the coordinator's order counts, and its fast vote is its decree (protocol §4.1)."""

from genpaxos.core.ballot import Policy
from genpaxos.core.policies.rules import Rules


class LeaderOrderedRules(Rules):
    """A command is learned fast if the others of the pinned quorum have it where the coordinator has it. If not, it is
    learned by its decree: that is the whole recovery of a collision."""

    policy = Policy.LEADER_ORDERED
