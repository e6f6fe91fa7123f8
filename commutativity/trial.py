"""Running two commands in both orders and comparing the states *and each command's own result*.

(FrankenPaxos's notion of interference: over state and outputs.) States are kept as JSON bytes, so that every
run starts from a machine of its own, restored as a replica would.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from commutativity.command import JSON, Command, OperationError, UnrepresentableResult
from commutativity.machine import Machine


@dataclass(frozen=True, slots=True)
class Outcome:
    """An operation's result: a value, or a declared error."""

    value: JSON = None
    error: tuple[str, str] | None = None
    """The error's code and message."""

    def __str__(self) -> str:
        return f"raises {self.error[0]}: {self.error[1]}" if self.error else f"returns {self.value!r}"

    def to_json(self) -> JSON:
        if self.error:
            return {"error": {"code": self.error[0], "message": self.error[1]}}
        return {"value": self.value}


@dataclass(frozen=True, slots=True)
class Run:
    """Commands run one after another: their outcomes in that order, and the state at the end."""

    commands: tuple[Command[Any], ...]
    labels: tuple[str, ...]
    """The commands as they are written, numbered where both are the same."""
    outcomes: tuple[Outcome, ...]
    state: JSON

    def to_json(self) -> JSON:
        steps: list[JSON] = [
            {"command": label, **_object(outcome.to_json())}
            for label, outcome in zip(self.labels, self.outcomes, strict=True)
        ]
        return {"steps": steps, "state": self.state}


@dataclass(frozen=True, slots=True)
class Difference:
    """Two commands whose order shows: from ``state``, reached by ``path``, the two ``runs`` differ.

    ``observer`` is a third command, needed when the final states differ only in the order of a dict's keys:
    it is run last and its result tells them apart.
    """

    state: JSON
    path: tuple[Command[Any], ...]
    first: Command[Any]
    second: Command[Any]
    runs: tuple[Run, Run]
    observer: Command[Any] | None = None

    def differing(self) -> list[str]:
        """What differs, in words."""
        one, two = self.runs
        pairs = [(one.outcomes[0], two.outcomes[1]), (one.outcomes[1], two.outcomes[0])]
        lines = []
        for label, (a, b) in zip(one.labels, pairs, strict=False):
            if _key(a) != _key(b):
                lines.append(f"{label} {a} in one order, but {b} in the other")
        if self.observer is not None:
            lines.append(
                f"{self.observer!r} afterwards {one.outcomes[2]}, but {two.outcomes[2]} in the other order: "
                "it depends on the order of a dict's keys"
            )
        elif _sorted(one.state) != _sorted(two.state):
            lines.append(f"the state becomes {one.state!r} in one order, but {two.state!r} in the other")
        return lines

    def to_json(self) -> JSON:
        return {
            "state": self.state,
            "path": [repr(command) for command in self.path],
            "first": repr(self.first),
            "second": repr(self.second),
            "observer": None if self.observer is None else repr(self.observer),
            "runs": [run.to_json() for run in self.runs],
            "differing": list(self.differing()),
        }


@dataclass(frozen=True, slots=True)
class Fault:
    """What an operation must never do: raise an undeclared exception, or answer twice differently from one
    state."""

    what: str
    state: JSON
    command: Command[Any] | None

    def __str__(self) -> str:
        where = f"{self.command!r} from {self.state!r}: " if self.command is not None else ""
        return where + self.what

    def to_json(self) -> JSON:
        command = None if self.command is None else repr(self.command)
        return {"what": self.what, "state": self.state, "command": command}


