"""A link that takes time: a TCP proxy that passes on what it reads, in order and unchanged, a while later.

Only the delay is emulated. Bandwidth has no limit and nothing is lost; both ends are acknowledged by the kernel beside
them, so no window or timer of TCP is stretched that a long-lived connection would have grown by then. What differs from
a far connection is its beginning: it stands at once, where real TCP takes a round trip to make one.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

HOST = "127.0.0.1"
HELD_BYTES_MAX = 32 * 1024 * 1024
"""Under way in one direction of a connection, before its sender feels it: more than any benchmark sends in a second."""

_END: Final = b""
"""In a pipe: its source sends no more."""
_LOST: Final = None
"""In a pipe: its source is gone."""


class Pipe:
    """One direction of a connection: what is put in comes out ``delay_s`` later, and so does its end."""

    def __init__(self, delay_s: float, on_end: Callable[[], None]) -> None:
        self.source: asyncio.Transport | None = None
        self.ended = False
        """Its end has come out."""
        self._sink: asyncio.Transport | None = None
        self._delay_s = delay_s
        self._on_end = on_end
        self._loop = asyncio.get_running_loop()
        self._held: deque[tuple[float, bytes | None]] = deque()
        self._held_bytes = 0
        self._timer: asyncio.TimerHandle | None = None
        self._shut = False

    def put(self, data: bytes | None) -> None:
        """Take what the source sent just now."""
        self._held.append((self._loop.time() + self._delay_s, data))
        self._held_bytes += len(data or b"")
        if self._held_bytes > HELD_BYTES_MAX and self.source is not None:
            self.source.pause_reading()
        self._wait()

    def lead_to(self, sink: asyncio.Transport) -> None:
        """Let it come out here; what was due earlier at once."""
        self._sink = sink
        self._wait()

    def shut(self, shut: bool) -> None:
        """Whether the sink takes nothing just now."""
        self._shut = shut
        self._wait()

    def _wait(self) -> None:
        if self._held and self._timer is None and self._sink is not None and not self._shut:
            self._timer = self._loop.call_at(self._held[0][0], self._pass)

    def _pass(self) -> None:
        self._timer = None
        held, now_s = self._held, self._loop.time()
        while held and held[0][0] <= now_s and not self._shut:
            self._give(held.popleft()[1])
        self._wait()

    def _give(self, data: bytes | None) -> None:
        sink = self._sink
        assert sink is not None
        if data is _LOST:
            sink.abort()
        elif data == _END:
            self.ended = True
            if not sink.is_closing():
                sink.write_eof()
            self._on_end()
        else:
            self._release(len(data))
            sink.write(data)  # asyncio drops it if the sink is gone

    def _release(self, size: int) -> None:
        over = self._held_bytes > HELD_BYTES_MAX
        self._held_bytes -= size
        if over and self._held_bytes <= HELD_BYTES_MAX and self.source is not None and not self.source.is_closing():
            self.source.resume_reading()


class _End(asyncio.Protocol):
    """One end of a connection: puts what it reads into one pipe; the other one leads to it."""

    def __init__(self, opened: Callable[["_End", asyncio.Transport], None]) -> None:
        self.transport: asyncio.Transport | None = None
        self._opened = opened
        self._out: Pipe | None = None
        self._into: Pipe | None = None
        self._early: list[bytes | None] = []
        """What came before it was known how far it goes."""

    def join(self, transport: asyncio.Transport, out: Pipe, into: Pipe) -> None:
        """Begin."""
        self.transport = out.source = transport
        self._out, self._into = out, into
        into.lead_to(transport)
        for data in self._early:
            out.put(data)
        self._early.clear()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._opened(self, transport)

    def data_received(self, data: bytes | None) -> None:
        if self._out is not None:
            self._out.put(data)
        else:
            self._early.append(data)

    def eof_received(self) -> bool:
        self.data_received(_END)
        return True  # the other direction may go on

    def pause_writing(self) -> None:
        if self._into is not None:
            self._into.shut(True)

    def resume_writing(self) -> None:
        if self._into is not None:
            self._into.shut(False)

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002
        self.data_received(_LOST)


class _Connection:
    """Both directions between the end that dialled and the target."""

    def __init__(self, delay_s: float) -> None:
        self._there, self._back = Pipe(delay_s, self._on_end), Pipe(delay_s, self._on_end)
        self._ends: list[asyncio.Transport] = []

    @property
    def over(self) -> bool:
        """Whether all its ends are closed."""
        return all(end.is_closing() for end in self._ends)

    async def run(self, near: _End, source: asyncio.Transport, target: tuple[str, int]) -> None:
        """Make the other half; what the source sends meanwhile is under way already."""
        near.join(source, self._there, self._back)
        self._ends.append(source)
        try:
            await asyncio.get_running_loop().create_connection(lambda: _End(self._reached), *target)
        except OSError:
            source.abort()

    def abort(self) -> None:
        """Break it at both ends."""
        for end in self._ends:
            end.abort()

    def _reached(self, far: _End, transport: asyncio.Transport) -> None:
        far.join(transport, self._back, self._there)
        self._ends.append(transport)

    def _on_end(self) -> None:
        if self._there.ended and self._back.ended:
            for end in self._ends:
                end.close()


DelayOf = Callable[[int, int], Awaitable[float | None]]
"""The one-way delay in seconds of a connection, from its dialler's port and the port it dialled; ``None``: refused."""


class DelayedLink:
    """Listens for connections and leads them to a target, with a delay in each direction."""

    def __init__(self, target: tuple[str, int], delay_of: DelayOf) -> None:
        self.port = 0
        """Where it listens, once it is open."""
        self._target = target
        self._delay_of = delay_of
        self._server: asyncio.Server | None = None
        self._connections: list[_Connection] = []
        self._dialling: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Listen on a free port."""
        self._server = await asyncio.get_running_loop().create_server(lambda: _End(self._accept), HOST, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening and break every connection; what was under way is lost."""
        if self._server is not None:
            self._server.close()
        for task in self._dialling:
            task.cancel()
        await asyncio.gather(*self._dialling, return_exceptions=True)
        for connection in self._connections:
            connection.abort()

    def _accept(self, near: _End, source: asyncio.Transport) -> None:
        task = asyncio.get_running_loop().create_task(self._connect(near, source))
        self._dialling.add(task)
        task.add_done_callback(self._dialling.discard)

    async def _connect(self, near: _End, source: asyncio.Transport) -> None:
        delay_s = await self._delay_of(source.get_extra_info("peername")[1], self.port)
        if delay_s is None:
            source.abort()
            return
        connection = _Connection(delay_s)
        self._connections = [*(known for known in self._connections if not known.over), connection]
        await connection.run(near, source, self._target)
