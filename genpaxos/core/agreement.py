"""What V[1..index] gave on this replica: a running sum, so that replicas whose results differ find out.

Safety makes the replicas execute the same commands in the same order as far as it matters. Whether they compute the
same is up to the user's program: one that draws random numbers, whose table says that something commutes which does
not, or that runs other code on one machine, computes something else. As every command runs on every replica, no such
difference that a client can see escapes a comparison of all results (:mod:`genpaxos.core.disputes`).

The sum at index i is a hash over the digests and the results of V[1..i], chained by blocks: at every multiple of
:data:`BLOCK_COMMANDS`, a *mark*, it is the hash of the sum at the mark before and of the block; in between, of the last
mark and of what followed it. So it costs a command two appended list entries and its share of one hash per block, it
depends on nothing but i and V[1..i] and their results, and once it differs it differs for ever.
"""

from collections.abc import Sequence
from struct import pack
from typing import Any, Final

import orjson
from xxhash import xxh3_64_hexdigest, xxh3_64_intdigest

from commutativity.declared import UNREPRESENTABLE
from genpaxos.core.builtins import NO_SNAPSHOT
from genpaxos.core.sessions import Result

BLOCK_COMMANDS: Final = 64
"""A mark is set every so many commands."""
BLOCKS_MAX: Final = 128
"""The single results of so many blocks at least are remembered: 8,192 commands."""
MARKS_MAX: Final = 1_024
"""So many marks are remembered at least: they reach back 65,536 commands."""
SHOWN_BYTES: Final = 240
"""A longer result is remembered by its beginning and its hash."""
NOTHING: Final = b"null,null"
"""The encoding of the result of what returns nothing."""
_dumps: Final = orjson.dumps
_SORTED: Final = orjson.OPT_SORT_KEYS
_TRUE: Final = b"null,true"
_FALSE: Final = b"null,false"
_TYPE_ALONE: Final = frozenset({"genpaxos.OperationFailed", NO_SNAPSHOT})
"""Errors whose text is that of any exception, and so may hold what differs between processes, an address, say. Compared
is the exception's type: what stands in front of the first ``": "``."""
_CODE_ALONE: Final = UNREPRESENTABLE
"""An error whose text shows a value of any type: only the code is compared."""


def encoded(result: Result) -> bytes:
    """What is compared of a result: its JSON with sorted keys, without the brackets around it; if that is long, its
    beginning and its hash."""
    code, value = result[0], result[1]
    if code is None:
        kind = type(value)
        if kind is int:
            return b"null,%d" % value
        if kind is bool:
            return _TRUE if value else _FALSE
    else:
        result = _comparable(result)
    try:
        data = _dumps(result, option=_SORTED)[1:-1]  # a copy: the original is a shrunk buffer of 1 KiB
    except TypeError:
        return b"not JSON"
    if len(data) <= SHOWN_BYTES:
        return data
    return data[:SHOWN_BYTES].decode(errors="ignore").encode() + b"... xxh3:" + xxh3_64_hexdigest(data).encode()


def _comparable(error: Result) -> Result:
    if error[0] in _TYPE_ALONE:
        return [error[0], str(error[1]).partition(": ")[0]]
    return [error[0]] if error[0] == _CODE_ALONE else error


