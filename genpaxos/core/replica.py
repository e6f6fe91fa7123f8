"""One replica: composition of the roles. Events in, effects out; see the package's docstring for the contract."""

from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import replace
from math import inf
from typing import Any

from commutativity import Machine
from genpaxos.core.answers import Answers
from genpaxos.core.ballot import Ballot
from genpaxos.core.catchup import CHUNK_BYTES_MAX
from genpaxos.core.checksums import Checksums
from genpaxos.core.coordinator import Phase
from genpaxos.core.effects import Effects, Route
from genpaxos.core.farewells import Farewells
from genpaxos.core.history import DivergenceError
from genpaxos.core.learner import Learned
from genpaxos.core.messages import (
    Bodies,
    Committed,
    Fetch,
    FetchBodies,
    FetchSnapshot,
    Heartbeat,
    Nack,
    PeerMessage,
    Phase1a,
    Phase1b,
    Phase2a,
    Phase2b,
    Propose,
    Rejoin,
    RejoinAck,
    Results,
    SnapshotChunk,
)
from genpaxos.core.ordering import Ordering
from genpaxos.core.policies import rules_of
from genpaxos.core.records import CommitIndex, Record
from genpaxos.core.roles import Roles, Settings
from genpaxos.core.snapshot import Snapshot, State, capture
from genpaxos.core.truncation import Truncation
from genpaxos.core.upkeep import Upkeep
from genpaxos.core.watermark import Watermark

UNWRITTEN_RECORDS_MAX = 256
"""Records that nothing which left the machine rests on yet; beyond it they are written all the same."""
SATURATED_MS = 50.0
"""How long a replica counts as saturated after a step with very many commands: votes for some of them only would cost
both ways of learning."""
SETTLE_BYTES_MAX = 4 * 1024 * 1024
"""How much of what is committed is settled in one step: a few milliseconds' work."""
UNSETTLED_RUNS = 32
"""What is committed is settled when it fills so many runs of bodies, however few commands these are."""


