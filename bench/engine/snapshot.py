"""``python -m bench.snapshot``: how long a snapshot of a large state holds a replica up.

The real replica, storage and snapshot taker in this process, without sockets: a cluster of one, whose steps are timed.
A replica stands still when the copy is forked and when the finished file takes the old one's place; between the two its
steps share the disk and the processor with the copy.
"""

import gc
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from commutativity import CommutativityTable, Machine, operation
from genpaxos.core.ids import sealed_id
from genpaxos.core.messages import Propose
from genpaxos.core.quorum import EVERYBODY
from genpaxos.core.replica import Replica
from genpaxos.core.settings import Settings
from genpaxos.runtime.server import GC_THRESHOLDS
from genpaxos.runtime.snapshots import SnapshotTaker
from genpaxos.runtime.storage import Storage

VALUE_BYTES = 1_000
BATCH_COMMANDS = 100
ELECTION_STEPS = 2_000


class Values(Machine):
    """Text by key."""

    table = CommutativityTable("""
                put
        put      x
    """)

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    @operation("key")
    def put(self, key: str, value: str) -> None:
        """Set a value."""
        self.values[key] = value


@dataclass
class Timed:
    """Milliseconds, of each kind."""

    fork: list[float] = field(default_factory=list)
    adopt: list[float] = field(default_factory=list)
    step: list[float] = field(default_factory=list)
    """The time of a batch, its sync included, while a copy writes."""


class Fed:
    """A replica that is fed batches."""

    def __init__(self, directory: Path, keys: int) -> None:
        self.storage = Storage(directory, create=True)
        snapshot, records = self.storage.open()
        self.replica = Replica(0, Values(), Settings(1), 0.0, records, snapshot)
        self.taker = SnapshotTaker(self.replica, self.storage, 20_000, print)
        self._keys = keys
        self._now_ms = 0.0
        self._sent = 0
        for _ in range(ELECTION_STEPS):
            self._step([])

    def batch(self) -> None:
        """The next commands, in one step."""
        ids, bodies = [], []
        for _ in range(BATCH_COMMANDS):
            self._sent += 1
            body = ["put", [f"k{self._sent % self._keys}", "x" * VALUE_BYTES], self._sent - 1]
            bodies.append(body)
            ids.append(sealed_id("bench", self._sent, orjson.dumps(body)))
        self._step([("bench", Propose(ids, bodies, EVERYBODY))])

    def _step(self, clients: list[tuple[str, Propose]]) -> None:
        self._now_ms += 1.0
        effects = self.replica.step(self._now_ms, (), clients)
        if effects.records:
            self.storage.append(effects.records)


def measure(directory: Path, mb: int, snapshots: int) -> dict[str, Any]:
    """Fill a state, then time so many snapshots of it under load."""
    keys = mb * 1_000_000 // VALUE_BYTES
    fed, timed = Fed(directory, keys), Timed()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    for _ in range(-(-keys // BATCH_COMMANDS)):
        fed.batch()
    while len(timed.adopt) < snapshots:
        began = time.perf_counter()
        fed.batch()
        between = time.perf_counter()
        writing, stored = fed.taker.busy, fed.storage.snapshot
        fed.taker.take_if_due()
        ended = time.perf_counter()
        if writing:
            timed.step.append(1e3 * (between - began))
        if fed.storage.snapshot is not stored:
            timed.adopt.append(1e3 * (ended - between))
        elif fed.taker.busy and not writing:
            timed.fork.append(1e3 * (ended - between))
    stored = fed.storage.snapshot
    assert stored is not None
    fed.taker.close()
    fed.storage.close()
    return {
        "state_mb": round(stored.state_bytes / 1e6, 1),
        "snapshots": snapshots,
        "still_ms_max": round(max(timed.fork + timed.adopt), 1),
        "fork_ms": _range(timed.fork),
        "adopt_ms": _range(timed.adopt),
        "step_while_writing_ms": _range(timed.step),
    }


def _range(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    return {"median": round(ordered[len(ordered) // 2], 1), "max": round(ordered[-1], 1)}
