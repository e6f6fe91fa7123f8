from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genpaxos.core.ballot import Ballot, BallotKind, Policy
from genpaxos.core.journal import START, DamageError
from genpaxos.core.records import Accepted, Adopted, CommitIndex, Entered, Learned, Promised, Record, Resolved
from genpaxos.core.snapshot import Snapshot
from genpaxos.errors import ConfigError, GenpaxosError
from genpaxos.runtime import storage as module
from genpaxos.runtime.storage import FILE, RESERVED_BYTES, Storage, StorageError, write_snapshot
from tests.runtime.test_wire import ballots, bodies, digests, firsts, ids, indices, kinds

OPENS = "import sys, pathlib\nfrom genpaxos.runtime.storage import Storage\nStorage(pathlib.Path(sys.argv[1]))\n"

ONE_OF_EACH: list[Record] = [
    Promised(Ballot(3, 1)),
    Accepted(["a:1", "b:1"], [["deposit", ["alice", 5], 0], ["total", [], 0]]),
    Entered(Ballot(3, 1), BallotKind(Policy.LEADER_ORDERED, (0, 1)), 7, ["a:1"], [2**64 - 1], [["op", [None, "ü"], 2]]),
    Adopted(["b:1", "c:1"], [0, 5], [None, ["op", [{"k": [1.5, True]}], 0]]),
    Learned(1, ["a:1"], [17], [["op", [], 0]]),
    CommitIndex(2**53),
    Resolved(1, ["a:1", "b:1"]),
]


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    with closing(Storage(tmp_path, create=True)) as made:
        yield made


@st.composite
def records(draw: st.DrawFn) -> Record:
    """Any record of any kind."""
    named = draw(st.lists(ids, max_size=4))
    count = len(named)
    some_digests = draw(st.lists(digests, min_size=count, max_size=count))
    some_bodies = draw(st.lists(bodies, min_size=count, max_size=count))
    kind = draw(st.sampled_from([Promised, Accepted, Entered, Adopted, Learned, CommitIndex, Resolved]))
    if kind is Resolved:
        return Resolved(draw(indices), named)
    if kind is Promised:
        return Promised(draw(ballots))
    if kind is CommitIndex:
        return CommitIndex(draw(indices))
    if kind is Accepted:
        return Accepted(named, some_bodies)
    if kind is Adopted:
        return Adopted(named, some_digests, [draw(st.sampled_from([None, body])) for body in some_bodies])
    if kind is Learned:
        return Learned(draw(firsts), named, some_digests, some_bodies)
    return Entered(draw(ballots), draw(kinds), draw(firsts), named, some_digests, some_bodies)


def stored(storage: Storage) -> list[Record]:
    """All records, as a replica that starts reads them."""
    storage._place = START
    snapshot, records = storage.open()
    assert snapshot is None
    return list(records)


def reopened(storage: Storage) -> list[Record]:
    """All records, as the next process reads them."""
    directory = storage.directory
    storage.close()
    with closing(Storage(directory)) as again:
        return stored(again)


def test_every_kind_of_record_is_read_back(storage: Storage) -> None:
    storage.append(ONE_OF_EACH)
    assert stored(storage) == ONE_OF_EACH


@given(st.lists(st.lists(records(), max_size=3), max_size=3))
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_records_are_read_back_in_the_order_they_were_written(storage: Storage, batches: list[list[Record]]) -> None:
    before = len(stored(storage))
    for batch in batches:
        storage.append(batch)
    assert stored(storage)[before:] == [record for batch in batches for record in batch]


def test_records_and_facts_survive_reopening(tmp_path: Path) -> None:
    with closing(Storage(tmp_path, create=True)) as first:
        first.append(ONE_OF_EACH[:2])
        first.append(ONE_OF_EACH[2:])
        first.put("node", "3")
        first.put("node", "4")
    with closing(Storage(tmp_path)) as second:
        assert stored(second) == ONE_OF_EACH
        assert second.get("node") == "4"
        assert second.get("nothing") is None
        second.append([CommitIndex(1)])
    with closing(Storage(tmp_path)) as third:
        assert stored(third) == [*ONE_OF_EACH, CommitIndex(1)]


def test_every_batch_is_synced(storage: Storage) -> None:
    assert storage._database.execute("PRAGMA synchronous").fetchone() == (2,), "FULL"
    assert storage._database.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_batch_the_disk_has_no_room_for_is_not_there_at_all(tmp_path: Path) -> None:
    with closing(Storage(tmp_path, create=True)) as storage:
        storage.append([CommitIndex(1)])
        (pages,) = storage._database.execute("PRAGMA page_count").fetchone()
        storage._database.execute(f"PRAGMA max_page_count={pages}")
        large = Accepted(["a:1"], [["op", ["x" * (2 * RESERVED_BYTES)], 0]])
        with pytest.raises(StorageError, match=r"no longer votes.*Free space"):
            storage.append([CommitIndex(2), large, CommitIndex(3)])
        assert stored(storage) == [CommitIndex(1)]
        with pytest.raises(StorageError, match="did not take a write"):
            storage.put("fact", "x" * (2 * RESERVED_BYTES))
    with closing(Storage(tmp_path)) as again:
        assert stored(again) == [CommitIndex(1)]


def test_what_cannot_be_written_is_something_users_can_catch() -> None:
    assert issubclass(StorageError, GenpaxosError)


def test_what_was_not_committed_when_the_process_died_is_not_there(tmp_path: Path) -> None:
    with closing(Storage(tmp_path, create=True)) as storage:
        storage.append([CommitIndex(1)])
    torn = sqlite3.connect(tmp_path / FILE, isolation_level=None)
    torn.execute("BEGIN")
    torn.execute("INSERT INTO journal VALUES (?, ?)", (2, b'[["commit",2]]'))
    torn.close()
    with closing(Storage(tmp_path)) as again:
        assert stored(again) == [CommitIndex(1)]


