"""What a replica takes of the machine: memory, from Linux' ``/proc``, and disk; and how often it took a snapshot."""

from collections.abc import Iterable
from pathlib import Path

from bench.harness.cpu import PROC, replica_pids
from genpaxos.runtime.config import ClusterConfig

MIB = 1024 * 1024
BLOCK_BYTES = 512
"""The unit of ``st_blocks``."""


class ReplicaUsage:
    """One replica process and its directory. :meth:`look` must be called often to see what comes and goes."""

    def __init__(self, pid: int | None, directory: Path) -> None:
        self.writer_peak_mib: float | None = None
        """The most the process that writes a snapshot had resident when it was looked at; ``None`` if it never was.
        Most of that it shares with the replica it is a copy of."""
        self._pid = pid
        self._directory = directory
        self._snapshots: set[str] = set()

    @property
    def rss_mib(self) -> float | None:
        """Resident memory; ``None`` where the system does not tell."""
        return None if self._pid is None else resident_mib(self._pid)

    @property
    def disk_mib(self) -> float:
        """What all files of its directory take on the disk."""
        return disk_mib(self._directory)

    @property
    def snapshots(self) -> int:
        """How many snapshots were seen. A file is there until the next snapshot is finished."""
        return len(self._snapshots)

    def look(self) -> None:
        """Note the snapshot that is there, and the process that writes the next one."""
        self._snapshots.update(file.name for file in self._directory.glob("snapshot-*") if file.suffix != ".part")
        sizes = [self.writer_peak_mib, *map(resident_mib, _children(self._pid))]
        self.writer_peak_mib = max((size for size in sizes if size is not None), default=None)


def replicas_of(config: ClusterConfig, cluster_file: Path) -> list[ReplicaUsage]:
    """Every replica's, by node. To be asked before the first snapshot, whose writer looks like its replica."""
    pids = replica_pids(cluster_file)
    return [ReplicaUsage(pids.get(node), replica.directory) for node, replica in enumerate(config.replicas)]


def resident_mib(pid: int) -> float | None:
    """``VmRSS`` of a process; ``None`` if it is gone."""
    try:
        status = (PROC / str(pid) / "status").read_text()
    except OSError:
        return None
    kib = next((line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:")), None)
    return None if kib is None else int(kib) / 1024


def disk_mib(directory: Path) -> float:
    """What all files of a directory take on the disk."""
    return sum(map(_disk_bytes, directory.rglob("*"))) / MIB


def _children(pid: int | None) -> Iterable[int]:
    try:
        return map(int, (PROC / str(pid) / "task" / str(pid) / "children").read_text().split())
    except OSError:
        return ()


def _disk_bytes(file: Path) -> int:
    try:
        return file.lstat().st_blocks * BLOCK_BYTES
    except FileNotFoundError:
        return 0  # a snapshot that was replaced meanwhile
