"""The part of a check that runs the same commands in several processes with different hash seeds.

In one process, a set of text gives its elements in one order every time; on another replica it gives them in another.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any, Final

import orjson

from commutativity import definitions, travel
from commutativity.clock import Clock
from commutativity.fault import Fault, FaultFound, Kind
from commutativity.harvest import harvest
from commutativity.lives import Answers, Lives, Sequence
from commutativity.machine import Machine
from commutativity.statics import Statics
from commutativity.trial import Trials

SEEDS: Final = ("1", "2", "3")
LENGTH_MAX: Final = 50
SECONDS_MAX: Final = 60.0
_SCRIPT: Final = "from commutativity.seeds import child; child()"


class NotTried(Exception):  # noqa: N818  # what it says of the check
    """The processes could not be run; the text says why."""


def compare(machine_type: type[Machine], sequences: list[Sequence], initial: Any) -> Fault | None:
    """What differs between the processes. Raises :class:`NotTried`."""
    try:
        place = definitions.described(machine_type)
    except definitions.NotFound as reason:
        raise NotTried(str(reason)) from None
    sequences = [sequence for sequence in sequences if len(sequence) <= LENGTH_MAX]
    commands = [[travel.sent(command).decode() for command in sequence] for sequence in sequences]
    question = orjson.dumps(
        {"place": place, "path": sys.path, "rules": machine_type.fingerprint_text(), "sequences": commands}
    )
    answers = _ask(question)
    for sequence, one, *others in zip(sequences, *answers, strict=True):
        for step, (first, *rest) in enumerate(zip(one, *others, strict=True)):
            second = next((answer for answer in rest if answer != first), None)
            if second is not None:
                seed = SEEDS[1 + rest.index(second)]
                state = travel.decoded(one[step - 1][1].encode()) if step else initial
                what = (
                    f"with PYTHONHASHSEED={SEEDS[0]} the outcome is {first[0]} and the state {first[1]}; "
                    f"with PYTHONHASHSEED={seed} the outcome is {second[0]} and the state {second[1]}"
                )
                return Fault(what, state, sequence[step], Kind.HASH_SEED, sequence[:step])
    return None


def _ask(question: bytes) -> list[list[list[list[str]]]]:
    """The processes' outcomes and states, per sequence and step."""
    children = []
    try:
        for seed in SEEDS:
            paths = os.pathsep.join(os.path.abspath(path) for path in sys.path)
            children.append(
                subprocess.Popen(
                    [sys.executable, "-c", _SCRIPT],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": paths},
                )
            )
        return [_answer(child, question) for child in children]
    except OSError as error:
        raise NotTried(f"no process could be started: {error}") from None
    finally:
        for child in children:
            child.kill()
            child.communicate()


def _answer(child: subprocess.Popen[bytes], question: bytes) -> list[list[list[str]]]:
    try:
        told, said = child.communicate(question, timeout=SECONDS_MAX)
    except subprocess.TimeoutExpired:
        raise NotTried(f"a process did not end within {SECONDS_MAX:g} s") from None
    if child.returncode:
        lines = said.decode(errors="replace").strip().splitlines() or [f"exit status {child.returncode}"]
        raise NotTried(lines[-1])
    answer: list[list[list[str]]] = orjson.loads(told)
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
        trials = Trials(machine_type, Clock(SECONDS_MAX), Statics(harvest(machine_type)))
        lives = Lives(machine_type, trials, lambda *_: None)
    except (definitions.NotFound, FaultFound) as reason:
        sys.exit(str(reason))
    answer.write(orjson.dumps([_told(lives, sequence) for sequence in question["sequences"]]))
    answer.flush()


def _told(lives: Lives, sequence: list[str]) -> list[list[str]]:
    commands: Sequence = tuple(travel.received(command.encode()) for command in sequence)
    try:
        answers: Answers = lives.answers(commands)
    except FaultFound as ended:
        return [["", str(ended)]] * len(commands)
    return [[outcome.decode(), state.decode()] for outcome, state in answers]
