"""Where acceptors order: what a replica does about collisions, and what a coordinator decrees (protocol §4.2, §4.3).

What follows from a collision is the policy's to say (:mod:`genpaxos.core.policies`); here is what it says it with.
"""

from collections.abc import Mapping

from genpaxos.core.collision import SCAN_COMMANDS, WINDOW_COMMANDS, Order
from genpaxos.core.history import DivergenceError
from genpaxos.core.roles import Roles
from genpaxos.core.upkeep import Upkeep


class Ordering:
    """The collisions of one replica's present ballot."""

    def __init__(self, roles: Roles, upkeep: Upkeep) -> None:
        self._roles = roles
        self._upkeep = upkeep

    @property
    def leads(self) -> bool:
        """Whether this replica coordinates the ballot."""
        return self._roles.coordinator.leading

    @property
    def step(self) -> int:
        """The step within the ballot."""
        return self._roles.acceptor.step

    @property
    def fast_path_fails(self) -> bool:
        """Whether commands wait for votes that do not come."""
        return self._upkeep.fast_path_fails

    def order(self) -> bool:
        """Order what the acceptors' own orders cannot decide; says whether it takes a ballot of another kind."""
        roles = self._roles
        acceptor, reports = roles.acceptor, roles.reports
        votes = roles.settings.accepts(roles.node)
        if not votes:
            acceptor.step = reports.step  # it takes part in none
        reports.watch(acceptor)
        collided = reports.collided(acceptor, roles.learner.quorums, votes=votes)
        if acceptor.rules.order(self, collided=collided):
            return True
        if self.leads and not (self._upkeep.lingers and self._contested()):
            # Last: it moves V on, and the reports at hand are of acceptors that stand before it.
            learned = [command for command in roles.executor.ahead if command not in roles.history.positions]
            if learned:
                roles.coordinator.insert(learned)
        return False

    def decree_safe(self, *, collided: bool) -> bool:
        """As coordinator, decree what the reports of a classic quorum prove safe; says whether there was any."""
        roles = self._roles
        window = WINDOW_COMMANDS if collided else SCAN_COMMANDS
        order = roles.reports.safe_order(roles.acceptor, roles.learner.quorums, window=window)
        if order.ids:
            _check(order, roles.coordinator.insert(order.ids))
        return bool(order.ids)

    def vote_safe(self) -> bool:
        """Vote in the next step for what they prove safe; says whether there was any."""
        roles = self._roles
        order = roles.reports.safe_order(roles.acceptor, roles.learner.quorums, own=True)
        roles.acceptor.resolve(order.ids)
        _check(order, roles.history.tail)
        return bool(order.ids)

    def exceed_window(self) -> bool:
        """Whether reports are so long that no part of them that is looked at can be ordered."""
        return self._roles.reports.beyond(self._roles.acceptor, self._roles.learner.quorums)

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
