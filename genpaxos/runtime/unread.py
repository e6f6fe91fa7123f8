"""How many bytes may be under way to somebody who perhaps does not read.

ZeroMQ bounds its queues in messages. So a sender counts what it sends on a connection, and asks now and then for an
echo: messages arrive in order, so whoever echoes a token has read everything that was sent before it.
"""

from collections import deque
from typing import Final

LITTLE_BYTES: Final = 64 * 1024
"""Some token is always under way. While no more than this is, a message of any size may leave."""
MARKS_MAX: Final = 64
"""Tokens that an echo is waited for."""


class Unread:
    """What is unread on one connection, in one direction."""

    __slots__ = ("_marks", "_read", "_sent")

    def __init__(self) -> None:
        self._sent = 0
        self._read = 0
        self._marks: deque[tuple[int, int]] = deque()

    @property
    def under_way(self) -> int:
        """Bytes sent that the other side is not known to have read."""
        return self._sent - self._read

    @property
    def unmarked(self) -> int:
        """Bytes sent since the last token."""
        return self._sent - (self._marks[-1][1] if self._marks else self._read)

    @property
    def allows_token(self) -> bool:
        """Whether another token may leave, whatever else is under way: without it nothing could ever be echoed."""
        return len(self._marks) < MARKS_MAX

    def allows(self, size: int, limit: int) -> bool:
        """Whether so many more bytes may leave: if no more than ``limit`` are under way then, or little is yet."""
        under_way = self._sent - self._read
        return under_way <= LITTLE_BYTES or under_way + size <= limit

    def send(self, size: int) -> None:
        """So many bytes leave."""
        self._sent += size

    def mark(self, token: int) -> None:
        """A token leaves behind everything so far. If too many were not echoed, the last one is replaced."""
        if not self.allows_token:
            self._marks.pop()
        self._marks.append((token, self._sent))

    def echoed(self, token: int) -> None:
        """The other side has read everything up to this token; tokens rise."""
        marks = self._marks
        while marks and marks[0][0] <= token:
            self._read = marks.popleft()[1]
