"""Stable storage: a journal of sealed batches in SQLite (WAL, ``synchronous=FULL``), and a snapshot in a file.

When :meth:`Storage.append` returns, the batch is on the disk. Any error there means that nobody knows what is: the
owner must stop voting (protocol §3; *Fast Paxos* assumes that an acceptor never forgets).

Whatever is read back is verified. A batch that was being written when the machine stopped is not there, and nothing
rests on it. Anything else that is not as it was written is damage, and damage is refused: the seals of
:mod:`genpaxos.core.journal` show a batch that changed or is missing in between; that batches are missing at the end,
although they were synced, shows in the file ``synced``, which names the last one. The facts have a seal of their own.
"""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import orjson
from xxhash import xxh3_64_intdigest

from genpaxos.core.journal import START, DamageError, Place, read, seal, unseal
from genpaxos.core.records import Record
from genpaxos.core.snapshot import Snapshot
from genpaxos.errors import ConfigError, GenpaxosError

FORMAT = 6
"""Version of the journal's format, kept in the file."""
FILE = "journal.db"
SYNCED_FILE = "synced"
SYNC_BYTES = 2 * 1024 * 1024
CUT_BATCHES = 4
"""How many batches are dropped with each that is appended, while there are any to drop."""
LOG_PAGES = 1_000
"""How long SQLite's log gets before its pages are moved to where they belong."""
RESERVED_BYTES = LOG_PAGES * 4096
"""The same in bytes, as a page has 4 KiB: room that the log, and so the journal's file, has from the start."""
_PLACE_BYTES = 16
_SEAL_BYTES = 8
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR})
"""What SQLite says of a file that does not make sense; other errors are those of opening, locking, reading it."""


class StorageError(GenpaxosError):
    """The disk did not take or give what it should; the message says what to do."""


@dataclass(frozen=True, slots=True)
class StoredSnapshot:
    """The snapshot that the journal goes on from."""

    file: Path
    index: int
    place: Place
    """How much of the journal it stands for."""
    state_bytes: int

    def read(self, offset: int, size: int) -> bytes:
        """Bytes of its state. Raises :class:`StorageError`."""
        try:
            with self.file.open("rb") as file:
                start = len(file.readline())
                file.seek(start + offset)
                return file.read(max(0, min(size, self.state_bytes - offset)))
        except OSError as error:
            raise StorageError(f"cannot read the snapshot {self.file}: {error}") from error


def write_snapshot(directory: Path, place: Place, index: int, snapshot: Snapshot) -> StoredSnapshot:
    """Write a snapshot that stands for the journal up to ``place`` into a file, durably. Raises ``OSError``.

    It counts for nothing until :meth:`Storage.adopt_snapshot`; so a copy of the process may write it. The file's
    name is the writer's own: a copy that outlives a killed replica must not write to that of the next one's copy.
    """
    file = directory / f"{_name(place, index)}{os.getpid()}"
    unfinished = file.with_suffix(".part")
    records, _ = seal(place, snapshot.records)
    header = orjson.dumps({"state": len(snapshot.state), "records": len(records)}) + b"\n"
    with unfinished.open("wb", buffering=0) as out:
        for part in (header, snapshot.state, records):
            for start in range(0, len(part), SYNC_BYTES):
                out.write(part[start : start + SYNC_BYTES])
                os.fsync(out.fileno())  # in small portions: the journal's syncs wait for the disk behind this one
    unfinished.replace(file)
    _sync_directory(directory)
    return StoredSnapshot(file, index, place, len(snapshot.state))


def in_use(directory: Path) -> bool:
    """Whether a process has the journal in there open, even one that stands still."""
    path = directory / FILE
    if not path.exists():
        return False
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=0.0)) as database:
            database.execute("BEGIN IMMEDIATE")
    except sqlite3.Error as error:
        return "locked" in str(error)  # anything else is damage, and no process is in the way
    return False


