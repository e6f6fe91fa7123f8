"""Taking snapshots while a replica goes on, as :mod:`genpaxos.runtime.snapshots` does it with a copy of the process.

What the replica was at one instant becomes durable some time later; a crash in between means that it never happened.
"""

import random
from dataclasses import dataclass
from typing import Protocol

from genpaxos.core.journal import Place
from genpaxos.core.messages import SnapshotChunk
from genpaxos.core.records import Record
from genpaxos.core.replica import Replica
from genpaxos.core.snapshot import CHUNK_BYTES, Snapshot
from genpaxos.simulation.clock import Scheduler
from genpaxos.simulation.disk import Disk, DiskError, SnapshotFile
from genpaxos.simulation.faults import CrashPoint


@dataclass(frozen=True, slots=True)
class SnapshotRules:
    """When snapshots are taken, and how they travel."""

    every_commands: int = 0
    """How many are committed from one to the next; 0: none is taken."""
    writing_ms: tuple[float, float] = (0.0, 0.0)
    """How long one takes to become durable."""
    chunk_bytes: int = CHUNK_BYTES
    """What is sent of one at a time."""


NO_SNAPSHOTS = SnapshotRules()


class Owner(Protocol):
    """The process that the replica runs in."""

    disk: Disk

    def dies(self, point: CrashPoint) -> bool:
        """Whether its crash falls here; then it is gone."""

    def crash(self, why: CrashPoint | DiskError) -> None:
        """It is gone."""

    def flushed(self, records: list[Record]) -> None:
        """Records were synced that no step had asked for."""

    def adopted(self, file: SnapshotFile, *, installed: bool) -> None:
        """A snapshot counts now: its own, or a state that was received."""


@dataclass(slots=True, eq=False)
class _Making:
    """A snapshot that is being written."""

    place: Place
    index: int
    snapshot: Snapshot
    file: SnapshotFile | None = None
    """Once it is written; adopted at the next step."""
    failed: bool = False


class SnapshotTaker:
    """At most one snapshot of a replica in the making."""

    def __init__(self, owner: Owner, scheduler: Scheduler, rules: SnapshotRules, draw: random.Random) -> None:
        self._owner = owner
        self._scheduler = scheduler
        self._rules = rules
        self._draw = draw
        self._making: _Making | None = None
        self._next_index = rules.every_commands
        self.failed = False
        """The last one could not be written, so the next is due late."""

    def rests(self, replica: Replica) -> bool:
        """Whether none is in the making, and none due."""
        return self._making is None and not self._is_due(replica)

    def _is_due(self, replica: Replica) -> bool:
        return bool(self._rules.every_commands) and replica.history.committed >= self._next_index

    def started(self) -> None:
        """A new life."""
        stored = self._owner.disk.snapshot
        self.failed = False
        self._next_index = (0 if stored is None else stored.index) + self._rules.every_commands

    def ended(self) -> bool:
        """The life is over; says whether a snapshot was in the making, which then never happened."""
        making, self._making = self._making, None
        if making is not None and making.file is None and self._owner.disk.works:
            self._owner.disk.write_snapshot(making.place, making.index, making.snapshot, torn=self._draw.random())
        return making is not None

    def store_now(self, replica: Replica) -> bool:
        """The replica's state was replaced: what it is now must be durable before it says anything.

        Says whether the process survived it.
        """
        owner, self._making = self._owner, None
        if owner.dies(CrashPoint.CAPTURED):
            return False
        index = replica.history.committed
        try:
            file = owner.disk.write_snapshot(owner.disk.place, index, replica.capture())
        except DiskError as error:
            owner.crash(error)
            return False
        return not owner.dies(CrashPoint.WRITTEN) and self._adopt(replica, file, installed=True)

    def take_if_due(self, replica: Replica) -> bool:
        """Start a snapshot when enough was committed since the last, or take over one that is finished.

        None is started while the last is being sent to another. Says whether the process survived it.
        """
        making = self._making
        if making is not None and (making.file is not None or making.failed):
            if making.file is not None and self._owner.dies(CrashPoint.WRITTEN):
                return False
            self._making = None
            return making.file is None or self._adopt(replica, making.file, installed=False)
        if making is None and self._is_due(replica) and not replica.sends_snapshot:
            return self._start(replica)
        return True

    def chunk(self, replica: Replica, offset: int) -> SnapshotChunk:
        """A part of the stored state."""
        stored = self._owner.disk.snapshot
        assert stored is not None, "the log is cut only behind a stored snapshot"
        data = stored.read(offset, self._rules.chunk_bytes)
        return SnapshotChunk(replica.acceptor.promised, stored.index, offset, stored.state_bytes, data)

    def _start(self, replica: Replica) -> bool:
        owner = self._owner
        records = replica.unwritten()
        if records:
            try:
                owner.disk.append(records)
            except DiskError as error:
                owner.crash(error)
                return False
            owner.flushed(records)
        index = replica.history.committed
        self._next_index = index + self._rules.every_commands
        making = self._making = _Making(owner.disk.place, index, replica.capture())
        if owner.dies(CrashPoint.CAPTURED):
            return False
        self._scheduler.at(self._scheduler.now_ms + self._draw.uniform(*self._rules.writing_ms), self._write, making)
        return True

    def _write(self, making: _Making) -> None:
        if making is not self._making:
            return  # its process is gone, or has replaced its state
        try:
            making.file = self._owner.disk.write_snapshot(making.place, making.index, making.snapshot)
        except DiskError:
            making.failed = self.failed = True  # the replica goes on, with a longer journal

    def _adopt(self, replica: Replica, file: SnapshotFile, *, installed: bool) -> bool:
        owner = self._owner
        try:
            owner.disk.adopt(file)
        except DiskError as error:
            owner.crash(error)
            return False
        if owner.dies(CrashPoint.ADOPTED):
            return False
        replica.snapshot_stored(file.index)
        self.failed = False
        self._next_index = max(self._next_index, file.index + self._rules.every_commands)
        owner.adopted(file, installed=installed)
        return True
