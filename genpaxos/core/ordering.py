"""Where acceptors order: what a replica does about collisions, and what a coordinator decrees (protocol §4.2, §4.3)."""

from collections.abc import Mapping

from genpaxos.core.ballot import Policy
from genpaxos.core.collision import SCAN_COMMANDS, WINDOW_COMMANDS, Order
from genpaxos.core.history import DivergenceError
from genpaxos.core.roles import Roles
from genpaxos.core.upkeep import Upkeep


class Ordering:
    """Of one replica, in coordinated and uncoordinated ballots."""

    def __init__(self, roles: Roles, upkeep: Upkeep) -> None:
        self._roles = roles
        self._upkeep = upkeep

    def order(self) -> bool:
        """Order what the acceptors' own orders cannot decide; says whether it takes a ballot of another kind."""
        roles = self._roles
        acceptor, coordinator, reports = roles.acceptor, roles.coordinator, roles.reports
        votes = roles.settings.accepts(roles.node)
        if not votes:
            acceptor.step = reports.step  # it takes part in none
        reports.watch(acceptor)
        quorums = roles.learner.quorums
        collided = reports.collided(acceptor, quorums, votes=votes)
        if acceptor.kind.policy is Policy.COORDINATED:
            if coordinator.leading and (collided or self._upkeep.fast_path_fails):
                order = reports.safe_order(acceptor, quorums, window=WINDOW_COMMANDS if collided else SCAN_COMMANDS)
                if order.ids:
                    _check(order, coordinator.insert(order.ids))
                elif collided and reports.beyond(acceptor, quorums):
                    return True
        elif collided and acceptor.step == 0:
            order = reports.safe_order(acceptor, quorums, own=True)
            acceptor.resolve(order.ids)
            _check(order, acceptor.history.tail)
            if not order.ids and coordinator.leading and reports.beyond(acceptor, quorums):
                return True
        elif collided and coordinator.leading:
            return True  # a second collision
        if coordinator.leading and not (self._upkeep.lingers and self._contested()):
            # Last: it moves V on, and the reports at hand are of acceptors that stand before it.
            learned = [command for command in roles.executor.ahead if command not in roles.history.positions]
            if learned:
                coordinator.insert(learned)
        return False

    def _contested(self) -> bool:
        """Whether votes disagree about a command that is neither decreed nor learned.

        If such a command lingers, V is not moved on by what is learned meanwhile, which runs all the same and is
        answered. Collisions are seen and ordered by reports of acceptors that all have adopted the same V; if V moved
        at every round trip, there would never be a quorum of those. It ends with an order, with a vote that decides, or
        with another ballot (:mod:`genpaxos.core.fallback`).
        """
        learner, positions = self._roles.learner, self._roles.history.positions
        return any(c not in positions and not learner.learned_fast(c) for c in learner.conflicts)


def _check(order: Order, digests: Mapping[str, int]) -> None:
    for command in order.ids:
        if command in digests and order.kept.get(command, digests[command]) != digests[command]:
            raise DivergenceError(f"votes of one ballot contradict each other about {command}")
