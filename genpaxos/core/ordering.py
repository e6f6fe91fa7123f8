"""Where acceptors order: what a replica does about collisions, and what a coordinator decrees (protocol §4.2, §4.3).

What follows from a collision is the policy's to say (:mod:`genpaxos.core.policies`); here is what it says it with.
"""

from collections.abc import Mapping

from genpaxos.core.acceptor import Acceptor
from genpaxos.core.collision import SCAN_COMMANDS, WINDOW_COMMANDS, Order, Reports
from genpaxos.core.coordinator import Coordinator
from genpaxos.core.executor import Executor
from genpaxos.core.fastpath import FastPath
from genpaxos.core.history import DivergenceError
from genpaxos.core.learner import Learner
from genpaxos.core.settings import Settings


class Ordering:
    """The collisions of one replica's present ballot."""

    def __init__(
        self,
        settings: Settings,
        acceptor: Acceptor,
        coordinator: Coordinator,
        learner: Learner,
        executor: Executor,
        reports: Reports,
        fastpath: FastPath,
    ) -> None:
        self.reports = reports
        self._votes = settings.accepts(acceptor.node)
        self._acceptor = acceptor
        self._coordinator = coordinator
        self._learner = learner
        self._executor = executor
        self._fastpath = fastpath

    @property
    def leads(self) -> bool:
        """Whether this replica coordinates the ballot."""
        return self._coordinator.leading

    @property
    def step(self) -> int:
        """The step within the ballot."""
        return self._acceptor.step

    @property
    def fast_path_fails(self) -> bool:
        """Whether commands wait for votes that do not come."""
        return self._fastpath.fails

    def order(self) -> bool:
        """Order what the acceptors' own orders cannot decide; says whether it takes a ballot of another kind."""
        acceptor, reports = self._acceptor, self.reports
        if not self._votes:
            acceptor.follow(reports.step)  # it takes part in none
        reports.watch(acceptor)
        collided = reports.collided(acceptor, self._learner.quorums, votes=self._votes)
        if acceptor.rules.order(self, collided=collided):
            return True
        if self.leads and not (self._fastpath.lingers and self._contested()):
            # Last: it moves V on, and the reports at hand are of acceptors that stand before it.
            positions = acceptor.history.positions
            learned = [command for command in self._executor.ahead if command not in positions]
            if learned:
                self._coordinator.insert(learned)
        return False

    def decree_safe(self, *, collided: bool) -> bool:
        """As coordinator, decree what the reports of a classic quorum prove safe; says whether there was any."""
        window = WINDOW_COMMANDS if collided else SCAN_COMMANDS
        order = self.reports.safe_order(self._acceptor, self._learner.quorums, window=window)
        if order.ids:
            _check(order, self._coordinator.insert(order.ids))
        return bool(order.ids)

    def vote_safe(self) -> bool:
        """Vote in the next step for what they prove safe; says whether there was any."""
        order = self.reports.safe_order(self._acceptor, self._learner.quorums, own=True)
        self._acceptor.resolve(order.ids)
        _check(order, self._acceptor.history.tail)
        return bool(order.ids)

    def exceed_window(self) -> bool:
        """Whether reports are so long that no part of them that is looked at can be ordered."""
        return self.reports.beyond(self._acceptor, self._learner.quorums)

    def _contested(self) -> bool:
        """Whether votes disagree about a command that is neither decreed nor learned.

        If such a command lingers, V is not moved on by what is learned meanwhile, which runs all the same and is
        answered. Collisions are seen and ordered by reports of acceptors that all have adopted the same V; if V moved
        at every round trip, there would never be a quorum of those. It ends with an order, with a vote that decides, or
        with another ballot (:mod:`genpaxos.core.fallback`).
        """
        learner, positions = self._learner, self._acceptor.history.positions
        return any(c not in positions and not learner.learned_fast(c) for c in learner.conflicts)


def _check(order: Order, digests: Mapping[str, int]) -> None:
    for command in order.ids:
        if command in digests and order.kept.get(command, digests[command]) != digests[command]:
            raise DivergenceError(f"votes of one ballot contradict each other about {command}")
