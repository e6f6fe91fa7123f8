"""From operations that are ready together to the commands that are sent: runs (protocol §2.2).

Nothing waits for a run to fill: it holds what is there when the client's loop comes round.

All results of a run stay on the replicas until its client has the last of them. So operations whose results may be
large travel alone: those of which none was seen yet, and those that have returned something large. So do operations
that failed lately by what they had not declared.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import orjson

from genpaxos.core.builtins import PREFIX
from genpaxos.core.runs import RUN_BYTES_MAX
from genpaxos.runtime.pending import Pending, Sent

FRAME_BYTES: Final = 24
"""The brackets, commas and the number in a body, at most."""
NESTED_MAX: Final = 100
"""Arguments with more brackets travel alone: in a run they are nested more deeply, perhaps too deeply for a replica."""
LARGE_BYTES: Final = 4 * 1024
"""Results up to here are small: a run of them takes half a megabyte."""
NAMES_MAX: Final = 10_000
"""So many operations are known to be small."""
SUSPECT_S: Final = 60.0
"""As long as replicas suspect an operation that failed (:mod:`genpaxos.core.door`)."""
_PLAIN_BYTES: Final = 200
"""Arguments up to here have not so many brackets."""


@lru_cache(maxsize=1024)
def name_of(operation: str) -> bytes:
    """An operation's name as it travels."""
    return orjson.dumps(operation)


def body_of(part: Sequence[Pending], acknowledged: int) -> bytes:
    """The body of a command with these operations."""
    if len(part) == 1:
        return b"[%b,%b,%d]" % (name_of(part[0].command.operation), part[0].arguments, acknowledged)
    names = b",".join([name_of(pending.command.operation) for pending in part])
    arguments = b",".join([pending.arguments for pending in part])
    return b"[[%b],[%b],%d]" % (names, arguments, acknowledged)


class Packing:
    """What one client puts together."""

    def __init__(self, operations_max: int) -> None:
        self._operations_max = operations_max
        self._small: dict[str, int] = {}
        """Operations that have returned something small and nothing large; with the bytes that their names take."""
        self._large: set[str] = set()
        self._suspects: dict[str, float] = {}
        """Operations that failed by what they had not declared, until when they travel alone."""

    def failed(self, operation: str, now_s: float) -> None:
        """An operation raised what it had not declared: replicas take in its commands slowly for a while, and what
        travels with them would wait as well."""
        if len(self._suspects) < NAMES_MAX:
            self._suspects[operation] = now_s + SUSPECT_S

    def parts(self, fresh: Sequence[Pending], now_s: float) -> Iterator[list[Pending]]:
        """The operations of each command that is to be sent, in their order."""
        if self._suspects:
            self._suspects = {name: until_s for name, until_s in self._suspects.items() if until_s > now_s}
        suspects = self._suspects
        small, part, size = self._small, list[Pending](), FRAME_BYTES
        for pending in fresh:
            operation, arguments = pending.command.operation, pending.arguments
            more = len(arguments) + small.get(operation, 0) + 2
            alone = operation not in small or operation in suspects or (more > _PLAIN_BYTES and _is_nested(arguments))
            if part and (alone or size + more > RUN_BYTES_MAX or len(part) >= self._operations_max):
                yield part
                part, size = [], FRAME_BYTES
            part.append(pending)
            size += more
            if alone:
                yield part
                part, size = [], FRAME_BYTES
        if part:
            yield part

    def saw(self, size: int, ids: Sequence[str], results: Sequence[Any], pending: Mapping[str, Sent]) -> None:
        """A message of this size brought these results."""
        for name, result in zip(ids, results, strict=True):
            sent = pending.get(name)
            if sent is None:
                continue
            several = sent.last > sent.first
            if size > LARGE_BYTES and len(orjson.dumps(result)) > LARGE_BYTES:
                self.saw_part(sent, 0, result if several else [result])
            elif not several:
                self._note(sent.waiting[0], 0)

    def saw_part(self, sent: Sent, start: int, results: Sequence[Any]) -> None:
        """Results of operations of one command, from a place in it on, which may be large."""
        for pending, result in zip(sent.waiting[start:], results, strict=False):
            self._note(pending, len(orjson.dumps(result)))

    def _note(self, pending: Pending | None, size: int) -> None:
        if pending is None:
            return
        operation = pending.command.operation
        if size > LARGE_BYTES:
            self._small.pop(operation, None)
            self._large.add(operation)
        elif operation not in self._large and len(self._small) < NAMES_MAX and not operation.startswith(PREFIX):
            self._small[operation] = len(name_of(operation))


def _is_nested(arguments: bytes) -> bool:
    return arguments.count(b"[") + arguments.count(b"{") > NESTED_MAX
