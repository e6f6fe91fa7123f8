"""An explicit-state model checker over the real core objects: every order of events within a small scope.

The network is the set of all messages ever sent: any may be delivered at any time, again, or never. Clients' commands
reach replicas in any order, coordinators start their ballots at any time, and replicas crash and restart with what they
had persisted. ``explore(Scope(policy=Policy.LEADER_ORDERED))`` visits every state and checks the invariants in each.
"""

from genpaxos.explore.result import Exploration, Violation
from genpaxos.explore.scope import Scope, Votes
from genpaxos.explore.search import Mutation, Progress, explore

__all__ = ["Exploration", "Mutation", "Progress", "Scope", "Violation", "Votes", "explore"]