def test_a_journal_is_made_on_purpose_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds no replica's data"):
        Storage(tmp_path)
    Storage(tmp_path, create=True).close()
    with pytest.raises(ConfigError, match="holds a replica's data already"):
        Storage(tmp_path, create=True)


@pytest.mark.usefixtures("storage")
def test_a_second_opening_is_refused_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is another process serving this replica"):
        Storage(tmp_path)


def test_a_second_process_is_refused_with_a_hint(storage: Storage, tmp_path: Path) -> None:
    storage.append([CommitIndex(1)])
    other = subprocess.run([sys.executable, "-c", OPENS, tmp_path], capture_output=True, text=True, check=False)
    assert other.returncode != 0
    assert "is another process serving this replica?" in other.stderr


def test_another_format_is_refused(tmp_path: Path) -> None:
    Storage(tmp_path, create=True).close()
    with closing(sqlite3.connect(tmp_path / FILE)) as database:
        database.execute("PRAGMA user_version=99")
    with pytest.raises(ConfigError, match=f"format 99; this version reads {module.FORMAT}"):
        Storage(tmp_path)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"something else entirely" * 1_000)
    with pytest.raises(DamageError, match="cannot be read: file is not a database"):
        Storage(tmp_path)


@pytest.mark.parametrize("key", ["incarnation", "node"])
def test_a_fact_that_changed_is_damage(storage: Storage, key: str) -> None:
    storage.put(key, "0")
    sealed = storage._database.execute("SELECT sealed FROM facts").fetchone()[0]
    at = sealed.index(b'"0"') + 1
    storage._database.execute(
        "UPDATE facts SET sealed = ?", (bytes([*sealed[:at], sealed[at] ^ 1, *sealed[at + 1 :]]),)
    )
    with pytest.raises(DamageError, match="facts about the replica are not what was written: their seal does not fit"):
        reopened(storage)


@pytest.mark.parametrize("flipped", [b"\xef", b"K"])
def test_a_schema_that_changed_is_damage(tmp_path: Path, flipped: bytes) -> None:
    Storage(tmp_path, create=True).close()
    whole = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(whole.replace(b"TABLE facts", b"TABLE " + flipped + b"acts"))
    with pytest.raises(DamageError):
        Storage(tmp_path)


def test_facts_that_are_gone_are_damage(storage: Storage) -> None:
    storage._database.execute("DELETE FROM facts")
    with pytest.raises(DamageError, match="facts about the replica are not what was written"):
        reopened(storage)


def test_the_file_of_a_snapshot_is_its_writers_own(storage: Storage) -> None:
    """A copy that outlives a killed replica, and one of the next, may write a snapshot at the same place at once."""
    storage.append([CommitIndex(1)])
    arguments = (storage.directory, storage.place, 1, Snapshot(b"state", []))
    child = os.fork()
    if child == 0:
        write_snapshot(*arguments)
        os._exit(0)
    os.waitpid(child, 0)
    mine = write_snapshot(*arguments).file
    assert len(list(storage.directory.glob("snapshot-*"))) == 2
    assert mine.name.startswith("snapshot-1-1-")


def test_a_snapshot_of_another_index_is_damage(storage: Storage) -> None:
    storage.append([CommitIndex(1)])
    storage.adopt_snapshot(write_snapshot(storage.directory, storage.place, 1, Snapshot(b"state", [])))
    storage._database.execute("UPDATE snapshot SET idx = 3")
    with pytest.raises(DamageError, match="not the one at index 3"):
        reopened(storage)


def test_a_batch_that_changed_is_damage(storage: Storage) -> None:
    for index in range(3):
        storage.append([CommitIndex(index)])
    data = storage._database.execute("SELECT records FROM journal WHERE batch = 2").fetchone()[0]
    flipped = bytes([*data[:-3], data[-3] ^ 1, *data[-2:]])
    storage._database.execute("UPDATE journal SET records = ? WHERE batch = 2", (flipped,))
    with pytest.raises(DamageError, match="batch 2 is not what was written"):
        reopened(storage)


@pytest.mark.parametrize("batch", [1, 2, 3])
def test_a_batch_that_is_missing_is_damage_also_at_the_end(storage: Storage, batch: int) -> None:
    for index in range(3):
        storage.append([CommitIndex(index)])
    storage._database.execute("DELETE FROM journal WHERE batch = ?", (batch,))
    with pytest.raises(DamageError, match=f"batch {batch} is missing|but batch 3 was synced"):
        reopened(storage)


def test_a_lost_write_ahead_log_is_damage(tmp_path: Path) -> None:
    """The database without it is whole, and older than what was promised."""
    with closing(Storage(tmp_path / "1", create=True)) as storage:
        storage.append([CommitIndex(1)])
    with closing(Storage(tmp_path / "1")) as storage:
        stored(storage)
        storage.append([CommitIndex(2)])
        shutil.copytree(tmp_path / "1", tmp_path / "2")  # as a crash leaves it
    (tmp_path / "2" / f"{FILE}-wal").unlink()
    with closing(Storage(tmp_path / "2")) as storage, pytest.raises(DamageError, match="batch 2 was synced"):
        stored(storage)


def test_the_log_has_its_full_length_from_the_start_and_after_a_restart(tmp_path: Path) -> None:
    for create in (True, False):
        with closing(Storage(tmp_path, create=create)) as storage:
            stored(storage)
            assert (tmp_path / f"{FILE}-wal").stat().st_size >= RESERVED_BYTES
            assert storage._database.execute(
                "SELECT count(*) FROM sqlite_master WHERE name = 'reserve'"
            ).fetchone() == (0,)
