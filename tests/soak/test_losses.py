"""What the faults of data do, and that the storage notices: every bit that means something."""

from __future__ import annotations

import random
from contextlib import closing
from pathlib import Path

import pytest

from genpaxos.core.records import CommitIndex
from genpaxos.core.snapshot import Snapshot
from genpaxos.runtime.storage import FILE, Storage, write_snapshot
from tests.soak import losses
from tests.soak.losses import UndetectedRotError, flip, rot, wipe

FLIPS = 80


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A replica's data with a journal; what it printed lies there too."""
    made = tmp_path / "replica"
    with closing(Storage(made, create=True)) as storage:
        storage.put("node", "0")
        for index in range(40):
            storage.append([CommitIndex(index)])
    (made / "log").write_text("listens on")
    return made


def test_wiping_leaves_only_what_was_printed(directory: Path) -> None:
    wipe(directory)
    assert [file.name for file in directory.iterdir()] == ["log"]


def test_a_flip_changes_one_bit_and_another_one_there_restores_it(directory: Path) -> None:
    before = (directory / FILE).read_bytes()
    flip(directory / FILE, 8 * 100 + 3)
    after = (directory / FILE).read_bytes()
    assert [(at, old ^ new) for at, (old, new) in enumerate(zip(before, after, strict=True)) if old != new] == [
        (100, 8)
    ]
    flip(directory / FILE, 8 * 100 + 3)
    assert (directory / FILE).read_bytes() == before


def test_a_bit_that_rots_is_damage_or_means_nothing(directory: Path) -> None:
    """Wherever it is: this fails if other data is read unnoticed, or the storage falls over it."""
    draw = random.Random(1)
    found = set()
    for _ in range(FLIPS):
        rotten = rot(directory, draw.random())
        found.add(rotten.damage is None)
        flip(directory / rotten.file, rotten.bit)
    assert found == {True, False}


def test_a_bit_of_a_snapshot_that_rots_is_damage(directory: Path) -> None:
    with closing(Storage(directory)) as storage:
        list(storage.open()[1])
        storage.adopt_snapshot(write_snapshot(directory, storage.place, 1, Snapshot(b"no state at all", [])))
    (snapshot,) = directory.glob("snapshot-*")
    flip(snapshot, 8 * snapshot.stat().st_size - 1)
    with closing(Storage(directory)) as storage, pytest.raises(losses.DamageError):
        storage.open()


def test_rot_that_nobody_notices_is_told(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = iter([("before",), ("after",)])
    monkeypatch.setattr(losses, "_content", lambda _: next(contents))
    with pytest.raises(UndetectedRotError, match="other data was read, and nothing was noticed"):
        rot(directory, 0.5)


def test_a_bit_of_a_file_shorter_than_a_page_can_rot_too(directory: Path) -> None:
    short = directory / "snapshot-1-1-1"
    short.write_bytes(b"?")
    for where in (0.7, 0.8, 0.9, 0.999):  # the files come by name, and this is the last
        rotten = rot(directory, where)
        assert (rotten.file, rotten.bit < 8) == (short.name, True)
        flip(short, rotten.bit)
