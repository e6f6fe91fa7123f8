"""The time that a check may take, and that one operation may."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

OPERATION_SECONDS_MAX: Final = 5.0
"""Of processor time. Operations that take this long are not meant to."""


class OutOfTime(Exception):  # noqa: N818  # it ends a check early; no error
    """The check's time is over."""


class TooLong(BaseException):  # no program's "except Exception" may catch it
    """An operation does not end."""


class Clock:
    """Started when it is made. ``seconds_max`` may be ``math.inf``."""

    def __init__(self, seconds_max: float) -> None:
        self._end_s = time.monotonic() + seconds_max
        self._limits = False

    def check(self) -> None:
        """Raises :class:`OutOfTime` once the time is over."""
        if time.monotonic() > self._end_s:
            raise OutOfTime

    @contextmanager
    def limiting(self) -> Iterator[None]:
        """Within it, operations are limited, where the system can do that: in the main thread, on Unix."""
        if not hasattr(signal, "SIGVTALRM") or threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.signal(signal.SIGVTALRM, _too_long)
        self._limits = True
        try:
            yield
        finally:
            self._limits = False
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            signal.signal(signal.SIGVTALRM, before)

    def start_operation(self) -> None:
        """From here an operation has its time; :class:`TooLong` comes when it is over."""
        if self._limits:
            signal.setitimer(signal.ITIMER_VIRTUAL, OPERATION_SECONDS_MAX)

    def end_operation(self) -> None:
        """The operation has ended."""
        if self._limits:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def _too_long(*_: Any) -> None:
    raise TooLong
