"""One replica: which conversation handles which message, and the order of a step. Events in, effects out; see the
package's docstring for the contract."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

from commutativity import Machine
from genpaxos.core.conversations import Conversations, Parts
from genpaxos.core.coordinator import Phase
from genpaxos.core.effects import Effects, Route
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
from genpaxos.core.now import Now
from genpaxos.core.owner import Owner
from genpaxos.core.records import Record
from genpaxos.core.roles import Roles
from genpaxos.core.settings import Settings
from genpaxos.core.snapshot import Snapshot, capture

SETTLE_BYTES_MAX = 4 * 1024 * 1024
"""How much of what is committed is settled in one step: a few milliseconds' work."""
UNSETTLED_RUNS = 32
"""What is committed is settled when it fills so many runs of bodies, however few commands these are."""


class Replica:
    """An acceptor, a learner and a copy of the user's machine, and at times the coordinator.

    Rebuilt from what stable storage holds; everything not recorded starts empty.
    """

    parts: ClassVar[Parts] = Parts()

    def __init__(
        self,
        node: int,
        machine: Machine,
        settings: Settings,
        now_ms: float,
        records: Iterable[Record] = (),
        snapshot: Snapshot | None = None,
    ) -> None:
        self.node = node
        self.settings = settings
        self._now = now = Now(now_ms)
        roles = Roles(node, machine, settings, now, self.parts.coordinator, self.parts.election)
        roles.start_from(records, snapshot)
        self.rebuild_from = roles.rebuild_from
        self.proposals, self.history, self.acceptor = roles.proposals, roles.history, roles.acceptor
        self.executor, self.learner, self.coordinator = roles.executor, roles.learner, roles.coordinator
        self.election, self.incarnations = roles.election, roles.incarnations
        self.pool, self.assembly, self.answers = roles.pool, roles.assembly, roles.answers
        self.outbox = roles.outbox
        made = Conversations(node, settings, roles, self.parts, now)
        self.voting, self.campaign, self.serving, self.upkeep = made.voting, made.campaign, made.serving, made.upkeep
        self.admission, self.telling, self.gathering = made.admission, made.telling, made.gathering
        self.truncation, self.fastpath, self.reports = made.truncation, made.fastpath, made.reports
        self.disputes, self.checksums, self.farewells = made.disputes, made.checksums, made.farewells
        self.owner = Owner(
            self.executor,
            made.serving,
            made.gathering,
            made.admission,
            made.farewells,
            made.checksums,
            made.disputes,
        )
        self._handlers: dict[type[PeerMessage], Callable[[int, Any, Effects], None]] = {
            Propose: made.voting.on_propose,
            Phase2a: made.voting.on_phase2a,
            Phase2b: made.voting.on_phase2b,
            Phase1a: made.campaign.on_phase1a,
            Phase1b: made.campaign.on_phase1b,
            Nack: made.campaign.on_nack,
            Rejoin: made.campaign.on_rejoin,
            RejoinAck: self.incarnations.on_ack,
            Fetch: made.serving.on_request,
            FetchBodies: made.serving.on_request,
            FetchSnapshot: made.serving.on_request,
            Bodies: made.catchup.on_bodies,
            Committed: made.catchup.on_committed,
            SnapshotChunk: made.transfer.on_chunk,
            Heartbeat: made.upkeep.on_heartbeat,
            Results: self._on_results,
        }
        self.farewells.forget()

    def _on_results(self, sender: int, told: Results, effects: Effects) -> None:
        self.disputes.on_results(sender, told, self._now.ms, effects)

    # A step ---------------------------------------------------------------------------------------------------------

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
        self._now.ms = now_ms
        effects = Effects()
        voting, heard, handlers = self.voting, self.election.heard, self._handlers
        voting.note_load(clients, now_ms)
        for route, proposal in self.admission.released(clients, now_ms):
            # First: a vote that meets its decree in one batch is still a fast vote.
            voting.on_client(route, proposal, effects)
        for sender, message in peers:
            heard(sender, now_ms)
            handlers[type(message)](sender, message, effects)
        # What ran by now was learned from votes that others have synced, and this replica's own in an earlier step.
        self.answers.reply(*effects.ran(self.executor.take_done()), effects.early)
        if self.upkeep.on_time(now_ms, effects):
            self.campaign.begin(effects)
        elif self.coordinator.phase is Phase.PHASE1:
            self.campaign.advance(effects)  # its patience with an acceptor may have come to an end
        if now_ms >= self.checksums.due_ms and (checksum := self.checksums.proposal(now_ms, effects)):
            voting.on_propose(self.node, checksum, effects)
        if now_ms >= self.farewells.due_ms and (end := self.farewells.proposal(now_ms, effects)):
            voting.on_propose(self.node, end, effects)
        self.finish(effects)
        return effects

    def finish(self, effects: Effects) -> None:
        """The rest of a step: say what it decreed, voted for and adopted; learn from it; run and answer what became
        learned; then see to the log."""
        now_ms, history = self._now.ms, self.history
        if self.voting.order():
            self.campaign.fall_back(effects)
        self.serving.serve(self.truncation, now_ms, effects)
        self.voting.tell(effects)
        committed = history.committed
        if self.learner.advance(self.acceptor.accepted):
            self.telling.committed(committed + 1, effects)
        if history.committed > self.executor.executed:
            self.learner.forget(self.executor.run_committed())
        self.disputes.advance(now_ms, effects)
        self.answers.reply(*effects.ran(self.executor.take_done()), effects.replies)
        if self.proposals.ends and self.farewells.forget():
            self.answers.reply_settled(effects)
        self.outbox.write(history.committed, effects)
        self.truncation.cut()
        unsettled = history.committed - history.settled
        if unsettled > self.settings.settle_commands or unsettled > UNSETTLED_RUNS * history.run_commands:
            history.settle(history.committed, SETTLE_BYTES_MAX)

    # The rest of the contract ---------------------------------------------------------------------------------------

    @property
    def due_ms(self) -> float:
        """When :meth:`step` is to be called again, even if nothing arrives."""
        due_ms = min(self.upkeep.due_ms, self.telling.due_ms, self.disputes.due_ms)
        return min(due_ms, self._now.ms) if self.serving.waits else due_ms

    def begin_phase1(self, effects: Effects) -> None:
        """Start a ballot of this replica's own now (protocol §5); :meth:`finish` is to follow."""
        self.campaign.begin(effects)

    def unwritten(self) -> list[Record]:
        """Records that no step has asked to be made durable yet. To be made durable before :meth:`capture`."""
        return self.outbox.take()

    def capture(self) -> Snapshot:
        """What to start from in place of the whole journal so far; between steps, with no record unwritten.

        Raises ``TypeError`` if the machine's state is not JSON. Changes nothing: a copy of the process may do it.
        """
        assert not self.outbox.records, "records must be durable before a snapshot stands for them"
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
        return self.truncation.sends(self._now.ms)
