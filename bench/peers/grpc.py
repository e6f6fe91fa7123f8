"""Unary gRPC calls over HTTP/2 by hand, as cheap as a client in Python can make them.

The client must not be what is measured: this one takes about 20 µs of a core for a call. It does what RFC 9113 and gRPC
over HTTP/2 ask of a client whose calls are small: one method per connection, so that after the first call all headers
are six bytes of references into HPACK's dynamic table.
"""

import asyncio
import struct
from collections import deque

from bench.errors import BenchError

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
ACK = END_STREAM = 0x1
END_HEADERS = 0x4
FRAME_HEADER_BYTES = 9
MESSAGE_HEADER_BYTES = 5
"""gRPC: whether the message is compressed, and its length."""
WINDOW_BYTES = 65_535
"""What each side may send at first, over the connection and in each call (RFC 9113, 6.9.2)."""
FRAME_BYTES_MAX = 16_384
"""What everybody must take in one frame (RFC 9113, 4.2)."""
WINDOW_BYTES_MAX = 2**31 - 1
REPLENISH_BYTES = 2**20

_SETTINGS_ENABLE_PUSH = 2
_AGAIN = bytes((0x83, 0x86, 0x80 | 65, 0x80 | 64, 0x80 | 63, 0x80 | 62))
"""POST, http, and the four headers of the first call: the newest entry of the dynamic table has index 62."""


