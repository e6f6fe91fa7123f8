"""Decrees of a higher ballot, at a replica that coordinates a lower one and has heard of the higher by nothing else."""

from __future__ import annotations

import pytest

from genpaxos.core.ballot import Policy
from genpaxos.core.coordinator import Phase
from genpaxos.core.messages import Phase1a, Phase1b, Phase2a
from genpaxos.examples.bank import Bank
from tests.core.bench import Bench

X, Y = Bank.deposit("alice", 5), Bank.deposit("bob", 3)


def led_by_1_without_0(bench: Bench) -> Bench:
    """1 coordinates a ballot that 2 alone has promised it; of its phase 1 nothing has come to 0."""
    bench.campaign(1)
    bench.drop(1, 0, Phase1a)
    bench.deliver(1, 2)
    bench.deliver(2, 1)
    assert bench[1].coordinator.leading
    bench.deliver(1, 2)
    bench.drop(1, 0)
    return bench


@pytest.mark.parametrize("policy", [Policy.LEADER_ORDERED, Policy.CLASSIC])
def test_a_coordinator_that_gets_decrees_of_a_higher_ballot_decrees_nothing_more(policy: Policy) -> None:
    bench = led_by_1_without_0(Bench(policy=policy).led_by(0))
    assert bench[0].coordinator.leading
    bench.propose(X, [0, 1], "c:1")
    bench.drop(0, kind=Phase2a)  # its own decree of c:1, in the ballot that is over
    bench.deliver(1, 0, Phase2a)
    assert bench[0].acceptor.accepted == bench[1].coordinator.ballot
    bench.propose(Y, [0], "c:2")
    assert bench[0].history.ids == ["c:1"]
    assert bench.take(0, kind=Phase2a) == []
    assert bench[0].coordinator.phase is Phase.IDLE


def test_phase_1_ends_with_decrees_of_a_higher_ballot_whoever_answers_it_later() -> None:
    bench = Bench()
    bench.campaign(0)
    bench.deliver(0, 2, Phase1a)
    late = bench.take(2, 0, Phase1b)
    assert late
    bench.deliver(0, 1, Phase1a)
    bench.drop(1, 0)
    led_by_1_without_0(bench)
    assert bench[0].coordinator.phase is Phase.PHASE1
    bench.propose(X, [0, 1], "c:1")
    bench.deliver(1, 0, Phase2a)
    bench.hand_over(late)
    assert not bench[0].coordinator.leading
    assert bench[0].acceptor.accepted == bench[1].coordinator.ballot
