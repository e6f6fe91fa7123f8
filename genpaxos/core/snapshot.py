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
from genpaxos.core.acceptor import Acceptor
from genpaxos.core.commands import Body, Proposals, footprint_of
from genpaxos.core.executor import Executor
from genpaxos.core.history import History
from genpaxos.core.journal import DamageError
from genpaxos.core.records import Record
from genpaxos.core.undo import Base

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
    agreement: Any
    """What V[1..index] and those gave (:meth:`genpaxos.core.agreement.Agreement.snapshot`)."""
    applied: int
    """How many operations that was."""


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
            executor.agreement.snapshot(),
            executor.applied,
        ]
    )
    return xxh3_64_intdigest(body).to_bytes(_SEAL_BYTES, "little") + body


def parse(data: bytes) -> State:
    """The state again. Raises :class:`DamageError` if it is not what was captured."""
    body = memoryview(data)[_SEAL_BYTES:]
    if xxh3_64_intdigest(body).to_bytes(_SEAL_BYTES, "little") != data[:_SEAL_BYTES]:
        raise DamageError("the snapshot is not what was written: its seal does not fit")
    index, log_sum, machine, sessions, sums, ran, agreement, applied = orjson.loads(body)
    ahead = [(name, digest, given) for name, digest, given in ran]
    return State(index, log_sum, machine, sessions, sums, ahead, agreement, applied)


def base_of(data: bytes) -> Base:
    """What a machine can be made again from. Raises :class:`DamageError`."""
    state = parse(data)
    return Base(state.index, state.machine, frozenset(command for command, _, _ in state.ahead), len(data))


def sums_of_log(machine: type[Machine], state: State) -> InterferenceIndex:
    """The accumulators of V[1..index] alone: those of all that was executed, without what ran ahead."""
    sums = InterferenceIndex.restore(machine.table, state.sums)
    for name, digest, body in state.ahead:
        sums.remove(footprint_of(machine, name, body), digest)
    return sums


def restore(
    state: State, executor: Executor, proposals: Proposals, acceptor: Acceptor, *, stored: bool = False
) -> None:
    """Go on from a snapshot's state, ``stored`` here or not. What the acceptor holds beyond it stays, in its tail.

    Raises :class:`~genpaxos.core.executor.MachineFaultError` if the machine does not take its part.
    """
    ahead = {command: digest for command, digest, _ in state.ahead}
    if not stored:
        executor.undo.receive(state.index, state.machine, ahead)
    proposals.readmit(list(ahead), [body for _, _, body in state.ahead])
    executor.restore(state.index, state.machine, state.sessions, state.sums, ahead, state.agreement, state.applied)
    proposals.forget_settled(ahead)
    acceptor.restart(state.index, state.log_sum, sums_of_log(type(executor.machine), state))
