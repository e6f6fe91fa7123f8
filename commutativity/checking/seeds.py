"""The part of a check that runs the same commands in several processes with different hash seeds.

In one process, a set of text gives its elements in one order every time; on another replica it gives them in another.
One process runs the sequences last to first: what is kept outside the machines, in a cache say, is then filled in
another order. Footprints are compared too, also with those after all was run.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from typing import Any, Final, TypeAlias

import orjson

from commutativity.checking import definitions, travel
from commutativity.checking.clock import Clock, OutOfTime
from commutativity.checking.fault import Fault, FaultFound, Kind
from commutativity.checking.harvest import harvest
from commutativity.checking.lives import Answers, Lives, Sequence
from commutativity.checking.pairs import footprint_of
from commutativity.checking.statics import Statics
from commutativity.checking.trial import Trials
from commutativity.command import Command
from commutativity.machine import Machine

SEEDS: Final = ("1", "2", "3")
LENGTH_MAX: Final = 50
SECONDS_MAX: Final = 60.0
Told: TypeAlias = dict[str, Any]
"""What a process tells: the footprints ``before`` and ``after``, and the ``answers`` per sequence and step."""
_SCRIPT: Final = "from commutativity.checking.seeds import child; child()"


class NotTried(Exception):  # noqa: N818  # what it says of the check
    """The processes could not be run; the text says why."""


def compare(machine_type: type[Machine], sequences: list[Sequence], initial: Any, seconds_max: float) -> Fault | None:
    """What differs between the processes, which take ``seconds_max`` at most. Raises :class:`NotTried`."""
    if seconds_max <= 0:
        raise NotTried("no time was left (--seconds)")
    try:
        place = definitions.described(machine_type)
    except definitions.NotFound as reason:
        raise NotTried(str(reason)) from None
    seconds_max = min(seconds_max, SECONDS_MAX)
    chosen = [sequence for sequence in sequences if len(sequence) <= LENGTH_MAX]
    commands = {travel.sent(command).decode(): command for sequence in chosen for command in sequence}
    question = {
        "place": place,
        "path": sys.path,
        "rules": machine_type.fingerprint_text(),
        "commands": list(commands),
        "sequences": [[travel.sent(command).decode() for command in sequence] for sequence in chosen],
        "seconds": seconds_max,
    }
    one, two, last = _ask(question, [(SEEDS[0], False), (SEEDS[1], False), (SEEDS[2], True)], seconds_max)
    found = _footprints(list(commands.values()), one, two) or _answers(chosen, initial, one, two, Kind.HASH_SEED)
    if found is not None or one["answers"] == last["answers"]:
        return found
    # Was it the seed, or the order in which the sequences were run?
    (same,) = _ask(question, [(SEEDS[2], False)], seconds_max)
    last["seed"] = f"{SEEDS[2]}, in a process that had run other commands before,"
    return _answers(chosen, initial, one, same, Kind.HASH_SEED) or _answers(chosen, initial, one, last, Kind.SHARED)


def _footprints(commands: list[Command[Any]], one: Told, two: Told) -> Fault | None:
    """What differs between the footprints before and after all commands were run, and between two processes."""
    for told, of, what in (
        (one, "after", "before any command ran it touches {}, and in the same process after others did it touches {}"),
        (two, "before", f"with PYTHONHASHSEED={SEEDS[0]} it touches {{}}, and with PYTHONHASHSEED={SEEDS[1]} {{}}"),
    ):
        for command, before, other in zip(commands, one["before"], told[of], strict=True):
            if before != other:
                return Fault(what.format(before, other), None, command, Kind.FOOTPRINT)
    return None


def _answers(sequences: list[Sequence], initial: Any, one: Told, two: Told, kind: Kind) -> Fault | None:
    """The first step that two processes answer differently."""
    for sequence, firsts, seconds in zip(sequences, one["answers"], two["answers"], strict=True):
        for step, (first, second) in enumerate(zip(firsts, seconds, strict=True)):
            if first != second:
                state = travel.decoded(firsts[step - 1][1].encode()) if step else initial
                what = (
                    f"with PYTHONHASHSEED={one['seed']} the outcome is {first[0]} and the state {first[1]}; "
                    f"with PYTHONHASHSEED={two['seed']} the outcome is {second[0]} and the state {second[1]}"
                )
                return Fault(what, state, sequence[step], kind, sequence[:step])
    return None


def _ask(question: dict[str, Any], asked: list[tuple[str, bool]], seconds_max: float) -> list[Told]:
    """What processes tell, each with a seed; where the second is true, the sequences are run last to first."""
    children: list[subprocess.Popen[bytes]] = []
    paths = os.pathsep.join(os.path.abspath(path) for path in sys.path)
    end_s = time.monotonic() + seconds_max
    try:
        for seed, _ in asked:
            children.append(
                subprocess.Popen(
                    [sys.executable, "-c", _SCRIPT],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": paths},
                )
            )
        for process, (_, backwards) in zip(children, asked, strict=True):
            _tell(process, orjson.dumps({**question, "backwards": backwards}))
        return [
            {**_answer(process, max(0.0, end_s - time.monotonic())), "seed": seed}
            for process, (seed, _) in zip(children, asked, strict=True)
        ]
    except OSError as error:
        raise NotTried(f"no process could be started: {error}") from None
    finally:
        for process in children:
            process.kill()
            process.communicate()


def _tell(process: subprocess.Popen[bytes], question: bytes) -> None:
    """Give a process its question, which it reads to the end before it says anything."""
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):  # its exit status says why
        process.stdin.write(question)
        process.stdin.close()
    process.stdin = None


def _answer(process: subprocess.Popen[bytes], seconds: float) -> Told:
    try:
        told, said = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        raise NotTried("a process did not end in time (--seconds)") from None
    if process.returncode:
        lines = said.decode(errors="replace").strip().splitlines() or [f"exit status {process.returncode}"]
        raise NotTried(lines[-1])
    answer: Told = orjson.loads(told)
    return answer


def child() -> None:
    """What such a process does: read a question from standard input, and print the answer."""
    question = orjson.loads(sys.stdin.buffer.read())
    answer, sys.stdout = sys.stdout.buffer, sys.stderr  # what the program prints is no answer
    sys.path[:] = question["path"]
    try:
        machine_type = definitions.found(question["place"])
        if machine_type.fingerprint_text() != question["rules"]:
            raise definitions.NotFound(f"{machine_type.__qualname__} has other rules when it is defined again")
        before = _touched(machine_type, question["commands"])
        trials = Trials(machine_type, Clock(question["seconds"]), Statics(harvest(machine_type)))
        lives = Lives(machine_type, trials, lambda *_: None)
        sequences = question["sequences"]
        order = range(len(sequences))[:: -1 if question["backwards"] else 1]
        answers = {place: _told(lives, sequences[place]) for place in order}
    except (definitions.NotFound, FaultFound) as reason:
        sys.exit(str(reason))
    except OutOfTime:
        sys.exit("a process did not end in time (--seconds)")
    told = {
        "before": before,
        "after": _touched(machine_type, question["commands"]),
        "answers": [answers[place] for place in range(len(sequences))],
    }
    answer.write(orjson.dumps(told))
    answer.flush()


def _touched(machine_type: type[Machine], commands: list[str]) -> list[str]:
    """The footprint of each command, as text."""
    return [str(footprint_of(machine_type, travel.received(command.encode()))) for command in commands]


def _told(lives: Lives, sequence: list[str]) -> list[list[str]]:
    commands: Sequence = tuple(travel.received(command.encode()) for command in sequence)
    try:
        answers: Answers = lives.answers(commands)
    except FaultFound as ended:
        return [["", str(ended)]] * len(commands)
    return [[outcome.decode(), state.decode()] for outcome, state in answers]
