"""The roles of one replica: what each holds, made together and rebuilt from what stable storage holds."""

from collections.abc import Callable, Iterable
from itertools import chain

from commutativity import InterferenceIndex, Machine
from genpaxos.core.acceptor import Acceptor
from genpaxos.core.answers import Answers
from genpaxos.core.assembly import Assembly
from genpaxos.core.commands import Proposals
from genpaxos.core.coordinator import Coordinator
from genpaxos.core.election import Election
from genpaxos.core.executor import Executor
from genpaxos.core.history import History
from genpaxos.core.incarnations import Incarnations
from genpaxos.core.learner import Learner
from genpaxos.core.now import Now
from genpaxos.core.outbox import Outbox
from genpaxos.core.pool import Pool
from genpaxos.core.quorum import QuorumSystem
from genpaxos.core.records import Readmitted, Record, Rejoining
from genpaxos.core.sessions import Sessions
from genpaxos.core.settings import Settings
from genpaxos.core.snapshot import Snapshot, base_of, parse, restore
from genpaxos.core.undo import Base


class Roles:
    """Everything not recorded starts empty."""

    def __init__(
        self,
        node: int,
        machine: Machine,
        settings: Settings,
        now: Now,
        coordinator: type[Coordinator] = Coordinator,
        election: type[Election] = Election,
    ) -> None:
        quorums = QuorumSystem.majority(settings.replicas, settings.acceptors)
        self.proposals = Proposals(type(machine), Sessions())
        known, ends, sessions = self.proposals.known, self.proposals.ends, self.proposals.sessions
        index = InterferenceIndex(type(machine).table)
        self.history = History(index, known, ends, sessions.open, self.proposals.forget)
        self.outbox = Outbox()
        self.acceptor = Acceptor(node, self.history, self.proposals, self.outbox)
        self.executor = Executor(machine, self.history, known, sessions)
        self.history.has_run = lambda command: command in self.executor.ahead
        self.executor.undo.interruptible = settings.interruptible
        self.incarnations = Incarnations(node, quorums, self.acceptor)
        self.learner = Learner(self.history, quorums, self.proposals.settled)
        self.coordinator = coordinator(
            self.acceptor,
            self.proposals,
            self.incarnations,
            quorums,
            settings.policy,
            settings.fast,
            settings.pinned,
        )
        preference = settings.preference or tuple(range(settings.replicas))
        self.election = election(node, quorums, settings.timing, preference, now.ms)
        self.pool = Pool(known, self.history)
        self.assembly = Assembly()
        self.answers = Answers(self.executor, self.proposals)
        self._now = now

    def start_from(self, records: Iterable[Record], snapshot: Snapshot | None) -> None:
        """Take up what stable storage holds."""
        if snapshot is not None:
            data = snapshot.state
            restore(parse(data), self.executor, self.proposals, self.acceptor, stored=True)
            self.rebuild_from(lambda: data)  # until the owner says how to read it again
        for record in chain(() if snapshot is None else snapshot.records, records):
            if isinstance(record, (Readmitted, Rejoining)):
                self.incarnations.replay(record)
            else:
                self.acceptor.replay(record)
        self.learner.start(self.acceptor.accepted, self.acceptor.kind)
        self.executor.run_committed()
        self.executor.take_done()
        self.election.saw_ballot(self.acceptor.promised, self._now.ms)
        self.outbox.start(self.history.committed)

    def rebuild_from(self, read: Callable[[], bytes | None]) -> None:
        """How to read the state of the newest stored snapshot, ``None`` if there is none: a command that fails is
        undone by it (:mod:`genpaxos.core.undo`)."""

        def base() -> Base | None:
            data = read()
            return None if data is None else base_of(data)

        self.executor.undo.read_stored = base
