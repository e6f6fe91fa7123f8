"""Who lags: whose commit index is one that others had an election time ago.

Commit indices told by heartbeats are as old as the heartbeats, and under load thousands of commands pass between two of
them. So what a replica has now is compared with what another had some time *before*: whoever is behind that lags by so
much time, however many commands it is.
"""

from collections import deque

LAG_COMMANDS = 64
"""Behind by no more commands than this nobody counts as lagging: it has them in a moment."""
_MARKS = 8
"""In how many steps the time back is remembered."""


class Progress:
    """The commit indices of all replicas, now and some time ago."""

    def __init__(self, replicas: int, window_ms: float) -> None:
        self.latest = [0] * replicas
        self._window_ms = window_ms
        self._marks: list[deque[tuple[float, int]]] = [deque() for _ in range(replicas)]

    def note(self, replica: int, committed: int, now_ms: float) -> None:
        """A replica has so much committed.

        What it had before stays committed, though it may not know so after a restart: a replica that was behind it then
        is behind it now.
        """
        self.latest[replica] = committed
        marks = self._marks[replica]
        if marks:
            committed = max(committed, marks[-1][1])
        if not marks or now_ms - marks[-1][0] >= self._window_ms / _MARKS:
            marks.append((now_ms, committed))
            while len(marks) > 1 and now_ms - marks[1][0] >= self._window_ms:
                marks.popleft()

    def before(self, replica: int, now_ms: float) -> int:
        """The most it had said an election time ago that it had committed; 0 if it was not heard of for so long."""
        marks = self._marks[replica]
        found = 0
        for at_ms, committed in marks:
            if now_ms - at_ms < self._window_ms:
                break
            found = committed
        return found