class FaultFound(Exception):  # noqa: N818  # it carries a finding to the report; no error of the check
    """Ends a check at its first fault."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault))
        self.fault = fault


class Trials:
    """Runs of one machine type, remembered by state and command. Raises :class:`FaultFound` at the first
    fault.

    ``observers``, which may be set once the scope is known, are the commands that can tell apart states that
    differ only in the order of a dict's keys.
    """

    def __init__(self, machine_type: type[Machine]) -> None:
        self._machine_type = machine_type
        self._steps: dict[tuple[bytes, bytes], tuple[Outcome, bytes]] = {}
        self._canonical: dict[bytes, bytes] = {}
        self.observers: tuple[Command[Any], ...] = ()
        self._told: dict[tuple[bytes, bytes], Command[Any] | None] = {}
        self.initial = self._snapshot(machine_type(), None, None)
        if self._snapshot(machine_type(), None, None) != self.initial:
            raise FaultFound(Fault("two new machines differ: __init__ must be deterministic", None, None))
        self._check_restores(self.initial)

    def step(self, state: bytes, command: Command[Any]) -> tuple[Outcome, bytes]:
        """The outcome and the next state of one command. Run twice, to see that it is deterministic."""
        key = (state, orjson.dumps([command.operation, command.arguments]))
        if key not in self._steps:
            once, again = self._apply(state, command), self._apply(state, command)
            if not self._same(once, again):
                raise FaultFound(
                    Fault(
                        f"not deterministic: it {once[0]} and leaves {loaded(once[1])!r}, then, from the same state, "
                        f"{again[0]} and leaves {loaded(again[1])!r}",
                        loaded(state),
                        command,
                    )
                )
            self._check_restores(once[1])
            self._steps[key] = once
        return self._steps[key]

    def run(self, state: bytes, *commands: Command[Any]) -> tuple[list[Outcome], bytes]:
        """The outcomes of some commands one after another, and the last state."""
        outcomes = []
        for command in commands:
            outcome, state = self.step(state, command)
            outcomes.append(outcome)
        return outcomes, state

    def difference(
        self,
        state: bytes,
        first: Command[Any],
        second: Command[Any],
        path: tuple[Command[Any], ...] = (),
    ) -> Difference | None:
        """How the order of two commands shows from a state; ``None`` when it does not.

        States that differ in nothing but the order of their dicts' keys are equal JSON; they count as equal
        unless one of :attr:`observers` tells them apart.
        """
        one, one_state = self.run(state, first, second)
        two, two_state = self.run(state, second, first)
        equal = _key(one[0]) == _key(two[1]) and _key(one[1]) == _key(two[0])
        observer = None
        if equal and self.canonical(one_state) == self.canonical(two_state):
            if one_state == two_state:
                return None
            observer = self._telling(one_state, two_state)
            if observer is None:
                return None
        return self._described(state, path, first, second, observer)

    def canonical(self, state: bytes) -> bytes:
        """The state with the keys of every dict sorted: equal for equal JSON."""
        found = self._canonical.get(state)
        if found is None:
            found = self._canonical[state] = _sorted(loaded(state))
        return found

    def _telling(self, one: bytes, two: bytes) -> Command[Any] | None:
        """The first observer that two states answer differently."""
        key = (min(one, two), max(one, two))
        if key not in self._told:
            answers = ((c, self.step(one, c), self.step(two, c)) for c in self.observers)
            self._told[key] = next((c for c, a, b in answers if not self._same(a, b)), None)
        return self._told[key]

    def _described(
        self,
        state: bytes,
        path: tuple[Command[Any], ...],
        first: Command[Any],
        second: Command[Any],
        observer: Command[Any] | None,
    ) -> Difference:
        numbers = (" #1", " #2") if first == second else ("", "")
        pair = [(first, f"{first!r}{numbers[0]}"), (second, f"{second!r}{numbers[1]}")]
        last = [] if observer is None else [(observer, repr(observer))]
        runs = []
        for order in ([*pair, *last], [*reversed(pair), *last]):
            commands, labels = zip(*order, strict=True)
            outcomes, after = self.run(state, *commands)
            runs.append(Run(commands, labels, tuple(outcomes), loaded(after)))
        return Difference(loaded(state), path, first, second, (runs[0], runs[1]), observer)

    def _same(self, one: tuple[Outcome, bytes], two: tuple[Outcome, bytes]) -> bool:
        return _key(one[0]) == _key(two[0]) and self.canonical(one[1]) == self.canonical(two[1])

    def _apply(self, state: bytes, command: Command[Any]) -> tuple[Outcome, bytes]:
        machine = self._machine_type()
        machine.restore(loaded(state))
        # Arguments of its own: a replica decodes them, so an operation may keep or change what it is given.
        arguments = orjson.loads(orjson.dumps(command.arguments))
        try:
            value = machine.apply(command.operation, arguments)
        except UnrepresentableResult as error:
            raise FaultFound(Fault(error.message, loaded(state), command)) from error
        except OperationError as error:
            return Outcome(error=(error.code, error.message)), self._snapshot(machine, state, command)
        except Exception as error:
            what = f"raises {type(error).__name__}: {error}; declare it (a subclass of OperationError) or handle it"
            raise FaultFound(Fault(what, loaded(state), command)) from error
        return Outcome(loaded(orjson.dumps(value))), self._snapshot(machine, state, command)

    def _snapshot(self, machine: Machine, state: bytes | None, command: Command[Any] | None) -> bytes:
        try:
            return orjson.dumps(machine.snapshot())
        except Exception as error:
            before = None if state is None else loaded(state)
            raise FaultFound(Fault(f"snapshot() fails: {error}", before, command)) from error

    def _check_restores(self, state: bytes) -> None:
        machine = self._machine_type()
        try:
            machine.restore(loaded(state))
        except Exception as error:
            raise FaultFound(Fault(f"restore() fails on a snapshot: {error!r}", loaded(state), None)) from error
        again = self._snapshot(machine, state, None)
        if self.canonical(again) != self.canonical(state):
            what = f"restoring the snapshot {loaded(state)!r} gives a machine with another: {loaded(again)!r}"
            raise FaultFound(Fault(what, loaded(state), None))


def loaded(state: bytes) -> JSON:
    """A state, or any JSON, from its bytes."""
    value: JSON = orjson.loads(state)
    return value


def _sorted(value: JSON) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _key(outcome: Outcome) -> bytes:
    """Bytes equal for equal outcomes, telling True from 1, which ``==`` does not."""
    return _sorted(outcome.to_json())


def _object(value: JSON) -> dict[str, JSON]:
    assert isinstance(value, dict)
    return value
