"""Phase 1 of another replica, at one that coordinates itself."""

from __future__ import annotations

import pytest

from genpaxos.core.ballot import Ballot, Policy
from genpaxos.core.coordinator import Phase
from genpaxos.core.messages import Phase1a, Phase1b, Phase2a
from genpaxos.examples.bank import Bank
from tests.core.bench import Bench

X = Bank.deposit("alice", 5)


@pytest.mark.parametrize("policy", [Policy.LEADER_ORDERED, Policy.CLASSIC])
def test_a_coordinator_that_promises_a_higher_ballot_decrees_nothing_more(policy: Policy) -> None:
    """It has reported what it holds: what it decreed behind that, the next coordinator would not know."""
    bench = Bench(policy=policy).led_by(0)
    bench.step(0, peers=[(1, Phase1a(Ballot(2, 1), 0))])
    bench.propose(X, [0], "c:1")
    assert bench[0].history.length == 0
    assert list(bench[0].pool) == ["c:1"]
    assert bench.take(0, kind=Phase2a) == []
    assert bench[0].coordinator.phase is Phase.IDLE


def test_a_coordinator_that_is_asked_for_a_lower_ballot_goes_on() -> None:
    bench = Bench().led_by(2)
    bench.step(2, peers=[(0, Phase1a(Ballot(1, 0), 0))])
    assert bench[2].coordinator.leading
    bench.propose(X, [2], "c:1")
    assert bench[2].history.ids == ["c:1"]


def test_phase_1_ends_with_the_promise_of_a_higher_ballot_whoever_answers_it_later() -> None:
    bench = Bench()
    bench.campaign(0)
    bench.deliver(0, 2, Phase1a)
    late = bench.take(2, 0, Phase1b)
    bench.step(0, peers=[(1, Phase1a(Ballot(2, 1), 0))])
    bench.hand_over(late)
    assert bench[0].acceptor.promised == Ballot(2, 1)
    assert bench[0].coordinator.phase is Phase.IDLE
