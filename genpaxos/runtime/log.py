"""What a replica writes to its log: at a bounded rate, and never silent for good.

Some lines are caused by what others send, and a stranger may send a lot. So a line that was written already is counted
instead of written again, and all lines together have a budget. What was left out is said as soon as there is room. What
stops a replica is written in any case, and in full.
"""

from collections import OrderedDict
from collections.abc import Callable

REPEAT_S = 60.0
"""How long a line that was written is only counted when it comes again."""
BURST_LINES = 50
"""Lines that may be written at once."""
LINES_PER_S = 1.0
"""How fast the budget fills up again, to ``BURST_LINES`` at most."""
KNOWN_LINES_MAX = 1_000
"""Lines that are remembered, so that their repetitions are known; the oldest is forgotten first."""
LINE_CHARACTERS_MAX = 4_000
"""A longer line is cut for the sake of the log's size, and says so."""


class RateLimitedLog:
    """Writes lines with ``write``, at most :data:`BURST_LINES` at once and :data:`LINES_PER_S` in the long run."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._known: OrderedDict[str, _Repeated] = OrderedDict()
        self._budget = float(BURST_LINES)
        self._filled_s = 0.0
        self._left_out = 0

    def say(self, line: str, now_s: float) -> None:
        """Write ``line``, or count it if it was written in the last :data:`REPEAT_S` seconds or there is no budget."""
        self.catch_up(now_s)
        if len(line) > LINE_CHARACTERS_MAX:
            line = f"{line[:LINE_CHARACTERS_MAX]}… ({len(line):,} characters)"
        known = self._known.get(line)
        if known is not None:
            known.count += 1
        elif self._take():
            self._known[line] = _Repeated(now_s)
            if len(self._known) > KNOWN_LINES_MAX:
                self._summarize(*self._known.popitem(last=False), now_s)
            self._write(line)
        else:
            self._left_out += 1

    def say_whole(self, line: str) -> None:
        """Write a line that must be there, whatever the budget and its length: why a replica has stopped."""
        self._write(line)

    def catch_up(self, now_s: float) -> None:
        """Say what was counted instead of written, as far as there is budget. To be called now and then."""
        self._budget = min(float(BURST_LINES), self._budget + (now_s - self._filled_s) * LINES_PER_S)
        self._filled_s = now_s
        if self._left_out and self._take():
            self._write(f"{self._left_out:,} more lines of the log were left out: there were too many at once")
            self._left_out = 0
        while self._known and self._budget >= 1:
            line, known = next(iter(self._known.items()))
            if now_s - known.written_s < REPEAT_S:
                return
            del self._known[line]
            self._summarize(line, known, now_s)

    def _summarize(self, line: str, known: "_Repeated", now_s: float) -> None:
        if known.count and self._take():
            self._write(f"{line} ({known.count:,} more times within {now_s - known.written_s:.0f} s)")
        elif known.count:
            self._left_out += known.count

    def _take(self) -> bool:
        if self._budget < 1:
            return False
        self._budget -= 1
        return True


class _Repeated:
    """When a line was written, and how often it came since."""

    __slots__ = ("count", "written_s")

    def __init__(self, written_s: float) -> None:
        self.written_s = written_s
        self.count = 0
