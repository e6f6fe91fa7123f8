"""The part of a check that lets machines live on: does a machine that has run for a while answer as one does that was
just restored from its snapshot?

A replica restores its machine rarely and then goes on; the other parts restore one for every command.
"""

from __future__ import annotations

import random
from typing import Any, Final, TypeAlias

from commutativity.checking import travel
from commutativity.checking.fault import Fault, FaultFound, Kind
from commutativity.checking.outside import Watch
from commutativity.checking.statics import written
from commutativity.checking.survey import Progress
from commutativity.checking.travel import decoded
from commutativity.checking.trial import Outcome, Trials, told
from commutativity.command import Command
from commutativity.machine import Machine

Sequence: TypeAlias = tuple[Command[Any], ...]
Answers: TypeAlias = list[tuple[bytes, bytes]]

DRAWN: Final = 40
DRAWN_LENGTH: Final = 16
NAMED_MAX: Final = 20


def sequences(few: Sequence, many: Sequence, fills: list[Sequence], repeated: int, seed: int) -> list[Sequence]:
    """Commands to run one after another: every two of ``few``; each many times, then all; ``many`` in turn; drawn."""
    chosen = few[:NAMED_MAX]
    made: list[Sequence] = [(one, two) for one in chosen for two in chosen]
    made += [(*([one] * repeated), *chosen) for one in chosen]
    made += [(*fill, *chosen) for fill in fills]
    made += [many[i : i + DRAWN_LENGTH] for i in range(0, len(many), DRAWN_LENGTH)]
    draw = random.Random(seed)
    return made + [tuple(draw.choices(many, k=DRAWN_LENGTH)) for _ in range(DRAWN if many else 0)]


