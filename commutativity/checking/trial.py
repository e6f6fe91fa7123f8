"""Running two commands in both orders and comparing the states *and each command's own result*.

(FrankenPaxos's notion of interference: over state and outputs.) States are kept as JSON bytes, so that every run starts
from a machine of its own, restored as a replica would.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from commutativity.checking import travel
from commutativity.checking.clock import OPERATION_SECONDS_MAX, Clock, TooLong
from commutativity.checking.fault import Fault, FaultFound, Kind, brief, said
from commutativity.checking.statics import Statics
from commutativity.checking.travel import canonical, decoded, shallow
from commutativity.command import JSON, Command, OperationError, UnrepresentableResult
from commutativity.machine import Machine

REMEMBERED_MAX: Final = 20_000
"""Steps that are remembered at a time."""
FOLLOWED_MAX: Final = 16
"""Pairs of states that differ in nothing but the order of keys, and are followed further."""
ALL_OBSERVE: Final = 8
"""From each state, so many such pairs are shown to all observers."""
THREE_OBSERVE: Final = 40
"""Then, up to so many, to three of each operation, and all others to one."""
FAILED: Final = "genpaxos.OperationFailed"
"""The code under which a client gets an exception that was not declared."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """An operation's result as its client gets it: a value, or an error."""

    value: JSON = None
    error: tuple[str, str] | None = None
    """The error's code and message."""
    fields: JSON = None
    """The error's other attributes."""
    fault: Fault | None = field(default=None, compare=False, repr=False)
    """What is wrong with it: an undeclared exception, or a result that cannot travel."""

    def __str__(self) -> str:
        return f"raises {self.error[0]}: {self.error[1]}" if self.error else f"returns {self.value!r}"

    def to_json(self) -> JSON:
        if self.error:
            told: dict[str, JSON] = {"code": self.error[0], "message": self.error[1]}
            return {"error": told | ({"fields": self.fields} if self.fields else {})}
        return {"value": self.value}

    @property
    def undeclared(self) -> bool:
        """Whether an exception came that was not declared, so that the command has no effect."""
        return self.error is not None and self.error[0] == FAILED

    @property
    def key(self) -> bytes:
        """Bytes equal for equal outcomes, telling True from 1, which ``==`` does not.

        The text of an undeclared exception may hold addresses: only its type counts.
        """
        if self.error and self.undeclared:
            return f"{FAILED} {self.error[1].partition(': ')[0]}".encode()
        return canonical(self.to_json())


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
        return {"steps": steps, "state": shallow(self.state)}


@dataclass(frozen=True, slots=True)
class Difference:
    """Two commands whose order shows: from ``state``, reached by ``path``, the two ``runs`` differ.

    ``observer`` is a third command, needed when the final states differ only in the order of a dict's keys: it is run
    last and its result tells them apart.
    """

    state: JSON
    path: tuple[Command[Any], ...]
    first: Command[Any]
    second: Command[Any]
    runs: tuple[Run, Run]
    observer: Command[Any] | None = None
    between: tuple[Command[Any], ...] = ()
    """What is run before the observer, where one command alone tells nothing."""

    def differing(self) -> list[str]:
        """What differs, in words."""
        one, two = self.runs
        pairs = [(one.outcomes[0], two.outcomes[1]), (one.outcomes[1], two.outcomes[0])]
        lines = []
        for label, (a, b) in zip(one.labels, pairs, strict=False):
            if a.key != b.key:
                lines.append(f"{label} {a} in one order, but {b} in the other")
        if self.observer is not None:
            seen, other = (
                (str(run.outcomes[-1]) if one.outcomes[-1].key != two.outcomes[-1].key else f"leaves {run.state!r}")
                for run in self.runs
            )
            lines.append(
                f"{self.observer!r} afterwards {seen}, but {other} in the other order: "
                "it depends on the order of a dict's keys"
            )
        elif canonical(one.state) != canonical(two.state):
            lines.append(f"the state becomes {one.state!r} in one order, but {two.state!r} in the other")
        return lines

    def to_json(self) -> JSON:
        return {
            "state": shallow(self.state),
            "path": [repr(command) for command in self.path],
            "first": repr(self.first),
            "second": repr(self.second),
            "between": [repr(command) for command in self.between],
            "observer": None if self.observer is None else repr(self.observer),
            "runs": [run.to_json() for run in self.runs],
            "differing": list(self.differing()),
        }