class Storage:
    """One replica's stable storage. Opens what exists, or makes it anew if ``create`` is set.

    Raises :class:`DamageError` if what exists is not what was written, and :class:`ConfigError` if it cannot be opened.
    """

    def __init__(self, directory: Path, *, create: bool = False) -> None:
        path = directory / FILE
        if create == path.exists():
            raise ConfigError(
                f"{directory} holds a replica's data already" if create else f"{directory} holds no replica's data"
            )
        if create and (directory / SYNCED_FILE).exists():
            raise ConfigError(
                f"{directory} holds what is left of a replica's data: its promises are lost, so it must not come "
                "back as itself. `genpaxos rejoin` lets it come back as a new incarnation."
            )
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.bytes_since_snapshot = 0
        """How long the journal is behind the newest snapshot."""
        self._database = _connected(path)
        try:
            self._set_up(path, create=create)
            self._facts = self._read_facts()
        except BaseException:
            self._database.close()
            raise
        self._place = START
        self._first, self._cut = 1, 0
        """The first batch that is still there, and the last one that is not needed."""
        self._closed = False
        self._synced = os.open(directory / SYNCED_FILE, os.O_RDWR | os.O_CREAT, 0o644)
        self.snapshot: StoredSnapshot | None = None
        """The newest snapshot, once :meth:`open` has found it."""

    def _set_up(self, path: Path, *, create: bool) -> None:
        try:
            self._database.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=FULL")
            self._database.execute(f"PRAGMA wal_autocheckpoint={LOG_PAGES}")
            if create:
                self._create()
            (version,) = self._database.execute("PRAGMA user_version").fetchone()
            if version == FORMAT:
                self._reserve()
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise _unopened(path, error) from error
        if version != FORMAT:
            raise ConfigError(f"{path} has journal format {version}; this version reads {FORMAT}")

    def close(self) -> None:
        """Release the files."""
        if not self._closed:
            self._closed = True
            self._database.close()
            os.close(self._synced)

    @property
    def place(self) -> Place:
        """Where the journal ends."""
        return self._place

    def append(self, records: Sequence[Record]) -> None:
        """Make a batch of records durable, all or nothing. Raises :class:`StorageError`."""
        data, after = seal(self._place, records)
        try:
            if self._cut >= self._first:
                self._append_and_cut(after.batch, data)
            else:
                self._database.execute("INSERT INTO journal VALUES (?, ?)", (after.batch, data))
            os.pwrite(self._synced, _packed(after), 0)
        except (sqlite3.Error, OSError) as error:
            raise StorageError(
                f"the journal did not take a write: {error}. This replica no longer votes. "
                "Free space or replace the disk, then start it again from the same directory."
            ) from error
        self._place = after
        self.bytes_since_snapshot += len(data)

    def open(self) -> tuple[Snapshot | None, Iterator[Record]]:
        """What the replica starts from: the snapshot, and the records behind it. Raises :class:`DamageError`, also
        while the records are read, which must be to the end."""
        return self._read_snapshot(), self._records()

    def read_state(self) -> bytes | None:
        """The newest snapshot's state, if there is one. Raises :class:`StorageError`."""
        return None if self.snapshot is None else self.snapshot.read(0, self.snapshot.state_bytes)

    def adopt_snapshot(self, written: StoredSnapshot) -> None:
        """Start from this snapshot from now on. Raises :class:`StorageError`.

        What it stands for is dropped little by little, with the batches to come: all at once takes a second per 200 MB.
        """
        try:
            self._database.execute("BEGIN")
            self._database.execute("DELETE FROM snapshot")
            row = (written.file.name, written.index, written.place.batch, written.place.seal.to_bytes(8, "little"))
            self._database.execute("INSERT INTO snapshot VALUES (?, ?, ?, ?)", row)
            self._database.execute("COMMIT")
        except sqlite3.Error as error:
            raise StorageError(f"the journal did not take a snapshot: {error}") from error
        self.snapshot, self.bytes_since_snapshot, self._cut = written, 0, written.place.batch
        self.remove_unadopted()

    def remove_unadopted(self) -> None:
        """Drop older snapshots, and those that were never finished. Raises :class:`StorageError`."""
        try:
            for file in self.directory.glob("snapshot-*"):
                if self.snapshot is None or file.name != self.snapshot.file.name:
                    file.unlink(missing_ok=True)
        except OSError as error:
            raise StorageError(f"cannot remove an old snapshot: {error}") from error

    def get(self, key: str) -> str | None:
        """A fact about the replica, or ``None``."""
        return self._facts.get(key)

    def facts(self, prefix: str) -> dict[str, str]:
        """The facts whose key starts so."""
        return {key: value for key, value in sorted(self._facts.items()) if key.startswith(prefix)}

    def put(self, key: str, value: str) -> None:
        """Write down a fact, durably. Raises :class:`StorageError`."""
        facts = {**self._facts, key: value}
        try:
            self._database.execute("UPDATE facts SET sealed = ?", (_sealed(facts),))
        except sqlite3.Error as error:
            raise StorageError(f"the journal did not take a write: {error}") from error
        self._facts = facts

    def _append_and_cut(self, batch: int, data: bytes) -> None:
        """Append, and drop a few batches that the snapshot stands for, in one transaction."""
        last = min(self._cut, self._first + CUT_BATCHES - 1)
        self._database.execute("BEGIN")
        try:
            self._database.execute("INSERT INTO journal VALUES (?, ?)", (batch, data))
            self._database.execute("DELETE FROM journal WHERE batch BETWEEN ? AND ?", (self._first, last))
            self._database.execute("COMMIT")
        except sqlite3.Error:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise
        self._first = last + 1

    def _create(self) -> None:
        self._database.execute("BEGIN")
        self._database.execute("CREATE TABLE journal (batch INTEGER PRIMARY KEY, records BLOB NOT NULL)")
        self._database.execute("CREATE TABLE snapshot (file TEXT, idx INTEGER, batch INTEGER, seal BLOB)")
        self._database.execute("CREATE TABLE facts (sealed BLOB NOT NULL)")
        self._database.execute("INSERT INTO facts VALUES (?)", (_sealed({}),))
        self._database.execute(f"PRAGMA user_version={FORMAT}")
        self._database.execute("COMMIT")

    def _reserve(self) -> None:
        """Write SQLite's log once in full length: a commit takes up to twice as long while that file still grows."""
        log = self.directory / f"{FILE}-wal"
        if log.exists() and log.stat().st_size >= RESERVED_BYTES:
            return
        try:
            self._database.execute("DROP TABLE IF EXISTS reserve")
            self._database.execute("CREATE TABLE reserve (bytes BLOB)")
            self._database.execute("INSERT INTO reserve VALUES (zeroblob(?))", (RESERVED_BYTES,))
            self._database.execute("DROP TABLE reserve")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_FULL:
                raise  # a full disk is complained about when something that matters does not fit

    def _read_facts(self) -> dict[str, str]:
        try:
            ((sealed,),) = self._database.execute("SELECT sealed FROM facts").fetchall()
            facts: dict[str, str] = orjson.loads(sealed[_SEAL_BYTES:])
            if _sealed(facts) != sealed:
                raise ValueError("their seal does not fit")
        except (sqlite3.Error, ValueError, TypeError, AttributeError) as error:
            raise DamageError(f"the facts about the replica are not what was written: {error}") from error
        return facts

    def _read_snapshot(self) -> Snapshot | None:
        try:
            row = self._database.execute("SELECT file, idx, batch, seal FROM snapshot").fetchone()
            (first,) = self._database.execute("SELECT coalesce(min(batch), 1) FROM journal").fetchone()
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise DamageError(f"the journal cannot be read: {error}") from error
        if row is None:
            self.remove_unadopted()
            return None
        try:
            file, place = self.directory / row[0], Place(row[2], int.from_bytes(row[3], "little"))
            if not file.name.startswith(_name(place, row[1])):
                raise ValueError(f"it is not the one at index {row[1]}, behind batch {place.batch}")
            header, _, rest = file.read_bytes().partition(b"\n")
            sizes: dict[str, int] = orjson.loads(header)
            state, records = rest[: sizes["state"]], rest[sizes["state"] :]
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise DamageError(f"the snapshot {row[0]} cannot be read: {error}") from error
        self._place, self._cut, self._first = place, place.batch, first
        self.snapshot = StoredSnapshot(file, row[1], place, len(state))
        self.remove_unadopted()
        return Snapshot(state, unseal(place, place.batch + 1, records)[0])

    def _counted(self, rows: Iterator[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
        for batch, data in rows:
            self.bytes_since_snapshot += len(data)
            yield batch, data

    def _records(self) -> Iterator[Record]:
        try:
            rows: Iterator[tuple[int, bytes]] = self._database.execute(
                "SELECT * FROM journal WHERE batch > ? ORDER BY batch", (self._place.batch,)
            )
            for records, place in read(self._place, self._counted(rows)):
                self._place = place
                yield from records
        except (sqlite3.Error, UnicodeDecodeError, TypeError) as error:
            raise DamageError(f"the journal cannot be read behind batch {self._place.batch}: {error}") from error
        synced = _unpacked(os.pread(self._synced, _PLACE_BYTES, 0))
        if synced is not None and synced.batch > self._place.batch:
            raise DamageError(f"the journal ends with batch {self._place.batch}, but batch {synced.batch} was synced")


def _name(place: Place, index: int) -> str:
    """How the names of a snapshot's files begin."""
    return f"snapshot-{place.batch}-{index}-"


def _sealed(facts: dict[str, str]) -> bytes:
    data = orjson.dumps(facts, option=orjson.OPT_SORT_KEYS)
    return xxh3_64_intdigest(data).to_bytes(_SEAL_BYTES, "little") + data


def _connected(path: Path) -> sqlite3.Connection:
    try:
        return sqlite3.connect(path, isolation_level=None, timeout=0.0)
    except sqlite3.Error as error:
        raise _unopened(path, error) from error


def _unopened(path: Path, error: sqlite3.Error | UnicodeDecodeError) -> DamageError | ConfigError:
    """Why a journal cannot be used."""
    if _damaged(error):
        return DamageError(f"the journal {path} cannot be read: {error}")
    hint = "; is another process serving this replica?" if "locked" in str(error) else ""
    return ConfigError(f"cannot open the journal {path}: {error}{hint}")


def _damaged(error: sqlite3.Error | UnicodeDecodeError) -> bool:
    return isinstance(error, UnicodeDecodeError) or getattr(error, "sqlite_errorcode", None) in _DAMAGED


def _packed(place: Place) -> bytes:
    return place.batch.to_bytes(8, "little") + place.seal.to_bytes(8, "little")


def _unpacked(data: bytes) -> Place | None:
    """``None`` if it was never written, or lost with the machine's power: it is not synced itself."""
    if len(data) < _PLACE_BYTES:
        return None
    return Place(int.from_bytes(data[:8], "little"), int.from_bytes(data[8:], "little"))


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
