from __future__ import annotations

from pathlib import Path

from genpaxos.runtime.storage import FILE, RESERVED_BYTES
from tests.soak.growth import COMMAND_BYTES, Growth, disk_bytes, log_bound

BOUND = log_bound(2_000, 400.0)


def row(committed: int, cut: int) -> dict[str, int]:
    return {"committed": committed, "cut": cut}


def test_logs_that_are_cut_are_flat_however_long_they_were(tmp_path: Path) -> None:
    growth = Growth(2_000, 400.0)
    growth.look({0: row(1_000_000, 1_000_000 - BOUND), 1: row(BOUND, 0)}, [tmp_path])
    answer, found = growth.check()
    assert answer, found


def test_one_replica_that_once_held_too_much_is_enough_to_fail(tmp_path: Path) -> None:
    growth = Growth(2_000, 400.0)
    growth.look({0: row(BOUND + 1, 0), 1: row(BOUND, BOUND)}, [tmp_path])
    growth.look({0: row(BOUND + 1, BOUND), 1: row(BOUND, BOUND)}, [tmp_path])
    assert growth.check()[0] is False


def test_a_journal_that_is_not_cut_fails_even_if_the_log_is(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(bytes(BOUND * COMMAND_BYTES + RESERVED_BYTES))
    growth = Growth(2_000, 400.0)
    growth.look({0: row(10, 0)}, [tmp_path])
    assert growth.check()[0] is True
    (tmp_path / "snapshot-1-1-1").write_bytes(b"?")
    growth.look({0: row(10, 0)}, [tmp_path])
    assert growth.check()[0] is False


def test_the_journal_and_all_snapshots_count_and_nothing_else(tmp_path: Path) -> None:
    for name, size in ((FILE, 100), ("snapshot-1-2-3", 10), ("snapshot-2-3-4.part", 1), ("log", 1_000)):
        (tmp_path / name).write_bytes(bytes(size))
    assert disk_bytes(tmp_path) == 111
