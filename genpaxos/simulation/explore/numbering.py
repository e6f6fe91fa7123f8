"""States, messages and deeds are numbered as they appear."""

from collections.abc import Hashable
from typing import Any

from genpaxos.core.messages import PeerMessage
from genpaxos.simulation.explore.replicas import freeze


class Numbers:
    """Numbers values in the order in which they are first seen."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._numbers: dict[Hashable, int] = {}

    def __len__(self) -> int:
        return len(self.values)

    def number(self, key: Hashable, value: Any = None) -> int:
        """The number of ``key``; ``value`` is kept for it if it is new."""
        found = self._numbers.get(key)
        if found is None:
            found = self._numbers[key] = len(self.values)
            self.values.append(key if value is None else value)
        return found

    def has(self, key: Hashable) -> bool:
        """Whether the key has a number."""
        return key in self._numbers


class Mailbox:
    """The messages ever sent to one replica, by bit."""

    def __init__(self) -> None:
        self._numbers = Numbers()

    def bit(self, sender: int, message: PeerMessage) -> int:
        """The bit of a message."""
        return self._numbers.number((sender, freeze(message)), (sender, message))

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, bit: int) -> tuple[int, PeerMessage]:
        found: tuple[int, PeerMessage] = self._numbers.values[bit]
        return found
