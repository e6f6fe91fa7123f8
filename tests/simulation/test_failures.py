"""Commands that raise what they have not declared, in a world where everything else fails too."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from itertools import count, islice
from typing import Any

import pytest

from commutativity import Machine
from genpaxos.core import door, trials
from genpaxos.core.ballot import Policy
from genpaxos.core.undo import Undo
from genpaxos.simulation.plan import Plan
from genpaxos.simulation.run import run
from genpaxos.simulation.swarm import draw_plan
from genpaxos.simulation.violations import Invariant


def plans(policy: Policy | None, number: int) -> list[Plan]:
    """The first plans whose bank is a faulty one."""
    drawn = (draw_plan(seed, policy=policy) for seed in count())
    return list(islice((plan for plan in drawn if plan.workload == "faulty bank"), number))


@pytest.mark.parametrize("policy", list(Policy))
def test_every_policy_survives_commands_that_fail(policy: Policy) -> None:
    """Also that the state is what the log makes without them (``judge_replayed``)."""
    outcomes = [run(plan) for plan in plans(policy, 10)]
    assert [outcome.failure() for outcome in outcomes if not outcome.ok] == []
    assert sum(outcome.marks["undeclared"] for outcome in outcomes) > 10


@pytest.mark.parametrize("policy", list(Policy))
def test_what_is_tried_in_a_copy_first_comes_to_the_same(policy: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some replicas try a command, some run and undo it, as each of them started with another history."""
    plain = [run(plan) for plan in plans(policy, 5)]
    monkeypatch.setattr(trials, "TRIAL_MS", 0.0)
    tried = 0
    honest = trials.Trials.outcome

    def counting(self: trials.Trials, *command: Any) -> Any:
        nonlocal tried
        found = honest(self, *command)
        tried += found is not None
        return found

    monkeypatch.setattr(trials.Trials, "outcome", counting)
    outcomes = [run(plan) for plan in plans(policy, 5)]
    assert [outcome.failure() for outcome in outcomes if not outcome.ok] == []
    assert [(one.log, one.state) for one in outcomes] == [(one.log, one.state) for one in plain]
    assert tried > 5


@pytest.mark.parametrize("policy", list(Policy))
def test_doors_that_are_shut_most_of_the_time_lose_nothing(policy: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each failure counts for more than the allowance of a client that sent it, so commands wait at every replica."""
    monkeypatch.setattr(door, "WORK_MS_MIN", door.ALLOWANCE_MS)
    monkeypatch.setattr(door, "SHARE", 2.0)  # and the clients of the simulation wait for a few seconds at most
    waited = 0
    honest = door.Door._lets_in

    def counting(self: door.Door, command: str, suspect: door._Suspect) -> bool:
        nonlocal waited
        let_in = honest(self, command, suspect)
        waited += not let_in
        return let_in

    monkeypatch.setattr(door.Door, "_lets_in", counting)
    outcomes = [run(replace(plan, faults=(), lasting=(), core=())) for plan in plans(policy, 4)]
    assert [outcome.failure() for outcome in outcomes if not outcome.ok] == []
    assert waited


def test_a_failure_that_is_not_undone_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """All replicas agree on the damage, so only what the log says shows it."""
    honest = Undo.without

    def without(self: Undo, command: str, place: int, last: int, ahead: Collection[str]) -> tuple[Machine, float]:
        machine, work_ms = honest(self, command, place, last, ahead)
        machine.cents["damage"] = 1  # type: ignore[attr-defined]
        return machine, work_ms

    monkeypatch.setattr(Undo, "without", without)
    failures = [outcome.violation for outcome in map(run, plans(None, 6)) if outcome.violation is not None]
    assert failures
    assert {error.invariant for error in failures} <= {Invariant.IDENTICAL, Invariant.LINEARIZABLE, Invariant.RESULTS}


def test_a_snapshot_whose_commands_ahead_are_run_again_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Undo._since

    def since(self: Undo, base: object, last: int, ahead: Collection[str]) -> object:
        return honest(self, replace(base, ahead=()), last, ahead)  # type: ignore[type-var]

    monkeypatch.setattr(Undo, "_since", since)
    assert any(not run(plan).ok for plan in plans(None, 40))
