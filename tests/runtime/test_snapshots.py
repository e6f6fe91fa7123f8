"""Snapshots on a real disk: written by a copy of the process, adopted in one transaction, whatever dies in between."""

from __future__ import annotations

import errno
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from commutativity import Command
from genpaxos import LocalCluster
from genpaxos.core.ballot import Ballot
from genpaxos.core.executor import MachineFaultError
from genpaxos.core.journal import START, DamageError, Place
from genpaxos.core.messages import Propose, SnapshotChunk
from genpaxos.core.quorum import EVERYBODY
from genpaxos.core.records import CommitIndex, Promised
from genpaxos.core.replica import Replica
from genpaxos.core.settings import Settings
from genpaxos.core.snapshot import Snapshot
from genpaxos.examples.bank import Bank
from genpaxos.runtime import snapshots as module
from genpaxos.runtime.query import ask
from genpaxos.runtime.snapshots import SnapshotTaker
from genpaxos.runtime.storage import Storage, StorageError, write_snapshot
from tests.core.bench import Bench, body
from tests.core.test_snapshot import isolate, run
from tests.runtime.clusters import coordinator, rows, wait_until

SMALL = Snapshot(b"the state", [Promised(Ballot(2, 1))])


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    with closing(Storage(tmp_path, create=True)) as made:
        assert read_back(made) == (None, [])
        yield made


def read_back(storage: Storage) -> tuple[Snapshot | None, list[Any]]:
    snapshot, records = storage.open()
    return snapshot, list(records)


def reopened(storage: Storage) -> tuple[Snapshot | None, list[Any]]:
    """What the next process starts from."""
    storage.close()
    with closing(Storage(storage.directory)) as again:
        return read_back(again)


def files(directory: Path) -> list[str]:
    return sorted(file.name for file in directory.glob("snapshot-*"))


# The disk -----------------------------------------------------------------------------------------------------------


def test_a_replica_starts_from_its_snapshot_and_the_journal_behind_it(storage: Storage) -> None:
    storage.append([CommitIndex(1)])
    written = write_snapshot(storage.directory, storage.place, 1, SMALL)
    storage.append([CommitIndex(2)])  # while the copy was writing
    storage.adopt_snapshot(written)
    storage.append([CommitIndex(3)])
    assert written.read(4, 100) == b"state"
    assert reopened(storage) == (SMALL, [CommitIndex(2), CommitIndex(3)])


def test_a_snapshot_that_was_written_but_not_adopted_counts_for_nothing(storage: Storage) -> None:
    storage.append([CommitIndex(1)])
    write_snapshot(storage.directory, storage.place, 1, SMALL)
    assert reopened(storage) == (None, [CommitIndex(1)])
    assert files(storage.directory) == []


def test_an_old_snapshot_that_was_still_to_be_removed_is_removed_at_the_next_start(storage: Storage) -> None:
    """Killed between the transaction that adopts the new one and the removal."""
    storage.append([CommitIndex(1)])
    first = write_snapshot(storage.directory, storage.place, 1, SMALL)
    storage.adopt_snapshot(first)
    kept = first.file.read_bytes()
    storage.append([CommitIndex(2)])
    second = write_snapshot(storage.directory, storage.place, 2, Snapshot(b"newer", []))
    storage.adopt_snapshot(second)
    first.file.write_bytes(kept)
    (storage.directory / "snapshot-9-9-9.part").write_bytes(b"half a")
    assert reopened(storage) == (Snapshot(b"newer", []), [])
    assert files(storage.directory) == [second.file.name]


def test_a_journal_goes_on_behind_a_snapshot_that_stands_for_all_of_it(storage: Storage) -> None:
    for index in range(3):
        storage.append([CommitIndex(index)])
    storage.adopt_snapshot(write_snapshot(storage.directory, storage.place, 2, SMALL))
    assert reopened(storage) == (SMALL, [])
    with closing(Storage(storage.directory)) as again:
        read_back(again)
        assert again.place.batch == 3
        again.append([CommitIndex(4)])
        assert reopened(again) == (SMALL, [CommitIndex(4)])


