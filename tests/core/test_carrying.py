"""Decrees carry the bodies to those outside the pinned quorum, gathered for some milliseconds while nobody waits."""

from __future__ import annotations

from math import inf

import pytest

from genpaxos.core import inspect
from genpaxos.core.askers import LATELY_MS
from genpaxos.core.ballot import Ballot, FastQuorums, Policy
from genpaxos.core.carrying import CARRY_COMMANDS_MAX, CARRY_MS, UNHEARD_MS, Carrying
from genpaxos.core.election import Timing
from genpaxos.core.messages import Fetch, FetchBodies, Phase2a, Phase2b, Propose
from genpaxos.core.serving import CHUNK_BYTES_MAX
from genpaxos.examples.bank import Bank
from tests.core.bench import Bench, bodies
from tests.core.machines import Ledger
from tests.core.test_awaited_votes import ask, running

B1, B2 = Ballot(1, 0), Ballot(2, 0)
HERE = 1 << 0


def decrees(bench: Bench, receiver: int, sender: int = 0) -> list[Phase2a]:
    """What is on its way to a replica, taken out of the air."""
    return [message for _, _, message in bench.take(sender, receiver, Phase2a) if isinstance(message, Phase2a)]


# When ---------------------------------------------------------------------------------------------------------------


def test_decrees_gather_from_the_first_on_until_their_time_has_come() -> None:
    made = Carrying(20.0)
    assert not made.gathers(B1)
    made.note(B1, 4, 100.0)
    made.note(B1, 6, 105.0)
    assert made.gathers(B1)
    assert made.due_ms == 100.0 + CARRY_MS
    assert made.take(8, False, 109.0) == 0
    assert made.take(8, False, 110.0) == 4
    assert not made.gathers(B1)
    assert made.due_ms == inf


def test_they_do_not_wait_for_more_than_so_many_nor_when_somebody_waits_for_them() -> None:
    made = Carrying(20.0)
    made.note(B1, 1, 0.0)
    assert made.take(CARRY_COMMANDS_MAX, False, 1.0) == 0
    assert made.take(CARRY_COMMANDS_MAX + 1, False, 1.0) == 1
    made.note(B1, 9, 2.0)
    assert made.take(9, True, 2.0) == 9


def test_where_nothing_may_be_kept_back_they_leave_at_once() -> None:
    made = Carrying(0.0)
    made.note(B1, 1, 7.0)
    assert made.take(1, False, 7.0) == 1


def test_decrees_of_a_ballot_that_is_over_do_not_gather() -> None:
    made = Carrying(20.0)
    made.note(B1, 1, 0.0)
    assert not made.gathers(B2)
    made.note(B2, 5, 1.0)
    assert made.take(5, True, 1.0) == 5


def test_clients_have_heard_of_a_ballot_a_second_after_its_first_decree() -> None:
    made = Carrying(20.0)
    made.note(B1, 1, 50.0)
    made.note(B1, 2, 500.0)
    assert made.unheard(50.0 + UNHEARD_MS - 1)
    assert not made.unheard(50.0 + UNHEARD_MS)
    made.note(B2, 3, 2_000.0)
    assert made.unheard(2_000.0)


# To whom ------------------------------------------------------------------------------------------------------------


def test_members_get_decrees_at_once_and_the_others_later_all_together_with_the_bodies() -> None:
    bench = running(5)
    ask(bench, 0, HERE, "c:1")
    [at_once] = decrees(bench, 1)
    bench.pass_time(4)
    ask(bench, 0, HERE, "c:2")
    assert at_once.bodies is None
    assert decrees(bench, 3) == decrees(bench, 4) == []
    bench.pass_time(CARRY_MS - 4)
    [later] = decrees(bench, 3)
    assert (later.first, later.ids) == (1, ["c:1", "c:2"])
    assert later.bodies == bodies(Bank.deposit("alice", 1), Bank.deposit("alice", 1))
    assert decrees(bench, 4) == [later]
    bench.pass_time(30)
    assert decrees(bench, 3) == []


def test_many_leave_at_once() -> None:
    bench = running(3)
    names = [f"c:{n}" for n in range(1, CARRY_COMMANDS_MAX + 2)]
    bench.step(0, clients=[("x", Propose(names, bodies(*[Bank.deposit("alice", 1)] * len(names)), HERE))])
    assert [len(message.ids) for message in decrees(bench, 2)] == [len(names)]


