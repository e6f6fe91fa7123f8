"""What becomes of a replica's directory while its process is down: everything is deleted, or one bit flips.

Whether a flipped bit matters is for the storage itself to say: the data is read before and after, from copies. It must
be refused, or be the same to the last record; that the replica then starts, or does not, is seen on the process.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genpaxos.core.journal import DamageError
from genpaxos.core.snapshot import parse
from genpaxos.errors import ConfigError
from genpaxos.runtime.storage import FILE, Storage

LOG = "log"
"""What the replica printed is the test's, not the replica's."""


class UndetectedRotError(AssertionError):
    """Other data was read than had been written, and the storage did not notice."""


PAGE_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Rot:
    """One flipped bit."""

    file: str
    bit: int
    damage: str | None
    """What the storage says of it; ``None`` if the bit means nothing, and all data is read as before."""

    def __str__(self) -> str:
        return f"bit {self.bit} of {self.file} flipped: {self.damage or 'it means nothing'}"


def wipe(directory: Path) -> None:
    """Delete a replica's data."""
    for file in directory.iterdir():
        if file.name != LOG:
            file.unlink()


def rot(directory: Path, where: float) -> Rot:
    """Flip one bit of the journal or the snapshot: the snapshot, the journal and its WAL rot equally often.

    Raises :class:`UndetectedRotError` if other data is read then.
    """
    before = _content(directory)
    files = [file for file in sorted(directory.iterdir()) if file.name.startswith((FILE, "snapshot-"))]
    files = [file for file in files if file.stat().st_size]
    share = where * len(files)
    file = files[int(share)]
    pages = _written_pages(file)
    place = share % 1 * len(pages)
    start, length = pages[int(place)]
    bit = 8 * start + int(place % 1 * 8 * length)
    flip(file, bit)
    try:
        after = _content(directory)
    except (ConfigError, DamageError) as damage:
        return Rot(file.name, bit, str(damage))
    if after != before:
        raise UndetectedRotError(f"bit {bit} of {file} was flipped, other data was read, and nothing was noticed")
    return Rot(file.name, bit, None)


def _written_pages(file: Path) -> list[tuple[int, int]]:
    """Where those begin that are not blank, and their lengths: most of a young journal is room that was reserved."""
    data, blank = file.read_bytes(), bytes(PAGE_BYTES)
    pages = [(start, data[start : start + PAGE_BYTES]) for start in range(0, len(data), PAGE_BYTES)]
    return [(start, len(page)) for start, page in pages if page != blank]


def flip(file: Path, bit: int) -> None:
    """Flip a bit of a file."""
    with file.open("r+b") as opened:
        opened.seek(bit // 8)
        (byte,) = opened.read(1)
        opened.seek(bit // 8)
        opened.write(bytes([byte ^ 1 << bit % 8]))


def _content(directory: Path) -> tuple[Any, ...]:
    """All that a replica would start from. Raises :class:`DamageError` or :class:`ConfigError`."""
    with _copied(directory) as copy, closing(Storage(copy)) as storage:
        facts = storage.facts("")
        snapshot, records = storage.open()
        if snapshot is not None:
            parse(snapshot.state)
        return facts, snapshot, list(records), storage.place


@contextmanager
def _copied(directory: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=directory.parent) as made:
        copy = Path(made) / directory.name
        shutil.copytree(directory, copy)
        yield copy
