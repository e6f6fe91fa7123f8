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
from itertools import cycle, islice
from pathlib import Path

import pytest

from genpaxos.core.ballot import FastQuorums, Policy
from genpaxos.core.election import Timing
from genpaxos.simulation import faults
from genpaxos.simulation.cluster import SimulatedCluster
from genpaxos.simulation.faults import Shape
from genpaxos.simulation.plan import Plan
from genpaxos.simulation.process import Peers, Process
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


def test_at_most_a_minority_is_lost_or_rejoining_at_any_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """And yet more than a minority is, one after the other."""
    most: Counter[int] = Counter()
    lost: set[tuple[int, int]] = set()

    def stepping(self: SimulatedCluster, process: Process, peers: Peers) -> None:
        gone = [other.node for other in self.processes if not other.whole]
        most[len(self.processes)] = max(most[len(self.processes)], len(gone))
        lost.update((len(self.processes), node) for node in gone)
        honest(self, process, peers)

    honest = SimulatedCluster.stepping
    monkeypatch.setattr(SimulatedCluster, "stepping", stepping)
    for replicas in (3, 5):
        plans = (p for p in map(draw_plan, range(1000)) if p.replicas == replicas and losses(p) > 3)
        for plan in islice(plans, 4):
            assert run(plan).failure() is None
    assert most[3] == 1
    assert most[5] == 2
    assert len(lost) > 1 + 2


def losses(plan: Plan) -> int:
    return sum(isinstance(fault, (faults.BitFlip, faults.Wipe)) for fault in plan.faults)


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


def test_a_state_to_be_sent_and_a_replica_that_rejoins_lengthen_the_bound() -> None:
    timing = Timing()
    plain = recovery_bound_ms(timing, 3)
    assert recovery_bound_ms(timing, 3, chunks=10) - plain == timing.election_ms + 3 * timing.retry_ms + 40
    assert recovery_bound_ms(timing, 3, losses=1) - plain == 3 * timing.retry_ms


def test_the_swarm_takes_snapshots_often_seldom_and_not_at_all() -> None:
    plans = [draw_plan(seed) for seed in range(400)]
    assert {plan.snapshots.every_commands for plan in plans} == {0, 3, 5, 8, 15, 40}
    assert {plan.snapshots.chunk_bytes for plan in plans} >= {40, 100, 300, 100_000}
    assert 60 <= sum(losses(plan) > 0 for plan in plans) <= 200
    assert sum(losses(plan) > 3 for plan in plans) >= 20
