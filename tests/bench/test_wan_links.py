"""Links that take time: delay, order and bytes are kept, and ends pass through."""

from __future__ import annotations

import asyncio
import os
import random
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from bench.wan.delay import HOST, DelayedLink
from bench.wan.dialler import dialling_pid
from bench.wan.loop import precise_loop
from bench.wan.ports import unused_ports

DELAY_S = 0.02
LATE_S = 2.0
"""More than any machine is late, and less than what a wrong link would take."""

End = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def run(main: Coroutine[Any, Any, None]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(20):
            await main

    with asyncio.Runner(loop_factory=precise_loop) as runner:
        runner.run(limited())


def after(delay_s: float | None) -> Callable[[int, int], Awaitable[float | None]]:
    async def delay_of(_port: int, _dialled: int) -> float | None:
        return delay_s

    return delay_of


@asynccontextmanager
async def linked(delay_s: float | None = DELAY_S) -> AsyncIterator[tuple[End, End]]:
    """The two ends of a connection through a link: who dialled, and the target."""
    arrived: asyncio.Future[End] = asyncio.get_running_loop().create_future()
    server = await asyncio.start_server(lambda *end: arrived.set_result(end), HOST, 0)
    link = DelayedLink((HOST, server.sockets[0].getsockname()[1]), after(delay_s))
    await link.open()
    near = await asyncio.open_connection(HOST, link.port)
    far = await arrived
    try:
        yield near, far
    finally:
        for _, writer in (near, far):
            writer.transport.abort()
        await link.close()
        server.close()


def test_what_is_sent_takes_the_delay_each_way() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with linked() as (near, far):
            for (_, writer), (reader, _) in ((near, far), (far, near), (near, far)):
                sent_s = loop.time()
                writer.write(b"?")
                assert await reader.readexactly(1) == b"?"
                assert loop.time() - sent_s >= DELAY_S

    run(main())


def test_what_is_sent_in_between_is_under_way_at_once_and_does_not_queue_for_the_delay() -> None:
    async def main() -> None:
        loop, count = asyncio.get_running_loop(), 400
        async with linked() as ((_, writer), (reader, _)):
            began_s = loop.time()
            for _ in range(count):
                writer.write(b"?")
                await asyncio.sleep(0)
            await reader.readexactly(count)
            assert DELAY_S <= loop.time() - began_s < DELAY_S + LATE_S < count * DELAY_S

    run(main())


def test_bytes_come_out_in_order_and_unchanged_in_both_directions_at_once() -> None:
    async def main() -> None:
        async with linked() as (near, far):
            await asyncio.gather(_carries(1, near, far), _carries(2, far, near))

    run(main())


async def _carries(seed: int, source: End, target: End) -> None:
    draw = random.Random(seed)
    chunks = [draw.randbytes(draw.choice((1, 100, 70_000))) for _ in range(60)]

    async def send() -> None:
        for chunk in chunks:
            source[1].write(chunk)
            await source[1].drain()

    whole = b"".join(chunks)
    _, received = await asyncio.gather(send(), target[0].readexactly(len(whole)))
    assert received == whole


def test_a_target_that_reads_slowly_is_felt_and_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.wan.delay.HELD_BYTES_MAX", 10_000)

    async def main() -> None:
        async with linked() as ((_, writer), (reader, _)):
            whole = random.Random(1).randbytes(24_000_000)  # more than all buffers of the system together
            writer.write(whole)
            sending = asyncio.ensure_future(writer.drain())
            await reader.readexactly(1)
            assert not sending.done()
            assert await reader.readexactly(len(whole) - 1) == whole[1:]
            await sending

    run(main())


def test_the_end_of_one_direction_comes_after_all_bytes_and_leaves_the_other_open() -> None:
    async def main() -> None:
        async with linked() as ((near_reader, near_writer), (far_reader, far_writer)):
            near_writer.write(b"question")
            near_writer.write_eof()
            assert await far_reader.read() == b"question"
            far_writer.write(b"answer")
            far_writer.write_eof()
            assert await near_reader.read() == b"answer"

    run(main())


def test_a_connection_that_breaks_at_one_end_breaks_at_the_other() -> None:
    async def main() -> None:
        async with linked() as ((_, near_writer), (far_reader, _)):
            near_writer.write(b"last words")
            await near_writer.drain()
            assert await far_reader.readexactly(10) == b"last words"
            socket_of(near_writer).setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            near_writer.transport.abort()  # with no time to linger: a reset
            assert await far_reader.read() == b""

    run(main())


def socket_of(writer: asyncio.StreamWriter) -> socket.socket:
    found: socket.socket = writer.get_extra_info("socket")
    return found


def test_closing_a_link_breaks_what_goes_through_it() -> None:
    async def main() -> None:
        async with linked() as ((near_reader, _), (far_reader, _)):
            pass
        assert await near_reader.read() == await far_reader.read() == b""

    run(main())


@pytest.mark.parametrize("delay_s", [DELAY_S, None])
def test_a_target_that_is_not_there_or_a_dialler_nobody_knows_is_hung_up_on(delay_s: float | None) -> None:
    async def main() -> None:
        link = DelayedLink((HOST, unused_ports(1)[0]), after(delay_s))
        await link.open()
        reader, writer = await asyncio.open_connection(HOST, link.port)
        with pytest.raises(asyncio.IncompleteReadError):
            await reader.readexactly(1)
        writer.transport.abort()
        await link.close()

    run(main())


@pytest.mark.skipif(sys.platform != "linux", reason="the precise loop and /proc are Linux's")
def test_waits_are_shorter_than_a_millisecond_where_they_should_be() -> None:
    async def main() -> None:
        loop, waits_s = asyncio.get_running_loop(), []
        for _ in range(50):
            began_s = loop.time()
            await asyncio.sleep(0.0002)
            waits_s.append(loop.time() - began_s)
        assert 0.0002 <= min(waits_s) < 0.0009

    run(main())


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_who_dialled_is_found_by_the_socket() -> None:
    with socket.create_server((HOST, 0)) as server:
        dialled = server.getsockname()[1]
        with socket.create_connection((HOST, dialled)) as near:
            port = near.getsockname()[1]
            assert dialling_pid(port, dialled, [os.getppid(), os.getpid()]) == os.getpid()
            assert dialling_pid(port, dialled, [os.getppid()]) is None
            assert dialling_pid(port, dialled + 1, [os.getpid()]) is None
