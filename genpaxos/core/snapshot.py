"""Snapshots: what stands for V[1..index] when it is cut off the log (protocol §8).

A snapshot has two parts. The *state* is what V[1..index] made, the same on every replica up to what ran ahead: machine,
sessions, accumulators, and the commands learned fast and executed ahead of ``index``, so that a replica that goes on
from it neither skips nor repeats one. It may be sent to a replica that lags. The *records* rebuild this one's acceptor
behind index: promise, accepted ballot, decrees, tail. They are never sent.
"""

from dataclasses import dataclass
from typing import Any

import orjson
from xxhash import xxh3_64_intdigest

from commutativity import InterferenceIndex, Machine
from genpaxos.core.builtins import admit
from genpaxos.core.commands import Body
from genpaxos.core.executor import Executor
from genpaxos.core.history import History
from genpaxos.core.journal import DamageError
from genpaxos.core.messages import SnapshotChunk
from genpaxos.core.records import Record

CHUNK_BYTES = 512 * 1024
"""What is sent of a state at a time: handling it delays nobody else's commands by more than milliseconds."""
_SEAL_BYTES = 8


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a replica may start from, with the journal behind it."""

    state: bytes
    """A :class:`State`, sealed."""
    records: list[Record]


@dataclass(frozen=True, slots=True)
class State:
    """The replicated state at a committed index."""

    index: int
    log_sum: int
    """:meth:`genpaxos.core.history.History.log_sum` up to ``index``."""
    machine: Any
    sessions: dict[str, Any]
    sums: Any
    """The accumulators of all that was executed (:meth:`commutativity.InterferenceIndex.snapshot`)."""
    ahead: list[tuple[str, int, Body]]
    """Commands executed ahead of ``index``, with the digests they were learned with, in the order they ran."""


def capture(executor: Executor, history: History) -> bytes:
    """The state as sealed bytes. Raises ``TypeError``, or what the machine's own ``snapshot`` raises."""
    assert executor.executed == history.committed
    body = orjson.dumps(
        [
            history.committed,
            history.log_sum(history.committed),
            executor.machine.snapshot(),
            executor.sessions.to_json(),
            executor.sums(),
            executor.ran_ahead(),
        ]
    )
    return xxh3_64_intdigest(body).to_bytes(_SEAL_BYTES, "little") + body


def parse(data: bytes) -> State:
    """The state again. Raises :class:`DamageError` if it is not what was captured."""
    body = memoryview(data)[_SEAL_BYTES:]
    if xxh3_64_intdigest(body).to_bytes(_SEAL_BYTES, "little") != data[:_SEAL_BYTES]:
        raise DamageError("the snapshot is not what was written: its seal does not fit")
    index, log_sum, machine, sessions, sums, ahead = orjson.loads(body)
    return State(index, log_sum, machine, sessions, sums, [(name, digest, given) for name, digest, given in ahead])


def sums_of_log(machine: type[Machine], state: State) -> InterferenceIndex:
    """The accumulators of V[1..index] alone: those of all that was executed, without what ran ahead."""
    sums = InterferenceIndex.restore(machine.table, state.sums)
    for _, digest, (operation, arguments, _) in state.ahead:
        sums.remove(admit(machine, operation, arguments), digest)
    return sums


class Assembly:
    """A state that arrives from one peer in chunks. Two peers' states at one index differ in what ran ahead."""

    def __init__(self) -> None:
        self.sender: int | None = None
        """Whose state is being received; ``None`` if none is."""
        self.index = 0
        self._size = 0
        self._parts: list[bytes] = []
        self._received = 0

    @property
    def wanted(self) -> int:
        """The offset of the next chunk."""
        return self._received

    def take(self, sender: int, chunk: SnapshotChunk) -> State | None:
        """Take a chunk; the whole state when it was the last, and nothing in between was damaged."""
        whole = self.add(sender, chunk.index, chunk.offset, chunk.size, chunk.data)
        try:
            return None if whole is None else parse(whole)
        except DamageError:  # the sender's disk, or what lies between: the clock asks again, perhaps of another
            return None

    def add(self, sender: int, index: int, offset: int, size: int, data: bytes) -> bytes | None:
        """Take a chunk; the bytes of the state when it was the last. One that does not follow is passed over."""
        if offset == 0 and (sender, index) != (self.sender, self.index):
            self.sender, self.index, self._size, self._parts, self._received = sender, index, size, [], 0
        if (sender, index, offset, size) != (self.sender, self.index, self._received, self._size) or not data:
            return None
        self._parts.append(data)
        self._received += len(data)
        if self._received < size:
            return None
        whole = b"".join(self._parts)
        self.drop()
        return whole

    def drop(self) -> None:
        """Forget what has arrived."""
        self.sender, self.index, self._size, self._parts, self._received = None, 0, 0, [], 0