class Agreement:
    """The running sum of one replica, with as much of its past as it takes to find the first difference."""

    def __init__(self) -> None:
        self.index = 0
        """The sum covers V[1..index]: committed and executed."""
        self.since = 0
        """V[1..since] was executed by another replica, whose state this one goes on from: it cannot vouch for that."""
        self.ahead: dict[str, bytes] = {}
        """The encoded results of commands that have run and are not covered yet. The executor adds them."""
        self._borrowed: frozenset[str] = frozenset()
        """Those of ``ahead`` that another replica executed."""
        self._marks = [0]
        self._first_mark = 0
        """The sums at the marks from this one on, counted in blocks."""
        self._next_mark = BLOCK_COMMANDS
        """The index of the mark that is set next."""
        self._digests: list[int] = []
        self._results: list[bytes] = []
        self._first_block = 0
        """Digests and results of V[64 * first_block + 1..index]."""

    def cover(self, ids: Sequence[str], digests: Sequence[int]) -> None:
        """V[index+1..] are these commands: committed, and each has run."""
        self._digests += digests
        self._results += map(self.ahead.pop, ids)
        if self._borrowed:
            self._note_borrowed(ids)
        self.index += len(ids)
        if self.index >= self._next_mark:
            self._set_marks()

    def sum_at(self, index: int) -> int | None:
        """The sum at ``index``; ``None`` if that is not reached yet, or not remembered."""
        block, behind = divmod(index, BLOCK_COMMANDS)
        mark = block - self._first_mark
        if index > self.index or mark < 0:
            return None
        if not behind:
            return self._marks[mark]
        return self._sum(index) if block >= self._first_block else None

    def told(self) -> dict[str, int]:
        """What a heartbeat tells of this, by the names of its fields."""
        return {"executed": self.index, "sum": self._sum_now(), "mark_sum": self._marks[-1]}

    def marks(self) -> list[int]:
        """The indices of the newest marks, ascending."""
        last = self._first_mark + len(self._marks)
        first = max(self._first_mark, 1, last - MARKS_MAX)
        return [block * BLOCK_COMMANDS for block in range(first, last)]

    def block_of(self, index: int) -> list[int]:
        """The mark before ``index`` and the indices from there up to it, if the results there are remembered; else just
        it."""
        mark = index - 1 - (index - 1) % BLOCK_COMMANDS
        remembered = mark >= self._first_block * BLOCK_COMMANDS and index <= self.index
        return list(range(max(mark, 1), index + 1)) if remembered else [index]

    def result_at(self, index: int) -> str:
        """The result of V[index] as it is compared, or nothing if it is not remembered."""
        at = index - 1 - self._first_block * BLOCK_COMMANDS
        return f"[{self._results[at].decode()}]" if 0 <= at < len(self._results) else ""

    def vouches(self, index: int) -> bool:
        """Whether this replica computed the result of V[index] itself."""
        return index > self.since

    def borrow(self) -> None:
        """What this holds came with the state of another replica."""
        self.since, self._borrowed = self.index, frozenset(self.ahead)

    def snapshot(self) -> dict[str, Any]:
        """What to go on from at ``index``, as JSON."""
        behind = self.index % BLOCK_COMMANDS
        start = len(self._results) - behind
        return {
            "index": self.index,
            "since": self.since,
            "mark": self._marks[-1],
            "digests": self._digests[start:],
            "results": [result.decode() for result in self._results[start:]],
            "ahead": {command: result.decode() for command, result in self.ahead.items()},
            "borrowed": sorted(self._borrowed & self.ahead.keys()),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Become what :meth:`snapshot` gave."""
        self.index, self.since = state["index"], state["since"]
        self.ahead.clear()
        self.ahead.update((command, result.encode()) for command, result in state["ahead"].items())
        self._borrowed = frozenset(state["borrowed"])
        self._marks, self._first_mark = [state["mark"]], self.index // BLOCK_COMMANDS
        self._next_mark = (self._first_mark + 1) * BLOCK_COMMANDS
        self._digests, self._results = list(state["digests"]), [result.encode() for result in state["results"]]
        self._first_block = self._first_mark

    def _sum_now(self) -> int:
        return self._sum(self.index) if self.index % BLOCK_COMMANDS else self._marks[-1]

    def _sum(self, index: int) -> int:
        """The sum at an index whose block is remembered, from the mark before."""
        block = (index - 1) // BLOCK_COMMANDS
        start = (block - self._first_block) * BLOCK_COMMANDS
        end = index - self._first_block * BLOCK_COMMANDS
        numbers = pack(f"<{1 + end - start}Q", self._marks[block - self._first_mark], *self._digests[start:end])
        return xxh3_64_intdigest(numbers + b"".join(self._results[start:end]), index)

    def _set_marks(self) -> None:
        while self.index >= self._next_mark:
            self._marks.append(self._sum(self._next_mark))
            self._next_mark += BLOCK_COMMANDS
        if len(self._results) > 2 * BLOCKS_MAX * BLOCK_COMMANDS or len(self._marks) > 2 * MARKS_MAX:
            self._forget()

    def _note_borrowed(self, ids: Sequence[str]) -> None:
        for index, command in enumerate(ids, self.index + 1):
            if command in self._borrowed:
                self.since = index
        self._borrowed -= frozenset(ids)

    def _forget(self) -> None:
        """Keep no more of the past than is to be remembered."""
        surplus = len(self._marks) - MARKS_MAX
        if surplus > 0:
            del self._marks[:surplus]
            self._first_mark += surplus
        surplus = len(self._results) // BLOCK_COMMANDS - BLOCKS_MAX
        if surplus > 0:
            del self._results[: surplus * BLOCK_COMMANDS], self._digests[: surplus * BLOCK_COMMANDS]
            self._first_block += surplus
