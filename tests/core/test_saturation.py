"""A batch so large that the replica must be saturated is not voted for: it is learned from decrees and watermarks."""

from __future__ import annotations

import pytest

from genpaxos.core.ballot import FastQuorums, Policy
from genpaxos.core.messages import Phase2a, Phase2b, Propose
from genpaxos.core.quorum import EVERYBODY
from genpaxos.core.voting import SATURATED_MS
from genpaxos.examples.bank import Bank
from tests.core.bench import Bench, bodies
from tests.core.test_snapshot import assert_same

COMMANDS = [Bank.deposit("alice", 1), Bank.deposit("bob", 2), Bank.withdraw("alice", 1)]
IDS = ["c:1", "c:2", "c:3"]


def burst(bench: Bench, node: int, count: int = 3) -> None:
    """Some commands reach a replica in one step, in two messages."""
    listed = bodies(*COMMANDS[:count])
    messages = [
        ("client", Propose(IDS[:1], listed[:1], EVERYBODY)),
        ("client", Propose(IDS[1:count], listed[1:], EVERYBODY)),
    ]
    bench.step(node, clients=messages)


def test_a_batch_of_the_limit_is_not_voted_for_and_is_learned_by_the_classic_rule_at_once() -> None:
    bench = Bench(saturated_commands=3).led_by(0)
    for node in range(3):
        burst(bench, node)
    assert not bench.take(1, 0, Phase2b), "no votes"
    assert not bench[1].history.tail
    bench.deliver(0, 1, Phase2a)
    ((_, _, told),) = bench.take(1, 0, Phase2b)
    assert (told.ids, told.adopted) == ([], 3), "no late votes either, and the watermark is not kept back"
    bench.step(0, [(1, told)])
    assert bench.replies == {"c:1": [None, None], "c:2": [None, None], "c:3": [None, True]}
    assert (bench[0].learner.fast_count, bench[0].learner.classic_count) == (0, 3)


def test_a_smaller_batch_is_voted_for() -> None:
    bench = Bench(saturated_commands=3).led_by(0)
    burst(bench, 1, count=2)
    ((_, _, votes),) = bench.take(1, 0, Phase2b)
    assert votes.ids == ["c:1", "c:2"]


def test_what_was_not_voted_for_reaches_a_coordinator_that_never_got_it() -> None:
    bench = Bench(saturated_commands=2).led_by(0)
    burst(bench, 1)
    bench.run_for(500)
    assert_same(bench)
    assert bench.cents(0) == {"bob": 2}


def test_a_new_coordinator_decrees_what_waits_in_its_pool() -> None:
    bench = Bench(saturated_commands=2).led_by(0)
    burst(bench, 1)
    bench.crash(0)
    bench.run_for(3_000)
    assert bench[1].history.committed == 3
    assert bench.replies == {"c:1": [None, None], "c:2": [None, None], "c:3": [None, True]}


@pytest.mark.parametrize("policy", [Policy.COORDINATED, Policy.UNCOORDINATED])
def test_where_the_acceptors_order_counts_every_batch_is_voted_for(policy: Policy) -> None:
    bench = Bench(4, policy, FastQuorums.ANY, saturated_commands=2).led_by(0)
    burst(bench, 1)
    ((_, _, votes),) = bench.take(1, 0, Phase2b)
    assert votes.ids == IDS


def test_it_votes_again_when_the_burst_is_over() -> None:
    bench = Bench(saturated_commands=3).led_by(0)
    burst(bench, 1)
    bench.propose(Bank.deposit("carol", 1), [1], "d:1")
    assert not bench.take(1, 0, Phase2b), "for a while what follows is not voted for either"
    bench.run_for(SATURATED_MS + 1)
    bench.flights.clear()
    bench.propose(Bank.deposit("carol", 1), [1], "d:2")
    ((_, _, votes),) = bench.take(1, 0, Phase2b)
    assert votes.ids == ["d:2"]
