"""Results to bytes: what a replica answers a client with, in messages of bounded size."""

from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from commutativity.declared import UNREPRESENTABLE
from genpaxos.runtime.wire import MESSAGE_BYTES_MAX

PART_BYTES_MAX = 1024 * 1024
"""What is told at a time of the results of a run, unless one alone takes more."""
FRAME_BYTES = 128
"""The rest of a part: its tag, the command's id and the place."""


def messages(ids: Sequence[str], results: Sequence[Any]) -> Iterator[bytes]:
    """Results for a client in as many messages as they need; one that no message can carry becomes an error.

    Of a run whose results are large the first part: the client asks for the rest when it has read that (:func:`part`).
    """
    try:
        payload = orjson.dumps(["reply", ids, results])
        wrong = f"the result takes {len(payload)} bytes; the limit is {MESSAGE_BYTES_MAX}"
    except TypeError as error:
        payload, wrong = b"", f"the result is not JSON: {error}"
    several = len(ids) == 1 and type(results[0][0]) is list
    if payload and len(payload) <= (PART_BYTES_MAX if several else MESSAGE_BYTES_MAX):
        yield payload
    elif several:
        yield part(ids[0], results[0], 0)
    elif len(ids) == 1:
        yield orjson.dumps(["reply", ids, [[UNREPRESENTABLE, wrong]]])
    else:
        middle = len(ids) // 2
        yield from messages(ids[:middle], results[:middle])
        yield from messages(ids[middle:], results[middle:])


def part(command: str, results: Sequence[Any], place: int) -> bytes:
    """Results of a run from one place on, as many as a message may hold and at least one."""
    encoded: list[bytes] = []
    size = 0
    for result in results[place:]:
        try:
            one = orjson.dumps(result)
            wrong = f"the result takes {len(one)} bytes; the limit is {MESSAGE_BYTES_MAX}"
        except TypeError as error:
            one, wrong = b"", f"the result is not JSON: {error}"
        if not 0 < len(one) <= MESSAGE_BYTES_MAX - FRAME_BYTES:
            one = orjson.dumps([UNREPRESENTABLE, wrong])
        if encoded and size + len(one) > PART_BYTES_MAX:
            break
        encoded.append(one)
        size += len(one)
    return b'["part",%b,%d,[%b]]' % (orjson.dumps(command), place, b",".join(encoded))
