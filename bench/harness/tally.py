"""The machine that growth is measured on: bytes added under keys. All of it commutes, whatever size and number.

Its own state does not grow with the number of keys: what is measured is what the engine keeps of a resource.
"""

import random
import zlib
from collections.abc import Iterator
from typing import Any

from commutativity import Command, CommutativityTable, Machine, operation

KEYS_AT_ONCE = 1_000
"""That one ``make`` touches: a footprint has at most 1,024 pairs."""


BUCKETS = 1_000


class Tally(Machine):
    """How many bytes were added, by a checksum of their key."""

    table = CommutativityTable("""
             add
        add   .
    """)

    def __init__(self) -> None:
        self.bytes = [0] * BUCKETS

    @operation(key="add")
    def add(self, key: str, value: str) -> None:
        """Count the value's characters."""
        self.bytes[zlib.crc32(key.encode()) % BUCKETS] += len(value)

    @operation(footprint=lambda first, count: {(key_of(number), "add") for number in range(first, first + count)})
    def make(self, first: int, count: int) -> None:
        """Touch so many keys from one on, so that the engine knows them from now on."""


def key_of(number: int) -> str:
    """A key's name."""
    return f"key-{number}"


def opening(keys: int) -> list[Command[Any]]:
    """Makes so many keys, in few commands."""
    return [Tally.make(first, min(KEYS_AT_ONCE, keys - first)) for first in range(0, keys, KEYS_AT_ONCE)]


def commands(seed: int | str, keys: int, value_bytes: int) -> Iterator[Command[Any]]:
    """Commands without end, the same for the same seed: values of one size under keys drawn at random."""
    draw, value = random.Random(seed), "x" * value_bytes
    while True:
        yield Tally.add(key_of(draw.randrange(keys)), value)
