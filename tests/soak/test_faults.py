from __future__ import annotations

import pytest

from tests.soak.faults import DRAWN, FINAL_CALM_S, LOSSES, Kind, plan

SEEDS = range(50)


def test_one_seed_gives_one_plan_and_another_seed_another() -> None:
    assert plan(7, 120.0, 5) == plan(7, 120.0, 5)
    assert plan(7, 120.0, 5) != plan(8, 120.0, 5)


@pytest.mark.parametrize("replicas", [3, 4, 5])
def test_a_round_hits_different_replicas_and_no_more_than_a_minority_unless_it_is_a_blackout(replicas: int) -> None:
    for drawn in (drawn for seed in SEEDS for drawn in plan(seed, 120.0, replicas)):
        victims = [fault.victim for fault in drawn.faults]
        if drawn.faults[0].kind is Kind.BLACKOUT:
            assert len(victims) == 1
        else:
            assert len(set(victims)) == len(victims) <= (replicas - 1) // 2
        assert all(fault.peer != fault.victim for fault in drawn.faults)


@pytest.mark.parametrize("replicas", [3, 5])
def test_a_replica_that_loses_its_data_is_the_only_victim_of_its_round(replicas: int) -> None:
    rounds = [drawn for seed in SEEDS for drawn in plan(seed, 120.0, replicas)]
    losing = [drawn for drawn in rounds if any(fault.kind in LOSSES for fault in drawn.faults)]
    assert losing
    assert all(len(drawn.faults) == 1 for drawn in losing)


def test_two_minutes_have_every_kind_of_fault_and_end_in_a_calm() -> None:
    for seed in SEEDS:
        rounds = plan(seed, 120.0, 5)
        assert {fault.kind for drawn in rounds for fault in drawn.faults} >= set(DRAWN)
        assert 100.0 < sum(drawn.lasts_s for drawn in rounds) <= 120.0 - FINAL_CALM_S


def test_half_of_the_rounds_and_all_last_words_aim_at_the_coordinator_and_some_are_blackouts() -> None:
    rounds = [drawn for seed in SEEDS for drawn in plan(seed, 120.0, 5)]
    assert 0.45 < sum(drawn.at_coordinator for drawn in rounds) / len(rounds) < 0.65
    assert all(drawn.at_coordinator for drawn in rounds if drawn.faults[0].kind is Kind.LAST_WORDS)
    assert any(drawn.faults[0].kind is Kind.BLACKOUT for drawn in rounds)
    assert any(len(drawn.faults) == 2 for drawn in rounds)
