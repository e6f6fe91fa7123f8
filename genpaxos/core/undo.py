"""Undoing a command that failed part way: the machine is made anew from a state and what ran since, without it.

Nothing is kept for it while all goes well. What ran since the newest stored snapshot is in the log anyway (protocol §8:
it is cut behind the snapshot before that), and the owner reads the snapshot when it is needed. After a first failure a
*checkpoint*, a state in memory, shortens the way for the next ones, until a newer snapshot is stored.

*Order.* Commands are applied again in the order of V, as after a restart; what ran ahead of it comes last, in the order
it ran. Where two commands interfere, one of which ran ahead and is not committed yet, the committed one ran first: had
it run second, its digest would name the other, which then stood before it in V. So what interferes keeps its order, and
what commutes may change it (the table says so; a machine for which it is wrong differs after every restart, too).
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import orjson

from commutativity import JSON, InvalidCommand, Machine, OperationError
from genpaxos.core.builtins import BUILTINS
from genpaxos.core.commands import Body, Proposal
from genpaxos.core.failures import full_text, type_name
from genpaxos.core.history import History
from genpaxos.core.runs import RUN_OPERATIONS_MAX, count_of, pairs_of

OPERATION_MS = 0.002
"""What it takes to apply an operation again, about."""
BYTE_MS = 0.00003
"""What it takes to restore a byte of a state, about; to save it takes no longer."""
RUN_COMMANDS = 2_048
"""How many bodies are decoded at a time."""


class MachineFaultError(RuntimeError):
    """The machine cannot go on, and nobody knows what state it is in: the replica must stop (protocol §7)."""


@dataclass(frozen=True, slots=True)
class Base:
    """A state to start from: V[1..index] has run in it, and those of ``ahead``."""

    index: int
    machine: JSON
    ahead: Collection[str]
    size_bytes: int


@dataclass(frozen=True, slots=True)
class _Checkpoint:
    """A base kept in memory."""

    index: int
    encoded: bytes
    """The machine's snapshot."""
    ahead: Collection[str]
    received: bool
    """It came from another replica: the snapshot that is stored at the same index was taken later."""

    def base(self) -> Base:
        return Base(self.index, orjson.loads(self.encoded), self.ahead, len(self.encoded))


