"""Votes go to the pinned quorum and to where clients wait; all others learn by decrees and watermarks. And replicas
that nobody waits for may take their time."""

from __future__ import annotations

from typing import Any

import pytest

from commutativity import Command
from genpaxos.core.askers import LATELY_MS
from genpaxos.core.ballot import FastQuorums, Policy
from genpaxos.core.election import Timing
from genpaxos.core.gathering import GATHER_MS
from genpaxos.core.messages import Phase2a, Phase2b, Propose
from genpaxos.core.quorum import EVERYBODY
from genpaxos.examples.bank import Bank
from tests.core.bench import Bench, bodies
from tests.core.test_snapshot import assert_same

DEPOSIT, WITHDRAW = Bank.deposit("alice", 1), Bank.withdraw("alice", 1)


def running(replicas: int = 5, **how: Any) -> Bench:
    """Replica 0 coordinates and has pinned the first ones; all have heard each other, and no client has been heard."""
    bench = Bench(replicas, **how).led_by(0)
    bench.run_for(LATELY_MS + 210)
    bench.flights.clear()
    return bench


def ask(bench: Bench, node: int, asked: int, name: str = "c:1", command: Command[Any] = DEPOSIT) -> None:
    """A client's command reaches a replica; the client waits at the ``asked`` ones."""
    bench.step(node, clients=[("client", Propose([name], bodies(command), asked))])


def told(bench: Bench, sender: int = 1) -> set[int]:
    return {receiver for _, receiver, message in bench.take(sender, kind=Phase2b) if message.ids}


@pytest.mark.parametrize(
    ("asked", "whom"),
    [
        (1 << 0, {0, 2}),
        (1 << 1, {0, 2}),
        (1 << 4, {0, 2, 4}),
        (1 << 3 | 1 << 4, {0, 2, 3, 4}),
        (EVERYBODY, {0, 2, 3, 4}),
    ],
    ids=["coordinator", "itself", "another", "two", "all"],
)
def test_a_vote_goes_to_the_pinned_quorum_and_to_where_the_client_waits(asked: int, whom: set[int]) -> None:
    bench = running()
    ask(bench, 1, asked)
    assert told(bench) == whom


def test_where_nobody_said_who_waits_everybody_is_told() -> None:
    bench = running()
    ask(bench, 1, 0)
    assert told(bench) == {0, 2, 3, 4}


def test_who_was_asked_for_one_command_hears_of_the_others_for_a_while() -> None:
    """They may interfere with it."""
    bench = running()
    ask(bench, 1, 1 << 4)
    assert told(bench) == {0, 2, 4}
    ask(bench, 1, 1 << 0, "c:2")
    assert told(bench) == {0, 2, 4}
    bench.now_ms += LATELY_MS
    bench.step(1)
    bench.flights.clear()
    ask(bench, 1, 1 << 0, "c:3")
    assert told(bench) == {0, 2}


def test_a_restarted_replica_tells_all_until_it_has_heard_who_asks_where() -> None:
    bench = running()
    bench.restart(1)
    ask(bench, 1, 1 << 0)
    assert told(bench) == {0, 2, 3, 4}


def test_where_each_region_is_to_learn_as_it_can_everybody_is_told() -> None:
    bench = running(timing=Timing(watermark_ms=0))
    ask(bench, 1, 1 << 0)
    assert told(bench) == {0, 2, 3, 4}


def test_where_nobody_is_pinned_everybody_is_told() -> None:
    bench = running(7, fast=FastQuorums.ANY)
    ask(bench, 1, 1 << 0)
    assert told(bench) == {0, 2, 3, 4, 5, 6}


@pytest.mark.parametrize("replicas", [3, 5, 7])
@pytest.mark.parametrize("fast", list(FastQuorums), ids=str)
@pytest.mark.parametrize("homes", [(0, 0), (1, 1), (0, 1), (0, 2)], ids=str)
def test_a_collision_is_learned_without_waiting_for_a_watermark(
    replicas: int, fast: FastQuorums, homes: tuple[int, int]
) -> None:
    """One acceptor votes in the other order: that costs one more delay (protocol §4.1), and no timer."""
    bench = running(replicas, fast=fast)
    commands = {"c:1": (DEPOSIT, homes[0]), "d:1": (WITHDRAW, homes[1])}
    for node in bench.up:
        for name in sorted(commands, reverse=node == 1):
            command, home = commands[name]
            ask(bench, node, 1 << home, name, command)
    began_ms = bench.now_ms
    while bench.replies.keys() != commands.keys():
        bench.run_for(1)
        assert bench.now_ms - began_ms <= 4, "clients wait for more than messages"
    assert bench.replies["d:1"] == [None, True]


