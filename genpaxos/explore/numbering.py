"""States, messages and deeds are numbered as they appear."""

from collections.abc import Hashable
from functools import reduce
from operator import or_
from typing import Any

from genpaxos.core.ballot import Ballot
from genpaxos.core.messages import PeerMessage, Phase1b
from genpaxos.explore.replicas import freeze


class Numbers:
    """Numbers values in the order in which they are first seen."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._numbers: dict[Hashable, int] = {}
        self._hashes: list[int] = []

    def __len__(self) -> int:
        return len(self.values)

    def number(self, key: Hashable, value: Any = None) -> int:
        """The number of ``key``; ``value`` is kept for it if it is new."""
        found = self._numbers.get(key)
        if found is None:
            found = self._numbers[key] = len(self.values)
            self.values.append(key if value is None else value)
        return found

    def hashed(self, number: int) -> int:
        """The hash of a value that stands for itself."""
        while len(self._hashes) <= number:
            self._hashes.append(hash(self.values[len(self._hashes)]))
        return self._hashes[number]


class Mailbox:
    """The messages ever sent to one replica, by bit."""

    def __init__(self) -> None:
        self._numbers = Numbers()
        self.hashes: list[int] = []
        """Per bit, the hash of what it stands for."""
        self._promises: dict[tuple[int, Ballot], int] = {}

    def bit(self, sender: int, message: PeerMessage) -> int:
        """The bit of a message."""
        key = (sender, freeze(message))
        bit = self._numbers.number(key, (sender, message))
        if bit == len(self.hashes):
            self.hashes.append(hash(key))
        if isinstance(message, Phase1b):
            asked = (sender, message.ballot)
            self._promises[asked] = self._promises.get(asked, 0) | 1 << bit
        return bit

    def replaced(self, messages: int) -> int:
        """Reports of the same acceptors to the same phase 1 as those among these messages.

        A coordinator takes one from each. If it takes an earlier one, the acceptor need not have been asked again.
        """
        promises = [self[bit] for bit in bits_of(messages)]
        asked = [(sender, message.ballot) for sender, message in promises if isinstance(message, Phase1b)]
        return reduce(or_, [self._promises[key] for key in asked], 0)

    @property
    def posts(self) -> list[tuple[int, PeerMessage]]:
        """Sender and message, per bit."""
        return self._numbers.values

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, bit: int) -> tuple[int, PeerMessage]:
        found: tuple[int, PeerMessage] = self._numbers.values[bit]
        return found


def bits_of(mask: int) -> list[int]:
    """The numbers of the bits that are set."""
    return [bit for bit in range(mask.bit_length()) if mask >> bit & 1]
