"""Taking snapshots while the replica goes on: a copy of the process writes what the replica was at one instant.

``fork`` copies the memory of the process lazily, so the replica stands still for as long as its page tables take,
whatever its machine is and however long it takes to encode. The copy touches no socket and no database: it writes one
file, says so on a pipe, and ends.
"""

import gc
import os
import signal
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import orjson

from genpaxos.core.executor import MachineFaultError
from genpaxos.core.journal import Place
from genpaxos.core.replica import Replica
from genpaxos.runtime.storage import Storage, StorageError, StoredSnapshot, write_snapshot

JOURNAL_BYTES_MAX = 32 * 1024 * 1024
"""A journal of this length calls for a snapshot however few commands it holds: the log behind it lies in memory, and
who has missed it gets a state instead."""
WRITING_S_MAX = 600.0
"""A copy that takes longer hangs: it is ended, and the next snapshot is tried when it is due."""
_FAILED = "failed"
_TOOK_NONE = "took no snapshot, so its journal goes on growing"


class SnapshotTaker:
    """At most one snapshot of a replica in the making."""

    def __init__(
        self, replica: Replica, storage: Storage, every_commands: int, complain: Callable[[str], None]
    ) -> None:
        self._replica = replica
        self._storage = storage
        self._every_commands = every_commands
        self._complain = complain
        self._child: _Child | None = None
        self._next_applied = replica.executor.applier.restored + every_commands
        self._next_bytes = JOURNAL_BYTES_MAX
        """How long the journal is to be when the next is due; one that failed is not tried again at once."""

    @property
    def busy(self) -> bool:
        """Whether one is in the making."""
        return self._child is not None

    def close(self) -> None:
        """Stop what is in the making."""
        if self._child is not None:
            self._child.kill()
            self._child = None

    def store_now(self) -> None:
        """The replica's state was replaced: what it is now must be durable before it says anything.

        Raises :class:`StorageError` or :class:`MachineFaultError`.
        """
        self.close()
        index, place = self._replica.history.committed, self._storage.place
        self._next_applied = self._replica.executor.applied + self._every_commands
        try:
            captured = self._replica.capture()
        except Exception as error:  # the machine's own snapshot() may raise anything
            raise MachineFaultError(
                f"the machine took a state and gives none: its snapshot() failed with {type(error).__name__}: {error}"
            ) from error
        try:
            self._adopt(write_snapshot(self._storage.directory, place, index, captured))
        except OSError as error:
            raise StorageError(
                f"the disk did not take a state received from another replica: {error}. This replica no longer votes. "
                "Free space or replace the disk, then start it again from the same directory."
            ) from error

    def take_if_due(self) -> None:
        """Start a snapshot when enough was committed since the last, or take over one that is finished.

        Enough is ``every_commands`` operations or ``JOURNAL_BYTES_MAX``, and a journal as large as the last snapshot:
        so writing snapshots costs no more than writing the journal does. None is started while the last is being sent
        to another. Raises :class:`StorageError`.
        """
        if self._child is not None:
            self._collect(self._child)
        elif self._is_due() and not self._replica.sends_snapshot:
            last = self._storage.snapshot
            if last is None or self._storage.bytes_since_snapshot >= last.state_bytes:
                self._start()

    def _is_due(self) -> bool:
        applied, journal = self._replica.executor.applied, self._storage.bytes_since_snapshot
        due = applied >= self._next_applied or journal >= self._next_bytes
        return bool(self._every_commands) and due and self._replica.history.committed > self._base()

    def _start(self) -> None:
        records = self._replica.unwritten()
        if records:
            self._storage.append(records)
        index, place = self._replica.history.committed, self._storage.place
        self._next_applied = self._replica.executor.applied + self._every_commands
        self._next_bytes = self._storage.bytes_since_snapshot + JOURNAL_BYTES_MAX
        # What lives now lives long: the collector need not walk through it again (a fifth of a second per 100 MB), nor
        # write to the pages that the copy shares. A cycle that dies after this is not freed: the engine makes none.
        gc.collect(1)
        gc.freeze()
        try:
            self._child = _Child(lambda: write_snapshot(self._storage.directory, place, index, self._replica.capture()))
        except OSError as error:  # no memory, or no process left: for that a replica need not stop
            self._complain(f"{_TOOK_NONE}: {error}")

    def _collect(self, child: "_Child") -> None:
        if not child.ended():
            if child.age_s > WRITING_S_MAX:
                self.close()
                self._storage.remove_unadopted()
                self._complain(f"{_TOOK_NONE}: the copy that wrote it was not done after {WRITING_S_MAX:g} s")
            return
        self._child = None
        written = child.result()
        if isinstance(written, str):
            self._storage.remove_unadopted()  # half a file must not keep what space is left
            self._complain(f"{_TOOK_NONE}: {written}")
        else:
            self._adopt(written)

    def _adopt(self, written: StoredSnapshot) -> None:
        self._storage.adopt_snapshot(written)
        self._replica.snapshot_stored(written.index)
        self._next_bytes = JOURNAL_BYTES_MAX

    def _base(self) -> int:
        return self._storage.snapshot.index if self._storage.snapshot is not None else 0


class _Child:
    """A copy of this process that writes a snapshot."""

    def __init__(self, write: Callable[[], StoredSnapshot]) -> None:
        self._reader, writer = os.pipe()
        with warnings.catch_warnings():
            # Python warns of forking beside other threads. Those are libzmq's; the copy has no use for their sockets.
            warnings.simplefilter("ignore", DeprecationWarning)
            try:
                self._pid = os.fork()
            except OSError:
                os.close(self._reader)
                os.close(writer)
                raise
        if self._pid == 0:
            _write_and_exit(write, writer)
        os.close(writer)
        self._ended = False
        self._began_s = time.monotonic()

    @property
    def age_s(self) -> float:
        """How long ago it was made."""
        return time.monotonic() - self._began_s

    def ended(self) -> bool:
        """Whether it has finished, one way or the other."""
        if not self._ended:
            self._ended = os.waitpid(self._pid, os.WNOHANG)[0] == self._pid
        return self._ended

    def result(self) -> StoredSnapshot | str:
        """What it wrote, or why it did not."""
        with os.fdopen(self._reader, "rb") as pipe:
            said = pipe.read()
        if not said:
            return "the process that wrote it was killed"
        what, *details = orjson.loads(said)
        if what == _FAILED:
            return str(details[0])
        file, index, batch, seal, size = details
        return StoredSnapshot(Path(file), index, Place(batch, seal), size)

    def kill(self) -> None:
        """End it."""
        if not self._ended:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
        os.close(self._reader)


def _write_and_exit(write: Callable[[], StoredSnapshot], pipe: int) -> None:
    """In the copy: nothing of the process it was copied from may be touched or cleaned up."""
    code = 1
    try:
        gc.disable()
        os.closerange(3, pipe)
        os.closerange(pipe + 1, os.sysconf("SC_OPEN_MAX"))
        os.nice(10)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        try:
            written = write()
            said = ["written", str(written.file), written.index, *written.place, written.state_bytes]
        except Exception as error:  # the machine's own snapshot() may raise anything
            said = [_FAILED, f"{type(error).__name__}: {error}"]
        os.write(pipe, orjson.dumps(said))
        code = 0
    finally:
        os._exit(code)