class Replica(Roles):
    """An acceptor, a learner and a copy of the user's machine, and at times the coordinator."""

    def __init__(
        self,
        node: int,
        machine: Machine,
        settings: Settings,
        now_ms: float,
        records: Iterable[Record] = (),
        snapshot: Snapshot | None = None,
    ) -> None:
        super().__init__(node, machine, settings, now_ms, records, snapshot)
        self.upkeep = Upkeep(self, now_ms)
        self.checksums = Checksums(self, now_ms)
        self.farewells = Farewells(self, now_ms)
        self.ordering = Ordering(self, self.upkeep)
        self.answers = Answers(self.executor, self.proposals)
        self._watermark = Watermark(settings.timing.watermark_ms)
        self._reports_tails = rules_of(settings.policy).reports_tails
        self._committed_written = self.history.committed
        self.truncation = Truncation(self.history, now_ms)
        self._handlers: dict[type[PeerMessage], Callable[[int, Any, Effects], None]] = {
            Propose: self._on_propose,
            Phase1a: self._on_phase1a,
            Phase1b: self._on_phase1b,
            Phase2a: self._on_phase2a,
            Phase2b: self._on_phase2b,
            Nack: self._on_nack,
            Fetch: self._on_fetch,
            FetchBodies: self._on_fetch,
            Bodies: self._on_bodies,
            Committed: self._on_committed,
            FetchSnapshot: self._on_fetch,
            SnapshotChunk: self._on_snapshot_chunk,
            Rejoin: self._on_rejoin,
            RejoinAck: lambda sender, message, _effects: self.incarnations.on_ack(sender, message),
            Heartbeat: self._on_heartbeat,
            Results: lambda sender, told, effects: self.disputes.on_results(sender, told, self._now_ms, effects),
        }
        self._now_ms = now_ms
        self._saturated_ms = -inf
        """Until when this replica counts as saturated."""

    def step(
        self,
        now_ms: float,
        peers: Iterable[tuple[int, PeerMessage]] = (),
        clients: Sequence[tuple[Route, Propose]] = (),
    ) -> Effects:
        """Handle what arrived, in one batch, at time ``now_ms`` (any monotonic clock).

        Raises :class:`DivergenceError` or :class:`~genpaxos.core.executor.MachineFaultError`: the replica must then be
        stopped, and none of this step's effects may leave.
        """
        self._now_ms = self.upkeep.now_ms = now_ms
        if sum(len(proposal.ids) for _, proposal in clients) >= self.settings.saturated_commands:
            self._saturated_ms = now_ms + SATURATED_MS
        self.acceptor.abstains = now_ms < self._saturated_ms
        effects = Effects()
        clients = self.intake.released(clients, now_ms)
        for route, proposal in clients:  # first: a vote that meets its decree in one batch is still a fast vote
            self._on_client(route, self.door.admit(proposal, now_ms), effects)
        for sender, message in peers:
            self.election.heard(sender, now_ms)
            self._handlers[type(message)](sender, message, effects)
        # What ran by now was learned from votes that others have synced, and this replica's own in an earlier step.
        self.answers.reply(*self.executor.take_done(), effects.early)
        if self.upkeep.on_time(now_ms, effects):
            self.begin_phase1(effects)
        elif self.coordinator.phase is Phase.PHASE1:
            self._advance_phase1(effects)  # its patience with an acceptor may have come to an end
        if now_ms >= self.checksums.due_ms and (checksum := self.checksums.proposal(now_ms, effects)):
            self._on_propose(self.node, checksum, effects)
        if now_ms >= self.farewells.due_ms and (end := self.farewells.proposal(now_ms, effects)):
            self._on_propose(self.node, end, effects)
        self._flush(effects)
        return effects

    @property
    def due_ms(self) -> float:
        """When :meth:`step` is to be called again, even if nothing arrives."""
        due_ms = min(self.upkeep.due_ms, self._watermark.due_ms, self.disputes.due_ms)
        return min(due_ms, self._now_ms) if self.catchup.waits else due_ms

    # Snapshots ------------------------------------------------------------------------------------------------------

    def unwritten(self) -> list[Record]:
        """Records that no step has asked to be made durable yet. To be made durable before :meth:`capture`."""
        records, self.acceptor.records = self.acceptor.records, []
        return records

    def capture(self) -> Snapshot:
        """What to start from in place of the whole journal so far; between steps, with no record unwritten.

        Raises ``TypeError`` if the machine's state is not JSON. Changes nothing: a copy of the process may do it.
        """
        assert not self.acceptor.records, "records must be durable before a snapshot stands for them"
        return Snapshot(
            capture(self.executor, self.history),
            [*self.incarnations.records(), *self.acceptor.records_behind(self.history.committed)],
        )

    def snapshot_stored(self, index: int) -> None:
        """A snapshot at ``index`` is durable: the log can be cut."""
        self.truncation.store(index)
        self.executor.undo.stored(index)

    @property
    def sends_snapshot(self) -> bool:
        """Whether another replica is being sent the stored snapshot: it should not be replaced now."""
        return self.truncation.sends(self._now_ms)

    def begin_phase1(self, effects: Effects) -> None:
        """Start a ballot of this replica's own (protocol §5)."""
        ballot = self.election.next_ballot(self.acceptor.promised)
        self.election.saw_ballot(ballot, self._now_ms)
        self.upkeep.campaigned(self._now_ms)
        self.coordinator.policy = self.upkeep.fallback.policy(self._now_ms)
        effects.broadcast(self.coordinator.campaign(ballot))
        self._advance_phase1(effects)

    def _advance_phase1(self, effects: Effects) -> None:
        """Go on to phase 2 if phase 1 has all it needs."""
        if not self.coordinator.try_start(self.upkeep.awaited(self._now_ms), self.election.lagging_mask(self._now_ms)):
            return
        self.learner.start(self.coordinator.ballot, self.coordinator.kind)
        for acceptor, first in self.coordinator.openings().items():
            self.catchup.open(acceptor, first)
        for learner in range(self.settings.replicas):
            if learner != self.node and not self.settings.accepts(learner):
                self.catchup.open(learner, self.history.committed + 1)
        self.catchup.serve(self.truncation, self._now_ms, effects)  # before what waits here is decreed
        waiting = self.waiting_in_pool()
        self.pool.clear()
        self._take(waiting, effects)

    # Events ---------------------------------------------------------------------------------------------------------

    def _on_client(self, route: Route, message: Propose, effects: Effects) -> None:
        message = self.intake.taken(route, self.limits.admits(message), self._now_ms)
        fresh, refused = self.proposals.add(message.ids, message.bodies, message.origin)
        self.executor.admitted(fresh)
        for command, why in refused:
            effects.refuse(route, command, why)
        self.homes.ask(message.asked, self._now_ms)
        if message.asked >> self.node & 1:
            self.answers.promise(route, message.ids, fresh, effects)
        if len(fresh) < len(message.ids):
            fresh = self._unplaced(message.ids)
        self._take(fresh, effects)

    def _on_propose(self, _sender: int, message: Propose, effects: Effects) -> None:
        message = self.limits.admits(message)
        self._admit(message.ids, message.bodies)
        self._take(self._unplaced(message.ids), effects)

    def _on_phase1a(self, sender: int, message: Phase1a, effects: Effects) -> None:
        if message.ballot.coordinator == sender:
            self.election.saw_ballot(message.ballot, self._now_ms)
            if not self.settings.accepts(self.node) or self.incarnations.rejoining:
                return
            answer = self.acceptor.on_phase1a(message)
            if isinstance(answer, Phase1b) and any(self.incarnations.known):
                answer = replace(answer, incarnations=list(self.incarnations.known))
            effects.send(sender, answer)
            self.coordinator.step_down(self.acceptor.promised)

    def _on_phase1b(self, sender: int, message: Phase1b, effects: Effects) -> None:
        self.coordinator.on_phase1b(sender, message)
        if self.coordinator.phase is Phase.PHASE1:
            self.upkeep.complete_reports(effects)
            self._advance_phase1(effects)

    def _on_phase2a(self, sender: int, message: Phase2a, effects: Effects) -> None:
        ballot = message.ballot
        if ballot.coordinator != sender:
            return
        if message.bodies is not None:
            self._admit(message.ids, message.bodies)
        self.election.saw_ballot(ballot, self._now_ms)
        if self.incarnations.bars(ballot):
            return
        nack = self.acceptor.on_phase2a(message)
        if nack is not None:
            effects.send(sender, nack)
            return
        self.coordinator.step_down(self.acceptor.promised)
        self.learner.start(ballot, message.kind)
        self.learner.on_adopted(sender, ballot, message.first + len(message.ids) - 1)
        if rules_of(message.kind).coordinator_orders:  # then it votes by decreeing
            self._learned(self.learner.on_decrees(sender, ballot, message.first, message.ids, message.digests))
        if self.acceptor.accepted == ballot:
            self.learner.commit(min(message.committed, self.history.length))
        self.upkeep.on_decrees(sender, message, effects)

    def _on_phase2b(self, sender: int, message: Phase2b, _effects: Effects) -> None:
        self._learned(self.learner.on_votes(sender, message.ballot, message.ids, message.digests, message.step))
        self.learner.on_adopted(sender, message.ballot, message.adopted)
        if self.acceptor.rules.reports_tails:
            self.reports.on_phase2b(sender, message)
        if self.coordinator.leading and message.ids:
            self.upkeep.on_unknown(sender, self.proposals.missing(message.ids))

    def _on_nack(self, _sender: int, message: Nack, _effects: Effects) -> None:
        self.election.saw_ballot(message.promised, self._now_ms)
        if message.ballot == self.coordinator.ballot and message.promised > self.coordinator.ballot:
            self.acceptor.promise(message.promised)  # nor does the acceptor beside it go on in a ballot that is over
            self.coordinator.step_down(message.promised)

    def _on_fetch(self, sender: int, message: Fetch | FetchBodies | FetchSnapshot, _effects: Effects) -> None:
        self.catchup.ask(sender, message)

    def _on_snapshot_chunk(self, sender: int, message: SnapshotChunk, effects: Effects) -> None:
        """Take a chunk of a state that is ahead of this replica's, and install the state when it is complete."""
        assembly = self.assembly
        if message.index <= self.history.committed:
            if sender == assembly.sender:
                assembly.drop()
            return
        before = (assembly.sender, assembly.index, assembly.wanted)
        state = assembly.take(sender, message)
        if state is not None:
            self._install(state, message.ballot, effects)
            self.upkeep.fetch(sender, self.history.committed + 1, effects)
        elif assembly.sender is not None and before != (assembly.sender, assembly.index, assembly.wanted):
            self.upkeep.on_chunk(sender, effects)  # for a repetition, nothing

    def _install(self, state: State, ballot: Ballot, effects: Effects) -> None:
        """V[1..state.index] is committed, and this replica lacks it or does not know (protocol §8)."""
        history = self.history
        self.acceptor.promise(ballot)
        self.election.saw_ballot(ballot, self._now_ms)
        self.coordinator.step_down(self.acceptor.promised)
        if history.length >= state.index and history.log_sum(state.index) == state.log_sum:
            self.acceptor.note_committed(state.index)
        else:
            self.restore(state)
            self.executor.agreement.borrow()
            self.forget_settled()
            self.truncation.restart(state.index)
            effects.capture = True
            self.answers.reply_settled(effects)
        if self.coordinator.phase is Phase.PHASE1:
            self._advance_phase1(effects)

    def _on_rejoin(self, sender: int, message: Rejoin, effects: Effects) -> None:
        answer = self.incarnations.on_rejoin(sender, message)
        if answer is not None:
            effects.send(sender, answer)
        self.election.saw_ballot(message.floor, self._now_ms)
        if self.coordinator.leading and self.coordinator.ballot <= message.floor:
            self.begin_phase1(effects)  # the replica that rejoins needs a ballot above its floor

    def _on_bodies(self, sender: int, message: Bodies, effects: Effects) -> None:
        self._admit(message.ids, message.bodies, {*self.acceptor.missing_bodies(), *self.coordinator.missing_decrees()})
        self._take(self._unplaced(message.ids), effects)
        if self.coordinator.phase is Phase.PHASE1:
            self._advance_phase1(effects)
        self.upkeep.on_bodies(sender, effects)  # a chunk arrived: the next one need not wait for the clock

    def _on_committed(self, sender: int, message: Committed, effects: Effects) -> None:
        news_from = max(0, self.history.committed + 1 - message.first)
        self._admit(message.ids, message.bodies, set(message.ids[news_from:]))
        news = self.acceptor.on_committed(message)
        self.election.saw_ballot(message.ballot, self._now_ms)
        self.coordinator.step_down(self.acceptor.promised)
        if news and sender != self.settings.distinguished:
            self.upkeep.on_committed(sender, message.first, effects)
        if self.coordinator.phase is Phase.PHASE1:
            self._advance_phase1(effects)

    def _on_heartbeat(self, sender: int, beat: Heartbeat, _effects: Effects) -> None:
        self.election.on_heartbeat(sender, beat, self._now_ms)
        self.disputes.on_beat(sender, beat, self._now_ms)
        if beat.accepted != beat.promised:
            return
        # A replica that takes part in its highest ballot holds a prefix of that ballot's V, and so is what it knows to
        # be committed. One that has promised a higher ballot may have taken over decrees of others since.
        self.learner.on_adopted(sender, beat.accepted, beat.adopted)
        if beat.accepted == self.acceptor.accepted:
            self.learner.commit(min(beat.committed, self.history.length))

    # What follows from them -----------------------------------------------------------------------------------------

    def _admit(self, ids: Sequence[str], bodies: Sequence[list[Any]], decreed: Container[str] = ()) -> None:
        """Take in commands that another replica has admitted."""
        fresh, refused = self.proposals.add(ids, bodies, decreed=decreed)
        self.executor.admitted(fresh)
        if refused:
            raise DivergenceError(f"a replica sent a command that this one's machine refuses: {refused[0]}")

    def _unplaced(self, ids: Sequence[str]) -> list[str]:
        """Known commands that are neither in the history nor in the pool, each once.

        Not only new ones: a decree of a ballot that lost leaves the commands it brought behind.
        """
        known, holds, pool = self.proposals.known, self.history.holds, self.pool
        listed = dict.fromkeys(ids)
        return [command for command in listed if command in known and not holds(command) and command not in pool]

    def _take(self, fresh: list[str], effects: Effects) -> None:
        """Do with proposed commands what this replica's role says."""
        if self.acceptor.has_offers:
            self.acceptor.adopt_offered()  # bodies that decrees were waiting for
            fresh = [command for command in fresh if not self.history.holds(command)]
        if not fresh:
            return
        if self.coordinator.decrees_proposals:
            self.coordinator.decree(fresh)
        elif self.acceptor.votes_now and self.settings.accepts(self.node):
            self.acceptor.accept(fresh)
        else:
            self.pool.update(dict.fromkeys(fresh))
            coordinator = self.acceptor.accepted.coordinator
            if self.acceptor.current and not self.acceptor.rules.acceptors_vote and coordinator != self.node:
                effects.send(coordinator, Propose(fresh, self.proposals.bodies(fresh)))

    def _learned(self, learned: Learned) -> None:
        if learned[0]:
            self.executor.run_learned(*learned)

    def _flush(self, effects: Effects) -> None:
        """Say what this step decreed, voted for and adopted; learn from it; run and answer what became learned."""
        self.acceptor.adopt_offered()
        if self.acceptor.current and self.acceptor.rules.reports_tails:
            self._accept_pool()
            if self.ordering.order():
                self.upkeep.fallback.fall(self._now_ms)
                self.begin_phase1(effects)
        self.catchup.serve(self.truncation, self._now_ms, effects)
        self._send_decrees(effects)
        self._send_votes(effects)
        history, committed = self.history, self.history.committed
        if self.learner.advance(self.acceptor.accepted) and self.node == self.settings.distinguished:
            self._tell_committed(committed + 1, effects)
        if history.committed > self.executor.executed:
            self.learner.forget(self.executor.run_committed())
        self.disputes.advance(self._now_ms, effects)
        self.answers.reply(*self.executor.take_done(), effects.replies)
        if self.proposals.ends and self.forget_over():
            self.answers.reply_settled(effects)
        if effects.leaves or effects.capture or len(self.acceptor.records) > UNWRITTEN_RECORDS_MAX:
            self._write(effects)
        self.truncation.cut()
        unsettled = history.committed - history.settled
        if unsettled > self.settings.settle_commands or unsettled > UNSETTLED_RUNS * history.run_commands:
            history.settle(history.committed, SETTLE_BYTES_MAX)

    def _tell_committed(self, first: int, effects: Effects) -> None:
        """As the distinguished learner, tell the others; who lacks more asks for it."""
        if not self.acceptor.rules.acceptors_vote:
            ids, digests = self.history.decrees(first, self.history.committed)
            bodies = self.history.bodies(first, self.history.committed, CHUNK_BYTES_MAX)
            count = self.catchup.chunk(ids[: len(bodies)], bodies)
            effects.broadcast(Committed(self.acceptor.promised, first, ids[:count], digests[:count], bodies[:count]))

    def _write(self, effects: Effects) -> None:
        """All records so far must be durable before what leaves now; a step that sends nothing needs no sync.

        What is captured stands for the records too. Those that followed the new state must not be written without it:
        replayed on the old one, decrees would come to stand at indices that are not theirs.
        """
        effects.records, self.acceptor.records = self.acceptor.records, []
        if effects.capture:
            effects.records, self._committed_written = [], self.history.committed
        elif effects.records and self.history.committed > self._committed_written:
            self._committed_written = self.history.committed
            effects.records.append(CommitIndex(self._committed_written))

    def _accept_pool(self) -> None:
        """What came before the acceptor joined the ballot: every acceptor's vote counts now."""
        if self.pool and self.settings.accepts(self.node):
            waiting = self.waiting_in_pool()
            self.pool.clear()
            self.acceptor.accept(waiting)

    def _send_decrees(self, effects: Effects) -> None:
        for decrees in self.coordinator.take_unsent(CHUNK_BYTES_MAX):
            effects.broadcast(decrees)
            self.learner.on_adopted(self.node, decrees.ballot, self.history.length)
            if self.coordinator.decrees_proposals:
                ids, digests = decrees.ids, decrees.digests
                self._learned(self.learner.on_decrees(self.node, decrees.ballot, decrees.first, ids, digests))

    def _send_votes(self, effects: Effects) -> None:
        acceptor = self.acceptor
        ids, digests, start = acceptor.take_votes()
        ballot, adopted = acceptor.accepted, self.history.length
        if not acceptor.current or not self.settings.accepts(self.node):
            self._watermark.sent(ballot, adopted)  # a ballot that is over: there is nothing to tell
            return
        self.learner.on_adopted(self.node, ballot, adopted)
        urgent = bool(self.learner.conflicts) or acceptor.unvoted or not self.upkeep.fast_quorum_heard
        if self._reports_tails and self._watermark.ballot != ballot:
            urgent = True  # what a new ballot recovered, perhaps from a collision, waits for no votes
        due = not self.coordinator.leading and self._watermark.due(ballot, adopted, urgent, self._now_ms)
        if not ids and not due:  # a coordinator's decrees say what it has adopted
            return
        distinguished = self.settings.distinguished
        votes = Phase2b(ballot, ids, digests, adopted, start, acceptor.step)
        lazy = not due and self.settings.timing.watermark_ms  # else every learner is to hear of everything at once
        if lazy and (spared := self.homes.spared(acceptor.kind, self._now_ms)):
            others = [peer for peer in range(self.settings.replicas) if peer not in (self.node, *spared)]
            effects.sends += [(learner, votes) for learner in others]
        else:
            self._watermark.sent(ballot, adopted)
            acceptor.unvoted = False
            if distinguished is None or acceptor.rules.acceptors_vote:
                effects.broadcast(votes)
            elif distinguished != self.node:
                effects.send(distinguished, votes)
        self._learned(self.learner.on_votes(self.node, ballot, ids, digests, acceptor.step))
