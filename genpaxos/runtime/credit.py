"""How much is under way to one peer: what was sent and is not known to have been taken.

ZeroMQ bounds a queue in messages and tells nobody what lies in it, nor what the kernel holds behind it. So among the
messages go *marks*; a peer sends each straight back when it takes it out of its queue. A connection keeps the order, so
all that was sent before a mark that is back has arrived or is lost. With too much under way large messages are dropped,
which the protocol allows at any time: a peer that is slow, or stands still, costs so many bytes and no more.
"""

import orjson

PEER_BYTES_MAX = 4 * 1024 * 1024
"""Under way to one peer. A message that is larger than that is sent when next to nothing else is under way."""
BULK_BYTES_MAX = 256 * 1024
"""With more than this under way no chunk of catch-up is added: what was asked for is coming, or the peer is busy."""
SMALL_BYTES = 1024
"""Heartbeats and the like are always sent; their number is bounded by the queue."""
MARK_BYTES = 128 * 1024
"""A mark follows on so many bytes."""
MARK_START = b'["mark",'


class Credit:
    """The credit of one connection to a peer.

    Counts bytes from when the replica started; a broken connection loses marks, and a later one stands for them.
    """

    __slots__ = ("_marked", "_sent", "under_way")

    def __init__(self) -> None:
        self.under_way = 0
        """Bytes that may still lie in a queue."""
        self._sent = 0
        self._marked = 0

    def allows(self, size: int) -> bool:
        """Whether a message of so many bytes may be sent."""
        return size <= SMALL_BYTES or self.under_way + size <= max(PEER_BYTES_MAX, size + MARK_BYTES)

    def sent(self, size: int) -> bool:
        """A message was sent; says whether a mark should follow."""
        self._sent += size
        self.under_way += size
        return self._sent - self._marked >= MARK_BYTES

    def mark(self) -> bytes:
        """The mark that stands for all that was sent so far."""
        self._marked = self._sent
        return b"%b%d]" % (MARK_START, self._sent)

    def back(self, payload: bytes) -> None:
        """A mark is back. One that is none of this connection's counts for nothing."""
        try:
            _, place = orjson.loads(payload)
        except ValueError:
            return
        if type(place) is int and self._sent - self.under_way < place <= self._marked:
            self.under_way = self._sent - place
