"""A state from another replica: its chunks are put together, and it takes the place of what is here (protocol §8)."""

from genpaxos.core.acceptor import Acceptor
from genpaxos.core.answers import Answers
from genpaxos.core.assembly import Assembly
from genpaxos.core.ballot import Ballot
from genpaxos.core.campaign import Campaign
from genpaxos.core.commands import Proposals
from genpaxos.core.coordinator import Coordinator
from genpaxos.core.effects import Effects
from genpaxos.core.election import Election
from genpaxos.core.executor import Executor
from genpaxos.core.farewells import Farewells
from genpaxos.core.messages import SnapshotChunk
from genpaxos.core.now import Now
from genpaxos.core.requests import Requests
from genpaxos.core.snapshot import State, restore
from genpaxos.core.truncation import Truncation


class Transfer:
    """Receives states for one replica."""

    def __init__(
        self,
        acceptor: Acceptor,
        coordinator: Coordinator,
        election: Election,
        executor: Executor,
        proposals: Proposals,
        answers: Answers,
        farewells: Farewells,
        campaign: Campaign,
        requests: Requests,
        assembly: Assembly,
        truncation: Truncation,
        now: Now,
    ) -> None:
        self._acceptor = acceptor
        self._coordinator = coordinator
        self._election = election
        self._executor = executor
        self._proposals = proposals
        self._answers = answers
        self._farewells = farewells
        self._campaign = campaign
        self._requests = requests
        self._assembly = assembly
        self._truncation = truncation
        self._now = now

    def on_chunk(self, sender: int, message: SnapshotChunk, effects: Effects) -> None:
        """Take a chunk of a state that is ahead of this replica's, and install the state when it is complete."""
        assembly, requests, history = self._assembly, self._requests, self._acceptor.history
        if message.index <= history.committed:
            if sender == assembly.sender:
                assembly.drop()
            return
        before = assembly.place
        state = assembly.take(sender, message)
        if state is not None:
            self._install(state, message.ballot, effects)
            requests.fetch(sender, history.committed + 1, effects)
        elif assembly.sender is not None and before != assembly.place:
            requests.on_chunk(sender, effects)  # for a repetition, nothing

    def retry(self, now_ms: float, effects: Effects) -> None:
        """A chunk was lost, or is slow, or who sent it is gone, or no longer hears this replica."""
        sender = self._assembly.sender
        if sender is None:
            return
        if not self._election.connected_mask(now_ms) >> sender & 1:
            self._assembly.drop()
        else:
            self._requests.chunk(sender, effects)

    def _install(self, state: State, ballot: Ballot, effects: Effects) -> None:
        """V[1..state.index] is committed, and this replica lacks it or does not know."""
        acceptor, history = self._acceptor, self._acceptor.history
        acceptor.promise(ballot)
        self._election.saw_ballot(ballot, self._now.ms)
        self._coordinator.step_down(acceptor.promised)
        if history.length >= state.index and history.log_sum(state.index) == state.log_sum:
            acceptor.note_committed(state.index)
            effects.states.append((state, False))
        else:
            self._answers.reply(*effects.ran(self._executor.take_done()), effects.early)
            restore(state, self._executor, self._proposals, acceptor)
            effects.states.append((state, True))
            effects.executed.append(state)
            self._executor.agreement.borrow()
            self._farewells.forget_settled()
            self._truncation.restart(state.index)
            effects.capture = True
            self._answers.reply_settled(effects)
        self._campaign.advance(effects)
