"""Who made a connection on this machine: the process at the other end, from Linux' ``/proc``.

etcd's members must all be told the same addresses of one another, so a member's address cannot say who dials it; the
socket's owner does.
"""

import os
from collections.abc import Sequence
from pathlib import Path

PROC = Path("/proc")
_TABLES = ("net/tcp", "net/tcp6")
_LOCAL, _REMOTE, _INODE = 1, 2, 9
"""Columns of the kernel's table of connections."""


def dialling_pid(port: int, dialled: int, pids: Sequence[int]) -> int | None:
    """Which of the processes holds the connection from ``port`` to ``dialled``; ``None`` if none of them does."""
    inodes = [f"socket:[{inode}]" for table in _TABLES for inode in _inodes(PROC / table, port, dialled)]
    return next((pid for pid in pids if any(inode in _open_files(pid) for inode in inodes)), None)


def _inodes(table: Path, port: int, dialled: int) -> list[str]:
    try:
        rows = [line.split() for line in table.read_text().splitlines()[1:]]
    except OSError:
        return []
    wanted = (f":{port:04X}", f":{dialled:04X}")
    return [row[_INODE] for row in rows if row[_LOCAL].endswith(wanted[0]) and row[_REMOTE].endswith(wanted[1])]


def _open_files(pid: int) -> set[str]:
    found = set()
    try:
        for descriptor in os.scandir(PROC / str(pid) / "fd"):
            try:
                found.add(os.readlink(descriptor.path))
            except OSError:
                continue  # closed meanwhile
    except OSError:
        pass  # the process is gone
    return found
