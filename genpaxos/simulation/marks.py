"""Coverage marks: rare branches, named, and counted when a run takes one (TigerBeetle's *marks*).

They are seen from outside: by what goes into a step, what comes out of it, and how the replica's state differs. A mark
that many runs never reach says that the simulator does not try what it is there to try.
"""

from collections.abc import Container, Sequence
from enum import StrEnum

from genpaxos.core.answers import FORGOTTEN
from genpaxos.core.ballot import ZERO, Ballot, Policy
from genpaxos.core.coordinator import Phase
from genpaxos.core.effects import Effects
from genpaxos.core.failures import OPERATION_FAILED
from genpaxos.core.messages import (
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
    SnapshotChunk,
)
from genpaxos.core.policies import rules_of
from genpaxos.core.records import Accepted, Entered, Learned, Promised, Record, Resolved
from genpaxos.core.replica import Replica
from genpaxos.core.sessions import ENDED


class Mark(StrEnum):
    """A branch, and what takes it."""

    # the fast and the classic path
    LEARNED_FAST = "a command is learned by the fast rule"
    RAN_AHEAD = "a command runs before its index is committed"
    WAITED = "a command learned fast waits for its predecessors"
    COMMITTED = "an index is committed"
    WATERMARK_HELD = "a watermark leaves without votes"
    GATHERED = "decrees that have gathered leave, with their bodies, for those outside the pinned quorum"
    VOTED_LATE = "an acceptor votes for what was decreed before it came"
    # collisions
    COLLISION_DECREED = "the coordinator decrees the order of a collision"
    COLLISION_STEPPED = "an acceptor resolves a collision and votes in the next step"
    COLLIDED_AGAIN = "an uncoordinated ballot ends because its acceptors do not agree"
    FELL_BACK = "an acceptor follows a coordinator that orders by itself where acceptors did"
    RETURNED = "an acceptor follows a coordinator back to a ballot in which acceptors order"
    LEARNED_DECREED = "a coordinated or uncoordinated ballot decrees what was learned"
    # ballots
    ENTERED = "an acceptor enters a ballot"
    ENTERED_IN_PIECES = "an acceptor collects what was recovered before it enters"
    RECOVERED = "a ballot starts with commands that phase 1 recovered"
    TAIL_RECOVERED = "phase 1 finds commands in tails only"
    VOTES_DROPPED = "votes queued are dropped by a promise"
    STALE_VOTE = "a vote of a ballot that is over arrives"
    LATE_PHASE1B = "a promise arrives that no phase 1 waits for"
    NACKED = "a lower ballot is refused"
    STEPPED_DOWN = "a coordinator steps down"
    DUEL = "two coordinators are in phase 1 at the same time"
    PHASE1_RETRIED = "phase 1 comes no further and starts anew"
    REPINNED = "another pinned quorum is named"
    RELED = "a coordinator starts another ballot while it leads"
    # catching up
    TAKEN_OVER = "committed decrees are taken over from a peer"
    FETCHED = "a gap in the decrees is asked for"
    BODIES_FETCHED = "the body of a command is asked for"
    RELAYED = "a command that lingers is relayed"
    SERVED = "committed decrees are served to one that lags"
    # snapshots
    SNAPSHOT_TAKEN = "a snapshot that a replica took while it went on is adopted"
    SNAPSHOT_LOST = "a snapshot in the making is lost in a crash"
    LOG_CUT = "the log is cut behind a snapshot"
    STARTED_FROM_SNAPSHOT = "a replica starts from a snapshot"
    SNAPSHOT_INSTALLED = "a replica goes on from a state that it received"
    SNAPSHOT_INSTALLED_IN_PHASE1 = "a candidate goes on from a state that it received in phase 1"
    INSTALL_SKIPPED = "a state that was received is passed over, because the log is the same"
    TRANSFER_RESUMED = "a lost chunk of a state is asked for again"
    TRANSFER_STARTED_OVER = "a state that was half received is given up for another, or none"
    # rejoining
    REJOINED = "a replica whose data was lost enters a ballot as a new incarnation"
    COORDINATOR_REJOINED = "the same, of one that had coordinated"
    OLD_MESSAGE_DROPPED = "a message of an incarnation that is over is dropped"
    OLD_REPORT_DROPPED = "phase 1 drops a report of an incarnation that is over"
    # clients
    THRIFTY = "a client sends a command to those alone that may vote for it"
    DUPLICATE_ANSWERED = "a command that ran before is answered from the session"
    CUT_ANSWERED = "a command that is cut off the log is answered from the session"
    RESULT_FORGOTTEN = "a result is asked for that its client had acknowledged"
    GAVE_UP = "a client gives up on a command"
    CAME_BACK = "a client comes back for a command it gave up on"
    RUN_SENT = "a client sends several operations in a run"
    RUN_READ_IN_PART = "a client reads a part of a run's results, and asks again"
    LEFT = "a client leaves"
    SESSION_ENDED = "a client hears that its session has ended"
    SESSIONS_ENDED = "a command ends sessions"
    FLOOR_RAISED = "a command that ends sessions forgets the names of clients born before"
    ENDED_ANSWERED = "a command is asked for whose session has ended"
    RESUMED = "a client resumes its session and asks for everything again"
    FAILED_OPERATION = "an operation answers with its declared error"
    UNDECLARED = "an operation raises what it has not declared, and is undone"
    # processes and disks
    CRASHED_IDLE = "a crash between two steps"
    CRASHED_BEFORE = "a crash before the write"
    CRASHED_INSIDE = "a crash inside the write"
    CRASHED_AFTER = "a crash after the sync, before anything is sent"
    CRASHED_SENDING = "a crash while sending"
    CRASHED_CAPTURED = "a crash with a snapshot captured, before it is written"
    CRASHED_WRITTEN = "a crash with a snapshot written, before it is adopted"
    CRASHED_ADOPTED = "a crash with a snapshot adopted, before the log is cut"
    UNWRITTEN_LOST = "a crash loses records that nothing which was sent rests on"
    TORN_CUT = "a torn write is cut off at the start"
    WRITE_SURVIVED = "a write that was not confirmed is there after the crash"
    SYNC_FAILED = "a sync fails"
    DISK_FULL = "the disk is full"
    DAMAGE_FOUND = "a damaged journal or snapshot is found at the start"
    WIPE_FOUND = "an empty journal is found at the start of a replica that had one"
    PAUSED = "a process stands still while messages pile up"
    CLOCK_JUMPED = "a clock jumps ahead"
    # the network
    LOST = "a message is lost"
    DUPLICATED = "a message arrives twice"
    CLOGGED = "messages are kept back by a clogged link"
    CUT_SURVIVED = "commands are committed while some link is cut"
    ONE_WAY_SURVIVED = "commands are committed while a link is cut in one direction only"
    PARTIAL_SURVIVED = "commands are committed during a partition in which some hear both sides"
    CORE_RECOVERED = "a majority recovers while the others stay cut off"
    LASTING_SURVIVED = "elections come to rest although links stay cut"


