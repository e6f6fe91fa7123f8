"""The specification as the checker runs it: states by number, outcomes as bytes, every step remembered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import orjson

from commutativity import OperationError
from genpaxos.core.failures import OPERATION_FAILED, is_deterministic, result_text


class Specification(Protocol):
    """What the checker needs of a machine. :class:`commutativity.Machine` has it."""

    def apply(self, operation: str, arguments: tuple[Any, ...], /) -> Any:
        """Run one command: its result, or :class:`~commutativity.OperationError` for a declared error."""

    def snapshot(self) -> Any:
        """The state as JSON."""

    def restore(self, snapshot: Any, /) -> None:
        """Set the state to a snapshot's."""

    def admit(self, operation: str, arguments: tuple[Any, ...], /) -> Sequence[tuple[str | None, int]]:
        """The command's footprint: (resource, mode) pairs; None is the whole machine; an empty one touches nothing."""


def canonical(value: Any) -> bytes:
    """Equal bytes exactly for equal JSON (1, 1.0 and true are three values)."""
    encoded = orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
    return memoryview(encoded).tobytes()  # a copy without the kilobytes that orjson allocates ahead


def canonical_error(code: str, message: str) -> bytes:
    """A declared error as an outcome. No JSON starts with this byte."""
    return b"!" + orjson.dumps([code, message])


class States:
    """The specification's states by number (0 is the initial one), and what each command does in each."""

    def __init__(self, machine: Specification, initial: Any = None) -> None:
        self.steps = 0
        self._machine = machine
        if initial is not None:
            machine.restore(orjson.loads(canonical(initial)))
        self._bytes = [canonical(machine.snapshot())]
        self._numbers = {self._bytes[0]: 0}
        self._live = 0
        self._commands: dict[tuple[str, bytes], int] = {}
        self._operations: list[str] = []
        self._arguments: list[tuple[Any, ...] | bytes] = []
        self._known: dict[tuple[int, int], tuple[bytes, int]] = {}
        self._outcomes: dict[bytes, bytes] = {}
        self._changing: set[str] = set()
        self._failed = False
        """The last command raised what it had not declared: what it changed is to be undone."""

    def command(self, operation: str, arguments: tuple[Any, ...]) -> int:
        """The number of a command; equal commands have one number."""
        encoded = canonical(arguments)
        number = self._commands.setdefault((operation, encoded), len(self._operations))
        if number == len(self._operations):
            self._operations.append(operation)
            scalar = all(isinstance(argument, str | int | float | None) for argument in arguments)
            # Decoded anew for each run, since the machine could keep a list and change it.
            self._arguments.append(arguments if scalar else encoded)
        return number

    def step(self, state: int, command: int) -> tuple[bytes, int]:
        """The outcome of a command in a state and the state after it: -1 after a fault, which explains no call.

        A command that raises what it has not declared leaves the state as it is; a fault is what no replica goes on
        after.
        """
        self.steps += 1
        key = (state, command)
        known = self._known.get(key)
        if known is None:
            if self._live != state:
                self._machine.restore(orjson.loads(self._bytes[state]))
            outcome = self._apply(command)
            if self._failed:
                self._machine.restore(orjson.loads(self._bytes[state]))
            self._live = -1 if outcome.startswith(b"?") else self._number(canonical(self._machine.snapshot()))
            if self._live != state:
                self._changing.add(self._operations[command])
            known = self._known[key] = (self._outcomes.setdefault(outcome, outcome), self._live)
        return known

    def run(self, commands: Sequence[int], expected: Sequence[bytes | None]) -> bool:
        """Run commands in this order from the initial state: does each give what is expected (None: anything)?"""
        self._machine.restore(orjson.loads(self._bytes[0]))
        self._live = -1
        ran: list[int] = []
        for command, wanted in zip(commands, expected, strict=True):
            self.steps += 1
            outcome = self._apply(command)
            if outcome.startswith(b"?") or (wanted is not None and outcome != wanted):
                return False
            if not self._failed:
                ran.append(command)
                continue
            self._machine.restore(orjson.loads(self._bytes[0]))
            for earlier in ran:
                self._apply(earlier)
        return True

    def changes(self, command: int) -> bool:
        """Has this command's operation been seen to change a state?"""
        return self._operations[command] in self._changing

    def snapshot(self, state: int) -> Any:
        """A state as JSON."""
        return orjson.loads(self._bytes[state])

    def _apply(self, command: int) -> bytes:
        arguments, self._failed = self._arguments[command], False
        if isinstance(arguments, bytes):
            arguments = tuple(orjson.loads(arguments))
        try:
            return canonical(self._machine.apply(self._operations[command], arguments))
        except OperationError as error:
            return canonical_error(error.code, error.message)
        except KeyboardInterrupt:
            raise
        except BaseException as fault:
            if is_deterministic(fault):
                self._failed = True
                return canonical_error(OPERATION_FAILED, result_text(fault))
            return b"?" + orjson.dumps([type(fault).__name__, str(fault)])

    def _number(self, encoded: bytes) -> int:
        number = self._numbers.get(encoded)
        if number is None:
            number = self._numbers[encoded] = len(self._bytes)
            self._bytes.append(encoded)
        return number