def test_they_leave_in_messages_that_are_not_too_long() -> None:
    bench = running(3, machine=Ledger)
    names, text = [f"c:{n}" for n in range(1, 101)], "x" * 10_000
    bench.step(0, clients=[("x", Propose(names, bodies(*[Ledger.note("n", text)] * 100), HERE))])
    bench.pass_time(CARRY_MS)
    sent = decrees(bench, 2)
    assert len(sent) == 2
    assert all(len(message.ids) * 10_000 < CHUNK_BYTES_MAX + 20_000 for message in sent)
    assert [name for message in sent for name in message.ids] == names


def test_whom_a_client_asks_gets_them_at_once() -> None:
    bench = running(3)
    ask(bench, 0, 1 << 2)
    assert [message.ids for message in decrees(bench, 2)] == [["c:1"]]
    bench.run_for(LATELY_MS)
    ask(bench, 0, HERE, "c:2")
    assert decrees(bench, 2) == []


def test_while_a_member_is_not_heard_the_others_get_them_at_once() -> None:
    bench = running(3)
    bench.cut.add((1, 0))
    bench.run_for(bench.settings.timing.election_ms - 50)
    assert bench[0].acceptor.kind.pinned == (0, 1)
    bench[0].fastpath.quorum_heard = False
    ask(bench, 0, HERE)
    assert [message.ids for message in decrees(bench, 2)] == [["c:1"]]


def test_where_the_pinned_quorum_is_no_classic_one_the_others_get_them_at_once() -> None:
    """Two of four meet every classic quorum, but commit nothing by themselves."""
    bench = Bench(4, pinned=(0, 1))
    bench.run_for(300)
    bench.campaign(0)
    bench.run_for(LATELY_MS + 310)
    assert bench[0].coordinator.kind.pinned == (0, 1)
    bench.flights.clear()
    ask(bench, 0, HERE)
    assert [message.ids for message in decrees(bench, 2)] == [["c:1"]]


def test_where_watermarks_do_not_wait_neither_do_these() -> None:
    bench = running(3, timing=Timing(watermark_ms=0))
    ask(bench, 0, HERE)
    assert [message.ids for message in decrees(bench, 2)] == [["c:1"]]


@pytest.mark.parametrize(
    ("policy", "fast", "carried"),
    [
        (Policy.CLASSIC, FastQuorums.PINNED, {1, 2, 3}),
        (Policy.LEADER_ORDERED, FastQuorums.PINNED, {3}),
        (Policy.LEADER_ORDERED, FastQuorums.ANY, set()),
        (Policy.COORDINATED, FastQuorums.PINNED, set()),
    ],
)
def test_bodies_go_to_those_that_do_not_vote(policy: Policy, fast: FastQuorums, carried: set[int]) -> None:
    bench = running(4, policy=policy, fast=fast)
    for node in range(4):
        ask(bench, node, HERE)
    bench.pass_time(CARRY_MS)
    sent = [flight for flight in bench.flights if isinstance(flight[2], Phase2a)]
    got = {receiver for _, receiver, message in sent if isinstance(message, Phase2a) and message.bodies}
    assert got == carried


def test_a_coordinator_that_is_deposed_sends_nothing_of_what_has_gathered() -> None:
    bench = running(3)
    ask(bench, 0, HERE)
    bench.campaign(1)
    bench.deliver(1, 0)
    assert not bench[0].coordinator.leading
    bench.pass_time(2 * CARRY_MS)
    assert decrees(bench, 2) == []
    assert not bench[0].telling.carrying.gathers(B1)


def test_what_gathers_when_a_ballot_ends_is_part_of_the_next() -> None:
    bench = running(3)
    ask(bench, 0, HERE)
    ask(bench, 1, HERE)
    bench.crash(0)
    bench.campaign(1)
    bench.run_for(300)
    assert bench.executed[2] == ["c:1"]


def test_what_is_cut_off_while_it_gathers_comes_with_the_snapshot() -> None:
    bench = running(3, timing=Timing(heartbeat_ms=3))
    for node in (0, 1):
        ask(bench, node, HERE)
    bench.round()
    bench.pass_time(4)
    assert bench[0].history.committed == 1
    bench.take_snapshot(0, times=2)
    assert bench[0].history.base == 1
    assert bench[0].telling.carrying.gathers(bench[0].coordinator.ballot)
    bench.run_for(200)
    assert bench.cents(2) == bench.cents(0)
    assert bench[2].history.committed == 1