def test_two_homes_learn_commands_that_interfere_without_waiting_for_a_watermark() -> None:
    """All see the two in one order, and learn both fast; the second home must hear of the first command as well."""
    bench = running()
    for node in bench.up:
        ask(bench, node, 1 << 4, "d:0")
    bench.run_for(100)
    for node in bench.up:
        ask(bench, node, 1 << 0, "c:1", DEPOSIT)
        ask(bench, node, 1 << 4, "d:1", WITHDRAW)
    began_ms = bench.now_ms
    while not {"c:1", "d:1"} <= bench.replies.keys():
        bench.run_for(1)
        assert bench.now_ms - began_ms <= 4, "clients wait for more than messages"


def test_where_the_acceptors_order_all_votes_go_to_all() -> None:
    for policy in (Policy.COORDINATED, Policy.UNCOORDINATED):
        bench = running(4, policy=policy)
        ask(bench, 1, 1 << 0)
        assert told(bench) == {0, 2, 3}, policy


def test_votes_that_leave_with_a_watermark_go_where_it_goes() -> None:
    bench = running()
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
    bench = running()
    for number, command in enumerate((DEPOSIT, WITHDRAW, DEPOSIT), 1):
        for node in bench.up:
            ask(bench, node, 1 << 0, f"c:{number}", command)
        bench.run_for(3)
    assert bench.replies.keys() == {"c:1", "c:2", "c:3"}
    bench.run_for(200)
    assert_same(bench)
    assert all(bench[node].executor.executed == 3 for node in bench.up)


def test_the_replica_asked_learns_by_votes_although_it_is_not_pinned() -> None:
    bench = running()
    for node in bench.up:
        ask(bench, node, 1 << 4)
    bench.deliver(0, 4)
    for voter in (1, 2):
        bench.deliver(voter, 4)
    assert bench.replies == {"c:1": [None, None]}
    assert bench[4].learner.fast_count == 1


# Leisure ------------------------------------------------------------------------------------------------------------


def gathers_ms(bench: Bench, node: int) -> float:
    return bench[node].gathering.for_ms(bench.now_ms)


def test_only_those_outside_the_pinned_quorum_may_take_their_time() -> None:
    bench = running()
    assert [gathers_ms(bench, node) for node in bench.up] == [0, 0, 0, GATHER_MS, GATHER_MS]


@pytest.mark.parametrize(("watermark_ms", "found"), [(0, 0), (1, 1), (20, GATHER_MS), (60_000, GATHER_MS)])
def test_gathering_is_never_longer_than_a_watermark_may_be_kept_back_nor_than_a_beat(
    watermark_ms: int, found: float
) -> None:
    bench = running(3, timing=Timing(watermark_ms=watermark_ms))
    assert gathers_ms(bench, 2) == found
    assert Timing().heartbeat_ms > 10 * GATHER_MS


def test_a_replica_that_clients_ask_takes_no_time() -> None:
    bench = running(3)
    ask(bench, 2, 1 << 0)
    assert gathers_ms(bench, 2), "this client asks elsewhere"
    ask(bench, 2, 1 << 2, "c:2")
    assert not gathers_ms(bench, 2)
    bench.now_ms += LATELY_MS
    assert gathers_ms(bench, 2)


def test_a_question_that_has_just_come_is_not_kept_waiting() -> None:
    bench = running(3)
    gathering, elsewhere = bench[2].gathering, Propose(["c:1"], bodies(DEPOSIT), 1 << 0)
    here, anywhere = Propose(["c:2"], bodies(DEPOSIT), 1 << 2), Propose(["c:3"], bodies(DEPOSIT), EVERYBODY)
    assert gathering.for_ms(bench.now_ms, [elsewhere]) == GATHER_MS
    assert not gathering.for_ms(bench.now_ms, [elsewhere, here])
    assert not gathering.for_ms(bench.now_ms, [anywhere])


def test_who_does_not_hear_a_member_of_the_pinned_quorum_takes_no_time() -> None:
    bench = running(3)
    assert gathers_ms(bench, 2)
    bench.cut.add((1, 2))
    bench.run_for(bench.settings.timing.election_ms + bench.settings.timing.heartbeat_ms)
    assert bench[2].acceptor.kind.pinned == (0, 1), "the coordinator still hears it"
    assert not gathers_ms(bench, 2)


def test_who_lags_takes_no_time() -> None:
    bench = running(3)
    ask(bench, 0, 1 << 0)
    bench.step(2, peers=[(0, decree) for _, _, decree in bench.take(0, 1, Phase2a)])
    assert bench[2].acceptor.has_offers, "it waits for the body"
    assert not gathers_ms(bench, 2)
    bench[2].acceptor.adopt_offered()
    ask(bench, 2, 1 << 0)
    assert gathers_ms(bench, 2)


def test_nobody_takes_time_in_a_ballot_without_a_pinned_quorum() -> None:
    for policy in (Policy.CLASSIC, Policy.COORDINATED):
        bench = running(4, policy=policy)
        assert not any(gathers_ms(bench, node) for node in bench.up), policy
