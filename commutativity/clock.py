"""The time that a check may take."""

from __future__ import annotations

import time


class OutOfTime(Exception):  # noqa: N818  # it ends a check early; no error
    """The check's time is over."""


class Clock:
    """Started when it is made. ``seconds_max`` may be ``math.inf``."""

    def __init__(self, seconds_max: float) -> None:
        self._end_s = time.monotonic() + seconds_max

    def check(self) -> None:
        """Raises :class:`OutOfTime` once the time is over."""
        if time.monotonic() > self._end_s:
            raise OutOfTime
