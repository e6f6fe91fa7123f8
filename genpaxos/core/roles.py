"""The roles of one replica, made together: they share its history and its proposals."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import chain

from commutativity import InterferenceIndex, Machine
from genpaxos.core.acceptor import Acceptor
from genpaxos.core.ballot import FastQuorums, Policy
from genpaxos.core.catchup import Catchup
from genpaxos.core.collision import Reports
from genpaxos.core.commands import Proposals
from genpaxos.core.coordinator import Coordinator
from genpaxos.core.disputes import Disputes
from genpaxos.core.door import Door
from genpaxos.core.election import Election, Timing
from genpaxos.core.executor import Executor
from genpaxos.core.history import History
from genpaxos.core.homes import Homes
from genpaxos.core.incarnations import Incarnations
from genpaxos.core.intake import Intake
from genpaxos.core.learner import Learner
from genpaxos.core.limits import Limits
from genpaxos.core.quorum import QuorumSystem
from genpaxos.core.records import Readmitted, Record, Rejoining
from genpaxos.core.sessions import Sessions
from genpaxos.core.snapshot import Assembly, Snapshot, State, base_of, parse, sums_of_log
from genpaxos.core.undo import Base


@dataclass(frozen=True, slots=True)
class Settings:
    """What all replicas of a cluster agree on."""

    replicas: int
    policy: Policy = Policy.LEADER_ORDERED
    fast: FastQuorums = FastQuorums.PINNED
    timing: Timing = field(default_factory=Timing)
    preference: tuple[int, ...] = ()
    """Replicas in the order in which they should coordinate; by number if empty."""
    pinned: tuple[int, ...] = ()
    """The fast quorum to pin whenever its members answer and the coordinator is one of them: a majority; if it is
    empty, or one of them is gone, those who answer soonest."""
    acceptors: tuple[int, ...] = ()
    """The replicas that are acceptors, all if empty; the others are learners, and may coordinate."""
    settle_commands: int = 512
    """How many commands behind the commit index may be looked up by id before they are settled, all at once."""
    checksum_ms: float = 0
    """How often the coordinator proposes a checksum, if something was written since the last; 0: never."""
    session_ms: float = 3_600_000.0
    """A session ends when neither a command of it nor its client was heard for so long; 0: never by itself."""
    farewell_ms: float = 10_000.0
    """How long farewells of clients are gathered before their sessions end together."""
    saturated_commands: int = 384
    """Clients that bring so many in one step saturate the replica: for a while its acceptor abstains."""
    distinguished: int | None = None
    """In classic ballots: the learner that acceptors tell what they adopted, and that tells the others what is chosen.
    If it is ``None``, acceptors tell every learner."""

    interruptible: bool = True
    """Whether a ``KeyboardInterrupt`` in an operation is somebody's Ctrl-C. Where signals are handled otherwise, it is
    the program's own, an exception like others."""

    def accepts(self, node: int) -> bool:
        """Whether a replica is an acceptor: it answers phase 1a and votes, and quorums are made of such."""
        return not self.acceptors or node in self.acceptors


