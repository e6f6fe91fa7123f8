"""Which snapshot stands for the log here, and how far the log is cut behind it (protocol §8)."""

from genpaxos.core.history import History
from genpaxos.core.messages import FetchSnapshot

CUT_COMMANDS_MAX = 2_000
"""How much of the log is cut per step: a millisecond's work."""
TRANSFER_MS = 5_000
"""How long a transfer that makes no progress is waited for."""


class Truncation:
    """The log of one replica, and the snapshots that stand for its beginning."""

    def __init__(self, history: History, now_ms: float) -> None:
        self.stored = history.base
        """The index of the stored snapshot; 0 if there is none."""
        self._cut_to = history.base
        """That of the one before it: the log is cut behind that, so that a replica that gets the newest finds what
        follows it."""
        self._sent_up_to = -1
        self._sent_ms = now_ms
        """How far the stored snapshot was ever asked for, and when that was; -1: not at all."""
        self._history = history

    def store(self, index: int) -> None:
        """A snapshot at ``index`` is durable."""
        self.stored, self._cut_to = index, min(self.stored, index)
        self._sent_up_to = -1

    def restart(self, index: int) -> None:
        """The whole state was replaced by a snapshot at ``index``."""
        self.stored = self._cut_to = index

    def cut(self) -> None:
        """Cut some of what the snapshots stand for, if there is any."""
        history = self._history
        if history.base < self._cut_to:
            history.cut(min(self._cut_to, history.base + CUT_COMMANDS_MAX))

    def offset(self, message: FetchSnapshot, now_ms: float) -> int:
        """From where to send the stored snapshot: as asked, or from its beginning if it is another one by now."""
        return self.begin(now_ms) if message.index != self.stored else self._goes_on(message.offset, now_ms)

    def begin(self, now_ms: float) -> int:
        """The stored snapshot is sent from its beginning, which is returned."""
        return self._goes_on(0, now_ms)

    def _goes_on(self, offset: int, now_ms: float) -> int:
        if offset > self._sent_up_to:
            self._sent_up_to, self._sent_ms = offset, now_ms
        return offset

    def sends(self, now_ms: float) -> bool:
        """Whether the stored snapshot is on its way to a replica that lags, and the transfer makes progress.

        A newer one would make it start anew, for ever if it takes longer than snapshots are apart. Only what goes
        beyond all that was asked for before counts: so one snapshot is kept for as long as one transfer takes. And a
        little longer, so that the replica that got it finds what follows it before the log is cut there.
        """
        return self._sent_up_to >= 0 and now_ms - self._sent_ms < TRANSFER_MS