def test_who_gets_gathered_decrees_that_are_not_committed_tells_its_watermark_at_once() -> None:
    """A member may have died, and not have been missed yet."""
    bench = running(3)
    ask(bench, 0, HERE)
    bench.drop(0, 1)
    bench.pass_time(CARRY_MS)
    bench.deliver(0, 2)
    assert bench.take(2, 0, Phase2b)


def test_it_keeps_its_watermark_back_where_a_client_asks_it() -> None:
    bench = running(3)
    ask(bench, 2, 1 << 2)
    ask(bench, 0, 1 << 2)
    bench.deliver(0, 2)
    assert not bench.take(2, 0, Phase2b)


def test_nobody_asks_for_what_gathers() -> None:
    bench = running(3)
    for n in range(1, 401):
        for node in (0, 1):
            ask(bench, node, HERE, f"c:{n}")
        bench.run_for(1)
        assert not [flight for flight in bench.flights if isinstance(flight[2], (Fetch, FetchBodies))]
    bench.run_for(60)
    assert bench[2].history.committed == 400


def test_a_gap_is_asked_for_once_and_filled() -> None:
    bench = running(3)
    asked = 0
    for n in range(1, 301):
        for node in (0, 1):
            ask(bench, node, HERE, f"c:{n}")
        if 100 <= n < 120:
            bench.drop(0, 2, Phase2a)
        asked += sum(isinstance(message, Fetch) for _, _, message in bench.flights)
        bench.run_for(1)
    bench.run_for(60)
    assert bench[2].history.committed == 300
    assert 1 <= asked <= 3


def test_who_lags_far_behind_gets_one_chunk_after_the_other() -> None:
    bench = running(3, machine=Ledger)
    bench.cut |= {(0, 2), (1, 2)}
    for n in range(1, 151):
        for node in (0, 1):
            ask(bench, node, HERE, f"c:{n}", Ledger.note("n", "x" * 20_000))
        bench.run_for(1)
    assert bench[2].history.committed == 0
    bench.run_for(30)
    bench.cut.clear()
    bench.run_for(210)
    assert bench[2].history.committed == 150, "six chunks, without an interval between them"


# A ballot that pins anew --------------------------------------------------------------------------------------------


def test_who_is_newly_pinned_is_passed_commands_until_clients_have_heard_of_it() -> None:
    bench = running(3)
    bench.crash(1)
    bench.run_for(700)
    assert bench[0].coordinator.kind.pinned == (0, 2)
    ask(bench, 0, HERE)
    bench.run_for(3)
    assert "c:1" in bench.learned[0], "with the vote of 2, which its client did not send it to"
    bench.run_for(UNHEARD_MS)
    bench.flights.clear()
    ask(bench, 0, HERE, "c:2")
    assert not bench.take(0, 2, Propose)
    assert [message.bodies for message in decrees(bench, 2)] == [None]


# What clients are told ----------------------------------------------------------------------------------------------


def test_clients_are_told_the_pinned_quorum_by_those_that_know_it() -> None:
    bench = running(3)
    assert [inspect.voters(bench[node]) for node in range(3)] == [[0, 1]] * 3
    bench.crash(1)
    bench.campaign(0)
    assert inspect.voters(bench[0]) == [], "a ballot is beginning"
    bench.run_for(100)
    assert [inspect.voters(bench[node]) for node in (0, 2)] == [[0, 2]] * 2


@pytest.mark.parametrize("policy", [Policy.CLASSIC, Policy.COORDINATED, Policy.UNCOORDINATED])
def test_clients_are_told_nothing_where_a_quorum_is_pinned_for_a_while_only_or_never(policy: Policy) -> None:
    bench = running(4, policy=policy)
    assert inspect.voters(bench[0]) == []
    if policy is not Policy.CLASSIC:
        bench[0].campaign.fallback.fall(bench.now_ms)
        bench.campaign(0)
        bench.run_for(50)
        assert bench[0].acceptor.kind.pinned
        assert inspect.voters(bench[0]) == []
