"""The formulas against the real replicas, on a network where messages take exactly half a round trip."""

from __future__ import annotations

import random
from itertools import combinations

import pytest

from genpaxos.core.ballot import BallotKind, FastQuorums, Policy
from genpaxos.core.election import Timing
from genpaxos.core.quorum import QuorumSystem, mask_of
from genpaxos.core.settings import Settings
from genpaxos.plan import Plan, RoundTrips, recommend
from genpaxos.plan.latency import Latency
from tests.plan.wan import Wan, five

TIMING = Timing(watermark_ms=0, retry_ms=1_000, stagger_ms=2_000, election_ms=2_000)


def settings(plan: Plan, replicas: int) -> Settings:
    return Settings(replicas, plan.policy, plan.fast, TIMING, pinned=plan.pinned)


def drawn(replicas: int, seed: int) -> RoundTrips:
    """Regions strewn over a square, so that no way through a third one is shorter."""
    draw = random.Random(seed)
    places = [complex(draw.uniform(0, 150), draw.uniform(0, 150)) for _ in range(replicas)]
    rows = tuple(tuple(round(abs(a - b), 3) for b in places) for a in places)
    return RoundTrips(tuple(f"R{n}" for n in range(replicas)), rows)


def best_of_each(trips: RoundTrips, policy: Policy) -> list[Plan]:
    """Per coordinator, and per family of fast quorums."""
    best: dict[tuple[int, FastQuorums], Plan] = {}
    for plan in recommend(trips, policies=[policy]).plans:
        best.setdefault((plan.coordinator, plan.fast), plan)
    return list(best.values())


@pytest.mark.parametrize("policy", [Policy.LEADER_ORDERED, Policy.COORDINATED, Policy.UNCOORDINATED])
def test_quiet_commands_take_as_long_as_the_plan_says(policy: Policy) -> None:
    for plan in best_of_each(five(), policy):
        wan = Wan(five(), settings(plan, 5)).led_by(plan.coordinator)
        assert wan.pinned == plan.pinned
        assert wan.waits_ms() == list(plan.quiet_ms), plan


def test_where_fast_votes_never_agree_commands_take_as_long_as_the_plan_says() -> None:
    for plan in best_of_each(five(), Policy.LEADER_ORDERED):
        wan = Wan(five(), settings(plan, 5), votes=False).led_by(plan.coordinator)
        assert wan.waits_ms() == list(plan.interfering_ms), plan


def test_of_two_commands_that_collide_each_takes_one_of_its_two_times() -> None:
    [plan] = [plan for plan in best_of_each(five(), Policy.LEADER_ORDERED)[:1] if plan.coordinator == 2]
    wan = Wan(five(), settings(plan, 5)).led_by(2)
    taken: list[set[float]] = [set() for _ in range(5)]
    for one, other in combinations(range(5), 2):
        for region, wait_ms in zip((one, other), wan.collision_ms(one, other), strict=True):
            taken[region].add(wait_ms)
    ends = [{*pair} for pair in zip(plan.quiet_ms, plan.interfering_ms, strict=True)]
    assert taken == ends, "both of them occur, and nothing else"


def test_classic_commands_take_as_long_as_the_plan_says_or_less_through_a_third_region() -> None:
    """VA-CA and VA-EU together are shorter than CA-EU: what EU sends to CA comes sooner through VA."""
    found = {}
    for plan in best_of_each(five(), Policy.CLASSIC):
        waits = Wan(five(), settings(plan, 5)).led_by(plan.coordinator).waits_ms()
        found[plan.coordinator] = [planned - wait for wait, planned in zip(waits, plan.quiet_ms, strict=True)]
    assert found == {0: [0] * 5, 1: [0, 0, 0, 0, 2.5], 2: [0] * 5, 3: [0] * 5, 4: [0, 2.5, 0, 0, 0]}


@pytest.mark.parametrize("replicas", [2, 3, 4])
def test_other_numbers_of_regions_take_as_long_as_the_plan_says(replicas: int) -> None:
    trips = drawn(replicas, replicas)
    for policy in (Policy.LEADER_ORDERED, Policy.CLASSIC):
        for plan in best_of_each(trips, policy)[:2]:
            waits = Wan(trips, settings(plan, replicas)).led_by(plan.coordinator).waits_ms()
            assert waits == pytest.approx(plan.quiet_ms, abs=0.01), plan


@pytest.mark.parametrize("replicas", range(2, 8))
def test_the_formulas_are_those_of_the_quorum_systems(replicas: int) -> None:
    """The n-th smallest of the formulas is the moment at which those heard from contain a quorum."""
    trips, majority = drawn(replicas, 7), QuorumSystem.majority(replicas)
    latency = Latency(trips)
    for home in range(replicas):
        heard = sorted((trips.ms[home][a], a) for a in range(replicas))
        classic = next(
            ms for n, (ms, _) in enumerate(heard, 1) if majority.is_classic(mask_of(a for _, a in heard[:n]))
        )
        assert latency.lower_bound_ms(home) == classic
        for coordinator in range(replicas):
            table = majority.for_ballot(BallotKind(Policy.LEADER_ORDERED), coordinator).fast_table
            fast = next(ms for n, (ms, _) in enumerate(heard, 1) if table[mask_of(a for _, a in heard[:n])])
            assert latency.with_coordinator_ms(coordinator, home) == fast
            table = majority.for_ballot(BallotKind(Policy.COORDINATED), coordinator).fast_table
            fast = next(ms for n, (ms, _) in enumerate(heard, 1) if table[mask_of(a for _, a in heard[:n])])
            assert latency.unordered_ms(coordinator, home) == pytest.approx(fast)


@pytest.mark.parametrize("replicas", [3, 5, 7])
def test_on_a_metric_nothing_beats_the_lower_bound(replicas: int) -> None:
    found = recommend(drawn(replicas, 3))
    for plan in found.plans:
        for quiet, interfering, bound in zip(plan.quiet_ms, plan.interfering_ms, found.lower_bound_ms, strict=True):
            assert bound <= min(quiet, interfering) + 0.01
            if plan.policy in (Policy.LEADER_ORDERED, Policy.CLASSIC):
                assert quiet <= interfering, "a race is never lost to one of its runners"


def test_where_every_region_is_equally_far_the_delays_are_those_of_the_policies() -> None:
    """A round trip of 100: the client's message costs nothing to its home, so three delays are two long ones."""
    rows = tuple(tuple(0.0 if a == b else 100.0 for b in range(5)) for a in range(5))
    latency = Latency(RoundTrips(tuple("ABCDE"), rows))
    assert latency.pinned_ms((0, 1, 2), 0) == 100
    assert latency.ordered_ms(Policy.LEADER_ORDERED, 0, 0) == 100
    assert latency.ordered_ms(Policy.LEADER_ORDERED, 0, 4) == 150
    assert latency.ordered_ms(Policy.CLASSIC, 0, 4) == 150
    assert latency.unordered_ms(0, 4) == 100
    assert latency.ordered_ms(Policy.COORDINATED, 0, 4) == 200
    assert latency.ordered_ms(Policy.UNCOORDINATED, 0, 4) == 150
