"""How much processor time each process used, from Linux' ``/proc``; nothing where there is none."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
CLIENT = "client"
OTHERS = "others"


@dataclass(frozen=True, slots=True)
class CpuTimes:
    """Processor seconds, all threads, since each process began; ``busy`` is the whole machine's, if known."""

    processes: dict[str, float]
    busy: float | None

    def cores_since(self, before: "CpuTimes", seconds: float) -> dict[str, float]:
        """Cores used by each process between two readings, and as ``others`` by what is not ours."""
        used = {
            name: (now - before.processes[name]) / seconds
            for name, now in self.processes.items()
            if name in before.processes
        }
        if self.busy is not None and before.busy is not None:
            used[OTHERS] = max(0.0, (self.busy - before.busy) / seconds - sum(used.values()))
        return used


def read_cpu(pids: Mapping[str, int]) -> CpuTimes:
    """This process (the client) and others, by name."""
    times = {CLIENT: sum(os.times()[:2])}
    for name, pid in pids.items():
        seconds = _process_seconds(pid)
        if seconds is not None:
            times[name] = seconds
    return CpuTimes(times, _machine_seconds())


def replica_pids(cluster_file: Path) -> dict[int, int]:
    """The process ids of replicas that serve ``cluster_file``, by node; empty without ``/proc``.

    A copy that writes a snapshot has its replica's command line, and its replica for a parent.
    """
    found: dict[int, int] = {}
    for command_line in PROC.glob("[0-9]*/cmdline"):
        try:
            words = command_line.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue  # it ended meanwhile
        if "serve" in words and str(cluster_file) in words:
            node = words[words.index(str(cluster_file)) + 1]
            found[int(command_line.parent.name)] = int(node)
    return {node: pid for pid, node in found.items() if _parent(pid) not in found}


def _parent(pid: int) -> int | None:
    fields = _stat(pid)
    return None if fields is None else int(fields[1])


def _stat(pid: int) -> list[str] | None:
    """What ``/proc`` says of a process behind its name: its state, its parent, ..."""
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def _process_seconds(pid: int) -> float | None:
    fields = _stat(pid)
    if fields is None:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")  # utime, stime


def _machine_seconds() -> float | None:
    try:
        user, nice, system, _idle, _wait, irq, softirq, *_ = (PROC / "stat").read_text().split()[1:9]
    except (OSError, ValueError):
        return None
    return sum(map(int, (user, nice, system, irq, softirq))) / os.sysconf("SC_CLK_TCK")
