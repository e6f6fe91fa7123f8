"""How commands enter a replica: from clients, within limits on what they may cost, and from other replicas."""

from collections.abc import Container, Iterable, Sequence

from genpaxos.core.answers import Answers
from genpaxos.core.askers import Askers
from genpaxos.core.commands import Body, Proposals
from genpaxos.core.door import Door
from genpaxos.core.effects import Effects, Route
from genpaxos.core.executor import Executor
from genpaxos.core.history import DivergenceError
from genpaxos.core.intake import Intake
from genpaxos.core.limits import Limits
from genpaxos.core.messages import Propose
from genpaxos.core.pool import Pool

ClientBatch = Sequence[tuple[Route, Propose]]


class Admission:
    """Takes in commands for one replica."""

    def __init__(
        self,
        node: int,
        proposals: Proposals,
        executor: Executor,
        pool: Pool,
        limits: Limits,
        askers: Askers,
        answers: Answers,
    ) -> None:
        self.door = Door(executor, proposals)
        self._node = node
        self._proposals = proposals
        self._executor = executor
        self._pool = pool
        self._intake = Intake(executor.sizes, proposals)
        self._limits = limits
        self._askers = askers
        self._answers = answers

    def missing(self, ids: Iterable[str]) -> list[str]:
        """Those of ``ids`` whose body is not known and still needed."""
        return self._proposals.missing(ids)

    def bodies(self, ids: Iterable[str]) -> list[Body]:
        """The bodies of known commands, in the same order."""
        return self._proposals.bodies(ids)

    def released(self, clients: ClientBatch, now_ms: float) -> ClientBatch:
        """The requests to be looked at in this step: these, behind those that have waited for room."""
        return self._intake.released(clients, now_ms)

    def from_client(self, route: Route, message: Propose, now_ms: float, effects: Effects) -> list[str]:
        """Take in a client's commands; returns those that are to be placed in the history."""
        message = self._limits.admits(self.door.admit(message, now_ms))
        message = self._intake.taken(route, message, now_ms)
        fresh, refused = self._proposals.add(message.ids, message.bodies, message.origin)
        self._executor.admitted(fresh)
        for command, why in refused:
            effects.refuse(route, command, why)
        self._askers.ask(message.asked, now_ms)
        if message.asked >> self._node & 1:
            self._answers.promise(route, message.ids, fresh, effects)
        return fresh if len(fresh) == len(message.ids) else self._pool.unplaced(message.ids)

    def relayed(self, message: Propose) -> list[str]:
        """Take in what another replica passes on; returns what is to be placed."""
        message = self._limits.admits(message)
        return self.from_replica(message.ids, message.bodies)

    def from_replica(self, ids: Sequence[str], bodies: Sequence[Body], decreed: Container[str] = ()) -> list[str]:
        """Take in commands that another replica has admitted; returns what is to be placed.

        Raises :class:`DivergenceError` if this one's machine refuses them.
        """
        self.decreed(ids, bodies, decreed)
        return self._pool.unplaced(ids)

    def decreed(self, ids: Sequence[str], bodies: Sequence[Body], decreed: Container[str] = ()) -> None:
        """The same for commands that come with their decrees, which place them."""
        fresh, refused = self._proposals.add(ids, bodies, decreed=decreed)
        self._executor.admitted(fresh)
        if refused:
            raise DivergenceError(f"a replica sent a command that this one's machine refuses: {refused[0]}")