class UnaryCalls(asyncio.Protocol):
    """One method over one connection; any number of calls at a time. Make it with :meth:`connect`."""

    def __init__(self, authority: str, path: str) -> None:
        self._authority, self._path = authority, path
        self._headers = _first_headers(authority, path)
        self._transport: asyncio.Transport | None = None
        self._calls: dict[int, tuple[asyncio.Future[bytes], bytearray]] = {}
        self._stream = -1
        self._received = bytearray()
        self._out = bytearray()
        self._window = WINDOW_BYTES
        self._held: deque[bytes] = deque()
        """Frames of data that the other side has no window for yet."""
        self._unreported = 0
        """Bytes of data received since the last window update."""

    @classmethod
    async def connect(cls, host: str, port: int, path: str) -> "UnaryCalls":
        """Connect for calls of the method at ``path``, such as ``/etcdserverpb.KV/Put``. Raises :class:`OSError`."""
        loop = asyncio.get_running_loop()
        _, calls = await loop.create_connection(lambda: cls(f"{host}:{port}", path), host, port)
        return calls

    def close(self) -> None:
        """Close the connection; calls without an answer fail."""
        if self._transport is not None:
            self._transport.close()

    def call(self, message: bytes) -> "asyncio.Future[bytes]":
        """Call with an encoded message; gives the answer's. Raises :class:`BenchError` if the connection is gone, or
        for a message that would have to wait for its own window, which is not kept here."""
        if self._transport is None:
            raise BenchError(f"the connection to {self._authority} is closed")
        most = WINDOW_BYTES - MESSAGE_HEADER_BYTES
        if len(message) > most:
            raise BenchError(f"a message of {len(message):,} bytes is too large for this client: at most {most:,}")
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._stream += 2
        self._calls[self._stream] = (future, bytearray())
        self._write(frame(HEADERS, END_HEADERS, self._stream, self._headers))
        self._headers = _AGAIN
        body = b"\0" + len(message).to_bytes(4, "big") + message
        last = (len(body) - 1) // FRAME_BYTES_MAX * FRAME_BYTES_MAX
        for at in range(0, last, FRAME_BYTES_MAX):
            self._held.append(frame(DATA, 0, self._stream, body[at : at + FRAME_BYTES_MAX]))
        self._held.append(frame(DATA, END_STREAM, self._stream, body[last:]))
        self._send_held()
        return future

    # asyncio.Protocol -----------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Introduce ourselves: no pushes, and as much data as the server has."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._write(PREFACE + frame(SETTINGS, 0, 0, struct.pack("!HI", _SETTINGS_ENABLE_PUSH, 0)))
        self._write(window_update(WINDOW_BYTES_MAX - WINDOW_BYTES))

    def data_received(self, data: bytes) -> None:
        """Take whole frames off what has arrived."""
        received = self._received
        received += data
        at = 0
        while len(received) - at >= FRAME_HEADER_BYTES:
            end = at + FRAME_HEADER_BYTES + int.from_bytes(received[at : at + 3], "big")
            if end > len(received):
                break
            stream = int.from_bytes(received[at + 5 : at + 9], "big")
            self._on_frame(received[at + 3], received[at + 4], stream, bytes(received[at + FRAME_HEADER_BYTES : end]))
            at = end
        del received[:at]

    def connection_lost(self, error: Exception | None) -> None:
        """Fail what is open."""
        self._transport = None
        for future, _ in self._calls.values():
            if not future.done():
                future.set_exception(BenchError(f"the connection to {self._authority} was lost: {error or 'closed'}"))
        self._calls.clear()

    # Frames ---------------------------------------------------------------------------------------------------------

    def _on_frame(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == DATA:
            self._on_data(stream, payload)
        if kind in (DATA, HEADERS) and flags & END_STREAM:
            self._on_end(stream, payload)
        elif kind == RST_STREAM:
            self._fail(stream, f"the server reset the call with code {int.from_bytes(payload, 'big')}")
        elif kind == WINDOW_UPDATE and stream == 0:
            self._window += int.from_bytes(payload, "big")
            self._send_held()
        elif kind in (SETTINGS, PING) and not flags & ACK:
            self._write(frame(kind, ACK, 0, payload if kind == PING else b""))
        elif kind == GOAWAY and self._transport is not None:
            self._transport.close()

    def _on_data(self, stream: int, payload: bytes) -> None:
        call = self._calls.get(stream)
        if call is not None:
            call[1].extend(payload)
        self._unreported += len(payload)
        if self._unreported >= REPLENISH_BYTES:
            self._write(window_update(self._unreported))
            self._unreported = 0

    def _on_end(self, stream: int, trailers: bytes) -> None:
        """An answer is one message and trailers that say OK; an error has trailers only, which nobody decodes here."""
        call = self._calls.get(stream)
        if call is None:
            return
        future, body = call
        if len(body) < MESSAGE_HEADER_BYTES:
            self._fail(stream, f"the server answered with an error; its headers, not decoded: {trailers!r}")
            return
        del self._calls[stream]
        if not future.done():
            future.set_result(bytes(body[MESSAGE_HEADER_BYTES:]))

    def _fail(self, stream: int, why: str) -> None:
        future, _ = self._calls.pop(stream, (None, None))
        if future is not None and not future.done():
            future.set_exception(BenchError(f"{self._path} at {self._authority}: {why}"))

    def _send_held(self) -> None:
        while self._held and len(self._held[0]) - FRAME_HEADER_BYTES <= self._window:
            data = self._held.popleft()
            self._window -= len(data) - FRAME_HEADER_BYTES
            self._write(data)

    def _write(self, data: bytes) -> None:
        """Send with all else that this turn of the loop has to send."""
        if not self._out:
            asyncio.get_running_loop().call_soon(self._flush)
        self._out += data

    def _flush(self) -> None:
        if self._transport is not None:
            self._transport.write(bytes(self._out))
        self._out.clear()


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """An HTTP/2 frame."""
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def window_update(size: int) -> bytes:
    """The frame that lets the other side send so many bytes more on this connection."""
    return frame(WINDOW_UPDATE, 0, 0, size.to_bytes(4, "big"))


def _first_headers(authority: str, path: str) -> bytes:
    """The first call's headers (RFC 7541): each that is not in the static table is added to the dynamic one."""
    literals = [
        (b"\x44", path),  # :path by its name's index, 4
        (b"\x41", authority),  # :authority, 1
        (b"\x5f", "application/grpc"),  # content-type, 31
        (b"\x40\x02te", "trailers"),
    ]
    post_http = _AGAIN[:2]
    return post_http + b"".join(name + bytes((len(value),)) + value.encode() for name, value in literals)
