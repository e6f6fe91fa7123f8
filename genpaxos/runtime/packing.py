"""From operations that are ready together to the commands that are sent: runs (protocol §2, Runs).

Nothing waits for a run to fill: it holds what is there when the client's loop comes round.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final

import orjson

from genpaxos.core.builtins import PREFIX
from genpaxos.core.runs import RUN_BYTES_MAX
from genpaxos.runtime.pending import Pending

FRAME_BYTES: Final = 32
"""The brackets and the number in a body, and room to spare."""
NESTED_MAX: Final = 100
"""Arguments with more brackets travel alone: in a run they are nested more deeply, perhaps too deeply for a replica."""
_PLAIN_BYTES: Final = 200
"""Arguments up to here have not so many brackets."""


@lru_cache(maxsize=1024)
def name_of(operation: str) -> bytes:
    """An operation's name as it travels."""
    return orjson.dumps(operation)


def parts(fresh: Sequence[Pending], operations_max: int) -> Iterator[list[Pending]]:
    """The operations of each command that is to be sent, in their order."""
    part: list[Pending] = []
    size = FRAME_BYTES
    for pending in fresh:
        more = len(pending.arguments) + len(name_of(pending.command.operation)) + 2
        alone = more > _PLAIN_BYTES and _travels_alone(pending.arguments)
        alone = alone or pending.command.operation.startswith(PREFIX)
        if part and (alone or size + more > RUN_BYTES_MAX or len(part) >= operations_max):
            yield part
            part, size = [], FRAME_BYTES
        part.append(pending)
        size += more
        if alone:
            yield part
            part, size = [], FRAME_BYTES
    if part:
        yield part


def body_of(part: Sequence[Pending], acknowledged: int) -> bytes:
    """The body of a command with these operations."""
    if len(part) == 1:
        return b"[%b,%b,%d]" % (name_of(part[0].command.operation), part[0].arguments, acknowledged)
    names = b",".join([name_of(pending.command.operation) for pending in part])
    arguments = b",".join([pending.arguments for pending in part])
    return b"[[%b],[%b],%d]" % (names, arguments, acknowledged)


def _travels_alone(arguments: bytes) -> bool:
    return arguments.count(b"[") + arguments.count(b"{") > NESTED_MAX
