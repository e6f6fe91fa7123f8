"""A whole cluster in one process: replicas, disks, clocks, network and clients in one virtual world, and its watchers.

One seed decides everything. A script may also drive it by hand: crash, restart, cut, submit, let time pass.
"""

import random
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from math import inf
from typing import Any

from commutativity import Command, Machine
from genpaxos.core import inspect
from genpaxos.core.effects import Effects
from genpaxos.core.journal import DamageError
from genpaxos.core.messages import Refusal, Reply
from genpaxos.core.records import Record
from genpaxos.core.replica import Replica
from genpaxos.core.settings import Settings
from genpaxos.simulation.clients import Client, Pending, Submission
from genpaxos.simulation.clock import LocalClock, Scheduler
from genpaxos.simulation.disk import DiskError, DiskFullError, Found, SnapshotFile
from genpaxos.simulation.faults import CrashPoint
from genpaxos.simulation.marks import Mark, Marks, StepMarks
from genpaxos.simulation.network import CALM, Link, Network, Weather
from genpaxos.simulation.oracles import Oracles
from genpaxos.simulation.process import Peers, Process
from genpaxos.simulation.snapshots import NO_SNAPSHOTS, SnapshotRules
from genpaxos.simulation.tape import Tape
from genpaxos.simulation.violations import unsound

POLL_MS = 5.0
_CRASHED = {
    CrashPoint.IDLE: Mark.CRASHED_IDLE,
    CrashPoint.BEFORE: Mark.CRASHED_BEFORE,
    CrashPoint.INSIDE: Mark.CRASHED_INSIDE,
    CrashPoint.AFTER: Mark.CRASHED_AFTER,
    CrashPoint.SENDING: Mark.CRASHED_SENDING,
    CrashPoint.CAPTURED: Mark.CRASHED_CAPTURED,
    CrashPoint.WRITTEN: Mark.CRASHED_WRITTEN,
    CrashPoint.ADOPTED: Mark.CRASHED_ADOPTED,
}


ASK_MS = 250.0
"""Between two questions of clients for who may vote."""


