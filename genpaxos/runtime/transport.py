"""The sockets of one replica: a ROUTER it listens on, and a DEALER to each peer (ZeroMQ).

Sending never blocks: a message that a queue has no room for is dropped and counted, and the protocol asks again. What
is under way is bounded in bytes: to a peer by marks that it sends back (:mod:`genpaxos.runtime.credit`), to a client by
the tokens of its pings (:mod:`genpaxos.runtime.unread`); one that does not read gets no more, and asks again for what
it did not get. Every queue is bounded in messages besides, and nothing is queued for a peer that is not connected.
"""

import ctypes
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

import zmq

from genpaxos.errors import ConfigError
from genpaxos.runtime.credit import BULK_BYTES_MAX, MARK_BYTES, MARK_START, Credit
from genpaxos.runtime.listening import ListeningSocket
from genpaxos.runtime.unread import Unread
from genpaxos.runtime.wire import MESSAGE_BYTES_MAX, dumps

QUEUE_MESSAGES_MAX = 1_000
"""Per peer and direction. Steady traffic is a few messages per sync, so this is seconds of it."""
UNREAD_MESSAGES_MAX = 128
"""Per connection, when a replica does not come to read them; the rest stays with the sender."""
RECEIVE_MESSAGES_MAX = 512
FRAMES_SKIPPED_MAX = 4_096
"""So many frames of a message that has more than its one are passed over at a time."""
RECEIVE_BYTES_MAX = 4 * 1024 * 1024
"""One batch of the server: bounds how long a step, and so the next heartbeat, can take."""
ANSWER_BYTES_MAX = 4 * 1024 * 1024
"""Under way to one client, unless a single answer is larger."""
CREDITS_MAX = 16_384
"""Clients whose credit is counted at a time. Those that were first make room."""
RECONNECT_MS = 25
"""A peer that is away is dialled again after so long, or up to twice that (libzmq draws it), however long it has been
away: when it comes back, nobody waits for the next try."""
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
        self._unread: dict[bytes, Unread] = {}
        """By the client's routing id."""
        self._context = zmq.Context()
        self._router = self._context.socket(zmq.ROUTER)
        self._router.setsockopt(zmq.ROUTER_MANDATORY, 1)
        # Of two connections under one routing id the later counts, as after a reconnection that only one end knows of.
        # Otherwise libzmq keeps what arrives on the later one, unread, for ever, even when it is closed.
        self._router.setsockopt(zmq.ROUTER_HANDOVER, 1)
        self._bound(self._router)
        self._router.setsockopt(zmq.RCVHWM, UNREAD_MESSAGES_MAX)
        self._dealers: dict[int, zmq.Socket[bytes]] = {}
        self._credits = {peer: Credit() for peer in range(len(addresses)) if peer != node}
        try:
            self._listen(addresses[node])
        except zmq.ZMQError as error:
            self._context.destroy(linger=0)
            raise ConfigError(f"replica {node} cannot listen on {addresses[node]}: {error}") from error
        for peer, address in enumerate(addresses):
            if peer != node:
                self._dealers[peer] = self._dialled(address, routing_id)
        self._addresses = addresses
        self._complaints: dict[int, bytes] = {}
        """What peers answered that was no mark."""
        self._rest: tuple[bytes, int] | None = None
        """Who sent the message of several frames that is being passed over, and how many of them were read."""
        self._poller = zmq.Poller()
        self._poller.register(self._router, zmq.POLLIN)

    @property
    def peers(self) -> Iterable[int]:
        """All other replicas."""
        return self._dealers

    def redial(self, peer: int, routing_id: bytes) -> None:
        """Give up the connection to a peer and make another, introduced anew."""
        self._dealers[peer].close(linger=0)
        self._credits[peer] = Credit()
        self._dealers[peer] = self._dialled(self._addresses[peer], routing_id)

    def close(self) -> None:
        """Close all sockets; what is queued is lost, as in a crash."""
        self.listening.close()
        self._context.destroy(linger=0)

    def wait(self, timeout_s: float, answers_of: Iterable[int] = ()) -> None:
        """Sleep until a peer or a client has sent something, or one of these peers an answer, at most ``timeout_s``."""
        timeout_ms, poller = max(0, int(timeout_s * 1000 + 0.999)), self._poller
        for peer in answers_of:  # seldom any
            if poller is self._poller:
                poller = zmq.Poller()
                poller.register(self._router, zmq.POLLIN)
            poller.register(self._dealers[peer], zmq.POLLIN)
        poller.poll(timeout_ms)

    def receive(self) -> Iterator[tuple[bytes, bytes]]:
        """What has arrived, as (sender's routing id, payload): one bounded batch."""
        router, size = self._router, 0
        for _ in range(RECEIVE_MESSAGES_MAX):
            if not has_arrived(router) or (self._rest is not None and not self._skip_rest(*self._rest)):
                return
            sender, payload = router.recv(_AT_ONCE), router.recv(_AT_ONCE)
            size += len(sender) + len(payload)
            if router.getsockopt(_MORE):
                self._rest = sender, 1
            elif payload.startswith(MARK_START):
                with suppress(zmq.ZMQError):  # a peer's: small, and read in time or not at all
                    router.send_multipart([sender, payload], _AT_ONCE)
            else:
                yield sender, payload
            if size > RECEIVE_BYTES_MAX:
                return

    def _skip_rest(self, sender: bytes, count: int) -> bool:
        """Read on in a message of too many frames, a bounded number of them; says whether another message follows."""
        router = self._router
        for _ in range(FRAMES_SKIPPED_MAX):
            if not has_arrived(router):  # its connection is gone, and the rest of it
                break
            router.recv(_AT_ONCE)
            count += 1
            if not router.getsockopt(_MORE):
                break
        else:
            self._rest = sender, count
            return False
        self._rest = None
        self.answer(sender, dumps(["error", f"a message of {count} frames; expected 1"]))
        if count > FRAMES_SKIPPED_MAX:
            _give_back_memory()
        return has_arrived(router)

    def receive_answers(self) -> Iterator[tuple[int, bytes]]:
        """What peers answered on the connections this replica made: marks, which are taken note of, and complaints, the
        last one of each peer. Nothing wakes :meth:`wait` for these unless it is told to."""
        for peer in self._dealers:
            self._read_answers(peer)
        complaints, self._complaints = self._complaints, {}
        yield from complaints.items()

    def _read_answers(self, peer: int) -> None:
        dealer = self._dealers[peer]
        for _ in range(RECEIVE_MESSAGES_MAX):
            if not has_arrived(dealer):
                return
            payload = dealer.recv(_AT_ONCE)
            if payload.startswith(MARK_START):
                self._credits[peer].back(payload)
            else:
                self._complaints[peer] = payload

    def busy(self) -> list[int]:
        """The peers to which so much is under way that nothing large should be added."""
        full = [peer for peer, credit in self._credits.items() if credit.under_way > BULK_BYTES_MAX]
        for peer in full:
            self._read_answers(peer)
        return [peer for peer in full if self._credits[peer].under_way > BULK_BYTES_MAX]

    def remind(self) -> None:
        """Send a mark after what none stands for yet: those sent before may be lost. To be called at times."""
        for peer, credit in self._credits.items():
            if credit.under_way > MARK_BYTES:
                self._send(peer, credit.mark())

    def send(self, peer: int, payload: bytes) -> None:
        """To one replica."""
        size = len(payload)
        credit = self._credits.get(peer)  # None: a wrong message named a replica that this cluster does not have
        if credit is None or not (credit.allows(size) or self._allows_by_now(peer, size)):
            self.dropped += 1
        elif self._send(peer, payload) and credit.sent(size):
            self._send(peer, credit.mark())

    def _allows_by_now(self, peer: int, size: int) -> bool:
        self._read_answers(peer)
        return self._credits[peer].allows(size)

    def _send(self, peer: int, payload: bytes) -> bool:
        try:
            self._dealers[peer].send(payload, _AT_ONCE)
        except zmq.Again:
            self.dropped += 1
            return False
        return True

    def answer(self, routing_id: bytes, payload: bytes, token: int | None = None) -> None:
        """To whoever sent from that routing id; lost if they are gone, or have not read what they were sent before.

        An answer with a ``token`` is to be echoed by the client (:meth:`echoed`).
        """
        credit, size = self._unread.get(routing_id) or self._new_credit(routing_id), len(payload)
        if not (credit.allows(size, ANSWER_BYTES_MAX) if token is None else credit.allows_token):
            self.dropped += 1
            return
        try:
            self._router.send_multipart([routing_id, payload], _AT_ONCE)
        except zmq.ZMQError as error:
            self.dropped += 1
            if error.errno == zmq.EHOSTUNREACH:
                self._unread.pop(routing_id, None)
            return
        credit.send(size)
        if token is not None:
            credit.mark(token)

    def echoed(self, routing_id: bytes, token: int) -> None:
        """A client has read everything up to this token."""
        if routing_id in self._unread:
            self._unread[routing_id].echoed(token)

    def _new_credit(self, routing_id: bytes) -> Unread:
        if len(self._unread) >= CREDITS_MAX:
            for oldest in list(islice(self._unread, CREDITS_MAX // 2)):
                del self._unread[oldest]
        made = self._unread[routing_id] = Unread()
        return made

    def _dialled(self, address: str, routing_id: bytes) -> "zmq.Socket[bytes]":
        dealer = self._context.socket(zmq.DEALER)
        dealer.setsockopt(zmq.ROUTING_ID, routing_id)
        dealer.setsockopt(zmq.IMMEDIATE, 1)
        dealer.setsockopt(zmq.RECONNECT_IVL, RECONNECT_MS)
        self._bound(dealer)
        dealer.connect(address)
        return dealer

    def _listen(self, address: str) -> None:
        if address.startswith("ipc://"):
            Path(address.removeprefix("ipc://")).parent.mkdir(parents=True, exist_ok=True)
        self._router.bind(address)
        self.listening = ListeningSocket(address)

    @staticmethod
    def _bound(socket: "zmq.Socket[bytes]") -> None:
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.SNDHWM, QUEUE_MESSAGES_MAX)
        socket.setsockopt(zmq.RCVHWM, QUEUE_MESSAGES_MAX)
        socket.setsockopt(zmq.MAXMSGSIZE, MESSAGE_BYTES_MAX)
        socket.setsockopt(zmq.IPV6, 1)


def _give_back_memory() -> None:
    """Frames are kept, whatever their number, until the last of a message has come. The C library then keeps the memory
    for itself unless it is told not to; where it cannot be told, nothing is lost but that."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
