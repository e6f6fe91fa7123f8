"""A fixed pinned quorum: what the coordinator does to pin just these, and when it does without."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from genpaxos.core.ballot import FastQuorums, Policy
from genpaxos.core.messages import Phase1b, Phase2b
from genpaxos.core.quorum import QuorumError
from genpaxos.core.settings import Settings
from genpaxos.examples.bank import Bank
from genpaxos.simulation.plan import Plan
from genpaxos.simulation.run import run
from genpaxos.simulation.swarm import Climate, draw_plan
from tests.core.bench import Bench

FIXED = (0, 2, 3)


def connected(pinned: tuple[int, ...] = FIXED, policy: Policy = Policy.LEADER_ORDERED) -> Bench:
    """Five replicas that have told each other that they hear each other; nobody campaigns yet."""
    bench = Bench(5, policy, pinned=pinned)
    for _ in range(3):
        bench.pass_time(30)
    bench.pass_time(15)
    bench.flights.clear()
    assert all(bench[node].election.has_quorum(bench.now_ms) for node in bench.up)
    return bench


def led(bench: Bench) -> Bench:
    """Replica 0 coordinates, and everybody takes part."""
    bench.campaign(0)
    bench.run_for(300)
    assert bench[0].coordinator.leading
    return bench


def pinned(bench: Bench, node: int = 0) -> tuple[int, ...]:
    return bench[node].acceptor.kind.pinned


def ballots(bench: Bench) -> int:
    return bench[0].acceptor.promised.number


def test_a_fixed_quorum_is_pinned_although_others_answer_first() -> None:
    bench = connected()
    bench.campaign(0)
    bench.deliver(0)
    bench.deliver(1)
    bench.deliver(4)
    assert not bench[0].coordinator.leading, (
        "a classic quorum has answered, and two that are worth waiting for have not"
    )
    bench.deliver(3)
    bench.deliver(2)
    assert bench[0].coordinator.leading
    assert pinned(bench) == FIXED


def test_without_a_fixed_quorum_the_first_to_answer_are_pinned_at_once() -> None:
    bench = connected(pinned=())
    bench.campaign(0)
    bench.deliver(0)
    bench.deliver(1)
    bench.deliver(4)
    assert pinned(bench) == (0, 1, 4)


def test_a_member_that_does_not_answer_is_waited_for_half_an_election_time_and_no_longer() -> None:
    bench = connected()
    bench.campaign(0)
    timing, campaign_ms, started_ms = bench.settings.timing, bench.now_ms, None
    for _ in range(400):
        bench.drop(3, 0, Phase1b)
        bench.run_for(1)
        if bench[0].coordinator.leading:
            started_ms = bench.now_ms
            break
    assert started_ms is not None
    assert 0 <= started_ms - campaign_ms - timing.election_ms / 2 <= timing.retry_ms
    assert pinned(bench) != FIXED


def test_the_dead_are_not_waited_for() -> None:
    bench = connected()
    bench.crash(3)
    bench.run_for(600)
    leader = next(node for node in bench.up if bench[node].coordinator.leading)
    before = bench[leader].acceptor.promised
    bench.campaign(leader)
    bench.run_for(5)
    assert bench[leader].acceptor.accepted > before, "after two delays"
    assert 3 not in pinned(bench, leader)


def test_a_coordinator_outside_the_fixed_quorum_pins_whoever_answers_first() -> None:
    bench = connected()
    bench.campaign(1)
    bench.deliver(1)
    bench.deliver(2)
    bench.deliver(4)
    assert pinned(bench, 1) == (1, 2, 4)


@pytest.mark.parametrize("policy", [Policy.CLASSIC, Policy.COORDINATED])
def test_where_nothing_is_pinned_a_fixed_quorum_changes_no_ballot(policy: Policy) -> None:
    bench = led(connected(policy=policy))
    bench.run_for(1_500)
    assert (pinned(bench), ballots(bench)) == ((), 1)


def test_a_member_that_falls_silent_is_replaced_and_pinned_again_when_it_is_back() -> None:
    bench = led(connected())
    assert pinned(bench) == FIXED
    bench.crash(3)
    bench.run_for(1_200)
    assert bench[0].coordinator.leading
    assert 3 not in pinned(bench)
    bench.restart(3)
    bench.run_for(1_200)
    assert pinned(bench) == FIXED
    rest = ballots(bench)
    bench.run_for(2_000)
    assert ballots(bench) == rest == 3, "one ballot for its silence, one for its return"


def test_a_member_whose_answers_are_always_lost_costs_at_most_a_ballot_per_election_time() -> None:
    bench = led(connected())
    start = ballots(bench)
    bench.campaign(0)
    for _ in range(2_000):
        bench.drop(3, 0, Phase1b)
        bench.run_for(1)
    election_ms = bench.settings.timing.election_ms
    assert 1 < ballots(bench) - start <= 1 + 2_000 / election_ms


def test_commands_are_learned_fast_by_the_fixed_quorum_alone() -> None:
    bench = led(connected())
    bench.propose(Bank.deposit("alice", 5))
    bench.deliver(2, 4, Phase2b)
    bench.deliver(0, 4)
    assert bench.learned[4] == {}
    bench.deliver(3, 4, Phase2b)
    assert list(bench.learned[4]) == ["c:1"]


def test_a_set_that_misses_a_classic_quorum_is_refused() -> None:
    with pytest.raises(QuorumError, match="have no acceptor in common"):
        Bench(5, pinned=(0, 1))


@pytest.mark.parametrize("climate", list(Climate))
def test_a_fixed_quorum_survives_every_climate(climate: Climate, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last majority is fixed, led by the last replica: not the one that would be pinned by chance."""
    drawn: Callable[[Plan], Settings] = vars(Plan)["settings"].fget

    def fixed(plan: Plan) -> Settings:
        order = tuple(reversed(range(plan.replicas)))
        majority = tuple(sorted(order[: plan.replicas // 2 + 1]))
        return replace(drawn(plan), preference=order, pinned=majority)

    monkeypatch.setattr(Plan, "settings", property(fixed))
    for seed in range(7):
        plan = replace(draw_plan(seed, climate, Policy.LEADER_ORDERED), fast=FastQuorums.PINNED)
        assert run(plan).failure() is None