class Marks:
    """How often each mark was reached."""

    def __init__(self) -> None:
        self.counts: dict[Mark, int] = {}

    def hit(self, mark: Mark, times: int = 1) -> None:
        """Count."""
        self.counts[mark] = self.counts.get(mark, 0) + times

    def to_json(self) -> dict[str, int]:
        """Every mark, reached or not, in the order of the list."""
        return {mark.name.lower(): self.counts.get(mark, 0) for mark in Mark}


_SENT: dict[type, Mark] = {
    Nack: Mark.NACKED,
    Fetch: Mark.FETCHED,
    FetchBodies: Mark.BODIES_FETCHED,
    Propose: Mark.RELAYED,
    Committed: Mark.SERVED,
}


class StepMarks:
    """Looks at one replica's steps: before, and after."""

    def __init__(self, marks: Marks, replica: Replica) -> None:
        self._hit = marks.hit
        self._replica = replica
        self._kind = replica.acceptor.kind
        self._phase = replica.coordinator.phase
        self._led: Ballot = ZERO
        self._promised: Ballot = ZERO
        self._step = 0
        self._committed = 0
        self._length = 0
        self._ahead = 0
        self._outdated = 0
        self._fast_count = 0
        self._base = 0
        self._rejoining = replica.incarnations.rejoining
        self.entered_again = False
        """Set when a replica that lost its data enters a ballot as a new incarnation."""
        self._chunks = False
        self._gathering = False
        """Whether decrees gathered when the step began."""
        self._transfer: tuple[int | None, int, int] = (None, 0, 0)
        """Whose state at which index is being received, and how much has come."""
        self._received = False

    def before(self, peers: Sequence[tuple[int, PeerMessage]]) -> None:
        """Note the state a step starts from, and what comes too late for it."""
        replica = self._replica
        coordinator, acceptor = replica.coordinator, replica.acceptor
        self._phase, self._led = coordinator.phase, coordinator.ballot
        self._kind, self._step, self._promised = acceptor.kind, acceptor.step, acceptor.promised
        self._ends, self._over = self._sessions()
        self._committed, self._length = replica.history.committed, replica.history.length
        self._ahead, self._fast_count = len(replica.executor.ahead), replica.learner.fast_count
        self._base, self._received, self._chunks = replica.history.base, False, False
        self._outdated = coordinator.promises.outdated
        self._gathering = replica.telling.carrying.gathers(coordinator.ballot)
        self._transfer = (replica.assembly.sender, replica.assembly.index, replica.assembly.wanted)
        for _, message in peers:
            kind = type(message)
            if kind is Phase2b:
                if message.ballot < replica.learner.ballot:  # type: ignore[union-attr]
                    self._hit(Mark.STALE_VOTE)
            elif kind is Phase1b:
                if message.ballot != coordinator.ballot or coordinator.phase is not Phase.PHASE1:  # type: ignore[union-attr]
                    self._hit(Mark.LATE_PHASE1B)
            elif kind is SnapshotChunk:
                self._chunks = True
            elif kind is Phase1a and coordinator.phase is Phase.PHASE1:
                self._hit(Mark.DUEL)

    def after(self, effects: Effects, learned: Container[str], executed: Container[str]) -> None:
        """Compare. ``learned``: what anyone learned fast so far; ``executed``: what ran here before this step."""
        replica = self._replica
        if replica.history.committed > self._committed:
            self._hit(Mark.COMMITTED, replica.history.committed - self._committed)
        if len(replica.executor.ahead) > self._ahead:
            self._hit(Mark.RAN_AHEAD, len(replica.executor.ahead) - self._ahead)
        if replica.learner.fast_count != self._fast_count and replica.executor.waiting:
            self._hit(Mark.WAITED)
        self._states(effects)
        if replica.coordinator.phase is not self._phase or replica.coordinator.ballot != self._led:
            self._coordination()
        acceptor = replica.acceptor
        if acceptor.has_offers and acceptor.accepted != acceptor.promised:
            self._hit(Mark.ENTERED_IN_PIECES)
        for message in effects.broadcasts:
            if type(message) is not Heartbeat:
                self._broadcast(message, effects.records, learned)
        self._ended()
        self._carried()
        self._kept(effects)
        for _, message in effects.sends:
            mark = _SENT.get(type(message))
            if mark is not None:
                self._hit(mark)
        if effects.records:
            self._records(effects.records)
        for reply in [*effects.early.values(), *effects.replies.values()]:
            self._replied(reply.ids, reply.results, executed)

    def _sessions(self) -> tuple[int, int]:
        """How many ends were executed, and how many names of clients are kept that have no session any more."""
        sessions = self._replica.proposals.sessions
        return sessions.ends, len(sessions.ended)

    def _states(self, effects: Effects) -> None:
        """Reports that were dropped, and whole states that have come."""
        coordinator = self._replica.coordinator
        if coordinator.promises.outdated > self._outdated:
            self._hit(Mark.OLD_REPORT_DROPPED, coordinator.promises.outdated - self._outdated)
        for _, installed in effects.states:
            self._received = True
            self._hit(Mark.SNAPSHOT_INSTALLED if installed else Mark.INSTALL_SKIPPED)
            goes_on = coordinator.ballot == self._led and coordinator.phase is not Phase.IDLE
            if installed and self._phase is Phase.PHASE1 and goes_on:
                self._hit(Mark.SNAPSHOT_INSTALLED_IN_PHASE1)

    def _carried(self) -> None:
        coordinator = self._replica.coordinator
        if self._gathering and coordinator.leading and not self._replica.telling.carrying.gathers(coordinator.ballot):
            self._hit(Mark.GATHERED)

    def _ended(self) -> None:
        ends, over = self._sessions()
        if ends > self._ends:
            self._hit(Mark.SESSIONS_ENDED, ends - self._ends)
        if over < self._over:
            self._hit(Mark.FLOOR_RAISED)

    def _kept(self, effects: Effects) -> None:
        """Snapshots and incarnations."""
        replica = self._replica
        if replica.history.base > self._base and not effects.capture:
            self._hit(Mark.LOG_CUT)
        if not self._chunks and any(type(message) is FetchSnapshot for _, message in effects.sends):
            self._hit(Mark.TRANSFER_RESUMED)
        sender, index, wanted = self._transfer
        now = replica.assembly
        if wanted and not self._received and (now.sender, now.index) != (sender, index):
            self._hit(Mark.TRANSFER_STARTED_OVER)
        if self._rejoining and not replica.incarnations.rejoining and not replica.acceptor.records:
            self._rejoining, self.entered_again = False, True

    def _coordination(self) -> None:
        replica, before = self._replica, self._phase
        coordinator = replica.coordinator
        if coordinator.ballot != self._led:  # a new ballot of its own
            if before is Phase.PHASE1:
                self._hit(Mark.PHASE1_RETRIED)
            elif before is Phase.LEADING:
                again = self._kind.policy is Policy.UNCOORDINATED and self._step > 0
                self._hit(Mark.COLLIDED_AGAIN if again else Mark.RELED)
        elif before is Phase.LEADING and coordinator.phase is Phase.IDLE:
            self._hit(Mark.STEPPED_DOWN)
        if coordinator.phase is Phase.LEADING and before is not Phase.LEADING:
            self._started()

    def _started(self) -> None:
        replica = self._replica
        if replica.coordinator.recovered > replica.history.committed:
            self._hit(Mark.RECOVERED)
        if replica.coordinator.recovered > self._length:
            self._hit(Mark.TAIL_RECOVERED)

    def _broadcast(self, message: PeerMessage, records: Sequence[Record], learned: Container[str]) -> None:
        match message:
            case Phase2a(kind=kind, ids=ids) if rules_of(kind).reports_tails and ids:
                fresh = any(command not in learned for command in ids)
                self._hit(Mark.COLLISION_DECREED if fresh else Mark.LEARNED_DECREED)
            case Phase2b(ids=[]):
                self._hit(Mark.WATERMARK_HELD)
            case Phase2b(ids=ids):
                accepted = {command for record in records if isinstance(record, Accepted) for command in record.ids}
                if any(command not in accepted for command in ids) and rules_of(self._kind).coordinator_orders:
                    self._hit(Mark.VOTED_LATE)

    def _records(self, records: Sequence[Record]) -> None:
        voted = False
        for record in records:
            match record:
                case Accepted():
                    voted = True
                case Promised() if voted:
                    self._hit(Mark.VOTES_DROPPED)
                    voted = False
                case Entered(kind=kind):
                    self._hit(Mark.ENTERED)
                    if kind.pinned and self._kind.pinned and kind.pinned != self._kind.pinned:
                        self._hit(Mark.REPINNED)
                    before, after = rules_of(self._kind), rules_of(kind)
                    if before.reports_tails and after.acceptors_vote and after.coordinator_orders:
                        self._hit(Mark.FELL_BACK)
                    if after.reports_tails and before.acceptors_vote and before.coordinator_orders:
                        self._hit(Mark.RETURNED)
                case Learned():
                    self._hit(Mark.TAKEN_OVER)
                case Resolved():
                    self._hit(Mark.COLLISION_STEPPED)

    def _replied(self, ids: Sequence[str], results: Sequence[list[object]], executed: Container[str]) -> None:
        for command, result in zip(ids, results, strict=True):
            if result == FORGOTTEN:
                self._hit(Mark.RESULT_FORGOTTEN)
            elif result == ENDED:
                self._hit(Mark.ENDED_ANSWERED)
            elif command in executed:
                self._hit(Mark.DUPLICATE_ANSWERED)
                if command not in self._replica.proposals.known:
                    self._hit(Mark.CUT_ANSWERED)
            elif result[0] == OPERATION_FAILED:
                self._hit(Mark.UNDECLARED)
            elif result[0] is not None:
                self._hit(Mark.FAILED_OPERATION)
