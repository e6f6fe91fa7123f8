"""What clients do on a cluster that is slow to answer, and what they are owed."""

from __future__ import annotations

from typing import Any

import pytest

from commutativity import Command
from genpaxos.core.answers import FORGOTTEN
from genpaxos.core.ballot import FastQuorums, Policy
from genpaxos.core.messages import Refusal, Reply
from genpaxos.core.settings import Settings
from genpaxos.examples.bank import Bank
from genpaxos.simulation.clients import Submission
from genpaxos.simulation.cluster import SimulatedCluster
from genpaxos.simulation.marks import Mark
from genpaxos.simulation.violations import Invariant, ViolationError


def led() -> SimulatedCluster:
    cluster = SimulatedCluster(Bank, Settings(3), seed=1)
    cluster.campaign(0)
    cluster.run_for(300)
    return cluster


def pinned(cluster: SimulatedCluster) -> tuple[int, ...]:
    return cluster.alive()[0].acceptor.kind.pinned


def submission(command: Command[Any], **details: Any) -> Submission:
    return Submission(0.0, 0, command, **details)


def test_a_client_asks_again_until_it_is_answered() -> None:
    cluster = led()
    everywhere = [(3, replica) for replica in range(3)]
    cluster.network.sever(everywhere)
    pending = cluster.client(0).submit(submission(Bank.deposit("a", 5)))
    cluster.run_for(1_000)
    assert pending.result is None
    cluster.network.reconnect(everywhere)
    assert cluster.run_until(lambda: pending.result == [None, None], 500)


def test_one_that_gave_up_and_comes_back_gets_its_answer_and_the_command_ran_once() -> None:
    cluster = led()
    cluster.network.sever([(replica, 3) for replica in range(3)])
    pending = cluster.client(0).submit(submission(Bank.deposit("a", 5), patience_ms=100, back_ms=1_000))
    cluster.run_for(500)
    assert not pending.waits
    cluster.cut(())
    cluster.run_for(300)
    assert pending.result is None, "it has given up"
    assert cluster.run_until(lambda: pending.result == [None, None], 1_000)
    assert cluster.marks.counts[Mark.GAVE_UP] == cluster.marks.counts[Mark.CAME_BACK] == 1
    assert [replica.executor.applied for replica in cluster.alive()] == [1, 1, 1]


def test_one_that_resumes_its_session_gets_the_first_answers_again_or_learns_that_they_are_forgotten() -> None:
    cluster = led()
    for _ in range(3):
        pending = cluster.submit(Bank.withdraw("a", 5))
        assert cluster.run_until(lambda: pending.result is not None, 500)  # noqa: B023
    cluster.client(0).resume()
    cluster.run_for(100)
    assert cluster.marks.counts[Mark.DUPLICATE_ANSWERED] == 3, "the last of the three, by every replica"
    assert cluster.marks.counts[Mark.RESULT_FORGOTTEN] == 6, "the third command acknowledged the other two"


def test_a_client_acknowledges_only_what_it_has_without_a_gap() -> None:
    cluster = led()
    client = cluster.client(0)
    first = client.submit(submission(Bank.deposit("a", 5)))
    second = client.submit(submission(Bank.deposit("a", 5)))
    client.on_message(0, Reply([second.id], [[None, None]]))
    assert client.submit(submission(Bank.deposit("a", 5))).body[2] == 0
    client.on_message(0, Reply([first.id], [[None, None]]))
    assert client.submit(submission(Bank.deposit("a", 5))).body[2] == 2


@pytest.mark.parametrize("second", [[None, 2], FORGOTTEN])
def test_a_second_and_different_answer_is_a_violation_unless_it_says_that_the_result_is_forgotten(
    second: list[Any],
) -> None:
    cluster = led()
    client = cluster.client(0)
    pending = client.submit(submission(Bank.balance("a")))
    client.on_message(0, Reply([pending.id], [[None, 1]]))
    client.on_message(0, Reply([pending.id], [[None, 1]]))
    if second == FORGOTTEN:
        client.on_message(0, Reply([pending.id], [second]))
        return
    with pytest.raises(ViolationError, match=r"c0:1 was answered \[None, 1\], and later \[None, 2\]") as raised:
        client.on_message(0, Reply([pending.id], [second]))
    assert raised.value.invariant is Invariant.RESULTS


def test_a_result_forgotten_before_its_client_had_it_is_a_violation() -> None:
    client = led().client(0)
    pending = client.submit(submission(Bank.balance("a")))
    with pytest.raises(ViolationError, match="forgotten before it was had"):
        client.on_message(0, Reply([pending.id], [FORGOTTEN]))


def test_a_refusal_is_a_violation_since_every_command_is_one_of_the_machines() -> None:
    with pytest.raises(ViolationError, match="was refused: why"):
        led().client(0).on_message(0, Refusal(["c0:1"], ["why"]))


@pytest.mark.parametrize("policy", [Policy.COORDINATED, Policy.UNCOORDINATED])
def test_a_command_left_behind_with_some_of_the_acceptors_blocks_nobody_else(policy: Policy) -> None:
    """Half of the acceptors hold it before everything that interferes with it, the others never hear of it from its
    client: no quorum has anything in common until the coordinator passes it on.
    """
    cluster = SimulatedCluster(Bank, Settings(4, policy, FastQuorums.ANY), seed=1)
    cluster.campaign(0)
    cluster.run_for(300)
    cluster.client(0).submit(submission(Bank.withdraw("a", 5), reach=(0, 2), patience_ms=10))
    cluster.run_for(10)
    pending = cluster.submit(Bank.withdraw("a", 3), client=1)
    assert cluster.run_until(lambda: pending.result is not None, 1_000)


def test_a_thrifty_client_sends_to_the_pinned_quorum_and_the_others_get_everything_all_the_same() -> None:
    cluster = SimulatedCluster(Bank, Settings(5), seed=1, thrifty=True)
    cluster.campaign(0)
    cluster.run_for(1_500)
    receivers: list[int] = []
    cluster.client(0)._send = lambda sender, receiver, message: (  # type: ignore[func-returns-value]
        receivers.append(receiver),
        cluster.send(sender, receiver, message),
    )[1]
    pending = cluster.client(0).submit(submission(Bank.deposit("a", 5)))
    assert receivers == list(pinned(cluster))
    assert len(receivers) == 3
    cluster.run_for(10)
    assert pending.result == [None, None]
    cluster.run_for(50)
    assert [replica.executor.applied for replica in cluster.alive()] == [1] * 5
    assert cluster.marks.counts[Mark.THRIFTY] == cluster.marks.counts[Mark.GATHERED] == 1


def test_the_death_of_a_pinned_member_costs_a_thrifty_client_one_retry_at_most() -> None:
    cluster = SimulatedCluster(Bank, Settings(3), seed=1, thrifty=True)
    cluster.campaign(0)
    cluster.run_for(1_500)
    victim = next(node for node in pinned(cluster) if node != 0)
    cluster.crash(victim)
    calls = []
    for _ in range(200):
        calls.append(cluster.client(0).submit(submission(Bank.deposit("a", 1))))
        cluster.run_for(10)
    cluster.run_for(500)
    assert all(call.result == [None, None] for call in calls)
    slowest = max(call.answered_ms - call.invoked_ms for call in calls if call.answered_ms is not None)
    assert slowest < 100, "no retry was needed"
    assert victim not in pinned(cluster)
