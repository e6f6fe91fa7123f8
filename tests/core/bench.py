"""Replicas on a bench: the tests deliver every message by hand, or in lock-step. No clock runs unless it is turned."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from commutativity import Command, InterferenceIndex, Machine
from genpaxos.core.acceptor import Acceptor
from genpaxos.core.ballot import FastQuorums, Policy
from genpaxos.core.commands import Body, Proposals
from genpaxos.core.effects import Effects
from genpaxos.core.election import Timing
from genpaxos.core.history import History
from genpaxos.core.ids import command_id
from genpaxos.core.messages import Fetch, Heartbeat, PeerMessage, Propose, SnapshotChunk
from genpaxos.core.quorum import EVERYBODY
from genpaxos.core.records import Record, Rejoining
from genpaxos.core.replica import Replica
from genpaxos.core.sessions import Sessions
from genpaxos.core.settings import Settings
from genpaxos.core.snapshot import CHUNK_BYTES, Snapshot, State
from genpaxos.examples.bank import Bank

Flight = tuple[int, int, PeerMessage]
"""A message on its way: sender, receiver, message."""


class _Sent(tuple[int, int, PeerMessage]):
    """A flight that knows of which incarnation its sender was."""

    incarnation: int


class Captured(NamedTuple):
    """A snapshot that is written and not adopted yet."""

    snapshot: Snapshot
    index: int
    records: int
    """How many records of the disk it stands for."""


def body(command: Command[Any], acknowledged: int = 0) -> Body:
    """The body of a command."""
    return [command.operation, list(command.arguments), acknowledged]


def bodies(*commands: Command[Any]) -> list[Body]:
    return [body(command) for command in commands]


def known(commands: dict[str, Command[Any]], machine: type[Machine] = Bank) -> Proposals:
    """Proposals that know these commands by their ids."""
    proposals = Proposals(machine, Sessions())
    _, refused = proposals.add(list(commands), bodies(*commands.values()))
    assert not refused
    return proposals


def history_of(proposals: Proposals, machine: type[Machine] = Bank) -> History:
    """An empty history over these commands."""
    return History(InterferenceIndex(machine.table), proposals.known)


def acceptor_of(node: int, proposals: Proposals) -> Acceptor:
    """A new acceptor with an empty history."""
    return Acceptor(node, history_of(proposals), proposals)


class Bench:
    """Some replicas, their disks, and the messages in flight between them in the order in which they were sent."""

    def __init__(
        self,
        replicas: int = 3,
        policy: Policy = Policy.LEADER_ORDERED,
        fast: FastQuorums = FastQuorums.PINNED,
        *,
        machine: type[Machine] = Bank,
        timing: Timing | None = None,
        pinned: tuple[int, ...] = (),
        sync_first: bool = True,
        chunk_bytes: int = CHUNK_BYTES,
        settle_commands: int = 512,
        saturated_commands: int = 384,
    ) -> None:
        self.machine = machine
        self.settings = Settings(
            replicas,
            policy,
            fast,
            timing or Timing(),
            pinned=pinned,
            settle_commands=settle_commands,
            saturated_commands=saturated_commands,
        )
        self.now_ms = 0.0
        self.flights: list[Flight] = []
        self.cut: set[tuple[int, int]] = set()
        self.disks: list[list[Record]] = [[] for _ in range(replicas)]
        """Per replica: its journal, behind its snapshot if it has one."""
        self.snapshots: list[Captured | None] = [None] * replicas
        self.chunk_bytes = chunk_bytes
        self.incarnations = [0] * replicas
        self.replicas: list[Replica | None] = [None] * replicas
        self.events: list[str] = []
        """What the replicas did, in words."""
        self.learned: list[dict[str, int]] = [{} for _ in range(replicas)]
        """Per replica: what it learned by the fast rule."""
        self.executed: list[list[str]] = [[] for _ in range(replicas)]
        self.replies: dict[str, list[Any]] = {}
        self.refusals: dict[str, str] = {}
        self.sync_first = sync_first
        """What leaves a replica is made durable first; ``False`` is a deliberate error."""
        self.unsynced: set[int] = set()
        """Replicas whose next step crashes before it is synced."""
        self.uncaptured: set[int] = set()
        """Replicas that crash when a received state is to be stored: their records are durable, the snapshot is not."""
        self.commands: dict[str, Command[Any]] = {}
        self.proposed_runs: dict[str, Sequence[Command[Any]]] = {}
        """What was proposed, by id."""
        self.log: list[tuple[str, int]] = []
        """Every decree that was ever seen committed, with its digest."""
        self._proposed = 0
        for node in range(replicas):
            self.restart(node)

    def __getitem__(self, node: int) -> Replica:
        replica = self.replicas[node]
        assert replica is not None, f"replica {node} is down"
        return replica

    @property
    def up(self) -> list[int]:
        return [node for node, replica in enumerate(self.replicas) if replica is not None]

    def cents(self, node: int) -> dict[str, int]:
        """The state of a replica of the bank."""
        machine = self[node].executor.machine
        assert isinstance(machine, Bank)
        return machine.cents

    # Processes ------------------------------------------------------------------------------------------------------

    def restart(self, node: int) -> None:
        """From its disk. Its clockwork is due a millisecond from now, so that nothing beats until time is let pass."""
        stored = self.snapshots[node]
        snapshot = None if stored is None else stored.snapshot
        replica = Replica(node, self.machine(), self.settings, self.now_ms + 1, list(self.disks[node]), snapshot)
        self.replicas[node] = replica

    def crash(self, node: int) -> None:
        self.replicas[node] = None

    def lose(self, node: int) -> None:
        """The disk is lost; the replica comes back as its next incarnation."""
        self.incarnations[node] += 1
        self.snapshots[node] = None
        self.disks[node] = [Rejoining(self.incarnations[node])]
        self.learned[node] = {}
        self.restart(node)

    # Snapshots ------------------------------------------------------------------------------------------------------

    def capture(self, node: int) -> Captured:
        """What a copy of the process would write now."""
        replica = self[node]
        self.disks[node].extend(replica.unwritten())
        return Captured(replica.capture(), replica.history.committed, len(self.disks[node]))

    def adopt(self, node: int, captured: Captured) -> None:
        """It is written: the replica starts from it from now on."""
        del self.disks[node][: captured.records]
        self.snapshots[node] = captured
        if self.replicas[node] is not None:
            self[node].snapshot_stored(captured.index)

    def take_snapshot(self, node: int, times: int = 1) -> None:
        """Capture and adopt; taken twice in a row, the log is cut behind it at the next step."""
        for _ in range(times):
            self.adopt(node, self.capture(node))
        self.step(node)

    # Steps ----------------------------------------------------------------------------------------------------------

    def campaign(self, node: int) -> None:
        """Phase 1 of a new ballot of this replica's."""

        def begin(replica: Replica) -> Effects:
            effects = Effects()
            replica.begin_phase1(effects)
            replica.finish(effects)
            return effects

        self._do(node, begin)

    def propose(
        self, command: Command[Any], to: Iterable[int] | None = None, name: str | None = None, asked: int = EVERYBODY
    ) -> str:
        """A client's command reaches some replicas, all by default. Returns its id: ``c:1``, ``c:2``, …"""
        if name is None:
            self._proposed += 1
            name = f"c:{self._proposed}"
            self.commands[name] = command
        for node in self.up if to is None else to:
            self.step(node, clients=[("client", Propose([name], [body(command)], asked))])
        return name

    def propose_run(
        self, commands: Sequence[Command[Any]], to: Iterable[int] | None = None, name: str | None = None
    ) -> str:
        """A client's run reaches some replicas; its id is ``c:first+count``."""
        if name is None:
            name = command_id("c", self._proposed + 1, len(commands))
            self._proposed += len(commands)
            self.proposed_runs[name] = commands
        run = [[one.operation for one in commands], [list(one.arguments) for one in commands], 0]
        for node in self.up if to is None else to:
            self.step(node, clients=[("client", Propose([name], [run], EVERYBODY))])
        return name

    def step(
        self,
        node: int,
        peers: Sequence[tuple[int, PeerMessage]] = (),
        clients: Sequence[tuple[str, Propose]] = (),
    ) -> None:
        """One step of one replica."""
        self._do(node, lambda replica: replica.step(self.now_ms, peers, clients))

    def _do(self, node: int, action: Callable[[Replica], Effects]) -> None:
        replica = self[node]
        before, learned = _marks(replica), dict(self.learned[node])
        effects = action(replica)
        self._note(node, effects)
        for reply in effects.early.values():
            self.replies.update(zip(reply.ids, reply.results, strict=True))
        if node in self.unsynced:
            self.unsynced.discard(node)
            self.learned[node] = learned  # what it saw rested on its own vote, which never was
            self.events.append(f"{node} crashes before its step is synced")
            self.crash(node)
            if not self.sync_first:
                self._send(node, effects)
            return
        self.disks[node].extend(effects.records)
        if effects.capture:
            captured = self.capture(node)
            if node in self.uncaptured:
                self.uncaptured.discard(node)
                self.learned[node] = learned
                self.crash(node)
                return
            self.adopt(node, captured)
        self._check(replica)
        for what, old, new in zip(("promises", "enters", "commits up to"), before, _marks(replica), strict=True):
            if old != new:
                self.events.append(f"{node} {what} {new}")
        self._send(node, effects)

    def _note(self, node: int, effects: Effects) -> None:
        """What it learned and executed."""
        for news in effects.learned:
            self.learned[node].update(zip(news.ids, news.digests, strict=True))
            self.events.append(f"{node} learns fast {' '.join(news.ids)}")
        for ran in effects.executed:
            if isinstance(ran, State):
                continue
            ids, results = ran
            self.executed[node].extend(ids)
            for command, result in zip(ids, results, strict=True):
                shown = result[1] if result[0] is None else result[0]
                self.events.append(f"{node} executes {command} -> {shown}")

    def _send(self, node: int, effects: Effects) -> None:
        others = [peer for peer in range(self.settings.replicas) if peer != node]
        flights = [(node, peer, message) for peer, message in effects.letters(others)]
        flights += [(node, peer, self._chunk(node, offset)) for peer, offset in effects.chunks]
        for flight in map(_Sent, flights):
            flight.incarnation = self.incarnations[node]
            self.flights.append(flight)
        for reply in effects.replies.values():
            self.replies.update(zip(reply.ids, reply.results, strict=True))
        for refusal in effects.refusals.values():
            self.refusals.update(zip(refusal.ids, refusal.reasons, strict=True))

    def _chunk(self, node: int, offset: int) -> SnapshotChunk:
        stored = self.snapshots[node]
        assert stored is not None, "the log is cut only behind a stored snapshot"
        state = stored.snapshot.state
        data = state[offset : offset + self.chunk_bytes]
        return SnapshotChunk(self[node].acceptor.promised, stored.index, offset, len(state), data)

    def _check(self, replica: Replica) -> None:
        """Stability and consistency: what was committed or learned fast keeps its index and its digest."""
        history = replica.history
        assert history.committed <= history.length
        for at in range(history.base, history.committed):
            decree = (history.ids[at - history.base], history.digests[at - history.base])
            if at == len(self.log):
                self.log.append(decree)
            assert self.log[at] == decree, (
                f"index {at + 1} was committed as {self.log[at]}, and {decree} at {replica.node}"
            )
        committed = dict(self.log)
        for learned in self.learned:
            for command, digest in learned.items():
                assert committed.get(command, digest) == digest, f"{command} was learned with another digest"
                assert all(other.get(command, digest) == digest for other in self.learned)

    # The network ----------------------------------------------------------------------------------------------------

    def take(self, sender: int | None = None, receiver: int | None = None, kind: type | None = None) -> list[Flight]:
        """Take messages out of the air: to be delivered later, or never."""
        taken = [
            flight
            for flight in self.flights
            if sender in (None, flight[0]) and receiver in (None, flight[1]) and isinstance(flight[2], kind or object)
        ]
        self.flights = [flight for flight in self.flights if not any(flight is other for other in taken)]
        return taken

    drop = take

    def hand_over(self, flights: Iterable[Flight]) -> None:
        """Deliver these, one step each; nothing arrives on a cut link or at a replica that is down."""
        for flight in flights:
            sender, receiver, message = flight
            if self._admitted(flight):
                self.arriving(sender, receiver, message)
                self.step(receiver, peers=[(sender, message)])

    def _admitted(self, flight: Flight) -> bool:
        """Whether it arrives: the transport passes nothing on that is of an incarnation known to be over."""
        sender, receiver, message = flight
        replica = self.replicas[receiver]
        if replica is None or (sender, receiver) in self.cut:
            return False
        return replica.incarnations.admits(sender, getattr(flight, "incarnation", self.incarnations[sender]), message)

    def arriving(self, sender: int, receiver: int, message: PeerMessage) -> None:
        """A hook for traces."""

    def deliver(self, sender: int | None = None, receiver: int | None = None, kind: type | None = None) -> None:
        """Deliver what is in flight now, but nothing that is sent in answer."""
        self.hand_over(self.take(sender, receiver, kind))

    def stabilize(self) -> None:
        """Deliver until nothing is in flight any more."""
        for _ in range(1000):
            if not self.flights:
                return
            self.deliver()
        raise AssertionError("the messages never end")

    def round(self) -> None:
        """One message delay of a synchronous network: everybody gets all that is in flight, in one step."""
        flights = self.take()
        for node in self.up:
            batch = [(flight[0], flight[2]) for flight in flights if flight[1] == node and self._admitted(flight)]
            if batch:
                self.step(node, peers=batch)

    def pass_time(self, duration_ms: float) -> None:
        """Turn the clock on, a millisecond at a time; heartbeats arrive at once, all else stays in flight."""
        for _ in range(round(duration_ms)):
            self.now_ms += 1
            for node in self.up:
                if self[node].due_ms <= self.now_ms:
                    self.step(node)
            self.hand_over_quietly(self.take(kind=Heartbeat))

    def hand_over_quietly(self, flights: Iterable[Flight]) -> None:
        for flight in flights:
            if self._admitted(flight):
                self.step(flight[1], peers=[(flight[0], flight[2])])

    def run_for(self, duration_ms: float) -> None:
        """Let time pass on a network that takes a millisecond per message."""
        for _ in range(round(duration_ms)):
            flights = self.take()
            self.pass_time(1)
            self.hand_over(flights)

    def led_by(self, node: int) -> Bench:
        """Elect a coordinator and let all take part; of three replicas it pins itself and the lowest other one."""
        self.campaign(node)
        self.stabilize()
        assert self[node].coordinator.leading
        for other in self.up:
            if not self[other].acceptor.current:
                self.step(node, peers=[(other, Fetch(self[other].history.committed + 1))])
        self.stabilize()
        assert all(self[other].acceptor.current for other in self.up)
        return self


def _marks(replica: Replica) -> tuple[str, str, str]:
    acceptor = replica.acceptor
    pinned = f" pinning {acceptor.kind.pinned}" if acceptor.kind.pinned else ""
    return str(acceptor.promised), f"{acceptor.accepted} {acceptor.kind.policy}{pinned}", str(replica.history.committed)