class Lives:
    """Runs sequences on machines that live on. Raises :class:`FaultFound`."""

    def __init__(self, machine_type: type[Machine], trials: Trials, progress: Progress) -> None:
        self._machine_type = machine_type
        self._trials = trials
        self._progress = progress
        self.warnings: list[str] = []
        self.done = 0

    def run(self, chosen: list[Sequence]) -> None:
        """All sequences, then all of them again: the second time must be as the first."""
        self._watch({repr(command): command for sequence in chosen for command in sequence[:2]})
        before: list[Answers] = []
        for count, sequence in enumerate((*chosen, *chosen)):
            self._progress("machines that live on", count, 2 * len(chosen))
            answers = self._live(sequence)
            if count < len(chosen):
                before.append(answers)
            elif before[count - len(chosen)] != answers:
                raise FaultFound(self._unrepeated(sequence, before[count - len(chosen)], answers))
            self.done = count // 2
        self._progress("machines that live on", 2 * len(chosen), 2 * len(chosen))
        if changed := self._trials.statics.changed():
            self.warnings.append(
                f"operations change {', '.join(changed)}, which all machines of a process share; no result was seen "
                "to depend on it"
            )

    def answers(self, sequence: Sequence) -> Answers:
        """The outcomes and the canonical snapshots of a sequence, on one machine."""
        machine, state, answers = self._machine_type(), self._trials.initial, []
        for command in sequence:
            self._trials.clock.check()
            outcome, state = self._trials.answered(machine, state, command)
            if outcome.undeclared:
                machine = self._trials.restored(state)
            answers.append((outcome.key, self._trials.canonical(state)))
        return answers

    def _watch(self, commands: dict[str, Command[Any]]) -> None:
        """Notice what each command reads outside the machine."""
        for command in commands.values():
            self._trials.clock.check()
            machine = self._trials.restored(self._trials.initial)
            with Watch() as watch:
                self._trials.answered(machine, self._trials.initial, command)
            if watch.seen:
                what = f"it asks {', '.join(watch.seen)}"
                self._trials.note(Fault(what, decoded(self._trials.initial), command, Kind.OUTSIDE))

    def _live(self, sequence: Sequence) -> Answers:
        """The outcomes and snapshots of a sequence, each step compared with a machine restored for it."""
        trials, machine = self._trials, self._machine_type()
        state, answers = trials.initial, []
        for place, command in enumerate(sequence):
            trials.clock.check()
            held = machine.snapshot()
            outcome, after = trials.answered(machine, state, command)
            self._check_alias(held, state, command)
            restored = trials.step(state, command)
            if outcome.key != restored[0].key or trials.canonical(after) != trials.canonical(restored[1]):
                raise FaultFound(self._missed(machine, sequence[: place + 1], state, (outcome, after), restored))
            if outcome.undeclared:
                machine = trials.restored(state)
            state = after
            answers.append((outcome.key, trials.canonical(state)))
        self._check_alias_of_restored(machine, state)
        trials.check_restores(trials.initial, machine)
        return answers

    def _check_alias(self, held: Any, state: bytes, command: Command[Any]) -> None:
        """A snapshot taken before a command must still be what it was."""
        if not self._is(held, state):
            what = "a snapshot taken before it changes with the machine"
            self._trials.note(Fault(what, decoded(state), command, Kind.ALIASED))

    def _check_alias_of_restored(self, machine: Machine, state: bytes) -> None:
        """Changing a snapshot must not change the machine."""
        _spoil(machine.snapshot())
        try:
            unharmed = self._is(machine.snapshot(), state)
        except Exception:
            unharmed = False
        if not unharmed:
            what = f"changing what snapshot() gave changes the machine, in the state {told(state)}"
            self._trials.note(Fault(what, decoded(state), None, Kind.ALIASED))

    def _is(self, snapshot: Any, state: bytes) -> bool:
        try:
            return self._trials.canonical(travel.state(snapshot)) == self._trials.canonical(state)
        except travel.CannotTravel:
            return False

    def _missed(
        self,
        machine: Machine,
        commands: Sequence,
        state: bytes,
        living: tuple[Outcome, bytes],
        restored: tuple[Outcome, bytes],
    ) -> Fault:
        what = (
            f"on a machine that has run on it {living[0]} and leaves {told(living[1])}; on one restored from the "
            f"snapshot it {restored[0]} and leaves {told(restored[1])}"
        )
        with self._trials.clock.stopped():
            again = self.answers(commands)[-1]
        if self._trials.statics.changed() or again != (living[0].key, self._trials.canonical(living[1])):
            return self._trials.by_chance(what, state, commands[-1], commands[:-1])
        other = vars(self._trials.restored(state))
        differing = [n for n, v in vars(machine).items() if n not in other or written(other[n]) != written(v)]
        what += f". Attributes that differ between the two: {', '.join(differing)}" if differing else ""
        reordered = _unordered(living) == _unordered(restored)
        kind = Kind.HASH_SEED if reordered and not differing else Kind.MISSED
        return Fault(what, decoded(state), commands[-1], kind, commands[:-1])

    def _unrepeated(self, sequence: Sequence, one: Answers, two: Answers) -> Fault:
        place = next(i for i, (a, b) in enumerate(zip(one, two, strict=True)) if a != b)
        state = one[place - 1][1] if place else self._trials.initial
        what = (
            f"on one new machine the outcome is {one[place][0].decode()} and the state {one[place][1].decode()}; "
            f"the same commands on another give {two[place][0].decode()} and {two[place][1].decode()}"
        )
        return self._trials.by_chance(what, state, sequence[place], sequence[:place])


def _unordered(answer: tuple[Outcome, bytes]) -> str:
    """Equal where answers differ in nothing but the order of lists' elements."""
    return repr((_sorted(answer[0].value), answer[0].error, _sorted(decoded(answer[1]))))


def _sorted(value: Any) -> Any:
    if isinstance(value, list):
        return sorted((_sorted(item) for item in value), key=repr)
    if isinstance(value, dict):
        return sorted((key, _sorted(item)) for key, item in value.items())
    return value


def _spoil(value: Any) -> None:
    """Change every list and dict in a value."""
    if isinstance(value, dict):
        for item in list(value.values()):
            _spoil(item)
        value.clear()
    elif isinstance(value, list):
        for item in value:
            _spoil(item)
        value.append("changed")
