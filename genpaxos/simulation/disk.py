"""A disk that keeps bytes: it fails a sync, is full, tears the write that a crash falls into, flips a bit, or is wiped.

It holds what :mod:`genpaxos.runtime.storage` holds: a journal of batches in the format of :mod:`genpaxos.core.journal`,
a row each, and snapshots in files, one of which is pointed to. What a crash tears is the last row, or a file that
nothing points to, and was never relied upon: it is dropped. Anything else that is not as it was written is damage, and
a replica that may have forgotten a promise must not come back as itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from genpaxos.core.journal import START, DamageError, Place, seal, unseal
from genpaxos.core.records import Record
from genpaxos.core.snapshot import Snapshot, State, parse

CUT_BATCHES = 2
"""How many rows that a snapshot stands for are dropped with each that is appended."""
_SIZE_BYTES = 4
"""At the head of a snapshot file: the size of the state."""


class DiskError(Exception):
    """The disk did not do as it was told; the owner must stop."""


class SyncFailedError(DiskError):
    """The write may be on the disk or not: nobody knows."""


class DiskFullError(DiskError):
    """Nothing was written."""


@dataclass(frozen=True, slots=True)
class SnapshotFile:
    """A snapshot as bytes: the state's size, the state, the sealed records."""

    index: int
    place: Place
    """How much of the journal it stands for."""
    state_bytes: int
    data: bytearray

    def read(self, offset: int, size: int) -> bytes:
        """Bytes of its state."""
        end = min(offset + size, self.state_bytes)
        return bytes(self.data[_SIZE_BYTES + offset : _SIZE_BYTES + end])

    def content(self) -> tuple[Snapshot, State]:
        """What it holds. Raises :class:`DamageError`."""
        end = _SIZE_BYTES + int.from_bytes(self.data[:_SIZE_BYTES], "big")
        state = bytes(self.data[_SIZE_BYTES:end])
        parsed = parse(state)
        records, _ = unseal(self.place, self.place.batch + 1, bytes(self.data[end:]))
        return Snapshot(state, records), parsed


@dataclass(frozen=True, slots=True)
class Found:
    """What a start finds on the disk."""

    records: list[Record]
    """The records of the journal behind the snapshot, in the order they were written."""
    torn: bool = False
    """A row that a crash tore was cut off behind them."""
    unconfirmed: bool = False
    """The last batch was never confirmed to be synced; it is there all the same."""
    snapshot: Snapshot | None = None
    state: State | None = None
    """The snapshot's, parsed."""

    def all_records(self) -> list[Record]:
        """Those of the snapshot, and those behind it."""
        return self.records if self.snapshot is None else [*self.snapshot.records, *self.records]


