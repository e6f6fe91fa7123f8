"""A client's connections, one DEALER to each replica, driven by the asyncio loop.

A ZeroMQ socket's file descriptor signals *edges*: after every send and receive the socket itself must be asked whether
there is something to read, or a message could lie there unseen.
"""

import asyncio
import os
from collections.abc import Callable, Collection
from contextlib import suppress

import zmq

from genpaxos.errors import GenpaxosError
from genpaxos.runtime.transport import QUEUE_MESSAGES_MAX, RECONNECT_MS, has_arrived
from genpaxos.runtime.unread import Unread
from genpaxos.runtime.wire import MESSAGE_BYTES_MAX

QUEUE_BYTES_MAX = 4 * 1024 * 1024
"""Under way to one replica, unless a single message is larger: a replica that stands still gets no more."""
PING_BYTES = 1024 * 1024
"""After so many a ping is due, whatever the time: its echo says that they were read."""
FAREWELL_MS = 50
"""How long closing may take at most while a farewell is on its way out of this process."""
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
        self._credits = [Unread() for _ in addresses]
        self._received = [0] * len(addresses)
        """Bytes since the last ping."""

    def open(self) -> None:
        """Connect to every replica; those that are down are connected to when they come up."""
        self._loop = asyncio.get_running_loop()
        self._context = new_context(len(self._addresses))
        for address in self._addresses:
            socket = dealer(self._context, address)
            self._sockets.append(socket)
            self._loop.add_reader(socket.fileno(), self.drain)

    def close(self, *, linger_ms: int = 0) -> None:
        """Close everything; what is still to leave may take ``linger_ms`` at most."""
        if self._context is not None and self._loop is not None:
            for socket in self._sockets:
                if not self._loop.is_closed():
                    self._loop.remove_reader(socket.fileno())
            self._context.destroy(linger=linger_ms)
            self._context = None
            self._sockets = []

    def cut_off(self) -> None:
        """In a fork: forget the sockets without closing them, which are the parent's.

        The event loop stays as it is: its copy here shares with the parent what the system watches for it.
        """
        if self._sockets:
            _OF_THE_PARENT.append((self._context, self._sockets))
        self._context, self._loop, self._sockets = None, None, []

    def send(self, payload: bytes, to: Collection[int] | None = None) -> None:
        """To some replicas or to all; what a queue has no room for, or no connection to take it, is dropped, and so is
        what comes when too much is under way that the replica has not read."""
        size = len(payload)
        for node, socket in enumerate(self._sockets):
            credit = self._credits[node]
            if (to is not None and node not in to) or not credit.allows(size, QUEUE_BYTES_MAX):
                continue
            try:
                socket.send(payload, zmq.NOBLOCK)
            except zmq.Again:
                continue
            credit.send(size)
        if not self._draining and self._loop is not None and self._sockets:
            self._draining = True
            self._loop.call_soon(self.drain)

    @property
    def wants_ping(self) -> bool:
        """Whether so much was sent or received since the last ping that one is due."""
        return max(self._received) > PING_BYTES or any(credit.unmarked > PING_BYTES for credit in self._credits)

    def ping(self, node: int, token: int, payload: bytes) -> None:
        """Send a ping, whose token the replica echoes when it has read everything before it."""
        self._received[node] = 0
        self._credits[node].mark(token)  # if it does not leave, a later one stands for it
        if self._sockets:
            with suppress(zmq.Again):
                self._sockets[node].send(payload, zmq.NOBLOCK)

    def echoed(self, node: int, token: int) -> None:
        """The replica has read everything up to this token."""
        self._credits[node].echoed(token)

    def drain(self) -> None:
        """Hand over what has arrived, without waiting for the loop to notice."""
        self._draining = False
        for node, socket in enumerate(self._sockets):
            while has_arrived(socket):
                payload = socket.recv(zmq.NOBLOCK)
                self._received[node] += len(payload)
                self._receive(node, payload)


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
    socket.setsockopt(zmq.IPV6, 1)
    socket.connect(address)
    return socket
