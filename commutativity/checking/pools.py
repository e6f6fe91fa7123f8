"""Values that a program accepts: where it refuses the usual small ones, nothing would be tried but its refusals.

Names may have to be long, addresses to hold an ``@``, amounts to be at least ten. Each pool is tried in turn, on a new
machine.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, Final

from commutativity.checking.harvest import Harvest
from commutativity.checking.pairs import footprint_of
from commutativity.checking.scope import SmallValues
from commutativity.checking.trial import Trials
from commutativity.command import Command
from commutativity.machine import Machine

TEXTS: Final[tuple[Callable[[int], str], ...]] = (
    lambda n: "abcdefghij"[n] if n < 10 else f"n{n}",
    lambda n: f"name{n}",
    lambda n: f"longername{n}",
    lambda n: f"name{n}@example.org",
    lambda n: str(n + 1),
    lambda n: f"/dir{n}/file{n}",
    lambda n: f"NAME{n}",
    lambda n: f"https://host{n}.example.org/page",
    lambda n: f"2024-01-{n % 28 + 1:02}",
    lambda n: f"00000000-0000-4000-8000-{n:012x}",
    lambda n: f"a long name of many characters, the {n}th",
    lambda n: f"name{n}:part{n}",
)
INTEGERS: Final = (
    (0, 1, 2, -1),
    (10, 20, 30, 40),
    (100, 200, 300, 400),
    (1_000, 2_000, 3_000, 4_000),
    (-1, -2, -3, -4),
)


def accepted(machine_type: type[Machine], trials: Trials, harvested: Harvest) -> dict[type, tuple[Any, ...]]:
    """Values in place of the usual ones, by type, with which most operations answer something other than an error on
    a new machine; empty where no others do better than the usual."""
    texts = [tuple(text(n) for n in range(2)) for text in TEXTS]
    own = harvested.names()
    texts += [own[i : i + 2] for i in range(min(len(own) - 1, 8))]
    integers = [*INTEGERS, *((n, n + 1, 2 * n, n - 1) for n in harvested.limits())]
    best, chosen = -1, (texts[0], integers[0])
    for text, integer in itertools.product(texts, integers):
        trials.clock.check()
        answered = _answered(SmallValues(machine_type, 1_000, {str: text, int: integer}), trials)
        if answered > best:
            best, chosen = answered, (text, integer)
        if best == len(machine_type.operations):
            break
    usual = {str: texts[0], int: integers[0]}
    return {of: values for of, values in ((str, chosen[0]), (int, chosen[1])) if values != usual[of]}


def _answered(small: SmallValues, trials: Trials) -> int:
    """How many operations answer something other than an error."""
    commands: list[Command[Any]] = [
        Command(made.name, small.plain(made)) for made in small.machine_type.operations.values()
    ]
    return sum(
        footprint_of(small.machine_type, command) is not None and trials.apply(trials.initial, command)[0].error is None
        for command in commands
    )