class Roles:
    """Rebuilt from what stable storage holds; everything not recorded starts empty."""

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
        self._ends_seen = 0
        """How many commands that end sessions had been executed when their clients' commands were last forgotten."""
        quorums = QuorumSystem.majority(settings.replicas, settings.acceptors)
        self.proposals = Proposals(type(machine), Sessions())
        sessions, ends = self.proposals.sessions, self.proposals.ends
        self.history = History(InterferenceIndex(type(machine).table), self.proposals.known, ends, sessions.open)
        self.acceptor = Acceptor(node, self.history, self.proposals)
        self.executor = Executor(machine, self.history, self.proposals.known, self.proposals.sessions)
        self.history.has_run = lambda command: command in self.executor.ahead
        self.executor.undo.interruptible = settings.interruptible
        if snapshot is not None:
            data = snapshot.state
            self.restore(parse(data), stored=True)
            self.rebuild_from(lambda: data)  # until the owner says how to read it again
        self.incarnations = Incarnations(node, quorums, self.acceptor)
        for record in chain(() if snapshot is None else snapshot.records, records):
            if isinstance(record, (Readmitted, Rejoining)):
                self.incarnations.replay(record)
            else:
                self.acceptor.replay(record)
        self.learner = Learner(self.history, quorums, self.proposals.settled)
        self.learner.start(self.acceptor.accepted, self.acceptor.kind)
        self.executor.run_committed()
        self.executor.take_done()
        self.coordinator = Coordinator(
            self.acceptor,
            self.proposals,
            self.incarnations,
            quorums,
            settings.policy,
            settings.fast,
            settings.pinned,
        )
        preference = settings.preference or tuple(range(settings.replicas))
        self.election = Election(node, quorums, settings.timing, preference, now_ms)
        self.election.saw_ballot(self.acceptor.promised, now_ms)
        self.reports = Reports(self.proposals.known, type(machine).table)
        self.limits = Limits(self.proposals, self.history, settings.replicas)
        self.catchup = Catchup(self.acceptor, self.coordinator, self.proposals, settings.timing.retry_ms / 2)
        self.assembly = Assembly()
        self.homes = Homes(settings.replicas, now_ms)
        self.disputes = Disputes(node, settings.replicas, self.executor.agreement, self.history, settings.timing)
        self.door = Door(self.executor, self.proposals)
        self.pool: dict[str, None] = {}
        """Commands proposed to this replica that it has no vote on: kept for their bodies, relayed if they linger."""

        self.intake = Intake(self.executor.sizes, self.proposals)
        self.forget_over()

    def waiting_in_pool(self) -> list[str]:
        """Commands of the pool that are still to be placed: neither in the history nor, by now, behind a cut."""
        known, holds = self.proposals.known, self.history.holds
        return [command for command in self.pool if command in known and not holds(command)]

    def forget_over(self) -> bool:
        """After commands that end sessions: forget the commands of clients that have none any more, here where no
        history holds them. Says whether there was anything to do.

        When the end itself has been executed at its place in V nothing of such a client is left in the tail either, so
        the history need not be watched any longer.
        """
        proposals, executor, positions = self.proposals, self.executor, self.history.positions
        passed = [end for end in proposals.ends if positions.get(end, executor.executed + 1) <= executor.executed]
        if not passed and proposals.sessions.ends == self._ends_seen:
            return False
        self._ends_seen = proposals.sessions.ends
        self.history.closing.remove(passed)
        for end in passed:
            del proposals.ends[end]
        ahead, holds = executor.ahead, self.history.holds
        proposals.forget_over(lambda command: command in ahead or holds(command))
        self.forget_settled()
        return True

    def rebuild_from(self, read: Callable[[], bytes | None]) -> None:
        """How to read the state of the newest stored snapshot, ``None`` if there is none: a command that fails is
        undone by it (:mod:`genpaxos.core.undo`)."""

        def base() -> Base | None:
            data = read()
            return None if data is None else base_of(data)

        self.executor.undo.read_stored = base

    def restore(self, state: State, *, stored: bool = False) -> None:
        """Go on from a snapshot's state, ``stored`` here or not. What the acceptor holds beyond it stays, in its tail.

        Raises :class:`~genpaxos.core.executor.MachineFaultError` if the machine does not take its part.
        """
        ahead = {command: digest for command, digest, _ in state.ahead}
        if not stored:
            self.executor.undo.receive(state.index, state.machine, ahead)
        self.proposals.readmit(list(ahead), [body for _, _, body in state.ahead])
        self.executor.restore(state.index, state.machine, state.sessions, state.sums, ahead, state.agreement)
        self.proposals.forget_settled(ahead)
        self.acceptor.restart(state.index, state.log_sum, sums_of_log(type(self.executor.machine), state))

    def forget_settled(self) -> None:
        """What was cut off, or came with a snapshot as executed, is neither proposed nor learned any more."""
        self.pool = dict.fromkeys(self.waiting_in_pool())
        self.learner.forget_settled()
