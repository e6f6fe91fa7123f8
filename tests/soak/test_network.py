"""The proxies do what their faults are called: otherwise a passing soak test would say nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from tests.soak.network import HOST, Condition, End, Link, endpoint

SOON_S = 5.0
"""What is to arrive arrives by then."""
NOT_YET_S = 0.1
"""What is held back has not arrived after that."""

Scenario = Callable[["Wire"], Awaitable[None]]


class Wire:
    """A link and what stands at its ends: a dialler, and a listener that keeps what it accepts."""

    def __init__(self, link: Link, accepted: asyncio.Queue[End]) -> None:
        self.link = link
        self._accepted = accepted
        self._dialled: list[asyncio.StreamWriter] = []

    async def connect(self) -> tuple[End, End]:
        """Both ends of a new connection."""
        return await self._dial(), await asyncio.wait_for(self._accepted.get(), SOON_S)

    async def refused(self) -> None:
        """A new connection ends at once, and never came to the listener."""
        await ended((await self._dial())[0])
        assert self._accepted.empty()

    async def _dial(self) -> End:
        end = await asyncio.open_connection(*endpoint(self.link.address))
        self._dialled.append(end[1])
        return end

    async def close(self) -> None:
        for writer in self._dialled:
            writer.transport.abort()
        await self.link.close()
        await asyncio.sleep(0)  # what was aborted closes in the loop's next turn


@asynccontextmanager
async def wire() -> AsyncIterator[Wire]:
    accepted: asyncio.Queue[End] = asyncio.Queue()
    writers: list[asyncio.StreamWriter] = []

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        accepted.put_nowait((reader, writer))

    server = await asyncio.start_server(accept, HOST, 0)
    link = Link(server.sockets[0].getsockname()[:2])
    await link.open()
    made = Wire(link, accepted)
    try:
        yield made
    finally:
        for writer in writers:
            writer.transport.abort()
        server.close()
        await made.close()


def run(scenario: Scenario) -> None:
    async def main() -> None:
        async with wire() as made:
            await scenario(made)

    asyncio.run(main())


async def arrives(end: End, data: bytes) -> None:
    assert await asyncio.wait_for(end[0].readexactly(len(data)), SOON_S) == data


async def ended(reader: asyncio.StreamReader) -> None:
    with suppress(ConnectionError):
        assert await asyncio.wait_for(reader.read(), SOON_S) == b""


def test_a_whole_link_carries_both_ways() -> None:
    async def scenario(wire: Wire) -> None:
        source, target = await wire.connect()
        source[1].write(b"there")
        await arrives(target, b"there")
        target[1].write(b"back" * 100_000)
        await arrives(source, b"back" * 100_000)

    run(scenario)


def test_a_cut_link_breaks_both_ends_and_refuses_until_it_is_healed() -> None:
    async def scenario(wire: Wire) -> None:
        source, target = await wire.connect()
        wire.link.impose("fault", Condition(cut=True))
        await ended(source[0])
        await ended(target[0])
        await wire.refused()
        wire.link.lift("fault")
        source, target = await wire.connect()
        source[1].write(b"again")
        await arrives(target, b"again")

    run(scenario)


def test_a_stalled_link_is_silent_one_way_only_and_what_it_held_arrives_late() -> None:
    async def scenario(wire: Wire) -> None:
        source, target = await wire.connect()
        wire.link.impose("fault", Condition(stalled=True))
        source[1].write(b"a")
        target[1].write(b"back")
        await arrives(source, b"back")
        held = asyncio.ensure_future(target[0].readexactly(2))
        assert not (await asyncio.wait({held}, timeout=NOT_YET_S))[0]
        source[1].write(b"b")
        wire.link.lift("fault")
        assert await asyncio.wait_for(held, SOON_S) == b"ab"

    run(scenario)


def test_a_link_stalled_on_the_way_back_lets_pass_what_is_sent_there() -> None:
    async def scenario(wire: Wire) -> None:
        source, target = await wire.connect()
        wire.link.impose("fault", Condition(stalled_back=True))
        source[1].write(b"there")
        await arrives(target, b"there")
        target[1].write(b"back")
        held = asyncio.ensure_future(source[0].readexactly(4))
        assert not (await asyncio.wait({held}, timeout=NOT_YET_S))[0]
        wire.link.lift("fault")
        assert await asyncio.wait_for(held, SOON_S) == b"back"

    run(scenario)


def test_a_stalled_link_that_loses_breaks_instead_of_delivering() -> None:
    async def scenario(wire: Wire) -> None:
        source, target = await wire.connect()
        wire.link.impose("fault", Condition(stalled=True))
        source[1].write(b"lost")
        await source[1].drain()
        wire.link.lift("fault", lose=True)
        await ended(target[0])
        await ended(source[0])

    run(scenario)


def test_an_end_that_closes_while_the_link_is_stalled_is_noticed_only_after_it() -> None:
    async def scenario(wire: Wire) -> None:
        source, target = await wire.connect()
        wire.link.impose("fault", Condition(stalled=True))
        source[1].write(b"last")
        source[1].close()
        held = asyncio.ensure_future(target[0].read())
        assert not (await asyncio.wait({held}, timeout=NOT_YET_S))[0]
        wire.link.lift("fault")
        assert await asyncio.wait_for(held, SOON_S) == b"last"

    run(scenario)


def test_a_slow_link_delays_and_keeps_the_order_also_when_it_becomes_fast_again() -> None:
    async def scenario(wire: Wire) -> None:
        source, target = await wire.connect()
        loop = asyncio.get_running_loop()
        wire.link.impose("fault", Condition(delay_s=0.2))
        sent_s = loop.time()
        source[1].write(b"slow ")
        held = asyncio.ensure_future(target[0].readexactly(9))
        await asyncio.wait({held}, timeout=0.05)
        wire.link.lift("fault")
        source[1].write(b"fast")
        assert await asyncio.wait_for(held, SOON_S) == b"slow fast"
        assert loop.time() - sent_s >= 0.2

    run(scenario)


def test_a_link_is_as_bad_as_the_worst_fault_that_holds_it() -> None:
    async def scenario(wire: Wire) -> None:
        wire.link.impose("one", Condition(cut=True))
        wire.link.impose("other", Condition(delay_s=0.01))
        wire.link.lift("other")
        await wire.refused()
        wire.link.impose("other", Condition(cut=True))
        wire.link.lift("one")
        await wire.refused()
        wire.link.lift("other")
        await wire.connect()

    run(scenario)


def test_a_link_broken_at_its_source_looks_whole_to_the_target() -> None:
    async def scenario(wire: Wire) -> None:
        source, target = await wire.connect()
        source[1].write(b"there")
        await arrives(target, b"there")  # so the link, too, knows that it is connected
        wire.link.break_at_source()
        await ended(source[0])
        read = asyncio.ensure_future(target[0].read())
        assert not (await asyncio.wait({read}, timeout=NOT_YET_S))[0]
        target[1].write(b"nobody hears")
        source, again = await wire.connect()
        source[1].write(b"anew")
        await arrives(again, b"anew")
        assert not read.done()
        read.cancel()

    run(scenario)
