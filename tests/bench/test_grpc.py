"""The gRPC client byte by byte, against a server made of the frames it is sent; and its Protocol Buffers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from bench.errors import BenchError
from bench.peers.grpc import (
    ACK,
    DATA,
    END_HEADERS,
    END_STREAM,
    FRAME_BYTES_MAX,
    GOAWAY,
    HEADERS,
    PING,
    PREFACE,
    REPLENISH_BYTES,
    RST_STREAM,
    SETTINGS,
    WINDOW_BYTES,
    WINDOW_UPDATE,
    UnaryCalls,
    frame,
    window_update,
)
from bench.peers.protobuf import bytes_field, fields, varint

Frame = tuple[int, int, int, bytes]
Script = Callable[[UnaryCalls, "Wire"], Any]


class Wire(asyncio.Transport):
    """What the client writes, as frames."""

    def __init__(self) -> None:
        super().__init__()
        self._written = b""
        self.closed = False

    def write(self, data: Any) -> None:
        self._written += bytes(data)

    def close(self) -> None:
        self.closed = True

    async def frames(self) -> list[Frame]:
        """Those written since the last call."""
        await asyncio.sleep(0)
        data, self._written = self._written.removeprefix(PREFACE), b""
        found = []
        while data:
            size = int.from_bytes(data[:3], "big")
            found.append((data[3], data[4], int.from_bytes(data[5:9], "big"), data[9 : 9 + size]))
            data = data[9 + size :]
        return found


def message(body: bytes) -> bytes:
    return b"\0" + len(body).to_bytes(4, "big") + body


def answer(stream: int, body: bytes) -> bytes:
    return (
        frame(HEADERS, END_HEADERS, stream, b"\x88")
        + frame(DATA, 0, stream, message(body))
        + frame(HEADERS, END_HEADERS | END_STREAM, stream, b"\xbf")
    )


def played(script: Script) -> None:
    async def play() -> None:
        calls, wire = UnaryCalls("127.0.0.1:1", "/p.S/M"), Wire()
        calls.connection_made(wire)
        kinds = [kind for kind, *_ in await wire.frames()]
        assert kinds == [SETTINGS, WINDOW_UPDATE]
        await script(calls, wire)

    asyncio.run(play())


def test_calls_are_answered_in_any_order_and_in_any_pieces() -> None:
    async def script(calls: UnaryCalls, wire: Wire) -> None:
        first, second = calls.call(b"one"), calls.call(b"two")
        (_, flags, stream, headers), data, (_, _, other, again), *_ = await wire.frames()
        assert (stream, other, flags) == (1, 3, END_HEADERS)
        assert data == (DATA, END_STREAM, 1, message(b"one"))
        assert b"/p.S/M" in headers
        assert len(again) == 6  # all by reference
        for byte in answer(3, b"second") + answer(1, b""):
            calls.data_received(bytes([byte]))
        assert (await first, await second) == (b"", b"second")

    played(script)


def test_an_answer_in_two_frames_is_one_message() -> None:
    async def script(calls: UnaryCalls, _: Wire) -> None:
        call = calls.call(b"")
        whole = message(b"long")
        calls.data_received(frame(DATA, 0, 1, whole[:3]) + frame(DATA, 0, 1, whole[3:]))
        assert not call.done()
        calls.data_received(frame(HEADERS, END_HEADERS | END_STREAM, 1, b""))
        assert await call == b"long"

    played(script)


def test_errors_of_one_call_leave_the_others_alone() -> None:
    async def script(calls: UnaryCalls, _: Wire) -> None:
        refused, reset, fine = (calls.call(b"") for _ in range(3))
        calls.data_received(frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\x88\x07why"))
        calls.data_received(frame(RST_STREAM, 0, 3, (8).to_bytes(4, "big")))
        with pytest.raises(BenchError, match=r"/p\.S/M at 127\.0\.0\.1:1: the server answered with an error.*why"):
            await refused
        with pytest.raises(BenchError, match="reset the call with code 8"):
            await reset
        calls.data_received(answer(5, b"fine"))
        assert await fine == b"fine"

    played(script)


def test_a_lost_connection_fails_every_call() -> None:
    async def script(calls: UnaryCalls, wire: Wire) -> None:
        call = calls.call(b"")
        calls.data_received(frame(GOAWAY, 0, 0, bytes(8)))
        assert wire.closed
        calls.connection_lost(None)
        with pytest.raises(BenchError, match=r"the connection to 127\.0\.0\.1:1 was lost: closed"):
            await call
        with pytest.raises(BenchError, match="is closed"):
            calls.call(b"")

    played(script)


def test_data_waits_until_the_server_has_a_window_for_it() -> None:
    async def script(calls: UnaryCalls, wire: Wire) -> None:
        body = bytes(WINDOW_BYTES // 2)
        for _ in range(3):
            calls.call(body)
        sent = [frame for frame in await wire.frames() if frame[0] == DATA]
        assert [stream for _, _, stream, _ in sent] == [1, 1, 1, 3]
        calls.data_received(window_update(100))
        assert [stream for _, _, stream, _ in await wire.frames()] == [3, 3]
        calls.data_received(window_update(WINDOW_BYTES))
        assert [stream for _, _, stream, _ in await wire.frames()] == [5, 5, 5]

    played(script)


def test_a_large_message_goes_out_in_frames_that_everybody_takes_and_only_the_last_ends_the_call() -> None:
    async def script(calls: UnaryCalls, wire: Wire) -> None:
        for size in (FRAME_BYTES_MAX - 5, FRAME_BYTES_MAX - 4, WINDOW_BYTES - 2 * FRAME_BYTES_MAX - 6):
            calls.call(bytes(size))
        data = [frame for frame in await wire.frames() if frame[0] == DATA]
        assert [(flags, stream, len(part)) for _, flags, stream, part in data] == [
            (END_STREAM, 1, FRAME_BYTES_MAX),
            (0, 3, FRAME_BYTES_MAX),
            (END_STREAM, 3, 1),
            (0, 5, FRAME_BYTES_MAX),
            (END_STREAM, 5, WINDOW_BYTES - 3 * FRAME_BYTES_MAX - 1),
        ]
        with pytest.raises(BenchError, match=r"a message of 65,531 bytes is too large for this client: at most 65,530"):
            calls.call(bytes(WINDOW_BYTES - 4))

    played(script)


def test_pings_and_settings_are_acknowledged_and_windows_replenished() -> None:
    async def script(calls: UnaryCalls, wire: Wire) -> None:
        calls.data_received(frame(SETTINGS, 0, 0, bytes(6)) + frame(PING, 0, 0, b"12345678"))
        calls.data_received(frame(SETTINGS, ACK, 0, b"") + frame(PING, ACK, 0, b"87654321"))
        assert await wire.frames() == [(SETTINGS, ACK, 0, b""), (PING, ACK, 0, b"12345678")]
        calls.data_received(frame(DATA, 0, 99, bytes(REPLENISH_BYTES - 1)))
        assert await wire.frames() == []
        calls.data_received(frame(DATA, 0, 99, b"."))
        assert await wire.frames() == [(WINDOW_UPDATE, 0, 0, REPLENISH_BYTES.to_bytes(4, "big"))]

    played(script)


@pytest.mark.parametrize("value", [0, 1, 127, 128, 300, 2**32, 2**64 - 1])
def test_integers_and_bytes_read_back(value: int) -> None:
    encoded = varint(3 << 3) + varint(value) + bytes_field(20, b"x" * (value % 1000))
    assert fields(encoded) == {3: value, 20: b"x" * (value % 1000)}


def test_fixed_width_fields_are_read_and_the_last_of_a_number_counts() -> None:
    assert fields(bytes([1 << 3 | 1]) + (5).to_bytes(8, "little") + bytes([2 << 3 | 5]) + b"\7\0\0\0") == {1: 5, 2: 7}
    assert fields(varint(1 << 3) + varint(1) + varint(1 << 3) + varint(2)) == {1: 2}


@pytest.mark.parametrize(
    ("encoded", "why"),
    [
        (b"\x08", "ends within an integer"),
        (b"\x08\x80", "ends within an integer"),
        (b"\x0a\x05abc", "field 1 ends beyond"),
        (b"\x0b", "wire type 3"),
    ],
)
def test_what_is_no_message_is_refused(encoded: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        fields(encoded)
