"""Proposals, decrees and votes: propose, phase 2a and phase 2b (protocol §3, §4)."""

from collections.abc import Sequence
from math import inf

from genpaxos.core.acceptor import Acceptor
from genpaxos.core.admission import Admission
from genpaxos.core.coordinator import Coordinator
from genpaxos.core.effects import Effects, LearnedFast, Route
from genpaxos.core.election import Election
from genpaxos.core.executor import Executor
from genpaxos.core.incarnations import Incarnations
from genpaxos.core.learner import Learned, Learner
from genpaxos.core.messages import Phase2a, Phase2b, Propose
from genpaxos.core.now import Now
from genpaxos.core.ordering import Ordering
from genpaxos.core.policies import rules_of
from genpaxos.core.pool import Pool
from genpaxos.core.requests import Requests
from genpaxos.core.settings import Settings
from genpaxos.core.telling import Telling

SATURATED_MS = 50.0
"""How long a replica counts as saturated after a step with very many commands: votes for some of them only would cost
both ways of learning."""


class Voting:
    """What a replica does with commands: it decrees them, votes for them or keeps them, and learns what is chosen."""

    def __init__(
        self,
        node: int,
        settings: Settings,
        acceptor: Acceptor,
        coordinator: Coordinator,
        learner: Learner,
        executor: Executor,
        election: Election,
        incarnations: Incarnations,
        pool: Pool,
        admission: Admission,
        requests: Requests,
        ordering: Ordering,
        telling: Telling,
        now: Now,
    ) -> None:
        self._node = node
        self._saturated_commands = settings.saturated_commands
        self._accepts = settings.accepts(node)
        self._acceptor = acceptor
        self._coordinator = coordinator
        self._learner = learner
        self._executor = executor
        self._election = election
        self._incarnations = incarnations
        self._pool = pool
        self._admission = admission
        self._requests = requests
        self._ordering = ordering
        self._telling = telling
        self._now = now
        self._saturated_ms = -inf
        """Until when this replica counts as saturated."""

    def note_load(self, clients: Sequence[tuple[Route, Propose]], now_ms: float) -> None:
        """A step begins with these requests: does the acceptor vote for what comes from clients?"""
        if sum(len(proposal.ids) for _, proposal in clients) >= self._saturated_commands:
            self._saturated_ms = now_ms + SATURATED_MS
        self._acceptor.abstain(now_ms < self._saturated_ms)

    # Events ---------------------------------------------------------------------------------------------------------

    def on_client(self, route: Route, message: Propose, effects: Effects) -> None:
        """A client proposes commands, or asks again for their results."""
        self.take(self._admission.from_client(route, message, self._now.ms, effects), effects)

    def on_propose(self, _sender: int, message: Propose, effects: Effects) -> None:
        """A replica passes on what clients have proposed."""
        self.take(self._admission.relayed(message), effects)

    def on_phase2a(self, sender: int, message: Phase2a, effects: Effects) -> None:
        """Decrees of a coordinator, which are its votes where it orders commands."""
        ballot = message.ballot
        if ballot.coordinator != sender:
            return
        if message.bodies is not None:
            self._admission.decreed(message.ids, message.bodies)
        self._election.saw_ballot(ballot, self._now.ms)
        if self._incarnations.bars(ballot):
            return
        nack = self._acceptor.on_phase2a(message)
        if nack is not None:
            effects.send(sender, nack)
            return
        self._coordinator.step_down(self._acceptor.promised)
        self._learner.start(ballot, message.kind)
        self._learner.on_adopted(sender, ballot, message.first + len(message.ids) - 1)
        if rules_of(message.kind).coordinator_orders:  # then it votes by decreeing
            found = self._learner.on_decrees(sender, ballot, message.first, message.ids, message.digests)
            self._learned(found, 0, effects)
        if self._acceptor.accepted == ballot:
            self._learner.commit_to(message.committed)
        self._requests.on_decrees(sender, message, effects)
        self._telling.hear(message, self._now.ms)

    def on_phase2b(self, sender: int, message: Phase2b, effects: Effects) -> None:
        """Votes and the adoption watermark of an acceptor."""
        step = message.step
        found = self._learner.on_votes(sender, message.ballot, message.ids, message.digests, step)
        self._learned(found, step, effects)
        self._learner.on_adopted(sender, message.ballot, message.adopted)
        if self._acceptor.rules.reports_tails:
            self._ordering.reports.on_phase2b(sender, message)
        if self._coordinator.leading and message.ids:
            self._requests.on_unknown(sender, self._admission.missing(message.ids))

    # What follows from them -----------------------------------------------------------------------------------------

    def take(self, fresh: list[str], effects: Effects) -> None:
        """Do with proposed commands what this replica's role says."""
        acceptor, coordinator = self._acceptor, self._coordinator
        if acceptor.has_offers:
            acceptor.adopt_offered()  # bodies that decrees were waiting for
            fresh = [command for command in fresh if not acceptor.history.holds(command)]
        if not fresh:
            return
        if coordinator.decrees_proposals:
            coordinator.decree(fresh)
        elif acceptor.votes_now and self._accepts:
            acceptor.accept(fresh)
        else:
            self._pool.add(fresh)
            leader = acceptor.accepted.coordinator
            if acceptor.current and not acceptor.rules.acceptors_vote and leader != self._node:
                effects.send(leader, Propose(fresh, self._admission.bodies(fresh)))

    def take_pool(self, effects: Effects) -> None:
        """This replica leads: what waited for a coordinator has one."""
        self.take(self._pool.take(), effects)

    def order(self) -> bool:
        """Adopt what can be, and order what has collided; says whether that takes a ballot of another kind."""
        acceptor = self._acceptor
        acceptor.adopt_offered()
        if not (acceptor.current and acceptor.rules.reports_tails):
            return False
        if self._pool and self._accepts:  # what came before this acceptor joined: every acceptor's vote counts now
            acceptor.accept(self._pool.take())
        return self._ordering.order()

    def tell(self, effects: Effects) -> None:
        """Say what this step decreed, voted for and adopted, and learn from it."""
        for learned, step in self._telling.tell(self._now.ms, effects):
            self._learned(learned, step, effects)

    def _learned(self, learned: Learned, step: int, effects: Effects) -> None:
        if learned[0]:
            told = len(effects.broadcasts), len(effects.sends)
            effects.learned.append(LearnedFast(self._learner.ballot, self._learner.kind, step, *learned, told))
            self._executor.run_learned(*learned)
