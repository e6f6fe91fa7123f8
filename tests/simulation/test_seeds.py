"""Seeded runs of the real replicas in a world where everything fails: each drawn as a whole from its seed.

A failing seed replays by itself: ``genpaxos simulate --seed N --trace``. Longer: ``make simulate``.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from itertools import cycle
from pathlib import Path

import pytest

from genpaxos.core.ballot import FastQuorums, Policy
from genpaxos.core.election import Timing
from genpaxos.simulation import faults
from genpaxos.simulation.faults import Shape
from genpaxos.simulation.plan import Plan
from genpaxos.simulation.run import Outcome, recovery_bound_ms, run
from genpaxos.simulation.swarm import Climate, draw_plan, links_of
from genpaxos.simulation.tape import Tape
from genpaxos.simulation.violations import Invariant
from genpaxos.simulation.workload import WORKLOADS


@pytest.mark.parametrize("climate", list(Climate))
@pytest.mark.parametrize("policy", list(Policy))
def test_every_policy_survives_every_climate(policy: Policy, climate: Climate) -> None:
    for seed in range(5):
        assert run(draw_plan(seed, climate, policy)).failure() is None


def trace(plan: Plan) -> list[str]:
    tape = Tape(plan.replicas)
    run(plan, tape=tape)
    return tape.lines()


def test_the_same_seed_gives_the_same_run_whether_it_is_traced_or_not() -> None:
    plan = draw_plan(5)
    assert draw_plan(5) == plan
    assert trace(plan) == trace(plan)
    traced, plain = run(plan, tape=Tape(plan.replicas)), run(plan)
    assert traced.to_json() == plain.to_json()
    assert traced.log == plain.log
    assert trace(replace(plan, seed=6)) != trace(plan)


def test_no_order_depends_on_hashes() -> None:
    """The traces of some runs under two ``PYTHONHASHSEED`` are the same to the byte."""
    digests = []
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        root = Path(__file__).parents[2]
        code = "from tests.simulation.test_seeds import trace_digest; print(trace_digest())"
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=root, env=environment, capture_output=True, text=True, check=True
        )
        digests.append(done.stdout)
    assert digests[0] == digests[1]


def trace_digest() -> str:
    """A fingerprint of a run of each policy, in every climate."""
    digest = hashlib.sha256()
    for seed, (policy, climate) in enumerate(zip(Policy, cycle(Climate), strict=False)):
        digest.update("\n".join(trace(draw_plan(seed, climate, policy))).encode())
    return digest.hexdigest()


def test_the_swarm_draws_all_kinds_of_worlds() -> None:
    plans = [draw_plan(seed) for seed in range(400)]
    for policy in Policy:
        for fast in FastQuorums:
            assert sum((plan.policy, plan.fast) == (policy, fast) for plan in plans) >= 5
    for replicas in (3, 4, 5):
        assert sum(plan.replicas == replicas for plan in plans) >= 40
    assert {plan.workload for plan in plans} == set(WORKLOADS)
    kinds = Counter(kind for plan in plans for kind in plan.fault_kinds)
    assert set(kinds) == set(faults.KINDS)
    assert all(20 <= count <= 320 for count in kinds.values()), "every kind is in some plans, and none in all"
    assert {fault.shape for plan in plans for fault in plan.faults if isinstance(fault, faults.Cut)} == set(Shape)
    for absent in (
        lambda plan: not plan.weather.loss,
        lambda plan: not plan.batch_ms,
        lambda plan: not plan.clock_rates,
        lambda plan: not plan.core,
        lambda plan: not plan.resumptions,
        lambda plan: all(s.patience_ms is None for s in plan.submissions),
    ):
        assert 40 <= sum(map(absent, plans)) <= 390


def test_at_most_a_minority_loses_its_disk() -> None:
    for seed in range(400):
        plan = draw_plan(seed)
        lost = {fault.node for fault in plan.faults if isinstance(fault, (faults.BitFlip, faults.Wipe))}
        assert len(lost) <= (plan.replicas - 1) // 2


@pytest.mark.parametrize(
    ("shape", "left"),
    [
        (Shape.ONE_WAY, 11),
        (Shape.BOTH_WAYS, 10),
        (Shape.ISOLATED, 6),
        (Shape.SPLIT, 4),
        (Shape.STAR, 6),
        (Shape.CHAIN, 6),
        (Shape.DEAF, 9),
        (Shape.MUTE, 9),
    ],
)
def test_a_cut_leaves_the_links_of_its_shape(shape: Shape, left: int) -> None:
    assert 4 * 3 - len(set(links_of(shape, [2, 0, 3, 1]))) == left


def test_a_run_without_faults_recovers_at_once_and_learns_fast_what_commutes() -> None:
    outcome = quiet(draw_plan(3, Climate.ORDINARY, Policy.LEADER_ORDERED))
    assert outcome.failure() is None
    assert outcome.recovery_ms is not None
    assert outcome.recovery_ms < 20
    assert outcome.marks["learned_fast"] > len(outcome.log) / 2


def quiet(plan: Plan) -> Outcome:
    return run(Plan(seed=plan.seed, submissions=plan.submissions, workload=plan.workload, chaos_ms=plan.chaos_ms))


def test_a_majority_that_stays_down_is_a_violation_of_liveness(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check is not vacuous: were the faults not ended, it would fail."""
    from genpaxos.simulation.run import Course

    plan = replace(draw_plan(3, Climate.ORDINARY), core=())
    monkeypatch.setattr(Course, "_heal", lambda self: [p.crash() for p in self._cluster.processes[1:]])
    outcome = run(plan)
    assert outcome.violation is not None
    assert outcome.violation.invariant is Invariant.LIVENESS
    assert run(plan, live=False).ok


def test_the_bound_of_recovery_is_a_few_election_times() -> None:
    timing = Timing()
    assert 4 < recovery_bound_ms(timing, 3) / timing.election_ms < 7
    assert recovery_bound_ms(timing, 3, drift=0.1) == pytest.approx(1.1 * recovery_bound_ms(timing, 3))
