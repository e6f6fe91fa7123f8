"""Whether memory and disk stay flat: behind snapshots, replicas cut their log and their journal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from genpaxos.core.serving import CHUNK_COMMANDS_MAX
from genpaxos.demo.verdict import Check
from genpaxos.runtime.storage import FILE, RESERVED_BYTES

WRITING_S = 5.0
"""For how long a snapshot may be in the making, on a machine where everything happens at once."""
COMMAND_BYTES = 256
"""What a command of these workloads takes in the journal, at most: 135 to 215 bytes if each has a batch of its own."""


def log_bound(snapshot_commands: int, rate: float) -> int:
    """How many commands a replica may hold.

    Its log is cut behind the snapshot before the last. The next one is begun ``snapshot_commands`` after the last was,
    or when the chunk is in that carries the replica beyond; while it is written, the load goes on.
    """
    return 2 * snapshot_commands + CHUNK_COMMANDS_MAX + round(rate * WRITING_S)


def disk_bytes(directory: Path) -> int:
    """The journal and the snapshots. (SQLite writes its WAL over and over: it has a bound of its own.)"""
    found = 0
    for file in directory.glob("*"):
        if file.name == FILE or file.name.startswith("snapshot-"):
            try:
                found += file.stat().st_size
            except FileNotFoundError:  # a snapshot gave way to a newer one
                continue
    return found


class Growth:
    """The most that any replica was seen to hold."""

    def __init__(self, snapshot_commands: int, rate: float) -> None:
        self.log_max = 0
        """Commands."""
        self.disk_max_bytes = 0
        self.memory_max_bytes = 0
        self.cuts: dict[int, int] = {}
        """Up to where each replica was seen to have cut its log."""
        self._bound = log_bound(snapshot_commands, rate)

    def look(self, rows: Mapping[int, Mapping[str, Any]], directories: Iterable[Path]) -> None:
        """Take note of what replicas say, and of what lies in their directories."""
        for node, row in rows.items():
            self.log_max = max(self.log_max, row["committed"] - row["cut"])
            self.cuts[node] = max(self.cuts.get(node, 0), row["cut"])
        self.disk_max_bytes = max(self.disk_max_bytes, *map(disk_bytes, directories))

    def check(self) -> Check:
        """Whether all stayed within bounds."""
        disk_bound_bytes = self._bound * COMMAND_BYTES + RESERVED_BYTES
        return self.log_max <= self._bound and self.disk_max_bytes <= disk_bound_bytes, (
            f"a replica held at most {self.log_max:,} commands, of {self._bound:,} allowed, and "
            f"{self.disk_max_bytes / 1e6:.2f} MB of journal and snapshots, of {disk_bound_bytes / 1e6:.2f} MB allowed"
        )
