"""Who made a connection on this machine: the process at the other end, from Linux' ``/proc``.

etcd's members must all be told the same addresses of one another, so a member's address cannot say who dials it; the
socket's owner does. To look through the tables takes some milliseconds, and etcd dials anew every few seconds: a
process of its own does it, so that nothing else is late for that. ``python -m bench.wan.dialler PID ...`` reads lines
of two ports, who dialled and who was dialled, answers each with the number of the process in its arguments, or -1, and
ends with its input.
"""

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

PROC = Path("/proc")
_TABLES = ("net/tcp", "net/tcp6")
_LOCAL, _REMOTE, _INODE = 1, 2, 9
"""Columns of the kernel's table of connections."""


class Diallers:
    """Asks that process, one question after the other."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()

    async def watch(self, pids: Sequence[int]) -> None:
        """From now on, connections of these are told apart."""
        words = ("-m", __name__, *map(str, pids))
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(sys.executable, *words, stdin=pipe, stdout=pipe)

    async def number(self, port: int, dialled: int) -> int | None:
        """Which of them holds the connection from ``port`` to ``dialled``; ``None``: none of them."""
        async with self._turn:
            if self._process is None:
                return None
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.stdin.write(f"{port} {dialled}\n".encode())
            found = int(await self._process.stdout.readline() or -1)
        return found if found >= 0 else None


def dialling_pid(port: int, dialled: int, pids: Sequence[int]) -> int | None:
    """Which of the processes holds the connection from ``port`` to ``dialled``; ``None`` if none of them does."""
    inodes = [f"socket:[{inode}]" for table in _TABLES for inode in _inodes(PROC / table, port, dialled)]
    return next((pid for pid in pids if any(inode in _open_files(pid) for inode in inodes)), None)


def _inodes(table: Path, port: int, dialled: int) -> list[str]:
    wanted = (f":{port:04X}", f":{dialled:04X}")
    try:
        rows = [line.split() for line in table.read_text().splitlines() if wanted[0] in line and wanted[1] in line]
    except OSError:
        return []
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


def _serve(pids: Sequence[int]) -> None:
    for line in sys.stdin:
        port, dialled = map(int, line.split())
        pid = dialling_pid(port, dialled, pids)
        print(-1 if pid is None else pids.index(pid), flush=True)


if __name__ == "__main__":
    _serve([int(word) for word in sys.argv[1:]])