def test_a_missing_end_behind_a_snapshot_is_damage(storage: Storage) -> None:
    storage.append([CommitIndex(1)])
    storage.adopt_snapshot(write_snapshot(storage.directory, storage.place, 1, SMALL))
    storage.append([CommitIndex(2)])
    storage._database.execute("DELETE FROM journal")
    with pytest.raises(DamageError, match="ends with batch 1, but batch 2 was synced"):
        reopened(storage)


def test_a_lost_snapshot_is_damage(storage: Storage) -> None:
    written = write_snapshot(storage.directory, storage.place, 1, SMALL)
    storage.adopt_snapshot(written)
    written.file.unlink()
    with pytest.raises(DamageError, match="cannot be read"):
        reopened(storage)


def test_a_snapshot_cut_short_or_changed_in_its_records_is_damage(storage: Storage) -> None:
    """The state carries a seal of its own, which is checked when it is parsed."""
    written = write_snapshot(storage.directory, storage.place, 1, SMALL)
    storage.adopt_snapshot(written)
    whole = written.file.read_bytes()
    storage.close()
    for damaged in (whole[:-1], b"", whole[:-3] + bytes([whole[-3] ^ 4]) + whole[-2:], b"[]\n" + whole):
        written.file.write_bytes(damaged)
        with closing(Storage(storage.directory)) as again, pytest.raises(DamageError):
            read_back(again)


def test_no_more_is_read_of_a_state_than_there_is_whatever_a_peer_asks_for(storage: Storage) -> None:
    """The acceptor's own records follow it in the file: they are nobody else's."""
    written = write_snapshot(storage.directory, START, 1, SMALL)
    assert written.read(0, 10**6) == b"the state"
    assert [written.read(offset, 10**6) for offset in (8, 9, 10, 10**9)] == [b"e", b"", b"", b""]


def test_the_journal_s_length_is_known_again_after_a_restart(storage: Storage) -> None:
    """A replica that is restarted often must take its snapshot all the same."""
    for index in range(5):
        storage.append([CommitIndex(index)])
    before = storage.bytes_since_snapshot
    storage.close()
    with closing(Storage(storage.directory)) as again:
        read_back(again)
        assert again.bytes_since_snapshot == before > 0


# The copy that writes it --------------------------------------------------------------------------------------------


class Owner:
    """One replica alone with a disk, as the server drives it."""

    def __init__(self, directory: Path, machine: type[Bank] = Bank, every: int = 10, create: bool = False) -> None:
        self.storage = Storage(directory, create=create)
        self.complaints: list[str] = []
        self.heir: Owner | None = None
        """The one that goes on from the same disk."""
        self._now_ms = 0.0
        snapshot, records = self.storage.open()
        self.replica = Replica(0, machine(), Settings(1), 0.0, records, snapshot)
        self.taker = SnapshotTaker(self.replica, self.storage, every, self.complaints.append)
        while not self.replica.coordinator.leading:
            self.step()

    def step(self, *proposals: Propose) -> None:
        self._now_ms += 100
        effects = self.replica.step(self._now_ms, (), [("client", proposal) for proposal in proposals])
        if effects.records:
            self.storage.append(effects.records)

    def run(self, count: int, command: Command[Any] | None = None) -> None:
        for _ in range(count):
            number = self.replica.executor.applied + 1
            self.step(Propose([f"c:{number}"], [body(command or Bank.deposit("alice", 1))], EVERYBODY))

    def finish_copy(self) -> None:
        """Wait for the copy to end, and let the taker find out."""
        child = self.taker._child
        assert child is not None
        wait_until(child.ended, "the copy ends")
        self.taker.take_if_due()

    def close(self) -> None:
        self.taker.close()
        self.storage.close()
        if self.heir is not None:
            self.heir.close()

    @property
    def cents(self) -> dict[str, int]:
        machine = self.replica.executor.machine
        assert isinstance(machine, Bank)
        return machine.cents


