"""An event loop whose timers are finer than a millisecond.

``epoll_wait`` takes whole milliseconds, so asyncio rounds every wait up to the next one. ``select`` takes microseconds
and can wait for an epoll descriptor itself.
"""

import asyncio
import select
import selectors
import sys
from selectors import SelectorKey


def precise_loop() -> asyncio.AbstractEventLoop:
    """A new event loop; as the system's own where that is not Linux."""
    return asyncio.SelectorEventLoop(PreciseSelector()) if sys.platform == "linux" else asyncio.new_event_loop()


if sys.platform == "linux":

    class PreciseSelector(selectors.EpollSelector):
        """Waits as long as it is told, not to the next millisecond."""

        def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
            """Like that of any selector."""
            if timeout is not None and timeout > 0:
                select.select((self.fileno(),), (), (), timeout)
                timeout = 0
            return super().select(timeout)