class Disk:
    """One replica's stable storage."""

    def __init__(self) -> None:
        self.full = False
        self.sync_fails: float | None = None
        """Set: the next sync fails, after so much of the write, from 0 to 1, has reached the disk."""
        self.place = START
        """Where the journal ends."""
        self.synced = START
        """How much was synced: kept apart from the journal, so that a journal that lost its end is found out."""
        self.used = False
        """Something was stored: kept apart likewise, as a server starts from nothing only where it is told to."""
        self.snapshot: SnapshotFile | None = None
        """The one that is pointed to."""
        self._rows: dict[int, bytearray] = {}
        self._unadopted: list[SnapshotFile] = []
        """Finished or not: nothing points to them."""

    @property
    def size_bytes(self) -> int:
        """How much is on the disk."""
        return sum(map(len, self._parts()))

    @property
    def works(self) -> bool:
        """Whether it will take the next write."""
        return not self.full and self.sync_fails is None

    @property
    def batches(self) -> int:
        """How many rows there are."""
        return len(self._rows)

    def append(self, records: Sequence[Record], *, torn: float | None = None) -> None:
        """Write a batch and sync it. ``torn``: a crash falls into the write, after that share of it.

        Raises :class:`DiskFullError` or :class:`SyncFailedError`.
        """
        fails, torn = self._trouble(torn)
        data, after = seal(self.place, records)
        if torn is None or torn >= 1.0:
            self._rows[after.batch] = bytearray(data)
            self._cut()
        elif int(torn * len(data)):
            self._rows[after.batch] = bytearray(data[: int(torn * len(data))])
        if fails:
            raise SyncFailedError("the sync failed: what is on the disk is unknown")
        if torn is None:
            self.place = self.synced = after
            self.used = True

    def write_snapshot(
        self, place: Place, index: int, snapshot: Snapshot, *, torn: float | None = None
    ) -> SnapshotFile:
        """Write a snapshot that stands for the journal up to ``place``; it counts for nothing until it is adopted.

        Raises :class:`DiskFullError` or :class:`SyncFailedError`.
        """
        fails, torn = self._trouble(torn)
        records, _ = seal(place, snapshot.records)
        data = bytearray(len(snapshot.state).to_bytes(_SIZE_BYTES, "big") + snapshot.state + records)
        if torn is not None:
            del data[int(torn * len(data)) :]
        file = SnapshotFile(index, place, len(snapshot.state), data)
        self._unadopted.append(file)
        if fails:
            raise SyncFailedError("the sync of a snapshot failed")
        return file

    def read_state(self) -> bytes | None:
        """The state of the snapshot that counts, if there is one."""
        return None if self.snapshot is None else self.snapshot.read(0, self.snapshot.state_bytes)

    def adopt(self, file: SnapshotFile) -> None:
        """Start from this snapshot from now on: the pointer moves, all or nothing; the journal is cut by and by.

        Raises :class:`DiskFullError`.
        """
        if self.full:
            raise DiskFullError("no space is left on the disk")
        self.snapshot, self._unadopted = file, []
        self.used = True

    def read(self) -> Found:
        """Everything that is there; what a crash tore is cut off. Raises :class:`DamageError`."""
        self._unadopted = []
        content, state = (None, None) if self.snapshot is None else self.snapshot.content()
        place = START if self.snapshot is None else self.snapshot.place
        records: list[Record] = []
        torn = False
        for batch in sorted(batch for batch in self._rows if batch > place.batch):
            try:
                found, place = unseal(place, batch, bytes(self._rows[batch]))
            except DamageError:
                if batch <= self.synced.batch:
                    raise
                torn = True
                del self._rows[batch]
            else:
                records.extend(found)
        if place.batch < self.synced.batch:
            raise DamageError(f"the journal ends with batch {place.batch}, but batch {self.synced.batch} was synced")
        if self.used and not self._rows and content is None:  # a snapshot was all that there was
            raise DamageError("nothing is left of what was stored")
        unconfirmed = place.batch > self.synced.batch
        self.place = self.synced = place
        return Found(records, torn, unconfirmed, content, state)

    def wipe(self) -> None:
        """Everything is gone."""
        self._rows.clear()
        self.snapshot, self._unadopted = None, []

    def flip_bit(self, place: float) -> bool:
        """One bit of what is there flips, at that share of it; says whether there was one.

        In rows that a snapshot stands for, or in a file that nothing points to, it does no harm.
        """
        size_bytes = self.size_bytes
        at = min(int(place * size_bytes), size_bytes - 1)
        for part in self._parts():
            if at < len(part):
                part[at] ^= 1 << int(place * 8 * size_bytes) % 8
                return True
            at -= len(part)
        return False

    def _parts(self) -> list[bytearray]:
        adopted = [] if self.snapshot is None else [self.snapshot]
        return [*self._rows.values(), *(file.data for file in (*adopted, *self._unadopted))]

    def _trouble(self, torn: float | None) -> tuple[bool, float | None]:
        """Whether the next sync fails, and how much of the write is there all the same."""
        if self.full:
            raise DiskFullError("no space is left on the disk")
        if self.sync_fails is None:
            return False, torn
        torn, self.sync_fails = self.sync_fails, None
        return True, torn

    def _cut(self) -> None:
        """Drop some rows that the snapshot stands for."""
        last = 0 if self.snapshot is None else self.snapshot.place.batch
        for batch in [batch for batch in self._rows if batch <= last][:CUT_BATCHES]:
            del self._rows[batch]
