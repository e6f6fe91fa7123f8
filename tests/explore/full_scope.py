"""The larger scopes, for an hour rather than for seconds: ``make explore``, or with other times and processes

``python -m tests.explore.full_scope --minutes 20 --workers 1``

First the scopes that are complete within minutes, one after another; what is left of the time is divided among the
others. A table at the end; a violation, or a scope of the first kind that is not finished, is a failure.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from typing import Any

from rich.console import Console
from rich.table import Table

from genpaxos.core.ballot import FastQuorums, Policy
from genpaxos.explore import Exploration, Scope, Votes, explore
from genpaxos.view.exploration import ExplorationView, StateCounter

LEADER: dict[str, Any] = {"policy": Policy.LEADER_ORDERED}
ANY: dict[str, Any] = {**LEADER, "fast": FastQuorums.ANY}
CLASSIC: dict[str, Any] = {"policy": Policy.CLASSIC}
COORDINATED: dict[str, Any] = {"policy": Policy.COORDINATED}
UNCOORDINATED: dict[str, Any] = {"policy": Policy.UNCOORDINATED}

COMPLETE: dict[str, dict[str, Any]] = {
    "classic": CLASSIC,
    "classic, one decree at a time": {**CLASSIC, "chunk": 1},
    "classic, three ballots": {**CLASSIC, "ballots": 3},
    "leader-ordered": LEADER,
    "leader-ordered, commuting": {**LEADER, "interfering": False},
    "leader-ordered, runs": {**LEADER, "runs": True},
    "leader-ordered, commuting runs": {**LEADER, "runs": True, "interfering": False},
    "leader-ordered, any f, runs": {**ANY, "runs": True},
    "coordinated, runs": {**COORDINATED, "runs": True},
    "uncoordinated, runs": {**UNCOORDINATED, "runs": True},
    "leader-ordered, any f": ANY,
    "leader-ordered, any f, four acceptors": {**ANY, "acceptors": 4},
    "leader-ordered, votes told to all": {**LEADER, "votes": Votes.EVERYBODY},
    "leader-ordered, a crash": {**LEADER, "crashes": 1},
    "leader-ordered, refusals": {**LEADER, "nacks": True},
    "leader-ordered, three ballots, a link cut": {**LEADER, "ballots": 3, "cut": frozenset({(0, 1)})},
    "coordinated": COORDINATED,
    "coordinated, votes told to all": {**COORDINATED, "votes": Votes.EVERYBODY},
    "uncoordinated": UNCOORDINATED,
    "uncoordinated, votes told to all": {**UNCOORDINATED, "votes": Votes.EVERYBODY},
    "coordinated, then leader-ordered": {**COORDINATED, "policies": (Policy.COORDINATED, Policy.LEADER_ORDERED)},
    "leader-ordered, then coordinated": {**COORDINATED, "policies": (Policy.LEADER_ORDERED, Policy.COORDINATED)},
    "uncoordinated, then leader-ordered": {**UNCOORDINATED, "policies": (Policy.UNCOORDINATED, Policy.LEADER_ORDERED)},
    "leader-ordered, then uncoordinated": {**UNCOORDINATED, "policies": (Policy.LEADER_ORDERED, Policy.UNCOORDINATED)},
    "leader-ordered, four acceptors": {**LEADER, "acceptors": 4},
    "leader-ordered, three ballots": {**LEADER, "ballots": 3},
    "coordinated, a crash": {**COORDINATED, "crashes": 1},
    "coordinated, four acceptors": {**COORDINATED, "acceptors": 4},
    "uncoordinated, four acceptors": {**UNCOORDINATED, "acceptors": 4},
}

BOUNDED: dict[str, dict[str, Any]] = {
    "leader-ordered, three commands": {**LEADER, "commands": 3},
    "coordinated, three ballots": {**COORDINATED, "ballots": 3},
    "coordinated, four acceptors, three commands": {**COORDINATED, "acceptors": 4, "commands": 3},
    "uncoordinated, three ballots": {**UNCOORDINATED, "ballots": 3},
    "uncoordinated, four acceptors, three commands": {**UNCOORDINATED, "acceptors": 4, "commands": 3},
}
"""As far as the time takes them."""

STATES_MAX = 40_000_000
"""About 4 GB of visited states."""


def main(arguments: list[str] | None = None) -> int:
    """Explore, and say what was found."""
    parser = argparse.ArgumentParser(prog="full_scope", description="model-check larger scopes of the core")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    wanted = parser.parse_args(arguments)
    end_s = time.monotonic() + 60 * wanted.minutes
    console = Console()
    done: dict[str, Exploration] = {}
    scopes = [*COMPLETE.items(), *BOUNDED.items()]
    for place, (name, scope) in enumerate(scopes):
        left_s = max(1.0, end_s - time.monotonic())
        done[name] = found = _explored(
            console, name, scope, left_s if name in COMPLETE else left_s / (len(scopes) - place), wanted.workers
        )
        console.print(_line(name, found), highlight=False, soft_wrap=True)
        if found.violation is not None:
            console.print(ExplorationView(found.to_json()))
    console.print(_table(done))
    wrong = [name for name, found in done.items() if found.violation or (name in COMPLETE and not found.complete)]
    for name in wrong:
        console.print(f"not as it should be: {name}", highlight=False)
    return 1 if wrong else 0


def _explored(console: Console, name: str, scope: dict[str, Any], seconds_max: float, workers: int) -> Exploration:
    with StateCounter(console, doing=name) as counter:
        bounds = Scope(**{"states_max": STATES_MAX, **scope})
        return explore(bounds, workers=workers, seconds_max=round(seconds_max), progress=counter)


def _line(name: str, found: Exploration) -> str:
    return f"{name}: {found.states:,} states, {_end(found)}, {found.seconds:.0f} s"


def _end(found: Exploration) -> str:
    if found.violation is not None:
        return f"VIOLATION: {found.violation.what}"
    return "complete" if found.complete else f"ended by {found.bound} at depth {found.depth}"


def _table(done: dict[str, Exploration]) -> Table:
    table = Table("scope", "states", "transitions", "depth", "seconds", "", title="explored")
    for name, found in done.items():
        numbers = (f"{found.states:,}", f"{found.transitions:,}", str(found.depth), f"{found.seconds:.0f}")
        table.add_row(name, *numbers, _end(found))
    for column in table.columns[1:5]:
        column.justify = "right"
    return table


if __name__ == "__main__":
    sys.exit(main())
