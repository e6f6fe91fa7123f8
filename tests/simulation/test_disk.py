from __future__ import annotations

import pytest

from genpaxos.core.ballot import Ballot
from genpaxos.core.records import Accepted, CommitIndex, Promised, Record
from genpaxos.simulation.disk import DamagedError, Disk, DiskFullError, SyncFailedError

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
    with pytest.raises(DamagedError, match="batch 1 of 2"):
        disk.read()


def test_every_flipped_bit_is_found_out() -> None:
    size_bytes = written(FIRST, SECOND).size_bytes
    for index in range(size_bytes):
        disk = written(FIRST, SECOND)
        assert disk.flip_bit((index + 0.5) / size_bytes)
        with pytest.raises(DamagedError, match=r"batch [12] of 2"):
            disk.read()
