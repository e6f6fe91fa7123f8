"""One replica process: its clock, its disk, its inbox, and the very :class:`Replica` that the server runs.

It does what the server does: receive a batch, step the core, make the records durable, send; in that order. A crash may
fall anywhere in between.
"""

import random
from collections.abc import Callable, Sequence
from copy import deepcopy
from math import inf
from typing import Any, Protocol

from commutativity import Machine
from genpaxos.core import trials
from genpaxos.core.ballot import ZERO
from genpaxos.core.effects import Effects
from genpaxos.core.journal import DamageError
from genpaxos.core.messages import PeerMessage, Phase1b, Propose
from genpaxos.core.records import Record, Rejoining
from genpaxos.core.replica import Replica
from genpaxos.simulation.clients import Farewell
from genpaxos.simulation.clock import LocalClock, Scheduler
from genpaxos.simulation.disk import Disk, DiskError, Found, SnapshotFile
from genpaxos.simulation.faults import IN_A_STEP, Crash, CrashPoint
from genpaxos.simulation.snapshots import SnapshotRules, SnapshotTaker
from genpaxos.simulation.violations import Invariant, ViolationError, unsound

TICK_LATE_MS = 0.001
"""A process wakes this much after it is due, so that rounding never wakes it before."""


def _try_in_copy(machine: Machine, operation: str, arguments: list[Any]) -> trials.Found | None:
    return trials.failure_of(deepcopy(machine), operation, arguments)


Letter = tuple[int, int, PeerMessage]
"""Sender, its incarnation, message."""
Peers = Sequence[tuple[int, PeerMessage]]
Clients = Sequence[tuple[int, Propose]]


class Surroundings(Protocol):
    """What a process acts upon, and who watches it."""

    scheduler: Scheduler

    def build(self, node: int, now_ms: float, found: Found) -> Replica:
        """A replica from what its disk holds."""

    def send(self, sender: int, receiver: int, message: Any) -> None:
        """A message leaves for a replica or a client."""

    def started(self, process: "Process", found: Found) -> None:
        """It runs."""

    def stepping(self, process: "Process", peers: Peers) -> None:
        """It is about to step."""

    def outdated(self) -> None:
        """A message of an incarnation that is over was dropped."""

    def acted(self, process: "Process", effects: Effects) -> None:
        """It has stepped; nothing of that is synced, and nothing has left."""

    def wrote(self, process: "Process", effects: Effects) -> None:
        """The step's records, if there are any, are synced, and its state is stored if that was replaced."""

    def flushed(self, process: "Process", records: list[Record]) -> None:
        """Records that no step asked for are synced, for a snapshot to stand for them."""

    def adopted(self, process: "Process", file: SnapshotFile, installed: bool) -> None:
        """A snapshot counts from now on: its own, or a state that was received."""

    def stopped(self, process: "Process", why: CrashPoint | DiskError | DamageError, snapshot_lost: bool) -> None:
        """It runs no longer, or cannot start. ``snapshot_lost``: one was in the making."""