class Trials:
    """Runs of one machine type, remembered by state and command. Raises :class:`FaultFound` at a fault after which
    no result can be trusted; the others are kept in ``noted``, the first of each kind and operation.

    ``observers``, which may be set once the scope is known, are the commands that can tell apart states that differ
    only in the order of a dict's keys, and ``followers`` sequences that can. ``count`` pairs were tried in both orders.
    """

    def __init__(self, machine_type: type[Machine], clock: Clock, statics: Statics) -> None:
        self._machine_type = machine_type
        self.statics = statics
        self.clock = clock
        self.count = 0
        self.careful = True
        self.noted: dict[tuple[Kind, str], Fault] = {}
        self._steps: dict[tuple[bytes, bytes], tuple[Outcome, bytes]] = {}
        self._canonical: dict[bytes, bytes] = {}
        self._restored: set[bytes] = set()
        self.observers: tuple[Command[Any], ...] = ()
        self.followers: list[tuple[Command[Any], ...]] = []
        self._told: dict[tuple[bytes, bytes], tuple[Command[Any], ...]] = {}
        self._observed_from: Counter[bytes] = Counter()
        self._few: dict[int, tuple[tuple[Command[Any], ...], tuple[Command[Any], ...]]] = {}
        self.initial = self._snapshot(machine_type(), None, None)
        if self.canonical(self._snapshot(machine_type(), None, None)) != self.canonical(self.initial):
            raise FaultFound(Fault("two new machines differ: __init__ must be deterministic", None, None))
        self.check_restores(self.initial)

    def step(self, state: bytes, command: Command[Any]) -> tuple[Outcome, bytes]:
        """The outcome and the next state of one command. While ``careful``, run twice, to see that it is
        deterministic."""
        key = (state, travel.sent(command))
        if key not in self._steps:
            self.clock.check()
            self._bound_memory()
            once = self.apply(state, command)
            again = self.apply(state, command) if self.careful else once
            if again is not once and not self._same(once, again):
                what = (
                    f"not deterministic: it {once[0]} and leaves {told(once[1])}, then, from the same state, "
                    f"{again[0]} and leaves {told(again[1])}"
                )
                raise FaultFound(self.by_chance(what, state, command))
            self.check_restores(once[1])
            self._steps[key] = once
        return self._steps[key]

    def observed(self, state: bytes, command: Command[Any]) -> tuple[Outcome, bytes]:
        """:meth:`step`, run once and not remembered: the answer tells two states apart, and is no state to go on
        from."""
        known = self._steps.get((state, travel.sent(command)))
        if known is None:
            self.clock.check()
            known = self.apply(state, command)
        return known

    def _bound_memory(self) -> None:
        """Forget what can be computed again."""
        if len(self._steps) > REMEMBERED_MAX:
            self._steps.clear()
            self._canonical.clear()
            self._restored.clear()

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
        *,
        observe: bool = True,
    ) -> Difference | None:
        """How the order of two commands shows from a state; ``None`` when it does not.

        States that differ in nothing but the order of their dicts' keys are equal JSON; they count as equal
        unless one of :attr:`observers` tells them apart, or at once where these are not to ``observe``.
        """
        self.clock.check()
        self.count += 1
        one, one_state = self.run(state, first, second)
        two, two_state = self.run(state, second, first)
        equal = one[0].key == two[1].key and one[1].key == two[0].key
        observers: tuple[Command[Any], ...] = ()
        if equal and self.canonical(one_state) == self.canonical(two_state):
            if one_state == two_state or not observe:
                return None
            observers = self._telling(state, one_state, two_state)
            if not observers:
                return None
        with self.clock.stopped():
            return self._described(state, path, first, second, observers)

    def canonical(self, state: bytes) -> bytes:
        """The state with the keys of every dict sorted: equal for equal JSON."""
        found = self._canonical.get(state)
        if found is None:
            found = self._canonical[state] = canonical(decoded(state))
        return found

    def note(self, fault: Fault) -> None:
        """Keep a fault for the report; of each kind and operation the first."""
        self.noted.setdefault((fault.kind, fault.command.operation if fault.command else ""), fault)

    def by_chance(self, what: str, state: bytes, command: Command[Any], path: tuple[Command[Any], ...] = ()) -> Fault:
        """The fault of a command that answers differently from one state: by what changed outside, or by chance."""
        if changed := self.statics.changed():
            return Fault(f"{what}. Meanwhile {', '.join(changed)} changed", decoded(state), command, Kind.SHARED, path)
        return Fault(what, decoded(state), command, Kind.CHANCE, path)

    def forget(self, kept: set[tuple[Kind, str]]) -> None:
        """Drop the faults noted since ``kept``; a smaller case of the same is to be noted."""
        self.noted = {key: fault for key, fault in self.noted.items() if key in kept}

    def answered(self, machine: Machine, state: bytes, command: Command[Any]) -> tuple[Outcome, bytes]:
        """Run a command on a machine that is in ``state``, as a replica would: the outcome, and the state after.

        An exception that is not declared is noted. It has no effect, so the state after it is the one before; the
        machine may be anywhere, and must not be used again.
        """
        arguments = travel.arguments_of(command)
        self.clock.start_operation()
        try:
            value = machine.apply(command.operation, arguments)
            self.clock.end_operation()
        except TooLong:
            what = f"it does not end within {OPERATION_SECONDS_MAX:g} s"
            raise FaultFound(Fault(what, decoded(state), command, Kind.ENDLESS)) from None
        except UnrepresentableResult as error:
            self.clock.end_operation()
            outcome = self._untravelled(error.message, state, command)
        except OperationError as error:
            self.clock.end_operation()
            outcome = self._declared(error, state, command)
        except BaseException as error:  # sys.exit() too: replicas take it for a failure like others
            if self.clock.interrupted:
                raise
            self.clock.end_operation()
            kind, text = type(error), said(error)
            what = f"raises {kind.__name__}: {text}" if text else f"raises {kind.__name__}"
            fault = Fault(what, decoded(state), command, Kind.UNDECLARED)
            self.note(fault)
            return Outcome(error=(FAILED, f"{kind.__module__}.{kind.__qualname__}: {text}"), fault=fault), state
        else:
            outcome = self._returned(value, state, command)
        return outcome, self._snapshot(machine, state, command)

    def apply(self, state: bytes, command: Command[Any]) -> tuple[Outcome, bytes]:
        """Run a command on a new machine that is put in ``state``."""
        return self.answered(self.restored(state), state, command)

    def restored(self, state: bytes) -> Machine:
        """A new machine in a state."""
        machine = self._machine_type()
        self._restore(machine, state)
        return machine

    def check_restores(self, state: bytes, machine: Machine | None = None) -> None:
        """See that the state comes back from its snapshot, on ``machine`` (default: a new one)."""
        if machine is None:
            if state in self._restored:
                return
            self._restored.add(state)
        used = machine or self._machine_type()
        self._restore(used, state)
        again = self._snapshot(used, state, None)
        if self.canonical(again) != self.canonical(state):
            which = "a machine" if machine is None else "a machine that has run before"
            what = f"restoring the snapshot {told(state)} gives {which} with another: {told(again)}"
            raise FaultFound(Fault(what, decoded(state), None, Kind.RESTORE))

    def _restore(self, machine: Machine, state: bytes) -> None:
        try:
            machine.restore(decoded(state))
        except Exception as error:
            what = f"restore() fails on the snapshot {told(state)}: {type(error).__name__}: {said(error)}"
            raise FaultFound(Fault(what, decoded(state), None, Kind.RESTORE)) from error

    def _declared(self, error: OperationError, state: bytes, command: Command[Any]) -> Outcome:
        try:
            code, message, fields = travel.error(error)
        except travel.CannotTravel as wrong:
            return self._untravelled(f"it raises {error!r}, which no client can be sent ({wrong})", state, command)
        return Outcome(error=(code, message), fields=fields)

    def _returned(self, value: Any, state: bytes, command: Command[Any]) -> Outcome:
        try:
            return Outcome(travel.result(value))
        except travel.CannotTravel as wrong:
            return self._untravelled(f"its result {brief(value, 200)} is not JSON ({wrong})", state, command)

    def _untravelled(self, what: str, state: bytes, command: Command[Any]) -> Outcome:
        fault = Fault(what, decoded(state), command, Kind.RESULT)
        self.note(fault)
        return Outcome(error=("UnrepresentableResult", ""), fault=fault)

    def _snapshot(self, machine: Machine, state: bytes | None, command: Command[Any] | None) -> bytes:
        try:
            return travel.state(machine.snapshot())
        except Exception as error:
            before = None if state is None else decoded(state)
            raise FaultFound(Fault(f"snapshot() fails: {said(error)}", before, command, Kind.SNAPSHOT)) from error

    def _telling(self, start: bytes, one: bytes, two: bytes) -> tuple[Command[Any], ...]:
        """The first observer that two states answer differently, or commands that lead to such an answer; else
        nothing. ``start`` is the state from which both were reached."""
        key = (min(one, two), max(one, two))
        if key not in self._told:
            follow = self.followers if len(self._told) < FOLLOWED_MAX else []
            count = self._observed_from[start]
            self._observed_from[start] += 1
            observers = (
                self.observers if count < ALL_OBSERVE else self._few_observers(3 if count < THREE_OBSERVE else 1)
            )
            chosen = (self._followed(one, two, commands) for commands in (*((c,) for c in observers), *follow))
            self._told[key] = next((found for found in chosen if found), ())
        return self._told[key]

    def _few_observers(self, count: int) -> tuple[Command[Any], ...]:
        """So many commands of each operation: what iterates over a dict does so whatever its arguments."""
        observers, few = self._few.get(count, ((), ()))
        if observers is not self.observers:
            by_operation: dict[str, list[Command[Any]]] = {}
            for command in self.observers:
                by_operation.setdefault(command.operation, []).append(command)
            spread = (c for each in by_operation.values() for c in each[-1 :: -max(1, len(each) // count)][:count])
            few = tuple(spread)
            self._few[count] = self.observers, few
        return few

    def _followed(self, one: bytes, two: bytes, commands: tuple[Command[Any], ...]) -> tuple[Command[Any], ...]:
        """The commands up to the one that two states answer differently; nothing if there is none."""
        for count, command in enumerate(commands, 1):
            a, b = self.observed(one, command), self.observed(two, command)
            if not self._same(a, b):
                return commands[:count]
            one, two = a[1], b[1]
        return ()

    def _described(
        self,
        state: bytes,
        path: tuple[Command[Any], ...],
        first: Command[Any],
        second: Command[Any],
        observers: tuple[Command[Any], ...],
    ) -> Difference:
        numbers = (" #1", " #2") if first == second else ("", "")
        pair = [(first, f"{first!r}{numbers[0]}"), (second, f"{second!r}{numbers[1]}")]
        last = [(command, repr(command)) for command in observers]
        observer = observers[-1] if observers else None
        runs = []
        for order in ([*pair, *last], [*reversed(pair), *last]):
            commands, labels = zip(*order, strict=True)
            outcomes, after = self.run(state, *commands)
            runs.append(Run(commands, labels, tuple(outcomes), decoded(after)))
        return Difference(decoded(state), path, first, second, (runs[0], runs[1]), observer, observers[:-1])

    def _same(self, one: tuple[Outcome, bytes], two: tuple[Outcome, bytes]) -> bool:
        return one[0].key == two[0].key and self.canonical(one[1]) == self.canonical(two[1])


def told(state: bytes) -> str:
    """A state as text, cut off where it is very long."""
    return brief(decoded(state), 400)


def _object(value: JSON) -> dict[str, JSON]:
    assert isinstance(value, dict)
    return value
