"""Sockets of replicas: a peer that does not read costs a bounded number of bytes, and so does a stranger."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import zmq

from genpaxos.runtime import transport as module
from genpaxos.runtime.credit import BULK_BYTES_MAX, PEER_BYTES_MAX
from genpaxos.runtime.transport import Transport

LARGE = b"x" * 100_000


@contextmanager
def pair(directory: Path) -> Iterator[tuple[Transport, Transport]]:
    addresses = [f"ipc://{directory}/{node}" for node in range(2)]
    with closing(Transport(addresses, 0, b"zero")) as zero, closing(Transport(addresses, 1, b"one")) as one:
        until(lambda: sends(zero, one))
        yield zero, one


def sends(sender: Transport, receiver: Transport) -> bool:
    sender.send(1, b"hello")
    receiver.wait(0.05)
    return bool(list(receiver.receive()))


def until(condition: Callable[[], bool]) -> None:
    for _ in range(400):
        if condition():
            return
    raise AssertionError("it does not come about")


def test_a_peer_that_does_not_read_is_sent_so_many_bytes_and_no_more(tmp_path: Path) -> None:
    with pair(tmp_path) as (zero, one):
        before = zero.dropped
        for _ in range(200):
            zero.send(1, LARGE)
            zero.send(1, b"small")
        dropped = zero.dropped - before
        assert dropped >= 200 - PEER_BYTES_MAX // len(LARGE)
        assert zero.busy() == [1]
        received: list[bytes] = []

        def all_taken() -> bool:
            one.wait(0.05)
            received.extend(payload for _, payload in one.receive())
            return zero.busy() == []

        until(all_taken)
        assert 200 - dropped - BULK_BYTES_MAX // len(LARGE) - 1 <= received.count(LARGE) <= 200 - dropped
        zero.send(1, LARGE)
        assert zero.dropped - before == dropped, "there is room again"


def test_marks_that_were_lost_with_a_connection_are_sent_again(tmp_path: Path) -> None:
    with pair(tmp_path) as (zero, one):
        credit = zero._credits[1]
        for _ in range(5):
            credit.sent(len(LARGE))
        credit.mark()  # and it never leaves
        assert zero.busy() == [1]
        zero.remind()

        def answered() -> bool:
            one.wait(0.05)
            list(one.receive())
            return zero.busy() == []

        until(answered)


def test_complaints_are_told_apart_from_marks(tmp_path: Path) -> None:
    with pair(tmp_path) as (zero, one):
        zero.send(1, LARGE)
        zero.send(1, LARGE)
        one.wait(5)
        list(one.receive())
        one.answer(b"zero", b'["error","no"]')
        found: list[tuple[int, bytes]] = []

        def heard() -> bool:
            zero.wait(0.05, [1])
            found.extend(zero.receive_answers())
            return bool(found)

        until(heard)
        assert found == [(1, b'["error","no"]')]


@contextmanager
def stranger(address: str, routing_id: bytes = b"") -> Iterator[zmq.Socket[bytes]]:
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.setsockopt(zmq.LINGER, 0)
        if routing_id:
            socket.setsockopt(zmq.ROUTING_ID, routing_id)
        socket.connect(address)
        yield socket


def test_a_later_connection_under_one_routing_id_is_heard_and_leaves_nothing_unread(tmp_path: Path) -> None:
    with pair(tmp_path) as (zero, _):
        heard: list[bytes] = []

        def hears(text: bytes) -> bool:
            zero.wait(0.05)
            heard.extend(payload for _, payload in zero.receive())
            return text in heard

        with stranger(f"ipc://{tmp_path}/0", b"same") as first:
            first.send(b"first")
            until(lambda: hears(b"first"))
            for later in (b"second", b"third"):
                with stranger(f"ipc://{tmp_path}/0", b"same") as second:
                    second.send(later)
                    until(lambda later=later: hears(later))  # type: ignore[misc]


def test_a_message_of_very_many_frames_is_passed_over_a_little_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FRAMES_SKIPPED_MAX", 10)
    with pair(tmp_path) as (zero, _), stranger(f"ipc://{tmp_path}/0") as bad:
        bad.send_multipart([b"frame"] * 95)
        bad.send(b"after it")
        zero.wait(5)
        batches = 0
        heard: list[bytes] = []
        while not heard:
            zero.wait(5)
            heard += [payload for _, payload in zero.receive()]
            batches += 1
        assert heard == [b"after it"]
        assert batches >= 94 // 10
        assert bad.poll(5_000)
        assert bad.recv() == b'["error","a message of 95 frames; expected 1"]'
