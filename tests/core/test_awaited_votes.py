"""Votes go to the coordinator and to where a client waits; all others learn by decrees and watermarks. And replicas
that nobody waits for may take their time."""

from __future__ import annotations

import pytest

from examples.bank import Bank
from genpaxos.core.ballot import Policy
from genpaxos.core.election import Timing
from genpaxos.core.messages import Phase2a, Phase2b, Propose
from genpaxos.core.quorum import EVERYBODY
from genpaxos.core.upkeep import ASKED_MS, LEISURE_SHARE
from tests.core.bench import Bench, bodies
from tests.core.test_snapshot import assert_same

DEPOSIT, WITHDRAW = Bank.deposit("alice", 1), Bank.withdraw("alice", 1)


def running(replicas: int = 3, policy: Policy = Policy.LEADER_ORDERED, timing: Timing | None = None) -> Bench:
    """Replica 0 coordinates and has pinned the first ones; all have heard each other."""
    bench = Bench(replicas, policy, timing=timing).led_by(0)
    bench.run_for(210)
    bench.flights.clear()
    return bench


def ask(bench: Bench, node: int, asked: int, name: str = "c:1", command: object = DEPOSIT) -> None:
    """A client's command reaches a replica; the client waits at the ``asked`` ones."""
    bench.step(node, clients=[("client", Propose([name], bodies(command), asked))])  # type: ignore[arg-type]


def receivers(bench: Bench, sender: int = 1) -> set[int]:
    return {receiver for _, receiver, message in bench.take(sender, kind=Phase2b) if message.ids}


@pytest.mark.parametrize(
    ("asked", "told"),
    [(1 << 0, {0}), (1 << 1, {0}), (1 << 4, {0, 4}), (1 << 2 | 1 << 3, {0, 2, 3}), (EVERYBODY, {0, 2, 3, 4})],
    ids=["coordinator", "itself", "another", "two", "all"],
)
def test_a_vote_goes_to_the_coordinator_and_to_where_the_client_waits(asked: int, told: set[int]) -> None:
    bench = running(5)
    ask(bench, 1, asked)
    assert receivers(bench) == told


def test_where_nobody_said_who_waits_everybody_is_told() -> None:
    bench = running(5)
    ask(bench, 1, 0)
    assert receivers(bench) == {0, 2, 3, 4}


def test_votes_of_one_step_leave_together_to_all_who_wait_for_some_of_them() -> None:
    bench = running(5)
    first, second = Propose(["c:1"], bodies(DEPOSIT), 1 << 2), Propose(["d:1"], bodies(DEPOSIT), 1 << 3)
    bench.step(1, clients=[("client", first), ("other", second)])
    votes = [message for _, _, message in bench.flights if isinstance(message, Phase2b)]
    assert [vote.ids for vote in votes] == [["c:1", "d:1"]] * 3
    assert receivers(bench) == {0, 2, 3}
    ask(bench, 1, 1 << 0, "c:2")
    assert receivers(bench) == {0}, "who waited before is not told of what comes after"


def test_a_vote_that_comes_after_its_decree_goes_to_all() -> None:
    """Where its client waits may have been said in an earlier step."""
    bench = running(5)
    ask(bench, 0, 1 << 0)
    ((_, _, decree),) = bench.take(0, 1, Phase2a)
    bench.step(1, peers=[(0, decree)])
    assert not bench.take(1, kind=Phase2b), "the body is missing"
    ask(bench, 1, 1 << 0)
    assert receivers(bench) == {0, 2, 3, 4}


def test_where_the_acceptors_order_all_votes_go_to_all() -> None:
    for policy in (Policy.COORDINATED, Policy.UNCOORDINATED):
        bench = running(4, policy)
        ask(bench, 1, 1 << 0)
        assert receivers(bench) == {0, 2, 3}, policy


