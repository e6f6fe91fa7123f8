"""The sockets of one replica: a ROUTER it listens on, and a DEALER to each peer (ZeroMQ).

Sending never blocks: a message that a queue has no room for is dropped and counted, and the protocol asks again. Queues
are bounded in messages by the high-water mark and in bytes by the size of a message, and nothing is queued for a peer
that is not connected. What is under way to a client is bounded in bytes (:mod:`genpaxos.runtime.credit`): a client that
does not read gets no more, and asks again for what it did not get.
"""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import zmq

from genpaxos.errors import ConfigError
from genpaxos.runtime.credit import Credit
from genpaxos.runtime.wire import MESSAGE_BYTES_MAX, dumps

QUEUE_MESSAGES_MAX = 1_000
"""Per peer and direction. Steady traffic is a few messages per sync, so this is seconds of it."""
RECEIVE_MESSAGES_MAX = 512
RECEIVE_BYTES_MAX = 4 * 1024 * 1024
"""One batch of the server: bounds how long a step, and so the next heartbeat, can take."""
ANSWER_BYTES_MAX = 4 * 1024 * 1024
"""Under way to one client, unless a single answer is larger."""
CREDITS_MAX = 16_384
"""Clients whose credit is counted at a time. Those that were first make room."""
RECONNECT_MS = 50
RECONNECT_MS_MAX = 1_000
_EVENTS, _READABLE, _MORE, _AT_ONCE = int(zmq.EVENTS), int(zmq.POLLIN), int(zmq.RCVMORE), int(zmq.NOBLOCK)
"""As plain numbers: the members of pyzmq's enumerations take longer to combine than a socket to ask."""


def has_arrived(socket: "zmq.Socket[bytes]") -> bool:
    """Whether there is something to read. To ask costs less than to be refused with an exception."""
    return bool(socket.getsockopt(_EVENTS) & _READABLE)  # type: ignore[operator]  # of this option a number


class Transport:
    """Connects one replica with its peers and clients."""

    def __init__(self, addresses: list[str], node: int, routing_id: bytes) -> None:
        self.dropped = 0
        """Messages that found no room."""
        self._credits: dict[bytes, Credit] = {}
        """By the client's routing id."""
        self._context = zmq.Context()
        self._router = self._context.socket(zmq.ROUTER)
        self._router.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self._router.setsockopt(zmq.ROUTER_HANDOVER, 0)
        self._bound(self._router)
        self._dealers: dict[int, zmq.Socket[bytes]] = {}
        try:
            self._listen(addresses[node])
        except zmq.ZMQError as error:
            self._context.destroy(linger=0)
            raise ConfigError(f"replica {node} cannot listen on {addresses[node]}: {error}") from error
        for peer, address in enumerate(addresses):
            if peer != node:
                self._dealers[peer] = self._dialled(address, routing_id)
        self._addresses = addresses
        self._poller = zmq.Poller()
        self._poller.register(self._router, zmq.POLLIN)

    def redial(self, peer: int, routing_id: bytes) -> None:
        """Give up the connection to a peer and make another, introduced anew."""
        self._dealers[peer].close(linger=0)
        self._dealers[peer] = self._dialled(self._addresses[peer], routing_id)

    def close(self) -> None:
        """Close all sockets; what is queued is lost, as in a crash."""
        self._context.destroy(linger=0)

    def wait(self, timeout_s: float) -> None:
        """Sleep until a peer or a client has sent something, at most ``timeout_s``."""
        self._poller.poll(max(0, int(timeout_s * 1000 + 0.999)))

    def receive(self) -> Iterator[tuple[bytes, bytes]]:
        """What has arrived, as (sender's routing id, payload): one bounded batch."""
        router, size = self._router, 0
        for _ in range(RECEIVE_MESSAGES_MAX):
            if not has_arrived(router):
                return
            sender, payload, beyond = router.recv(_AT_ONCE), router.recv(_AT_ONCE), 0
            size += len(sender) + len(payload)
            while router.getsockopt(_MORE):
                size += len(router.recv(_AT_ONCE))
                beyond += 1
            if beyond:
                self.answer(sender, dumps(["error", f"a message of {beyond + 1} frames; expected 1"]))
            else:
                yield sender, payload
            if size > RECEIVE_BYTES_MAX:
                return

    def receive_answers(self) -> Iterator[tuple[int, bytes]]:
        """What peers answered on the connections this replica made, one answer each: only complaints. Nothing wakes
        :meth:`wait` for these."""
        for peer, dealer in self._dealers.items():
            if has_arrived(dealer):
                yield peer, dealer.recv(_AT_ONCE)

    def send(self, peer: int, payload: bytes) -> None:
        """To one replica."""
        dealer = self._dealers.get(peer)
        if dealer is None:  # no replica of this cluster: a message that named it was wrong
            self.dropped += 1
            return
        try:
            dealer.send(payload, _AT_ONCE)
        except zmq.Again:
            self.dropped += 1

    def broadcast(self, payload: bytes) -> None:
        """To every other replica."""
        for peer in self._dealers:
            self.send(peer, payload)

    def answer(self, routing_id: bytes, payload: bytes, token: int | None = None) -> None:
        """To whoever sent from that routing id; lost if they are gone, or have not read what they were sent before.

        An answer with a ``token`` is to be echoed by the client (:meth:`echoed`).
        """
        credit, size = self._credits.get(routing_id) or self._new_credit(routing_id), len(payload)
        if not (credit.allows(size, ANSWER_BYTES_MAX) if token is None else credit.allows_token):
            self.dropped += 1
            return
        try:
            self._router.send_multipart([routing_id, payload], _AT_ONCE)
        except zmq.ZMQError as error:
            self.dropped += 1
            if error.errno == zmq.EHOSTUNREACH:
                self._credits.pop(routing_id, None)
            return
        credit.send(size)
        if token is not None:
            credit.mark(token)

    def echoed(self, routing_id: bytes, token: int) -> None:
        """A client has read everything up to this token."""
        if routing_id in self._credits:
            self._credits[routing_id].echoed(token)

    def _new_credit(self, routing_id: bytes) -> Credit:
        if len(self._credits) >= CREDITS_MAX:
            for oldest in list(islice(self._credits, CREDITS_MAX // 2)):
                del self._credits[oldest]
        made = self._credits[routing_id] = Credit()
        return made

    def _dialled(self, address: str, routing_id: bytes) -> "zmq.Socket[bytes]":
        dealer = self._context.socket(zmq.DEALER)
        dealer.setsockopt(zmq.ROUTING_ID, routing_id)
        dealer.setsockopt(zmq.IMMEDIATE, 1)
        dealer.setsockopt(zmq.RECONNECT_IVL, RECONNECT_MS)
        dealer.setsockopt(zmq.RECONNECT_IVL_MAX, RECONNECT_MS_MAX)
        self._bound(dealer)
        dealer.connect(address)
        return dealer

    def _listen(self, address: str) -> None:
        if address.startswith("ipc://"):
            Path(address.removeprefix("ipc://")).parent.mkdir(parents=True, exist_ok=True)
        self._router.bind(address)

    @staticmethod
    def _bound(socket: "zmq.Socket[bytes]") -> None:
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.SNDHWM, QUEUE_MESSAGES_MAX)
        socket.setsockopt(zmq.RCVHWM, QUEUE_MESSAGES_MAX)
        socket.setsockopt(zmq.MAXMSGSIZE, MESSAGE_BYTES_MAX)
        socket.setsockopt(zmq.IPV6, 1)
