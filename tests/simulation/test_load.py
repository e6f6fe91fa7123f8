"""Bursts and traffic are drawn, and what they are for is found: commands that collide and wait for ever."""

from __future__ import annotations

from collections import Counter
from itertools import islice

import pytest

from genpaxos.core.ballot import Policy
from genpaxos.core.collision import NOTHING, Reports
from genpaxos.core.fallback import Fallback
from genpaxos.core.ordering import Ordering
from genpaxos.simulation.load import CONTESTED, SLOW
from genpaxos.simulation.plan import Plan
from genpaxos.simulation.run import run
from genpaxos.simulation.swarm import Climate, draw_plan
from genpaxos.simulation.violations import LIVE


def contested(plan: Plan) -> int:
    """Commands of bursts and pairs."""
    return sum(CONTESTED in submission.command.arguments for submission in plan.submissions)


def bursts(policy: Policy, count: int) -> list[Plan]:
    """Plans with a burst on many replicas."""
    plans = (draw_plan(seed, Climate.ORDINARY, policy) for seed in range(1000))
    return list(islice((plan for plan in plans if contested(plan) > 100), count))


def traffic(policy: Policy, count: int) -> list[Plan]:
    """Plans with traffic after the faults, and pairs that collide meanwhile."""
    plans = (draw_plan(seed, Climate.ORDINARY, policy) for seed in range(1000))
    return list(islice((plan for plan in plans if plan.calm == SLOW and contested(plan) < 20), count))


def test_the_swarm_draws_two_to_seven_replicas_bursts_and_traffic() -> None:
    plans = [draw_plan(seed) for seed in range(600)]
    sizes = Counter(plan.replicas for plan in plans)
    assert set(sizes) == {2, 3, 4, 5, 6, 7}
    assert min(sizes.values()) >= 15
    for policy in Policy:
        assert sum(contested(plan) > 100 for plan in plans if plan.policy is policy) >= 3
        assert sum(0 < contested(plan) < 20 for plan in plans if plan.policy is policy) >= 3


@pytest.mark.parametrize("policy", list(Policy))
def test_bursts_and_traffic_are_answered_in_bounded_time(policy: Policy) -> None:
    for plan in [*bursts(policy, 1), *traffic(policy, 1)]:
        assert run(plan).failure() is None


def no_fallback(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Fallback, "due", lambda *_, **__: False)


def test_a_burst_that_nothing_orders_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it was when more commands collided than a window held."""
    no_fallback(monkeypatch)
    monkeypatch.setattr(Reports, "safe_order", lambda *_, **__: NOTHING)
    violations = (run(plan).violation for plan in bursts(Policy.COORDINATED, 3))
    assert any(violation is not None and violation.invariant in LIVE for violation in violations)


def test_a_pair_that_starves_beside_traffic_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it was when V moved on with every command that was learned."""
    no_fallback(monkeypatch)
    monkeypatch.setattr(Ordering, "_contested", lambda _: False)
    violations = (run(plan).violation for plan in traffic(Policy.COORDINATED, 6))
    assert any(violation is not None and violation.invariant in LIVE for violation in violations)
