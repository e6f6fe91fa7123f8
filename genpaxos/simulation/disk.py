"""A disk that keeps bytes: it fails a sync, is full, tears the write that a crash falls into, rots, or is wiped.

A journal is a run of frames, one per batch of records: length, checksum, payload. Each checksum covers the one before
it, so a frame says that all before it are there and unharmed. What a crash tears is the last frame and was never
relied upon: it is cut off. Anything else that does not fit is damage, and a replica that may have forgotten a promise
must not come back as itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import orjson
from xxhash import xxh3_64_intdigest

from genpaxos.core.journal import decode, encode
from genpaxos.core.records import Record

HEAD_BYTES = 12
"""Of a frame: four for the length of its payload, eight for the checksum."""


class DiskError(Exception):
    """The disk did not do as it was told; the owner must stop."""


class SyncFailedError(DiskError):
    """The write may be on the disk or not: nobody knows."""


class DiskFullError(DiskError):
    """Nothing was written."""


class DamagedError(DiskError):
    """What is read is not what was written, or nothing is left of it."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a start finds on the disk."""

    records: list[Record]
    """In the order they were written."""
    torn: bool
    """A frame that a crash tore was cut off behind them."""
    unconfirmed: bool
    """The last batch was never confirmed to be synced; it is there all the same."""


class Disk:
    """One replica's stable storage."""

    def __init__(self) -> None:
        self.full = False
        self.sync_fails: float | None = None
        """Set: the next sync fails, after so much of the write, from 0 to 1, has reached the disk."""
        self.batches = 0
        """How many were synced: kept apart from the journal, so that a journal that lost its end is found out."""
        self._bytes = bytearray()
        self._checksum = 0

    @property
    def size_bytes(self) -> int:
        """How much is on the disk."""
        return len(self._bytes)

    def append(self, records: Sequence[Record], *, torn: float | None = None) -> None:
        """Write a batch and sync it. ``torn``: a crash falls into the write, after that share of it.

        Raises :class:`DiskFullError` or :class:`SyncFailedError`.
        """
        if self.full:
            raise DiskFullError("no space is left on the disk")
        payload = orjson.dumps([encode(record) for record in records])
        checksum = xxh3_64_intdigest(payload, self._checksum)
        frame = len(payload).to_bytes(4, "big") + checksum.to_bytes(8, "big") + payload
        if self.sync_fails is not None:
            torn, self.sync_fails = self.sync_fails, None
            self._write(frame, torn)
            raise SyncFailedError("the sync failed: what is on the disk is unknown")
        self._write(frame, torn)
        if torn is None:
            self._checksum = checksum
            self.batches += 1

    def read(self) -> Found:
        """Everything that is there; what a crash tore is cut off.

        Raises :class:`DamagedError`.
        """
        data, at, checksum, batches = bytes(self._bytes), 0, 0, 0
        records: list[Record] = []
        while len(data) - at >= HEAD_BYTES:
            end = at + HEAD_BYTES + int.from_bytes(data[at : at + 4], "big")
            payload = data[at + HEAD_BYTES : end]
            expected = xxh3_64_intdigest(payload, checksum)
            if end > len(data) or int.from_bytes(data[at + 4 : at + HEAD_BYTES], "big") != expected:
                break
            records.extend(decode(item) for item in orjson.loads(payload))
            at, checksum, batches = end, expected, batches + 1
        if batches < self.batches:
            raise DamagedError(f"batch {batches + 1} of {self.batches} cannot be read")
        found = Found(records, at < len(data), batches > self.batches)
        del self._bytes[at:]
        self._checksum, self.batches = checksum, batches
        return found

    def wipe(self) -> None:
        """Everything is gone."""
        self._bytes.clear()

    def flip_bit(self, place: float) -> bool:
        """One bit of what was synced turns over, at that share of it; says whether there was one."""
        if not self._bytes:
            return False
        index = min(int(place * len(self._bytes)), len(self._bytes) - 1)
        self._bytes[index] ^= 1 << int(place * 8 * len(self._bytes)) % 8
        return True

    def _write(self, frame: bytes, torn: float | None) -> None:
        self._bytes += frame if torn is None else frame[: int(torn * len(frame))]
