"""What one replica said, and what its disk holds: nothing may leave that does not rest on a synced record.

A shadow of the acceptor, kept by the simulator from the records alone. Sources: protocol §3 (a vote or a promise leaves
the machine only after the write is synced); bug patterns 3 and 1.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from genpaxos.core.ballot import CLASSIC, ZERO, Ballot, BallotKind
from genpaxos.core.commands import split_id
from genpaxos.core.messages import (
    Committed,
    Heartbeat,
    Nack,
    PeerMessage,
    Phase1a,
    Phase1b,
    Phase2a,
    Phase2b,
    Rejoin,
    RejoinAck,
    SnapshotChunk,
)
from genpaxos.core.policies import rules_of
from genpaxos.core.records import Accepted, Adopted, Entered, Learned, Promised, Readmitted, Record, Rejoining
from genpaxos.core.replica import Replica
from genpaxos.core.snapshot import Snapshot, State
from genpaxos.simulation.disk import Found
from genpaxos.simulation.violations import Invariant, ViolationError


class Durability:
    """What one incarnation of a replica has on its disk and has said, over all its lives."""

    def __init__(self, node: int, indices: Mapping[str, int] | None = None) -> None:
        self._node = node
        self._indices = {} if indices is None else indices
        """Where committed commands stand: what lies behind a cut is not forgotten."""
        self._known: dict[int, int] = {}
        """The incarnation of each replica that is written down."""
        self._said_known: dict[int, int] = {}
        self._promised: Ballot = ZERO
        self._accepted: Ballot = ZERO
        self._held: set[str] = set()
        self._kind: BallotKind = CLASSIC
        self._cast: set[str] = set()
        """What it took since it entered the ballot it accepted."""
        self._length = 0
        self._reached = 0
        """How far it had adopted the decrees of that ballot at any point of the last step that was synced. A message is
        made in the middle of a step. In the rest of it the log may become shorter, by what others committed in a higher
        ballot: what the message says was true of its ballot, and stays so."""
        self._said_promised: Ballot = ZERO
        self._said_ballot: Ballot = ZERO
        """The highest ballot it voted in."""
        self._said_votes: set[str] = set()
        self._said_adopted = 0
        """In that ballot."""
        self._snapshot_index = 0
        self._taken_over = 0
        """Up to here a state that was stored in place of all records of the last step holds what is committed."""
        self._checks: dict[type, Callable[[Any], None]] = {
            Heartbeat: self._heartbeat,
            Phase2b: self._phase2b,
            Phase2a: self._phase2a,
            Phase1b: self._phase1b,
            Phase1a: self._phase1a,
            Nack: self._nack,
            Committed: self._committed,
            SnapshotChunk: self._committed,
            Rejoin: self._rejoin,
            RejoinAck: self._rejoin_ack,
        }

    @property
    def incarnation(self) -> int:
        """Its own, as its disk has it."""
        return self._known.get(self._node, 0)

    def started(self, replica: Replica, found: Found) -> None:
        """The replica was rebuilt from this: it must still stand by all it said."""
        self._promised, self._accepted, self._held, self._known = ZERO, ZERO, set(), {}
        self._kind, self._cast = CLASSIC, set()
        self._length = 0 if found.state is None else found.state.index
        self._replay(found.all_records())
        self._reached = self._length
        self._take_over_unnoticed(found)
        for node, incarnation in self._said_known.items():
            if replica.incarnations.known[node] < incarnation:
                self._forgot(f"knows no incarnation {incarnation} of replica {node}, which it had acknowledged")
        acceptor, history = replica.acceptor, replica.history
        if acceptor.promised < self._said_promised:
            self._forgot(f"has promised {acceptor.promised}; it had said {self._said_promised}")
        if acceptor.accepted < self._said_ballot:
            self._forgot(f"has voted in {acceptor.accepted}; it had said {self._said_ballot}")
        if acceptor.accepted == self._said_ballot:
            cut = history.base
            lost = sorted(
                command
                for command in self._said_votes
                if not (history.holds(command) or 0 < self._indices.get(command, 0) <= cut or _over(replica, command))
            )
            if lost:
                self._forgot(f"holds no {lost[0]}, which it voted for in {self._said_ballot}")
            if history.length < self._said_adopted:
                self._forgot(
                    f"has adopted {history.length} decrees of {self._said_ballot}; it had said {self._said_adopted}"
                )

    def wrote(self, records: Iterable[Record]) -> None:
        """These records are synced."""
        self._taken_over = 0
        self._reached = self._length
        self._replay(records)
        for record in records:
            if type(record) is Learned:  # what others committed may take the place of what was adopted
                self._said_adopted = min(self._said_adopted, self._length)

    def stored(self, index: int) -> None:
        """A snapshot at this index is pointed to."""
        self._snapshot_index = index

    def _take_over_unnoticed(self, found: Found) -> None:
        """A crash fell into a step that took over what others committed, or behind it: that step is on the disk."""
        lengths = [r.first - 1 + len(r.ids) for r in found.records if type(r) is Learned]
        if found.unconfirmed and lengths:
            self._said_adopted = min(self._said_adopted, lengths[-1])
        if found.state is not None and found.state.index != self._snapshot_index:
            self._snapshot_index = found.state.index
            self._said_adopted = min(self._said_adopted, self._length)

    def replaced(self, snapshot: Snapshot, state: State) -> None:
        """A state that was received is stored, with all that the acceptor holds beyond it."""
        self._taken_over = state.index
        self._reached, self._length = max(self._length, state.index), state.index
        self._replay(snapshot.records)
        for record in snapshot.records:
            if type(record) is Entered:  # beside the state, this stands for the decrees adopted since, too
                self._cast.update(record.ids)
        self._said_adopted = min(self._said_adopted, self._length)  # what others committed took its place

    def _replay(self, records: Iterable[Record]) -> None:
        for record in records:
            match record:
                case Promised(ballot):
                    self._promised = max(self._promised, ballot)
                case Accepted(ids):
                    self._held.update(ids)
                    self._cast.update(ids)
                case Adopted(ids):
                    self._held.update(ids)
                    self._cast.update(ids)
                    self._length += len(ids)
                    self._reached = max(self._reached, self._length)
                case Entered(ballot, kind, first, ids):
                    self._promised = max(self._promised, ballot)
                    self._accepted, self._kind, self._cast = ballot, kind, set()
                    self._held.update(ids)
                    self._length = self._reached = first - 1 + len(ids)
                case Learned(first, ids):
                    self._held.update(ids)
                    self._length = first - 1 + len(ids)
                    self._reached = max(self._reached, self._length)
                case Readmitted(node, incarnation):
                    self._known[node] = max(incarnation, self._known.get(node, 0))
                case Rejoining(incarnation):
                    self._known[self._node] = incarnation

    def left(self, message: PeerMessage) -> None:
        """A message leaves now."""
        check = self._checks.get(type(message))
        if check is not None:
            check(message)

    # Messages -------------------------------------------------------------------------------------------------------

    def _heartbeat(self, beat: Heartbeat) -> None:
        self._promised_on_disk(beat.promised, "tells in a heartbeat that it promised")
        self._adopted_on_disk(beat.accepted, beat.adopted, "tells in a heartbeat")

    def _phase1a(self, message: Phase1a) -> None:
        self._promised_on_disk(message.ballot, "starts phase 1 of")

    def _phase1b(self, message: Phase1b) -> None:
        self._promised_on_disk(message.ballot, "promises")
        if message.accepted > self._accepted:  # it may have entered a higher one since, in the same batch
            self._unsynced(f"reports votes of {message.accepted}; synced is that it voted in {self._accepted}")
        self._votes_on_disk([*message.ids, *message.tail])
        for node, incarnation in enumerate(message.incarnations):
            self._incarnation_on_disk(node, incarnation)

    def _phase2a(self, message: Phase2a) -> None:
        self._promised_on_disk(message.ballot, "decrees in")
        self._adopted_on_disk(message.ballot, message.first + len(message.ids) - 1, "decrees")
        self._says(message.ballot, message.ids, message.first + len(message.ids) - 1)

    def _phase2b(self, message: Phase2b) -> None:
        self._votes_on_disk(message.ids)
        # Where acceptors order, a tail is voted for anew.
        if message.ballot == self._accepted and not rules_of(self._kind).reports_tails:
            earlier = [i for i in message.ids if i not in self._cast and not self._in_stored_state(i)]
            if earlier:
                self._unsynced(
                    f"tells a vote of {message.ballot} for {earlier[0]}, which it took before it entered that"
                )
        self._adopted_on_disk(message.ballot, message.adopted, "answers")
        self._says(message.ballot, message.ids, message.adopted)

    def _nack(self, message: Nack) -> None:
        self._promised_on_disk(message.promised, "refuses a ballot for the sake of")

    def _committed(self, message: Committed | SnapshotChunk) -> None:
        self._promised_on_disk(message.ballot, "serves committed decrees under")

    def _rejoin(self, message: Rejoin) -> None:
        self._incarnation_on_disk(self._node, message.incarnation)

    def _rejoin_ack(self, message: RejoinAck) -> None:
        self._promised_on_disk(message.promised, "acknowledges another incarnation under")
        for node, incarnation in enumerate(message.incarnations):
            self._incarnation_on_disk(node, incarnation)

    def _incarnation_on_disk(self, node: int, incarnation: int) -> None:
        if incarnation > self._known.get(node, 0):
            self._unsynced(f"tells of incarnation {incarnation} of replica {node}, which is not synced")
        self._said_known[node] = max(incarnation, self._said_known.get(node, 0))

    # What they rest on ----------------------------------------------------------------------------------------------

    def _promised_on_disk(self, ballot: Ballot, deed: str) -> None:
        if ballot > self._promised:
            self._unsynced(f"{deed} {ballot}; synced is {self._promised}")
        if ballot > self._said_promised:
            self._said_promised = ballot

    def _votes_on_disk(self, ids: Iterable[str]) -> None:
        for command in ids:
            if command not in self._held and not self._in_stored_state(command):
                self._unsynced(f"tells a vote for {command}, which is not synced")

    def _in_stored_state(self, command: str) -> bool:
        """Whether it is committed within the state that the last step stored in place of all records: a step that takes
        over a state may go on with decrees it holds, vote for them, and commit them before it stores its own state."""
        return 0 < self._indices.get(command, 0) <= self._taken_over

    def _adopted_on_disk(self, ballot: Ballot, adopted: int, deed: str) -> None:
        """A lower ballot passes: a message is made in the middle of a step, which may enter a higher one."""
        if ballot > self._accepted or (ballot == self._accepted and adopted > self._reached):
            self._unsynced(f"{deed} {adopted} decrees of {ballot}; synced are {self._length} of {self._accepted}")

    def _says(self, ballot: Ballot, ids: Iterable[str], adopted: int) -> None:
        if ballot > self._said_ballot:
            self._said_ballot, self._said_votes, self._said_adopted = ballot, set(), 0
        if ballot == self._said_ballot:
            self._said_votes.update(ids)
            self._said_adopted = max(self._said_adopted, min(adopted, self._length))

    def _unsynced(self, what: str) -> None:
        raise ViolationError(Invariant.DURABLE, f"replica {self._node} {what}")

    def _forgot(self, what: str) -> None:
        raise ViolationError(Invariant.BALLOTS, f"replica {self._node} restarted and {what}")


def _over(replica: Replica, command: str) -> bool:
    """Whether the session of the command's client has ended, or does in V: a vote for it may be dropped then."""
    client, _ = split_id(command)
    return replica.proposals.sessions.over(client) or replica.history.closing.suspects((client,))
