"""Stable storage: an append-only journal of records in SQLite (WAL, ``synchronous=FULL``), one transaction per batch.

When :meth:`Storage.append` returns, the batch is on the disk. Any error there means that nobody knows what is: the
owner must stop voting (protocol §3; *Fast Paxos* assumes that an acceptor never forgets).
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from genpaxos.core.ballot import Ballot, BallotKind, Policy
from genpaxos.core.records import Accepted, Adopted, CommitIndex, Entered, Learned, Promised, Record, Resolved
from genpaxos.errors import ConfigError, GenpaxosError

FORMAT = 1
"""Version of the journal's format, kept in the file."""
FILE = "journal.db"


class StorageError(GenpaxosError):
    """The disk did not take or give what it should; the message says what to do."""


class Storage:
    """One replica's journal. Opens an existing one, or makes a new one if ``create`` is set."""

    def __init__(self, directory: Path, *, create: bool = False) -> None:
        path = directory / FILE
        if create == path.exists():
            raise ConfigError(
                f"{directory} holds a replica's data already" if create else f"{directory} holds no replica's data"
            )
        directory.mkdir(parents=True, exist_ok=True)
        try:
            self._database = sqlite3.connect(path, isolation_level=None, timeout=0.0)
            self._database.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=FULL")
            self._database.execute("PRAGMA wal_autocheckpoint=4000")
            if create:
                self._create()
            (version,) = self._database.execute("PRAGMA user_version").fetchone()
        except sqlite3.Error as error:
            hint = "; is another process serving this replica?" if "locked" in str(error) else ""
            raise ConfigError(f"cannot open the journal {path}: {error}{hint}") from error
        if version != FORMAT:
            raise ConfigError(f"{path} has journal format {version}; this version reads {FORMAT}")

    def close(self) -> None:
        """Release the files."""
        self._database.close()

    def append(self, records: Sequence[Record]) -> None:
        """Make a batch of records durable, all or nothing. Raises :class:`StorageError`."""
        blob = orjson.dumps([encode(record) for record in records])
        try:
            self._database.execute("INSERT INTO journal (records) VALUES (?)", (blob,))
        except sqlite3.Error as error:
            raise StorageError(
                f"the journal did not take a write: {error}. This replica no longer votes. "
                "Free space or replace the disk, then start it again from the same directory."
            ) from error

    def records(self) -> Iterator[Record]:
        """All records, in the order they were written. Raises :class:`StorageError`."""
        batch = 0
        try:
            for batch, blob in self._database.execute("SELECT batch, records FROM journal ORDER BY batch"):  # noqa: B007
                yield from [decode(item) for item in orjson.loads(blob)]
        except (sqlite3.Error, ValueError, LookupError, TypeError) as error:
            raise StorageError(
                f"the journal is damaged at batch {batch}: {error!r}. A replica that forgot what it promised must not "
                "come back as itself: restore the file, or replace the replica."
            ) from error

    def get(self, key: str) -> str | None:
        """A fact about the replica, or ``None``."""
        row = self._database.execute("SELECT value FROM facts WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def put(self, key: str, value: str) -> None:
        """Write down a fact, durably. Raises :class:`StorageError`."""
        try:
            self._database.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (key, value))
        except sqlite3.Error as error:
            raise StorageError(f"the journal did not take a write: {error}") from error

    def _create(self) -> None:
        self._database.execute("BEGIN")
        self._database.execute("CREATE TABLE journal (batch INTEGER PRIMARY KEY, records BLOB NOT NULL)")
        self._database.execute("CREATE TABLE facts (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID")
        self._database.execute(f"PRAGMA user_version={FORMAT}")
        self._database.execute("COMMIT")


def encode(record: Record) -> list[Any]:
    """A record as a JSON array."""
    match record:
        case Adopted(ids, digests, bodies):
            return ["adopted", ids, digests, bodies]
        case Accepted(ids, bodies):
            return ["accepted", ids, bodies]
        case CommitIndex(index):
            return ["commit", index]
        case Promised(ballot):
            return ["promised", list(ballot)]
        case Entered(ballot, kind, first, ids, digests, bodies):
            return ["entered", list(ballot), kind.policy, kind.pinned, first, ids, digests, bodies]
        case Resolved(step, ids):
            return ["resolved", step, ids]
        case Learned(first, ids, digests, bodies):
            return ["learned", first, ids, digests, bodies]


def decode(item: list[Any]) -> Record:
    """A record from its JSON array, as :func:`encode` made it."""
    return _DECODERS[item[0]](*item[1:])


_DECODERS: dict[str, Callable[..., Record]] = {
    "adopted": Adopted,
    "accepted": Accepted,
    "commit": CommitIndex,
    "promised": lambda ballot: Promised(Ballot(*ballot)),
    "entered": lambda ballot, policy, pinned, first, ids, digests, bodies: Entered(
        Ballot(*ballot), BallotKind(Policy(policy), tuple(pinned)), first, ids, digests, bodies
    ),
    "learned": Learned,
    "resolved": Resolved,
}