def test_votes_that_leave_with_a_watermark_go_where_it_goes() -> None:
    bench = running(5)
    ask(bench, 1, 1 << 0)
    bench.deliver(0, 1)
    bench.flights.clear()
    bench.propose(DEPOSIT, to=(0, 1), name="c:2")
    ((_, _, decree),) = bench.take(0, 1, Phase2a)
    bench.flights.clear()
    bench.step(1, peers=[(0, decree)])  # adopted, and kept back
    bench.now_ms = bench[1].due_ms + bench.settings.timing.watermark_ms
    ask(bench, 1, 1 << 0, "c:3")
    assert {receiver for _, receiver, message in bench.take(1, kind=Phase2b) if message.adopted} == {0, 2, 3, 4}


def test_replicas_that_are_told_of_no_votes_learn_the_same() -> None:
    bench = running(5)
    for number, command in enumerate((DEPOSIT, WITHDRAW, DEPOSIT), 1):
        for node in bench.up:
            ask(bench, node, 1 << 0, f"c:{number}", command)
        bench.run_for(3)
    assert bench.replies.keys() == {"c:1", "c:2", "c:3"}
    bench.run_for(200)
    assert_same(bench)
    assert all(bench[node].executor.executed == 3 for node in bench.up)


def test_the_replica_asked_learns_by_votes_although_it_is_not_pinned() -> None:
    bench = running(5)
    for node in bench.up:
        ask(bench, node, 1 << 4)
    bench.deliver(0, 4)
    for voter in (1, 2):
        bench.deliver(voter, 4)
    assert bench.replies == {"c:1": [None, None]}
    assert bench[4].learner.fast_count == 1


# Leisure ------------------------------------------------------------------------------------------------------------


def calm(bench: Bench) -> Bench:
    """Nobody has asked anything for a while."""
    bench.run_for(ASKED_MS)
    return bench


def leisure(bench: Bench, node: int) -> float:
    return bench[node].upkeep.leisure_ms(bench.now_ms)


def test_only_those_outside_the_pinned_quorum_may_take_their_time() -> None:
    bench = calm(running(5))
    share = bench.settings.timing.watermark_ms * LEISURE_SHARE
    assert [leisure(bench, node) for node in bench.up] == [0, 0, 0, share, share]


def test_a_replica_that_clients_ask_takes_no_time() -> None:
    bench = calm(running(3))
    assert leisure(bench, 2)
    ask(bench, 2, 1 << 0)
    assert leisure(bench, 2), "this client asks elsewhere"
    ask(bench, 2, 1 << 2, "c:2")
    assert not leisure(bench, 2)
    bench.now_ms += ASKED_MS
    assert leisure(bench, 2)


def test_nobody_takes_time_where_each_region_is_to_learn_as_it_can() -> None:
    bench = calm(running(3, timing=Timing(watermark_ms=0)))
    assert not any(leisure(bench, node) for node in bench.up)


def test_who_does_not_hear_a_member_of_the_pinned_quorum_takes_no_time() -> None:
    bench = calm(running(3))
    assert leisure(bench, 2)
    bench.cut.add((1, 2))
    bench.run_for(bench.settings.timing.election_ms + bench.settings.timing.heartbeat_ms)
    assert bench[2].acceptor.kind.pinned == (0, 1), "the coordinator still hears it"
    assert not leisure(bench, 2)


def test_nobody_takes_time_while_votes_disagree() -> None:
    bench = calm(running(5))
    assert leisure(bench, 4)
    for node, command in ((0, DEPOSIT), (1, WITHDRAW)):
        ask(bench, node, EVERYBODY, "c:1" if node == 0 else "c:2", command)
    ask(bench, 1, EVERYBODY, "c:1", DEPOSIT)
    for sender in (0, 1):
        bench.deliver(sender, 4)
    assert bench[4].learner.conflicts
    assert not leisure(bench, 4)


def test_nobody_takes_time_in_a_ballot_without_a_pinned_quorum() -> None:
    for policy in (Policy.CLASSIC, Policy.COORDINATED):
        bench = calm(running(4, policy))
        assert not any(leisure(bench, node) for node in bench.up), policy
