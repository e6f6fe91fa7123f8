"""The time that a check may take, and that one operation may."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import Any, Final

OPERATION_SECONDS_MAX: Final = 5.0
"""Processor time of one operation. One that takes this long is not meant to."""


TICKS: Final = 5
"""In so many parts that time is measured; setting a timer for every operation would cost more than operations do."""


class OutOfTime(Exception):  # noqa: N818  # it ends a check early; no error
    """The check's time is over."""


class TooLong(BaseException):  # no program's "except Exception" may catch it
    """An operation does not end."""


class Clock:
    """Started when it is made. ``seconds_max`` may be ``math.inf``."""

    def __init__(self, seconds_max: float) -> None:
        self._seconds = seconds_max
        self._start_s = time.monotonic()
        self._end_s = self._start_s + seconds_max
        self._started = self._seen = self._ticks = 0
        self._runs = False
        self.interrupted = False
        """Whether somebody pressed Ctrl-C: a ``KeyboardInterrupt`` before that is the program's own."""

    def check(self) -> None:
        """Raises :class:`OutOfTime` once the time is over."""
        if time.monotonic() > self._end_s:
            raise OutOfTime

    def left_s(self) -> float:
        """The seconds that are left; 0 or less when the time is over."""
        return self._end_s - time.monotonic()

    @contextmanager
    def until(self, share: float) -> Iterator[None]:
        """Within it, the time is over when this share of all of it has passed."""
        before, self._end_s = self._end_s, self._start_s + share * self._seconds
        try:
            yield
        finally:
            self._end_s = before

    @contextmanager
    def within(self, share: float) -> Iterator[None]:
        """Within it, the time is over when this share of what is left has passed."""
        before, now_s = self._end_s, time.monotonic()
        self._end_s = min(before, now_s + share * (before - now_s))
        try:
            yield
        finally:
            self._end_s = before

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Within it, the time is never over: what was found is still to be told."""
        before, self._end_s = self._end_s, math.inf
        try:
            yield
        finally:
            self._end_s = before

    @contextmanager
    def limiting(self) -> Iterator[None]:
        """Within it, operations are limited and Ctrl-C is noted, where that can be: in the main thread, on Unix."""
        if not hasattr(signal, "SIGVTALRM") or threading.current_thread() is not threading.main_thread():
            yield
            return
        tick_s = OPERATION_SECONDS_MAX / TICKS
        before = signal.signal(signal.SIGVTALRM, self._tick)
        handler = signal.getsignal(signal.SIGINT)
        if callable(handler):
            signal.signal(signal.SIGINT, partial(self._interrupt, handler))
        signal.setitimer(signal.ITIMER_VIRTUAL, tick_s, tick_s)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            signal.signal(signal.SIGVTALRM, before)
            if callable(handler):
                signal.signal(signal.SIGINT, handler)

    def start_operation(self) -> None:
        """From here an operation has its time; :class:`TooLong` comes when it is over."""
        self._started += 1
        self._runs = True

    def end_operation(self) -> None:
        """The operation has ended."""
        self._runs = False

    def _interrupt(self, handler: Callable[[int, FrameType | None], Any], number: int, frame: FrameType | None) -> None:
        self.interrupted = True
        handler(number, frame)

    def _tick(self, *_: Any) -> None:
        if not self._runs or self._started != self._seen:
            self._seen, self._ticks = self._started, 0
            return
        self._ticks += 1
        if self._ticks >= TICKS:
            self._runs = False
            raise TooLong
