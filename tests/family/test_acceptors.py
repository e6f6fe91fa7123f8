"""Replicas that are no acceptors (``Settings.acceptors``): they learn, and may coordinate, but are of no quorum."""

from __future__ import annotations

from dataclasses import replace

import pytest

from genpaxos.core.ballot import BallotKind, Policy
from genpaxos.core.effects import Effects
from genpaxos.core.messages import Phase1a, Phase1b, Phase2b, Propose
from genpaxos.core.quorum import EVERYBODY, QuorumSystem, mask_of
from genpaxos.core.replica import Replica
from genpaxos.core.settings import Settings
from genpaxos.family import FLOWS
from genpaxos.family.machines import Value
from genpaxos.simulation.faults import BitFlip, Wipe
from genpaxos.simulation.run import run
from genpaxos.simulation.swarm import Climate, draw_plan

FAST = [Policy.LEADER_ORDERED, Policy.COORDINATED, Policy.UNCOORDINATED]


def test_all_replicas_are_acceptors_by_default() -> None:
    assert Settings(3).acceptors == ()
    assert all(Settings(3).accepts(node) for node in range(3))
    assert QuorumSystem.majority(5) == QuorumSystem.majority(5, range(5))
    assert QuorumSystem.majority(5).acceptors == (0, 1, 2, 3, 4)


def test_quorums_are_made_of_acceptors_only() -> None:
    system = QuorumSystem.majority(6, (1, 2, 3))
    assert system.acceptors == (1, 2, 3)
    assert system.is_classic(mask_of([1, 3]))
    assert not system.is_classic(mask_of([0, 1, 4, 5]))


@pytest.mark.parametrize("policy", FAST)
def test_a_fast_quorum_is_three_quarters_of_the_acceptors_and_a_coordinator_that_orders(policy: Policy) -> None:
    system = QuorumSystem.majority(7, (1, 2, 3, 4)).for_ballot(BallotKind(policy), 0)
    assert bool(system.fast_table[mask_of([1, 2, 3])]) is (policy is not Policy.LEADER_ORDERED)
    assert system.fast_table[mask_of([0, 1, 2, 3])]
    assert not system.fast_table[mask_of([0, 1, 2, 5, 6])]


def test_a_replica_that_is_no_acceptor_neither_promises_nor_votes() -> None:
    settings = Settings(4, Policy.COORDINATED, acceptors=(0, 1, 2))
    leader, learner = (Replica(node, Value(), settings, 1.0) for node in (0, 3))
    effects = Effects()
    leader.begin_phase1(effects)
    ask = next(message for message in effects.broadcasts if isinstance(message, Phase1a))
    answer = learner.step(0.0, peers=[(0, ask)])
    assert not answer.leaves
    answer = learner.step(0.0, clients=[("client", Propose(["c:1"], [["choose", ["V"], 0]], EVERYBODY))])
    assert not answer.leaves
    assert not learner.history.tail


@pytest.mark.parametrize("name", [flow.name for flow in FLOWS.values() if not flow.cast.collapsed])
def test_in_every_flow_with_separate_roles_only_acceptors_promise_and_accept(name: str) -> None:
    for message in FLOWS[name].run().messages:
        if message.kind in (Phase1b.__name__, Phase2b.__name__):
            assert message.sender.startswith("Acceptor")


@pytest.mark.parametrize("policy", list(Policy))
@pytest.mark.parametrize("climate", list(Climate))
def test_three_acceptors_among_five_replicas_survive_what_five_do(policy: Policy, climate: Climate) -> None:
    for seed in range(3):
        plan = replace(draw_plan(seed, climate, policy), core=())
        faults = tuple(fault for fault in plan.faults if not isinstance(fault, (BitFlip, Wipe)))
        assert run(replace(plan, replicas=5, acceptors=(1, 2, 3), clock_rates=(), faults=faults)).failure() is None


@pytest.mark.parametrize("climate", list(Climate))
def test_a_distinguished_learner_may_fail_like_any_other(climate: Climate) -> None:
    for seed in range(3):
        plan = replace(draw_plan(seed, climate, Policy.CLASSIC), core=())
        faults = tuple(fault for fault in plan.faults if not isinstance(fault, (BitFlip, Wipe)))
        assert run(replace(plan, distinguished=1, faults=faults)).failure() is None
