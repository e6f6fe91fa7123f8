from __future__ import annotations

import pytest

from genpaxos.core.ballot import Ballot
from genpaxos.core.journal import DamageError
from genpaxos.core.records import Accepted, CommitIndex, Promised, Record
from genpaxos.core.replica import Replica
from genpaxos.core.settings import Settings
from genpaxos.core.snapshot import Snapshot
from genpaxos.examples.bank import Bank
from genpaxos.simulation.disk import CUT_BATCHES, Disk, DiskFullError, SyncFailedError

FIRST: list[Record] = [Promised(Ballot(1, 0)), Accepted(["c:1"], [["deposit", ["a", 1], 0]])]
SECOND: list[Record] = [CommitIndex(1)]


def written(*batches: list[Record]) -> Disk:
    disk = Disk()
    for batch in batches:
        disk.append(batch)
    return disk


def test_what_was_synced_is_read_back_in_order() -> None:
    found = written(FIRST, SECOND).read()
    assert found.records == FIRST + SECOND
    assert not found.torn
    assert not found.unconfirmed


def test_a_disk_on_which_nothing_was_ever_written_is_no_damage() -> None:
    assert Disk().read().records == []


@pytest.mark.parametrize("share", [0.0, 0.05, 0.5, 0.99])
def test_a_torn_write_is_cut_off_and_writing_goes_on_behind_what_was_synced(share: float) -> None:
    disk = written(FIRST)
    disk.append(SECOND, torn=share)
    found = disk.read()
    assert found.records == FIRST
    assert found.torn is (share > 0)
    disk.append(SECOND)
    assert disk.read().records == FIRST + SECOND


def test_a_write_that_was_not_confirmed_may_be_there_all_the_same() -> None:
    disk = written(FIRST)
    disk.append(SECOND, torn=1.0)
    found = disk.read()
    assert found.records == FIRST + SECOND
    assert found.unconfirmed
    disk.append(FIRST)
    assert disk.read().records == FIRST + SECOND + FIRST


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_sync_that_fails_fails_once_and_leaves_it_open_what_is_there(share: float) -> None:
    disk = written(FIRST)
    disk.sync_fails = share
    with pytest.raises(SyncFailedError):
        disk.append(SECOND)
    assert disk.read().records == (FIRST + SECOND if share == 1.0 else FIRST)
    disk.append(FIRST)


def test_a_full_disk_takes_nothing_until_there_is_space_again() -> None:
    disk = written(FIRST)
    disk.full = True
    with pytest.raises(DiskFullError):
        disk.append(SECOND)
    assert disk.read().records == FIRST
    disk.full = False
    disk.append(SECOND)
    assert disk.read().records == FIRST + SECOND


def test_a_wiped_disk_is_found_out() -> None:
    disk = written(FIRST, SECOND)
    disk.wipe()
    with pytest.raises(DamageError, match="ends with batch 0, but batch 2 was synced"):
        disk.read()


def test_every_flipped_bit_is_found_out() -> None:
    size_bytes = written(FIRST, SECOND).size_bytes
    for index in range(size_bytes):
        disk = written(FIRST, SECOND)
        assert disk.flip_bit((index + 0.5) / size_bytes)
        with pytest.raises(DamageError, match=r"batch [12] is not what was written"):
            disk.read()


# Snapshots -----------------------------------------------------------------------------------------------------------


def taken() -> Snapshot:
    replica = Replica(0, Bank(), Settings(3), 0.0, [Promised(Ballot(1, 0))])
    return replica.capture()


def with_snapshot(*behind: list[Record]) -> Disk:
    disk = written(FIRST, SECOND)
    disk.adopt(disk.write_snapshot(disk.place, 0, taken()))
    for batch in behind:
        disk.append(batch)
    return disk


def test_a_start_finds_the_snapshot_and_what_was_written_behind_it() -> None:
    found = with_snapshot(FIRST, SECOND).read()
    assert found.snapshot == taken()
    assert found.state is not None
    assert found.state.index == 0
    assert found.records == FIRST + SECOND
    assert found.all_records() == [*taken().records, *FIRST, *SECOND]


def test_a_snapshot_counts_for_nothing_until_it_is_adopted() -> None:
    disk = written(FIRST)
    disk.write_snapshot(disk.place, 0, taken())
    disk.write_snapshot(disk.place, 0, taken(), torn=0.5)
    found = disk.read()
    assert found.snapshot is None
    assert found.records == FIRST
    assert disk.size_bytes == written(FIRST).size_bytes, "what nothing points to is removed"


def test_what_a_snapshot_stands_for_is_dropped_with_the_batches_to_come() -> None:
    disk = with_snapshot()
    assert disk.batches == 2
    disk.append(SECOND, torn=0.5)
    assert disk.read().records == []
    assert disk.batches == 2, "a write that did not happen drops nothing"
    disk.append(SECOND)
    assert disk.batches == 3 - CUT_BATCHES
    assert disk.read().records == SECOND


@pytest.mark.parametrize("trouble", ["full", "sync"])
def test_a_snapshot_that_the_disk_does_not_take_changes_nothing(trouble: str) -> None:
    disk = written(FIRST)
    if trouble == "full":
        disk.full = True
    else:
        disk.sync_fails = 1.0
    with pytest.raises((DiskFullError, SyncFailedError)):
        disk.write_snapshot(disk.place, 0, taken())
    assert disk.read().records == FIRST


def test_a_flipped_bit_does_harm_where_something_is_still_needed() -> None:
    size_bytes = with_snapshot(FIRST).size_bytes
    harmed = 0
    for index in range(size_bytes):
        disk = with_snapshot(FIRST)
        disk.flip_bit((index + 0.5) / size_bytes)
        try:
            disk.read()
        except DamageError:
            harmed += 1
    assert harmed == size_bytes, "the old rows are gone"
    disk = with_snapshot()
    assert disk.flip_bit(0.0)
    assert disk.read().records == [], "a row that the snapshot stands for"


def test_a_wiped_snapshot_is_found_out() -> None:
    disk = with_snapshot()
    disk.wipe()
    with pytest.raises(DamageError, match="ends with batch 0, but batch 2 was synced"):
        disk.read()


def test_a_wiped_disk_is_found_out_when_a_received_state_was_all_that_it_held() -> None:
    disk = Disk()
    disk.adopt(disk.write_snapshot(disk.place, 0, taken()))
    disk.wipe()
    with pytest.raises(DamageError, match="nothing is left"):
        disk.read()
