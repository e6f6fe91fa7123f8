"""Bytes under way to somebody who perhaps does not read."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from genpaxos.runtime.connections import Connections
from genpaxos.runtime.transport import Transport
from genpaxos.runtime.unread import MARKS_MAX, Unread

LIMIT = 1_000_000


def test_nothing_more_leaves_until_the_other_side_has_read() -> None:
    credit = Unread()
    credit.send(900_000)
    assert credit.allows(100_000, LIMIT)
    assert not credit.allows(100_001, LIMIT)
    credit.mark(1)
    credit.send(50)
    credit.echoed(1)
    assert credit.under_way == credit.unmarked == 50
    assert credit.allows(LIMIT, LIMIT)


def test_a_single_message_may_be_larger_than_the_limit_though_an_answer_to_a_ping_is_under_way() -> None:
    credit = Unread()
    credit.send(300)
    credit.mark(1)
    assert credit.allows(5 * LIMIT, LIMIT)
    credit.send(5 * LIMIT)
    assert not credit.allows(1, LIMIT)


def test_an_echo_stands_for_all_before_it_and_an_old_one_for_nothing_new() -> None:
    credit = Unread()
    for token in range(1, 4):
        credit.send(100)
        credit.mark(token)
    credit.echoed(3)
    assert credit.under_way == 0
    credit.send(10)
    credit.echoed(2)
    assert credit.under_way == 10


def test_a_token_may_leave_whatever_is_under_way_as_long_as_not_too_many_wait_for_their_echo() -> None:
    credit = Unread()
    credit.send(8 * LIMIT)
    for token in range(MARKS_MAX):
        assert credit.allows_token
        credit.mark(token)
    assert not credit.allows_token
    credit.send(5)
    credit.mark(MARKS_MAX)
    credit.echoed(MARKS_MAX)
    assert credit.allows_token
    assert credit.under_way == 0


@given(st.lists(st.tuples(st.sampled_from(["send", "mark", "echo"]), st.integers(1, 500)), max_size=200))
def test_what_is_under_way_is_never_reckoned_too_low(steps: list[tuple[str, int]]) -> None:
    """The other side reads in order; an echo is of the last token it has read."""
    credit, line, token, read = Unread(), [], 0, 0
    for what, number in steps:
        if what == "send":
            credit.send(number)
            line.append(number)
        elif what == "mark":
            token += 1
            credit.mark(token)
            line.append(-token)
        else:
            passed, line = line[:number], line[number:]
            read = max([read, *(-item for item in passed if item < 0)])
            credit.echoed(read)
        assert credit.under_way >= sum(item for item in line if item > 0)
    assert len(credit._marks) <= MARKS_MAX


def test_a_client_that_reads_gets_everything_and_one_that_does_not_gets_a_bounded_part(tmp_path: Path) -> None:
    """A transport and a client's connections."""
    big, address = b"x" * 5_000_000, f"ipc://{tmp_path}/r0"
    transport = Transport([address], 0, b"r0")

    async def talk(reads: bool) -> int:
        """How many of the big answers arrive, or leave if nobody reads; each is asked for until it comes."""
        seen, arrived, left = [0], 0, 0

        def receive(_: int, payload: bytes) -> None:
            nonlocal arrived
            if payload.startswith(b"pong"):
                seen[0] = int(payload[4:])
            else:
                arrived += 1

        connections = Connections([address], receive)
        connections.open()
        try:
            for token in range(1, 400):
                connections.ping(0, token, b"%d" % seen[0])
                for routing_id, payload in transport.receive():
                    transport.echoed(routing_id, int(payload))
                    before = transport.dropped
                    transport.answer(routing_id, big)
                    left += transport.dropped == before
                    transport.answer(routing_id, b"pong%d" % token, token)
                if reads:
                    connections.drain()
                if arrived >= 10:
                    break
                time.sleep(0.002)
            return arrived if reads else left
        finally:
            connections.close()

    try:
        assert asyncio.run(talk(reads=True)) >= 10
        assert asyncio.run(talk(reads=False)) == 1, "two are more than may be under way"
    finally:
        transport.close()
