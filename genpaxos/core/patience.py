"""When what was asked for is asked for again.

A lost message must be replaced soon, but an answer that is only slow must not be asked for twice: each repetition makes
all the following ones later still. So the time to wait doubles with each repetition, and what the last answer took is
allowed for from the start.
"""

from collections.abc import Hashable
from math import inf

REPETITIONS_MAX = 8
"""How many retry intervals are waited at most, unless answers are known to take longer."""
ANSWER_MAX = 64
"""Retry intervals that an answer is taken to need at most, some seconds."""


class Patience:
    """How long one who asks for one thing at a time waits."""

    def __init__(self, retry_ms: float) -> None:
        self.repeated = 0
        """How often the present question was repeated."""
        self._retry_ms = retry_ms
        self._what: Hashable = None
        self._asked = False
        """Whether no answer has come yet."""
        self._first_ms = self._asked_ms = -inf
        """When the present question was asked first, and last."""
        self._answer_ms = 0.0

    def due(self, what: Hashable, now_ms: float) -> bool:
        """Whether to ask now, which is then taken to be done: for something new at once, else if it was long ago."""
        if what != self._what:
            self.repeated, self._first_ms = 0, now_ms
        elif now_ms - self._asked_ms < self._patience_ms:
            return False
        else:
            self.repeated += 1
        self._what, self._asked_ms, self._asked = what, now_ms, True
        return True

    def answered(self, now_ms: float) -> None:
        """An answer has come. Nobody knows to which repetition: it may be slow, or others may have been lost. So it is
        taken to be to the first, but what answers need is taken to be twice what was thought so far at most.

        A question that was not repeated when it was time for it is no longer asked, and what came is no answer to it.
        """
        if self._asked and now_ms - self._asked_ms <= self._patience_ms + self._retry_ms:
            took_ms = min(now_ms - self._first_ms, ANSWER_MAX * self._retry_ms)
            credible_ms = max(2 * self._answer_ms, REPETITIONS_MAX / 2 * self._retry_ms)
            self._answer_ms = min(took_ms, credible_ms) if self.repeated else took_ms
        self._asked = False

    def forget(self) -> None:
        """Whoever was asked is gone: another may be asked at once."""
        self._what, self._answer_ms = None, 0.0

    @property
    def _patience_ms(self) -> float:
        """How long an answer is waited for. A little less than so many intervals: the clock has its own."""
        doubled = min(2.0**self.repeated, REPETITIONS_MAX) * self._retry_ms
        return max(0.9 * doubled, 2 * self._answer_ms)