class Undo:
    """Makes machines without the commands that failed."""

    def __init__(self, machine: type[Machine], history: History, known: Mapping[str, Proposal]) -> None:
        self.read_stored: Callable[[], Base | None] = lambda: None
        """Reads the newest stored snapshot; ``None`` if there is none. Set by the owner."""
        self.interruptible = True
        """As in the settings of the replica."""
        self._kind = machine
        self._history = history
        self._known = known
        self._checkpoint: _Checkpoint | None = None
        self._failed: dict[tuple[str, int], int] = {}
        """Operations that failed, by their command and their place in it, and that the checkpoint, or else the stored
        snapshot, need not cover, with the index up to which V had run then."""

    def receive(self, index: int, machine: JSON, ahead: Collection[str]) -> None:
        """The whole state is being replaced by this one, which is stored nowhere yet. To be called before the machine
        has it: it may keep parts and change them."""
        self._checkpoint = _Checkpoint(index, orjson.dumps(machine), frozenset(ahead), received=True)
        self._failed.clear()

    def stored(self, index: int) -> None:
        """A snapshot at ``index`` is stored: it serves as well as a checkpoint before it.

        One at the same index may have been captured before the checkpoint was made, with less run ahead. What failed
        in between would then run again. What failed when V had run up to less than ``index``, both cover.
        """
        self._failed = {failed: last for failed, last in self._failed.items() if last >= index}
        held = self._checkpoint
        if held is not None and (index > held.index or (index == held.index and held.received)):
            self._checkpoint = None

    def skip(self, command: str, place: int, last: int) -> None:
        """The operation at this place of a command failed when V[1..last] had run, and has changed nothing."""
        self._failed[command, place] = last

    def without(self, command: str, place: int, last: int, ahead: Collection[str]) -> tuple[Machine, float]:
        """A machine in which V[1..last], those of ``ahead`` and the first operations of ``command`` have run, but not
        the one at ``place`` nor any that failed before; and about how many milliseconds of work it was. Raises
        :class:`MachineFaultError`."""
        self.skip(command, place, last)
        try:
            base = self._base()
            machine = self._kind()
            if base.index or base.size_bytes:
                machine.restore(base.machine)
            count = self._apply(machine, self._since(base, last, ahead))
        except MachineFaultError:
            raise
        except Exception as error:
            raise MachineFaultError(
                f"{self._kind.__name__}: command {command} failed and cannot be undone, as the machine could not be "
                f"made again from what is stored: {type_name(error)}: {full_text(error)}. A replica could not restart "
                "from it either: correct snapshot() and restore(), or look at the disk."
            ) from error
        work_ms, saving_ms = count * OPERATION_MS + base.size_bytes * BYTE_MS, base.size_bytes * BYTE_MS
        if self._checkpoint is None or count * OPERATION_MS >= saving_ms:
            work_ms += self._save(machine, command, last, ahead)
        body = self._known[command][0]
        return machine, work_ms + OPERATION_MS * self._apply(machine, [(command, body)], place)

    def _base(self) -> Base:
        if self._checkpoint is not None:
            return self._checkpoint.base()
        stored = self.read_stored()
        if stored is not None:
            return stored
        if self._history.base:
            raise LookupError(f"V[1..{self._history.base}] is cut off, and no snapshot is stored")
        return Base(0, None, (), 0)

    def _apply(self, machine: Machine, commands: Iterable[tuple[str, Body]], places: int = RUN_OPERATIONS_MAX) -> int:
        """Apply the operations of commands again, at most so many of each; returns how many those are."""
        count = 0
        for name, body in commands:
            several = count_of(body) > 1
            for place, (operation, arguments) in enumerate(islice(pairs_of(body), places)):
                count += 1
                if (name, place) in self._failed or operation in BUILTINS:
                    continue
                if several and not _is_admitted(machine, operation, arguments):
                    continue
                self._apply_one(machine, name, operation, arguments)
        return count

    def _apply_one(self, machine: Machine, name: str, operation: str, arguments: list[Any]) -> None:
        try:
            machine.apply(operation, arguments)
        except OperationError:
            pass  # as the first time: it may have changed the state before it raised
        except BaseException as error:
            if self.interruptible and isinstance(error, KeyboardInterrupt):
                raise
            raise MachineFaultError(
                f"{self._kind.__name__}.{operation} (command {name}) raised {type_name(error)}: {full_text(error)} "
                "when it was applied again, and had not done so the first time: the program is not deterministic, "
                "or its table calls commuting what is not. `genpaxos check` looks for both."
            ) from error

    def _since(self, base: Base, last: int, ahead: Collection[str]) -> Iterator[tuple[str, Body]]:
        """What ran behind a base."""
        history, known = self._history, self._known
        for first in range(base.index + 1, last + 1, RUN_COMMANDS):
            end = min(first + RUN_COMMANDS - 1, last)
            for name, body in zip(history.decrees(first, end)[0], history.bodies(first, end), strict=True):
                if name not in base.ahead:
                    yield name, body
        for name in ahead:
            if name not in base.ahead:
                yield name, known[name][0]

    def _save(self, machine: Machine, command: str, last: int, ahead: Collection[str]) -> float:
        """Keep the state for the next time; gives the milliseconds of work. A machine that gives no snapshot goes on
        without: every time is like the first."""
        try:
            encoded = orjson.dumps(machine.snapshot())
        except Exception:  # the machine's own
            return 0.0
        self._checkpoint = _Checkpoint(last, encoded, frozenset(ahead), received=False)
        self._failed = {failed: at for failed, at in self._failed.items() if failed[0] == command}
        return len(encoded) * BYTE_MS


def _is_admitted(machine: Machine, operation: str, arguments: list[Any]) -> bool:
    """Whether the machine's rules admit an operation of a run: it has run then."""
    try:
        machine.admit(operation, arguments)
    except InvalidCommand:
        return False
    return True
