"""A policy is a value: a file for each, with all that a ballot's kind decides (protocol §4).

``rules.py`` has the questions and who asks them; :func:`rules_of` gives the answers for a ballot, when it is entered.
"""

from genpaxos.core.ballot import BallotKind, Policy
from genpaxos.core.policies.classic import ClassicRules
from genpaxos.core.policies.coordinated import CoordinatedRules
from genpaxos.core.policies.leader_ordered import LeaderOrderedRules
from genpaxos.core.policies.rules import Rules
from genpaxos.core.policies.uncoordinated import UncoordinatedRules

__all__ = ["RULES", "Rules", "rules_of"]

RULES: dict[Policy, Rules] = {
    rules.policy: rules for rules in (ClassicRules(), LeaderOrderedRules(), CoordinatedRules(), UncoordinatedRules())
}


def rules_of(kind: BallotKind | Policy) -> Rules:
    """The rules of ballots of this kind."""
    return RULES[kind if isinstance(kind, Policy) else kind.policy]
