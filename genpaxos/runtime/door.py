"""The listening socket of a replica, which can be closed to newcomers while connections that stand go on.

ZeroMQ has no such switch: unbinding also ends what was connected. So the kernel is told not to complete any connection:
by a socket filter that drops whatever comes to the listening TCP socket, or by moving the file of a Unix socket out of
the way. Both need Linux; elsewhere the door stays open.
"""

import contextlib
import ctypes
import os
import socket
import stat
import struct
import sys
import warnings
from pathlib import Path
from typing import NoReturn

_SO_ATTACH_FILTER, _SO_DETACH_FILTER = 26, 27
_RETURN_NOTHING = struct.pack("HBBI", 6, 0, 0, 0)
"""The classic packet filter ``ret #0``: of each packet, zero bytes are kept."""
WAITING_MAX = 4_096
"""Connections that wait to be accepted; the kernel keeps at most so many (``somaxconn``)."""


class Door:
    """Where peers and clients connect; made just after the socket was bound to ``address``."""

    def __init__(self, address: str) -> None:
        self._path = Path(address.removeprefix("ipc://")) if address.startswith("ipc://") else None
        port = 0 if self._path is not None else int(address.rpartition(":")[2])
        self._listening = _find_listening(self._path, port) if sys.platform == "linux" else None

    def set_open(self, wanted: bool) -> None:
        """Let newcomers in, or not. Errors of the system leave the door as it is."""
        if self._listening is None:
            return
        with contextlib.suppress(OSError):
            if self._path is not None:
                aside = self._path.with_name(self._path.name + ".full")
                os.rename(*((aside, self._path) if wanted else (self._path, aside)))
            elif wanted:
                self._listening.setsockopt(socket.SOL_SOCKET, _SO_DETACH_FILTER, 0)
            else:
                code = ctypes.create_string_buffer(_RETURN_NOTHING, len(_RETURN_NOTHING))
                program = struct.pack("HP", 1, ctypes.addressof(code))
                self._listening.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
            if not wanted:
                self._turn_away()

    def close(self) -> None:
        """Give up the descriptor held here."""
        if self._listening is not None:
            self._listening.close()

    def _turn_away(self) -> None:
        """End the connections that wait: ZeroMQ would try to accept them over and over without a descriptor. To accept
        them takes descriptors too, so a copy of this process does it, which can close all others."""
        assert self._listening is not None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside other threads: those are ZeroMQ's
            copy = os.fork()
        if copy == 0:
            _accept_and_exit(self._listening)
        os.waitpid(copy, 0)


def _accept_and_exit(listening: socket.socket) -> NoReturn:
    """In the copy: nothing of the process it was copied from may be cleaned up."""
    try:
        kept = listening.fileno()
        os.closerange(0, kept)
        os.closerange(kept + 1, os.sysconf("SC_OPEN_MAX"))
        for _ in range(WAITING_MAX):
            listening.accept()[0].close()
    finally:
        os._exit(0)


def _find_listening(path: Path | None, port: int) -> socket.socket | None:
    """The socket of this process that listens there, under a descriptor of our own."""
    for number in sorted(map(int, os.listdir("/dev/fd")), reverse=True):
        with contextlib.suppress(OSError):
            if not stat.S_ISSOCK(os.fstat(number).st_mode):
                continue
            found = socket.socket(fileno=os.dup(number))
            if found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) and _is_at(found, path, port):
                found.setblocking(False)
                return found
            found.close()
    return None


def _is_at(found: socket.socket, path: Path | None, port: int) -> bool:
    if found.family == socket.AF_UNIX:
        return path is not None and Path(found.getsockname()) == path
    return path is None and found.getsockname()[1] == port
