"""The network between real processes, owned by the test: one TCP proxy for each direction of each pair.

A replica dials its peers and sends on what it dialled, so the connections it dialled to a peer *are* the directed link
to that peer. TCP loses nothing silently: a link that loses must break its connections (``cut``), one that keeps them
can only be silent (``stalled``), and what it holds back then arrives late or, if the connections break first, never.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace

from genpaxos.runtime.config import ClusterConfig

CLIENTS = -1
"""The source of the clients' links, among the replicas' numbers."""
HOST = "127.0.0.1"
CHUNK_BYTES = 64 * 1024
CHUNKS_MAX = 64
"""What a silent link holds, beside what the system's buffers take; then its sender feels it."""

End = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True, slots=True)
class Condition:
    """What is wrong with a link."""

    cut: bool = False
    """No connection stands, and none is made."""
    stalled: bool = False
    """Nothing passes from the source to the target; the other way is open."""
    stalled_back: bool = False
    """Nothing passes back to the source."""
    delay_s: float = 0.0
    """Whatever passes takes so much longer, each way."""


class Link:
    """A directed link. Several faults may hold it at once; it is as bad as the worst of them."""

    def __init__(self, target: tuple[str, int]) -> None:
        self.address = ""
        self._target = target
        self._server: asyncio.Server | None = None
        self._conditions: dict[object, Condition] = {}
        self._connections: set[asyncio.Task[None]] = set()
        self._half_broken: set[asyncio.Task[None]] = set()
        self._half_open: list[asyncio.StreamWriter] = []
        """The target's ends of those: it takes them for connections."""
        self._there, self._back = asyncio.Event(), asyncio.Event()
        self._update()

    async def open(self) -> None:
        """Listen; the port is kept until :meth:`close`, whatever becomes of the link."""
        self._server = await asyncio.start_server(self._accept, HOST, 0)
        self.address = "tcp://{}:{}".format(*self._server.sockets[0].getsockname()[:2])

    async def close(self) -> None:
        """Break everything and stop listening."""
        if self._server is not None:
            self._server.close()
        broken = list(self._connections)
        self.break_connections()
        await asyncio.gather(*broken, return_exceptions=True)
        for writer in self._half_open:
            writer.transport.abort()

    def impose(self, fault: object, condition: Condition) -> None:
        """A fault takes hold of the link."""
        self._conditions[fault] = condition
        self._update()

    def lift(self, fault: object, *, lose: bool = False) -> None:
        """A fault lets go of it. ``lose``: the connections break, and what they held back is lost."""
        if self._conditions.pop(fault, None) is not None:
            if lose:
                self.break_connections()
            self._update()

    def break_connections(self) -> None:
        """Break what stands; nothing hinders the source from dialling again."""
        for connection in self._connections:
            connection.cancel()

    def break_at_source(self) -> None:
        """Break what stands at the source's end alone: the target never learns, as from a NAT that forgot it all."""
        self._half_broken.update(self._connections)
        self.break_connections()

    def _update(self) -> None:
        conditions = self._conditions.values()
        self._cut = any(condition.cut for condition in conditions)
        self._delay_s = max((condition.delay_s for condition in conditions), default=0.0)
        for event, shut in (
            (self._there, any(condition.stalled for condition in conditions)),
            (self._back, any(condition.stalled_back for condition in conditions)),
        ):
            event.clear() if shut else event.set()
        if self._cut:
            self.break_connections()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._cut:
            writer.transport.abort()
            return
        connection = asyncio.get_running_loop().create_task(self._connect((reader, writer)))
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)

    async def _connect(self, source: End) -> None:
        """Carry one connection until either end closes it or the link breaks."""
        try:
            with contextlib.suppress(OSError):
                target = await asyncio.open_connection(*self._target)
                try:
                    await self._carry_both(source, target)
                finally:
                    self._let_go(target[1])
        finally:
            source[1].transport.abort()

    def _let_go(self, target: asyncio.StreamWriter) -> None:
        if asyncio.current_task() in self._half_broken:
            self._half_open.append(target)
        else:
            target.transport.abort()

    async def _carry_both(self, source: End, target: End) -> None:
        carriers = [
            asyncio.ensure_future(_carry(source[0], target[1], self._there, lambda: self._delay_s)),
            asyncio.ensure_future(_carry(target[0], source[1], self._back, lambda: self._delay_s)),
        ]
        try:
            await asyncio.wait(carriers, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for carrier in carriers:
                carrier.cancel()
            await asyncio.gather(*carriers, return_exceptions=True)


async def _carry(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, opened: asyncio.Event, delay_s: Callable[[], float]
) -> None:
    """One direction of one connection, in order, each chunk when it is due and the link lets it pass; its end too."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(CHUNKS_MAX)

    async def read() -> None:
        data = b"?"
        while data:
            try:
                data = await reader.read(CHUNK_BYTES)
            except OSError:
                data = b""
            await queue.put((loop.time() + delay_s(), data))

    reading = asyncio.ensure_future(read())
    try:
        while True:
            due_s, data = await queue.get()
            if due_s > loop.time():
                await asyncio.sleep(due_s - loop.time())
            await opened.wait()
            if not data:
                return
            writer.write(data)
            await writer.drain()
    finally:
        reading.cancel()


class Network:
    """All links of a cluster: between replicas, and from the clients to each. Enter it before the replicas start."""

    def __init__(self, config: ClusterConfig) -> None:
        nodes = range(len(config.replicas))
        self._config = config
        self._links = {
            (source, target): Link(endpoint(config.replicas[target].address))
            for source in (CLIENTS, *nodes)
            for target in nodes
            if source != target
        }

    async def __aenter__(self) -> Network:
        for link in self._links.values():
            await link.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*(link.close() for link in self._links.values()))

    def link(self, source: int, target: int) -> Link:
        """The link from one replica, or the clients, to a replica."""
        return self._links[source, target]

    def into(self, node: int) -> list[Link]:
        """Every replica's link to this one."""
        return [link for (source, target), link in self._links.items() if target == node and source != CLIENTS]

    def out_of(self, node: int) -> list[Link]:
        """This replica's link to every other."""
        return [link for (source, _), link in self._links.items() if source == node]

    def routes(self, node: int) -> dict[str, str]:
        """Where a replica is to dial for the addresses of the cluster file."""
        return {
            self._config.replicas[target].address: link.address
            for (source, target), link in self._links.items()
            if source == node
        }

    def for_clients(self) -> ClusterConfig:
        """The cluster as the clients are to see it."""
        replicas = tuple(
            replace(replica, address=self._links[CLIENTS, node].address)
            for node, replica in enumerate(self._config.replicas)
        )
        return replace(self._config, replicas=replicas)


def endpoint(address: str) -> tuple[str, int]:
    """Host and port of a TCP address."""
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    return host, int(port)