class SimulatedCluster:
    """N processes and the world around them; every invariant of a step is checked at every step."""

    def __init__(
        self,
        machine: type[Machine],
        settings: Settings,
        *,
        seed: int,
        weather: Weather = CALM,
        batch_ms: float = 0.0,
        clock_rates: Sequence[float] = (),
        retry_ms: float = 400.0,
        thrifty: bool = False,
        snapshots: SnapshotRules = NO_SNAPSHOTS,
        tape: Tape | None = None,
    ) -> None:
        self.machine = machine
        self.settings = settings
        self.scheduler = Scheduler()
        self.network = Network(self.scheduler, seed, weather)
        self.marks = Marks()
        self.oracles = Oracles(machine, settings)
        self.snapshots = snapshots
        self.clients: dict[int, Client] = {}
        """By their addresses, which follow those of the replicas."""
        self.tape = tape
        if tape is not None:
            tape.watch(self.scheduler, self.network)
        self._retry_ms = retry_ms
        self._thrifty = thrifty
        self._voters: tuple[float, Sequence[int]] = (-inf, ())
        """When clients last asked who may vote, and what they were told."""
        self._batch_ms = batch_ms
        self._step_marks: dict[int, StepMarks] = {}
        self._coordinated: set[int] = set()
        """Replicas that have ever come through a phase 1 of theirs."""
        draw = random.Random(f"{seed}/clocks")
        everyone = range(settings.replicas)
        self.processes = [
            Process(
                node,
                [peer for peer in everyone if peer != node],
                self,
                LocalClock(self.scheduler, draw.uniform(0, 1e6), clock_rates[node] if clock_rates else 1.0),
                self._batching(random.Random(f"{seed}/batches/{node}")),
                snapshots,
                random.Random(f"{seed}/snapshots/{node}"),
            )
            for node in everyone
        ]
        for process in self.processes:
            process.start()

    # The world ------------------------------------------------------------------------------------------------------

    @property
    def now_ms(self) -> float:
        """Virtual time."""
        return self.scheduler.now_ms

    @property
    def replicas(self) -> list[Replica | None]:
        """By node; ``None`` where it is down."""
        return [process.replica for process in self.processes]

    def alive(self) -> list[Replica]:
        """The replicas that are up."""
        return [replica for replica in self.replicas if replica is not None]

    def leads(self) -> bool:
        """Whether some coordinator has come through phase 1."""
        return any(replica.coordinator.leading for replica in self.alive())

    def run_for(self, duration_ms: float) -> None:
        """Let virtual time pass."""
        self.scheduler.run_until(self.now_ms + duration_ms)

    def run_until(self, condition: Callable[[], bool], limit_ms: float) -> bool:
        """Let time pass until ``condition`` holds; ``False`` if it does not within ``limit_ms``."""
        end_ms = self.now_ms + limit_ms
        while not condition():
            if self.now_ms >= end_ms:
                return False
            self.run_for(POLL_MS)
        return True

    def note(self, what: str, node: int | None = None) -> None:
        """Something that is no message, for the tape."""
        if self.tape is not None:
            self.tape.note(what, node, up=node is None or self.processes[node].running)

    # What a script does ---------------------------------------------------------------------------------------------

    def client(self, number: int, name: str | None = None) -> Client:
        """The client with this number, from 0; made when it is first asked for."""
        address = self.settings.replicas + number
        client = self.clients.get(address)
        if client is None:
            client = self.clients[address] = Client(
                name or f"c{number}",
                address,
                self.settings.replicas,
                self.scheduler,
                self.send,
                self.marks,
                self._retry_ms,
                self._told_index,
                self._told_voters if self._thrifty else tuple,
            )
        return client

    def _told_voters(self) -> Sequence[int]:
        """Who may vote in the highest ballot that some replica knew when clients last asked."""
        if self.now_ms - self._voters[0] >= ASK_MS:
            told = [(replica.election.highest, inspect.voters(replica)) for replica in self.alive()]
            self._voters = self.now_ms, max(told)[1] if told else ()
        return self._voters[1]

    def _told_index(self) -> int:
        """The commit index as some replica knows it: the least, as though a client had asked long ago."""
        return min((replica.history.committed for replica in self.alive()), default=0)

    def submit(self, command: Command[Any], *, to: Sequence[int] = (), client: int = 0) -> Pending:
        """A client sends a command to all replicas, or first to those of ``to``; retried until it is answered."""
        return self.client(client).submit(Submission(self.now_ms, client, command, tuple(to)))

    def crash(self, node: int) -> None:
        """The process is gone; what it had synced remains."""
        self.processes[node].crash()

    def restart(self, node: int) -> None:
        """Start the process from its disk."""
        self.processes[node].start()

    def rejoin(self, node: int) -> bool:
        """Make a replica whose data is lost come back as a new incarnation, if a majority is up without it.

        What :mod:`genpaxos.runtime.rejoin` does; an operator reaches whoever runs, whatever links are cut.
        """
        process = self.processes[node]
        others = [other for other in self.processes if other is not process and other.running and not other.paused]
        able = [replica for other in others if (replica := other.replica) and not replica.incarnations.rejoining]
        if not process.lost or len(able) <= self.settings.replicas // 2:
            return False
        incarnation = 1 + max(replica.incarnations.known[node] for replica in able)
        self.note(f"rejoins as incarnation {incarnation}", node)
        self.oracles.witnesses[node].lost()
        process.rejoin(incarnation)
        return True

    def cut(self, links: Iterable[Link]) -> None:
        """Exactly these links lose everything from now on."""
        self.network.reconnect(self.network.severed)
        self.network.sever(links)

    def campaign(self, node: int) -> None:
        """Make a replica start a ballot."""
        process = self.processes[node]
        assert process.replica is not None
        effects = Effects()
        self.stepping(process, ())
        process.replica.begin_phase1(effects)
        process.replica.finish(effects)
        process.carry_out(effects)

    # Surroundings of the processes ----------------------------------------------------------------------------------

    def build(self, node: int, now_ms: float, found: Found) -> Replica:
        """A replica from what its disk holds."""
        try:
            return Replica(node, self.machine(), self.settings, now_ms, found.records, found.snapshot)
        except Exception as error:
            raise unsound(node, error) from error

    def send(self, sender: int, receiver: int, message: Any) -> None:
        """Hand a message to the network."""
        if sender >= self.settings.replicas:
            self.network.send(sender, receiver, self.processes[receiver].request, message)
        elif receiver < self.settings.replicas:
            replica = self.processes[sender].replica
            assert replica is not None
            self.oracles.left(replica, receiver, message)
            arrive, incarnation = self.processes[receiver].receive, replica.incarnations.own
            self.network.send(
                sender, receiver, partial(arrive, incarnation=incarnation) if incarnation else arrive, message
            )
        else:
            assert isinstance(message, (Reply, Refusal))
            self.network.send(sender, receiver, self.clients[receiver].on_message, message)

    def started(self, process: Process, found: Found) -> None:
        """Watch a new life."""
        assert process.replica is not None
        if found.torn:
            self.marks.hit(Mark.TORN_CUT)
        if found.unconfirmed:
            self.marks.hit(Mark.WRITE_SURVIVED)
        if found.snapshot is not None:
            self.marks.hit(Mark.STARTED_FROM_SNAPSHOT)
        self.note("starts", process.node)
        self.oracles.witnesses[process.node].started(process.replica, found)
        self._step_marks[process.node] = StepMarks(self.marks, process.replica)

    def stepping(self, process: Process, peers: Peers) -> None:
        """Note the state before a step."""
        self._step_marks[process.node].before(peers)

    def outdated(self) -> None:
        """A message of an incarnation that is over was dropped."""
        self.marks.hit(Mark.OLD_MESSAGE_DROPPED)

    def acted(self, process: Process, effects: Effects) -> None:
        """Judge what a step learned, before any reply leaves that rests on it."""
        self.oracles.witnesses[process.node].acted(effects)

    def wrote(self, process: Process, effects: Effects) -> None:
        """Judge a step before anything of it leaves."""
        node, replica = process.node, process.replica
        assert replica is not None
        witness = self.oracles.witnesses[node]
        if effects.records:
            witness.wrote(effects.records)
        witness.noted(effects)
        if effects.capture:
            assert process.disk.snapshot is not None
            witness.durability.replaced(*process.disk.snapshot.content())
        marks = self._step_marks[node]
        marks.after(effects, self.oracles.learned, witness.executed)
        if replica.coordinator.leading:
            self._coordinated.add(node)
        if marks.entered_again:
            marks.entered_again = False
            self.marks.hit(Mark.REJOINED)
            if node in self._coordinated:
                self.marks.hit(Mark.COORDINATOR_REJOINED)
        witness.stepped(replica)
        self.oracles.leaving(replica, effects)

    def flushed(self, process: Process, records: list[Record]) -> None:
        """Judge what a snapshot is to stand for."""
        assert process.replica is not None
        witness = self.oracles.witnesses[process.node]
        witness.wrote(records)
        witness.stepped(process.replica)

    def adopted(self, process: Process, file: SnapshotFile, installed: bool) -> None:
        """A snapshot counts: the log may be cut behind the one before."""
        if not installed:
            self.marks.hit(Mark.SNAPSHOT_TAKEN)
        self.note(f"{'stores' if installed else 'adopts'} a snapshot at index {file.index}", process.node)
        self.oracles.witnesses[process.node].adopted(file.index)

    def stopped(self, process: Process, why: CrashPoint | DiskError | DamageError, snapshot_lost: bool) -> None:
        """Count how a life ended, or why none begins."""
        self.note(f"stops {why}" if isinstance(why, CrashPoint) else f"stops: {why}", process.node)
        replica = process.replica
        if replica is not None and replica.acceptor.records:
            self.marks.hit(Mark.UNWRITTEN_LOST)
        if snapshot_lost:
            self.marks.hit(Mark.SNAPSHOT_LOST)
        match why:
            case CrashPoint():
                self.marks.hit(_CRASHED[why])
            case DamageError():
                self.marks.hit(Mark.DAMAGE_FOUND if process.disk.size_bytes else Mark.WIPE_FOUND)
            case DiskFullError():
                self.marks.hit(Mark.DISK_FULL)
            case _:
                self.marks.hit(Mark.SYNC_FAILED)

    def _batching(self, draw: random.Random) -> Callable[[], float]:
        most_ms = self._batch_ms
        return (lambda: draw.uniform(0, most_ms)) if most_ms else (lambda: 0.0)