class Process:
    """A replica that can be killed, stopped and started again."""

    def __init__(
        self,
        node: int,
        peers: Sequence[int],
        around: Surroundings,
        clock: LocalClock,
        batching: Callable[[], float],
        snapshots: SnapshotRules,
        draw: random.Random,
    ) -> None:
        self.node = node
        self.clock = clock
        self.disk = Disk()
        self.replica: Replica | None = None
        self.lost = False
        """Its disk has forgotten what it promised: it must not come back as itself."""
        self.whole = True
        """It has all that it promised, or has entered a ballot as a new incarnation since it lost that."""
        self.paused = False
        self.doom: Crash | None = None
        """The crash it will meet at its next write."""
        self.after_promise: Callable[[], None] | None = None
        """What happens to it as soon as it has reported for a ballot."""
        self._peers = tuple(peers)
        self._around = around
        self._batching = batching
        """Draws how long messages are kept back to be handled in one step; 0: not at all."""
        self._life = 0
        """Raised at every end of a life, so that what was planned in it is void."""
        self._tick_ms = inf
        self._draining = False
        self._inbox: tuple[list[Letter], list[tuple[int, Propose]]] = ([], [])
        self._snapshots = SnapshotTaker(self, around.scheduler, snapshots, draw)

    @property
    def running(self) -> bool:
        """Whether there is a replica."""
        return self.replica is not None

    # Lives ----------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start from the disk, unless it runs already or its disk is damaged."""
        if self.replica is not None or self.lost:
            return
        try:
            found = self.disk.read()
        except DamageError as error:
            self.lost, self.whole = True, False
            self._around.stopped(self, error, False)
            return
        self.replica = self._around.build(self.node, self.clock.now_ms, found)
        self.replica.rebuild_from(self.disk.read_state)
        self.replica.owner.try_by(_try_in_copy)
        self.whole = not self.replica.incarnations.rejoining
        self._snapshots.started()
        self._around.started(self, found)
        self._wake()

    def rejoin(self, incarnation: int) -> None:
        """Start from a new disk, as a new incarnation."""
        assert self.lost
        self.disk = Disk()
        self.disk.append([Rejoining(incarnation)])
        self.lost = False
        self.start()

    def crash(self, why: CrashPoint | DiskError = CrashPoint.IDLE) -> None:
        """The process is gone; what it had synced remains."""
        if self.replica is None:
            return
        self._around.stopped(self, why, self._snapshots.ended())
        self.replica = None
        self.doom = None
        self.paused = False
        self._life += 1
        self._tick_ms = inf
        self._draining = False
        self._inbox = ([], [])

    def dies(self, point: CrashPoint) -> bool:
        """Whether its crash falls here; then it is gone."""
        if self.doom is None or self.doom.point is not point:
            return False
        self.crash(point)
        return True

    @property
    def rests(self) -> bool:
        """Whether it has all it promised, and no snapshot to take."""
        return self.replica is not None and self.whole and self._snapshots.rests(self.replica)

    @property
    def snapshot_failed(self) -> bool:
        """Whether the last snapshot could not be written, so that the next is due late."""
        return self._snapshots.failed

    def pause(self) -> None:
        """It stands still."""
        self.paused = True

    def resume(self) -> None:
        """It goes on, with all that arrived meanwhile in one batch."""
        if self.paused:
            self.paused = False
            self._drain(self._life)

    def jump(self, by_ms: float) -> None:
        """Its clock jumps ahead."""
        self.clock.jump(by_ms)
        self._tick_ms = inf
        self._wake()

    # What arrives ---------------------------------------------------------------------------------------------------

    def receive(self, sender: int, message: PeerMessage, incarnation: int = 0) -> None:
        """A message of another replica."""
        if self.replica is None:
            return
        delay_ms = self._batching()
        if delay_ms or self.paused:
            self._inbox[0].append((sender, incarnation, message))
            self._drain_later(delay_ms)
        else:
            self.step([(sender, incarnation, message)])

    def request(self, client: int, message: Propose | Farewell) -> None:
        """A message of a client."""
        if self.replica is None:
            return
        if isinstance(message, Farewell):
            self.replica.owner.client_left(message.client, self.clock.now_ms)
            return
        delay_ms = self._batching()
        if delay_ms or self.paused:
            self._inbox[1].append((client, message))
            self._drain_later(delay_ms)
        else:
            self.step((), [(client, message)])

    def _drain_later(self, delay_ms: float) -> None:
        if not self._draining and not self.paused:
            self._draining = True
            self._around.scheduler.at(self._around.scheduler.now_ms + delay_ms, self._drain, self._life)

    def _drain(self, life: int) -> None:
        if life == self._life and not self.paused:
            self._draining = False
            self.step()

    def _wake(self) -> None:
        """Plan the next step that time alone causes."""
        if self.replica is None or self.paused:
            return
        at_ms = self.clock.world_ms(self.replica.due_ms) + TICK_LATE_MS
        if at_ms < self._tick_ms:
            self._tick_ms = at_ms
            self._around.scheduler.at(at_ms, self._tick, self._life, at_ms)

    def _tick(self, life: int, at_ms: float) -> None:
        if life != self._life or at_ms != self._tick_ms:
            return
        self._tick_ms = inf
        if self.replica is None or self.paused:
            return
        if self.clock.now_ms >= self.replica.due_ms:
            self.step()
        else:
            self._wake()

    # One step -------------------------------------------------------------------------------------------------------

    def step(self, letters: Sequence[Letter] = (), clients: Clients = ()) -> None:
        """One batch, as the server does it."""
        replica = self.replica
        if replica is None:
            return
        if self._inbox[0] or self._inbox[1]:
            letters, clients = [*self._inbox[0], *letters], [*self._inbox[1], *clients]
            self._inbox = ([], [])
        peers = self._admitted(replica, letters)
        self._around.stepping(self, peers)
        try:
            effects = replica.step(self.clock.now_ms, peers, clients)
        except ViolationError:
            raise
        except Exception as error:
            raise unsound(self.node, error) from error
        self.carry_out(effects)

    def _admitted(self, replica: Replica, letters: Sequence[Letter]) -> Peers:
        """What is not of an earlier incarnation, nor of a later one that has not said so."""
        admits, known = replica.incarnations.admits, replica.incarnations.known
        peers: list[tuple[int, PeerMessage]] = []
        for sender, incarnation, message in letters:
            if admits(sender, incarnation, message):
                if incarnation < known[sender]:
                    raise ViolationError(
                        Invariant.REJOINING,
                        f"replica {self.node} heeds incarnation {incarnation} of replica {sender}, having written down "
                        f"incarnation {known[sender]}",
                    )
                peers.append((sender, message))
            elif incarnation < known[sender]:
                self._around.outdated()
        return peers

    def carry_out(self, effects: Effects) -> None:
        """Send what rests on no record; make the records durable, and the state if that was replaced; send the rest;
        then see to snapshots."""
        replica = self.replica
        assert replica is not None
        self._around.acted(self, effects)
        for client, reply in effects.early.items():
            self._around.send(self.node, client, reply)  # type: ignore[arg-type]
        doom = self.doom if effects.records and self.doom is not None and self.doom.point in IN_A_STEP else None
        if doom is not None and doom.point is CrashPoint.BEFORE:
            self.crash(doom.point)
            return
        if effects.records and not self._persist(effects.records, doom):
            return
        if effects.capture and not self._snapshots.store_now(replica):
            return
        self._around.wrote(self, effects)
        if replica.acceptor.accepted != ZERO and not replica.acceptor.records:
            self.whole = True
        if doom is not None and doom.point is CrashPoint.AFTER:
            self.crash(doom.point)
            return
        self._send(effects, 1.0 if doom is None else doom.share)
        if doom is not None:
            self.crash(doom.point)
        elif self._snapshots.take_if_due(replica):
            self._wake()
        if self.after_promise is not None and any(type(message) is Phase1b for _, message in effects.sends):
            action, self.after_promise = self.after_promise, None
            action()

    def flushed(self, records: list[Record]) -> None:
        """Records were synced that no step had asked for."""
        self._around.flushed(self, records)

    def adopted(self, file: SnapshotFile, *, installed: bool) -> None:
        """A snapshot counts from now on."""
        self._around.adopted(self, file, installed)

    def _persist(self, records: Sequence[Record], doom: Crash | None) -> bool:
        torn = doom.share if doom is not None and doom.point is CrashPoint.INSIDE else None
        try:
            self.disk.append(records, torn=torn)
        except DiskError as error:
            self.crash(error)
            return False
        if torn is not None:
            self.crash(CrashPoint.INSIDE)
            return False
        return True

    def _send(self, effects: Effects, share: float) -> None:
        letters: list[tuple[int, Any]] = [*effects.letters(self._peers)]
        replica = self.replica
        assert replica is not None
        letters.extend((peer, self._snapshots.chunk(replica, offset)) for peer, offset in effects.chunks)
        letters.extend(effects.replies.items())  # type: ignore[arg-type]
        letters.extend(effects.refusals.items())  # type: ignore[arg-type]
        if share < 1.0:
            letters = letters[: int(share * len(letters))]
        send, node = self._around.send, self.node
        for receiver, message in letters:
            send(node, receiver, message)
