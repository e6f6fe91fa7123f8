"""A client's connections, one DEALER to each replica, driven by the asyncio loop.

A ZeroMQ socket's file descriptor signals *edges*: after every send and receive the socket itself must be asked whether
there is something to read, or a message could lie there unseen.
"""

import asyncio
import os
from collections.abc import Callable

import zmq

from genpaxos.errors import GenpaxosError
from genpaxos.runtime.transport import QUEUE_MESSAGES_MAX, RECONNECT_MS, RECONNECT_MS_MAX, has_arrived
from genpaxos.runtime.wire import MESSAGE_BYTES_MAX

CONTEXT_DESCRIPTORS = 6
"""What a ZeroMQ context needs for its threads."""
SOCKET_DESCRIPTORS = 2
"""What a socket needs, with its connection."""
_OF_THE_PARENT: list[object] = []
"""In a fork: what must never be closed here, not even by the collector."""


class Connections:
    """Sends without blocking; hands what arrives to ``receive(node, payload)``."""

    def __init__(self, addresses: list[str], receive: Callable[[int, bytes], None]) -> None:
        self._addresses = addresses
        self._receive = receive
        self._context: zmq.Context[zmq.Socket[bytes]] | None = None
        self._sockets: list[zmq.Socket[bytes]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._draining = False

    def open(self) -> None:
        """Connect to every replica; those that are down are connected to when they come up."""
        self._loop = asyncio.get_running_loop()
        self._context = new_context(len(self._addresses))
        for address in self._addresses:
            socket = dealer(self._context, address)
            self._sockets.append(socket)
            self._loop.add_reader(socket.fileno(), self.drain)

    def close(self) -> None:
        """Close everything."""
        if self._context is not None and self._loop is not None:
            for socket in self._sockets:
                if not self._loop.is_closed():
                    self._loop.remove_reader(socket.fileno())
            self._context.destroy(linger=0)
            self._context = None
            self._sockets = []

    def cut_off(self) -> None:
        """In a fork: forget the sockets without closing them, which are the parent's.

        The event loop stays as it is: its copy here shares with the parent what the system watches for it.
        """
        if self._sockets:
            _OF_THE_PARENT.append((self._context, self._sockets))
        self._context, self._loop, self._sockets = None, None, []

    def send(self, payload: bytes, to: int | None = None) -> None:
        """To one replica or to all; what a queue has no room for, or no connection to take it, is dropped."""
        for socket in self._sockets if to is None else self._sockets[to : to + 1]:
            try:
                socket.send(payload, zmq.NOBLOCK)
            except zmq.Again:
                continue
        if not self._draining and self._loop is not None and self._sockets:
            self._draining = True
            self._loop.call_soon(self.drain)

    def drain(self) -> None:
        """Hand over what has arrived, without waiting for the loop to notice."""
        self._draining = False
        for node, socket in enumerate(self._sockets):
            while has_arrived(socket):
                self._receive(node, socket.recv(zmq.NOBLOCK))


def new_context(sockets: int) -> "zmq.Context[zmq.Socket[bytes]]":
    """A context for so many sockets. Raises :class:`GenpaxosError` if the process has too few file descriptors left:
    libzmq itself ends the process when it gets none for its threads."""
    probes: list[int] = []
    try:
        for _ in range(CONTEXT_DESCRIPTORS + SOCKET_DESCRIPTORS * sockets):
            probes.append(os.open(os.devnull, os.O_RDONLY))  # noqa: PERF401  # those before one that fails are closed
    except OSError as error:
        raise GenpaxosError(
            f"cannot connect to {sockets} replicas: {error.strerror}. Raise the limit (`ulimit -n`), or close clients"
        ) from error
    finally:
        for probe in probes:
            os.close(probe)
    return zmq.Context()


def dealer(context: "zmq.Context[zmq.Socket[bytes]]", address: str) -> "zmq.Socket[bytes]":
    """A client's socket to one replica. Raises :class:`GenpaxosError` if the process has no file descriptor left."""
    try:
        socket = context.socket(zmq.DEALER)
    except zmq.ZMQError as error:
        raise GenpaxosError(
            f"cannot open a socket to {address}: {error}. Raise the limit (`ulimit -n`), or close clients"
        ) from error
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.IMMEDIATE, 1)
    socket.setsockopt(zmq.SNDHWM, QUEUE_MESSAGES_MAX)
    socket.setsockopt(zmq.RCVHWM, QUEUE_MESSAGES_MAX)
    socket.setsockopt(zmq.MAXMSGSIZE, MESSAGE_BYTES_MAX)
    socket.setsockopt(zmq.RECONNECT_IVL, RECONNECT_MS)
    socket.setsockopt(zmq.RECONNECT_IVL_MAX, RECONNECT_MS_MAX)
    socket.setsockopt(zmq.IPV6, 1)
    socket.connect(address)
    return socket
