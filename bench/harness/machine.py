"""The machine a figure was measured on: without it the figure says little."""

import os
import platform
import sqlite3
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import zmq

from bench.harness.stats import quantile

SYNCS = 200
SYNC_BYTES = 4096


def describe(directory: Path | None = None) -> dict[str, Any]:
    """Processor, cores, Python, versions, load, and how long a sync takes where the replicas keep their data."""
    where = directory or Path(tempfile.gettempdir())
    return {
        "cpu": cpu_model(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "versions": {
            **{name: version(name) for name in ("genpaxos", "pyzmq", "orjson", "xxhash")},
            "libzmq": zmq.zmq_version(),
            "sqlite": sqlite3.sqlite_version,
        },
        "load_average": [round(value, 2) for value in os.getloadavg()],
        "file_system": file_system(where),
        "sync_ms": sync_ms(where),
    }


def cpu_model() -> str:
    """The processor's name, as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def file_system(directory: Path) -> str | None:
    """The type of the file system that holds ``directory``, if the system tells it."""
    try:
        mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    except OSError:
        return None
    resolved = directory.resolve()
    holding = [(len(point), kind) for point, kind in mounts if resolved.is_relative_to(point)]
    return max(holding)[1] if holding else None


def sync_ms(directory: Path) -> dict[str, float]:
    """Milliseconds to write 4 KiB at the end of a file and sync it, as the journal does: p50 and p99."""
    sync = getattr(os, "fdatasync", os.fsync)
    times_ms = []
    with tempfile.TemporaryFile(dir=directory) as file:
        for _ in range(SYNCS):
            started_s = time.perf_counter()
            file.write(b"x" * SYNC_BYTES)
            file.flush()
            sync(file.fileno())
            times_ms.append((time.perf_counter() - started_s) * 1000)
    return {"p50": round(quantile(times_ms, 0.5), 3), "p99": round(quantile(times_ms, 0.99), 3)}