@pytest.fixture
def owner(tmp_path: Path) -> Iterator[Owner]:
    made = Owner(tmp_path / "0", create=True)
    yield made
    made.close()


def restarted(owner: Owner, **options: Any) -> Owner:
    owner.close()
    owner.heir = Owner(owner.storage.directory, **options)
    return owner.heir


def test_the_replica_goes_on_while_its_copy_writes(owner: Owner) -> None:
    owner.run(10)
    owner.taker.take_if_due()
    owner.run(5)
    owner.finish_copy()
    assert owner.storage.snapshot is not None
    assert owner.storage.snapshot.index == 10
    again = restarted(owner)
    assert (again.replica.history.base, again.cents) == (10, {"alice": 15})
    assert again.complaints == []
    again.close()


def test_none_is_taken_before_enough_was_committed(owner: Owner) -> None:
    owner.run(9)
    owner.taker.take_if_due()
    assert owner.taker._child is None
    owner.run(1)
    owner.taker.take_if_due()
    assert owner.taker._child is not None


def test_a_long_journal_calls_for_one_however_few_commands_it_holds(
    owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner.run(3)
    monkeypatch.setattr(owner.taker, "_next_bytes", owner.storage.bytes_since_snapshot + 1)
    owner.taker.take_if_due()
    assert owner.taker._child is None
    owner.run(1)
    owner.taker.take_if_due()
    assert owner.taker._child is not None
    assert owner.taker._next_bytes > module.JOURNAL_BYTES_MAX, "if it fails it is not tried again at once"
    owner.finish_copy()
    assert owner.storage.snapshot is not None
    assert owner.storage.snapshot.index == 4
    assert owner.taker._next_bytes == module.JOURNAL_BYTES_MAX


def test_none_is_started_while_the_last_is_on_its_way_to_another(owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    owner.run(10)
    with monkeypatch.context() as patched:
        patched.setattr(Replica, "sends_snapshot", True)
        owner.taker.take_if_due()
        assert owner.taker._child is None
    owner.taker.take_if_due()
    assert owner.taker._child is not None


def test_none_is_ever_taken_if_the_cluster_file_says_so(tmp_path: Path) -> None:
    never = Owner(tmp_path / "0", every=0, create=True)
    never.run(50)
    never.taker.take_if_due()
    assert never.taker._child is None
    never.close()


def test_a_copy_that_is_killed_costs_a_snapshot_and_leaves_nothing_behind(owner: Owner) -> None:
    owner.run(10)
    gate = threading.Event()
    owner.replica.executor.machine.snapshot = gate.wait  # type: ignore[method-assign, assignment]
    owner.taker.take_if_due()
    child = owner.taker._child
    assert child is not None
    (owner.storage.directory / f"snapshot-1-10-{child._pid}.part").write_bytes(b"half a")
    os.kill(child._pid, signal.SIGKILL)
    owner.finish_copy()
    assert owner.complaints == [
        "took no snapshot, so its journal goes on growing: the process that wrote it was killed"
    ]
    assert files(owner.storage.directory) == []
    del owner.replica.executor.machine.snapshot  # type: ignore[attr-defined]
    owner.run(10)
    owner.taker.take_if_due()
    owner.finish_copy()
    assert owner.storage.snapshot is not None
    assert owner.storage.snapshot.index == 20


def test_a_copy_that_finds_no_room_leaves_nothing_behind(owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a file for every attempt would take what space the journal has left."""

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    owner.run(10)
    monkeypatch.setattr("genpaxos.runtime.storage.os.fsync", full)
    owner.taker.take_if_due()
    owner.finish_copy()
    [complaint] = owner.complaints
    assert "No space left" in complaint
    assert files(owner.storage.directory) == []
    assert restarted(owner).cents == {"alice": 10}


def test_a_process_that_cannot_be_copied_goes_on(owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> int:
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    owner.run(10)
    handles = len(os.listdir("/proc/self/fd"))
    with monkeypatch.context() as patched:
        patched.setattr(module.os, "fork", refuse)
        owner.taker.take_if_due()
    assert "Cannot allocate memory" in owner.complaints[0]
    assert len(os.listdir("/proc/self/fd")) <= handles  # fewer: what was garbage is collected first
    owner.run(10)
    owner.taker.take_if_due()
    owner.finish_copy()
    assert owner.storage.snapshot is not None


def test_a_copy_that_hangs_is_ended_and_the_next_one_is_tried(owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    owner.run(10)
    with monkeypatch.context() as patched:
        patched.setattr(module, "write_snapshot", lambda *_: signal.pause())
        patched.setattr(module, "WRITING_S_MAX", 0.0)
        owner.taker.take_if_due()
        assert owner.taker.busy
        owner.taker.take_if_due()
    assert not owner.taker.busy
    assert "was not done after" in owner.complaints[0]
    owner.run(10)
    owner.taker.take_if_due()
    owner.finish_copy()
    assert owner.storage.snapshot is not None


def test_a_machine_without_a_json_state_keeps_its_journal_and_says_why(owner: Owner) -> None:
    owner.run(10)
    owner.replica.executor.machine.snapshot = lambda: {1, 2}  # type: ignore[method-assign, assignment, return-value]
    owner.taker.take_if_due()
    owner.finish_copy()
    assert "TypeError" in owner.complaints[0]
    assert restarted(owner).cents == {"alice": 10}


def test_a_second_snapshot_waits_until_the_journal_is_as_long_as_the_first(tmp_path: Path) -> None:
    """So writing snapshots costs no more than writing the journal does."""
    large = Owner(tmp_path / "0", create=True)
    large.run(10, Bank.deposit("x" * 20_000, 1))
    large.taker.take_if_due()
    large.finish_copy()
    large.run(20)
    large.taker.take_if_due()
    assert large.taker._child is None
    large.run(1, Bank.deposit("y" * 90_000, 1))
    large.taker.take_if_due()
    assert large.taker._child is not None
    large.close()


def test_a_copy_that_outlives_its_replica_does_not_write_into_the_next_one_s_file(tmp_path: Path) -> None:
    """The replica was killed, its copy was not: the same place, the same index, another process."""
    mine = write_snapshot(tmp_path, Place(3, 7), 5, SMALL)
    pid = os.fork()
    if pid == 0:
        write_snapshot(tmp_path, Place(3, 7), 5, Snapshot(b"what the other saw", []))
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    assert len(files(tmp_path)) == 2
    assert mine.read(0, 100) == b"the state"


# A received state ---------------------------------------------------------------------------------------------------


def received(directory: Path) -> tuple[Replica, Storage, SnapshotTaker, SnapshotChunk]:
    """A replica with a disk, and the state it is about to get from the others."""
    bench = Bench().led_by(0)
    isolate(bench, 2)
    run(bench, 5)
    bench.take_snapshot(0, times=2)
    storage = Storage(directory, create=True)
    snapshot, records = storage.open()
    replica = Replica(2, Bank(), bench.settings, 0.0, records, snapshot)
    return replica, storage, SnapshotTaker(replica, storage, 10, print), bench._chunk(0, 0)


def test_a_received_state_is_stored_before_the_step_s_messages_leave(tmp_path: Path) -> None:
    replica, storage, taker, chunk = received(tmp_path)
    effects = replica.step(1.0, [(0, chunk)])
    assert effects.capture
    assert effects.records == [], "what is captured stands for them"
    taker.store_now()
    storage.close()
    with closing(Storage(tmp_path)) as again:
        snapshot, records = again.open()
        started = Replica(2, Bank(), Settings(3), 0.0, records, snapshot)
    assert (started.history.base, started.acceptor.promised) == (5, chunk.ballot)


def test_a_received_state_that_the_disk_does_not_take_stops_the_replica_s_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replica, storage, taker, chunk = received(tmp_path)
    replica.step(1.0, [(0, chunk)])

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("genpaxos.runtime.storage.os.fsync", full)
    with pytest.raises(StorageError, match=r"No space left.*no longer votes"):
        taker.store_now()
    assert reopened(storage) == (None, [])
    assert files(tmp_path) == []


def test_a_received_state_that_the_machine_does_not_give_again_stops_the_replica_s_part(tmp_path: Path) -> None:
    replica, storage, taker, chunk = received(tmp_path)
    replica.step(1.0, [(0, chunk)])
    replica.executor.machine.snapshot = lambda: {1, 2}  # type: ignore[method-assign, assignment, return-value]
    with pytest.raises(MachineFaultError, match="snapshot\\(\\) failed with TypeError"):
        taker.store_now()
    storage.close()


def test_a_received_state_ends_the_copy_in_the_making(owner: Owner) -> None:
    """It would be adopted over the newer one."""
    owner.run(10)
    gate = threading.Event()
    owner.replica.executor.machine.snapshot = gate.wait  # type: ignore[method-assign, assignment]
    owner.taker.take_if_due()
    del owner.replica.executor.machine.snapshot  # type: ignore[attr-defined]
    child = owner.taker._child
    assert child is not None
    owner.run(1)
    owner.storage.append(owner.replica.unwritten())
    owner.taker.store_now()
    with pytest.raises(ChildProcessError):
        os.waitpid(child._pid, os.WNOHANG)
    assert owner.storage.snapshot is not None
    assert owner.storage.snapshot.index == 11
    assert restarted(owner).cents == {"alice": 11}


# Real processes -----------------------------------------------------------------------------------------------------


def same_state(cluster: LocalCluster) -> bool:
    addresses = [replica.address for replica in cluster.config.replicas]
    states = [ask(address, "state", timeout_s=5.0) for address in addresses]
    return len({(state["sha256"], state["applied"]) for state in states}) == 1


@pytest.mark.cluster
def test_a_killed_replica_comes_back_from_its_snapshot_and_one_behind_the_cut_by_another_s() -> None:
    """Nothing acknowledged is lost, nothing runs twice, whoever is killed, and whatever it is doing."""
    total = 0
    with LocalCluster(Bank, replicas=3, snapshot_commands=100) as cluster:
        client = cluster.client_sync()

        def deposits(count: int) -> None:
            nonlocal total
            client.submit_many([Bank.deposit("alice", 1)] * count, timeout_s=30)
            total += count

        def cut(node: int) -> int:
            return int(rows(cluster).get(node, {}).get("cut", 0))

        deposits(400)
        victim = (coordinator(cluster) + 1) % 3
        others = [node for node in range(3) if node != victim]
        wait_until(lambda: (deposits(60), min(cut(node) for node in range(3)) > 0)[1], "all cut their logs")
        cluster.kill(victim)
        behind = int(rows(cluster)[others[0]]["committed"])
        wait_until(lambda: (deposits(100), min(cut(node) for node in others) > behind)[1], "they cut what it lacks")
        cluster.restart(victim)
        wait_until(lambda: cut(victim) > behind, "it has got a snapshot")
        for node in range(3):  # killed while snapshots are taken
            deposits(150)
            cluster.kill(node)
            cluster.restart(node)
            wait_until(lambda node=node: rows(cluster).get(node, {}).get("quorum"), "it is back")  # type: ignore[misc]
        deposits(50)
        assert client.submit(Bank.balance("alice")) == total
        wait_until(lambda: same_state(cluster), "all are in the same state")
        assert [row["error"] for row in rows(cluster).values()] == [None] * 3
        assert ask(cluster.config.replicas[victim].address, "state")["applied"] == total + 1
        for node in range(3):
            directory = cluster.config.replicas[node].directory
            assert len([name for name in files(directory) if not name.endswith(".part")]) <= 2
            assert "took no snapshot" not in cluster.processes.log_file(node).read_text()
