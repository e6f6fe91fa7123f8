"""The papers, sentence by sentence, continued: changing the ballot, lost messages, exactly once (see test_lamport)."""

from __future__ import annotations

import pytest

from genpaxos.core.ballot import ZERO, Ballot, Policy
from genpaxos.core.messages import Fetch, FetchBodies, Heartbeat, Nack, Phase1a, Phase1b, Phase2a, Phase2b
from tests.core.bench import Bench, bodies
from tests.core.test_lamport import ANY, CLASSIC, PINNED, A, B, C, Kind, cluster, delays, send

# Changing the ballot -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("knower", ["decree", "tail"])
def test_phase_1_never_loses_a_command_chosen_by_the_pinned_quorum(knower: str) -> None:
    """GP, *ProvedSafe*, with one fast quorum as in CP and SP: Q ∩ R ≠ ∅. The coordinator and the learner it told are
    gone; one acceptor is left that knows.
    """
    bench = cluster()
    bench.propose(C, to=[0, 1])
    if knower == "tail":
        bench.drop(0, 1)
    bench.drop(receiver=2)
    bench.deliver()
    assert "c:1" in bench.learned[0]
    bench.crash(0)
    bench.propose(A, to=[2])
    bench.campaign(2)
    bench.run_for(100)
    assert bench[2].history.ids == ["c:1", "c:2"]
    assert bench.executed[2] == ["c:1", "c:2"]


def test_phase_1_never_loses_a_command_chosen_by_any_f() -> None:
    """FP, the rule for picking a value. N = 5: {0, 1, 2, 3} chose C, {2, 3, 4} answer; t = f + |Q| − N = 2 of them
    report it.
    """
    bench = cluster(5, ANY)
    bench.propose(C, to=[0, 1, 2, 3])
    bench.propose(A, to=[4])
    bench.drop(0)
    bench.hand_over(bench.take(receiver=0, kind=Phase2b))
    assert "c:1" in bench.learned[0]
    bench.crash(0)
    bench.crash(1)
    bench.flights.clear()
    bench.campaign(4)
    bench.stabilize()
    bench.run_for(300)
    assert bench.executed[4] == ["c:1", "c:2"]


def test_phase_1_never_loses_what_a_classic_quorum_has_adopted() -> None:
    """GP, *ProvedSafe*: any two quorums meet. 0 and 1 have adopted V[1..2]; 1 and 2 answer."""
    bench = cluster(3, CLASSIC)
    bench.propose(C, to=[0])
    bench.propose(A, to=[0])
    bench.deliver(0, 1)
    bench.deliver(1, 0)
    assert bench[0].history.committed == 2
    bench.crash(0)
    bench.flights.clear()
    bench.campaign(2)
    bench.stabilize()
    assert bench[2].history.ids == ["c:1", "c:2"]


def test_what_was_not_chosen_may_be_reordered_but_is_not_dropped() -> None:
    """§5, step 4: "Everything else seen comes after"."""
    bench = cluster(5, ANY)
    bench.propose(A, to=[1])
    bench.propose(B, to=[2])
    bench.propose(C, to=[3])
    bench.flights.clear()
    bench.crash(0)
    bench.campaign(1)
    bench.stabilize()
    bench.run_for(200)
    assert sorted(bench[1].history.ids) == ["c:1", "c:2", "c:3"]


def test_the_highest_ballot_reported_decides_and_lower_ones_do_not() -> None:
    """GP, *ProvedSafe*: k is the largest ballot in which any acceptor of Q has voted."""
    bench = cluster()
    bench.propose(A, to=[0])  # V[1] of ballot 1, which nobody else hears of
    bench.flights.clear()
    bench.campaign(1)
    bench.drop(1, 0)
    bench.stabilize()
    bench.propose(C, to=[1])  # V[1] of ballot 2, of which 0 hears without the body
    bench.step(0, peers=[(1, decree) for _, _, decree in bench.take(1, 2, Phase2a)])
    assert bench[0].history.committed == 0
    bench.flights.clear()
    bench.crash(2)
    bench.campaign(0)
    bench.stabilize()
    assert bench[0].history.ids == ["c:2", "c:1"]


@pytest.mark.parametrize("before", [PINNED, ANY], ids=["pinned", "any"])
def test_a_classic_ballot_may_follow_a_fast_one(before: Kind) -> None:
    """GP, fast and classic ballots in one run; the kind is part of what acceptors report."""
    bench = cluster(3, before)
    bench.propose(C, to=[0, 1, 2])
    bench.drop(0)
    bench.hand_over(bench.take(receiver=0, kind=Phase2b))
    assert "c:1" in bench.learned[0]
    for node in (1, 2):
        bench[node].campaign.fallback._configured = Policy.CLASSIC
    bench.crash(0)
    bench.campaign(1)
    bench.stabilize()
    assert not bench[1].acceptor.rules.acceptors_vote
    assert bench[1].history.ids == ["c:1"]
    bench.propose(A, to=[1])
    bench.stabilize()
    assert bench.executed[2] == ["c:1", "c:2"]


def test_a_fast_ballot_may_follow_a_classic_one() -> None:
    """GP, the same."""
    bench = cluster(3, CLASSIC)
    bench.propose(C, to=[0])
    bench.stabilize()
    bench[1].campaign.fallback._configured = Policy.LEADER_ORDERED
    bench.campaign(1)
    bench.stabilize()
    send(bench, {node: [("x:1", B)] for node in range(3)})
    assert delays(bench, {"x:1"}, [0, 1, 2]) <= 3
    assert all(bench.executed[node] == ["c:1", "x:1"] for node in range(3))


def test_a_pinned_quorum_is_named_anew_when_a_member_fails() -> None:
    """CP: processors are reconfigured when one fails; §3, Quorums: until then the classic path carries on."""
    bench = cluster()
    bench.run_for(210)
    assert bench[0].acceptor.kind.pinned == (0, 1)
    bench.crash(1)
    name = bench.propose(A)
    bench.run_for(100)
    assert name in bench.executed[0], "by the classic rule, before the member is given up"
    assert bench[0].acceptor.kind.pinned == (0, 1)
    bench.run_for(700)
    assert bench[0].acceptor.kind.pinned == (0, 2)
    send(bench, {node: [("x:1", B)] for node in (0, 2)})
    assert delays(bench, {"x:1"}, [0, 2]) == 2


def test_a_ballot_is_taken_up_with_all_that_phase_1_proved_safe_or_not_at_all() -> None:
    """GP, phase 2a proposes *extensions* of a value proved safe; a part of that value is not safe."""
    bench = cluster()
    bench.propose(C)
    bench.propose(A)
    bench.stabilize()
    bench.crash(2)
    del bench.disks[2][:]  # a new acceptor that has nothing
    bench.restart(2)
    bench.campaign(1)
    bench.stabilize()
    whole = bench[1].coordinator.phase2a(1)
    assert whole.recovered == 2
    newcomer = Bench()
    part = Phase2a(whole.ballot, whole.kind, 2, 0, 1, whole.ids[:1], whole.digests[:1], bodies(C))
    newcomer.step(2, peers=[(1, part)])
    assert newcomer[2].acceptor.accepted == ZERO


def test_the_coordinator_of_a_lower_ballot_learns_that_it_is_over() -> None:
    """FP: a coordinator told of a higher round ends its own."""
    bench = cluster()
    bench.campaign(1)
    bench.drop(1, 0)
    bench.stabilize()
    bench.propose(A, to=[0])
    bench.deliver(0, 2, Phase2a)
    bench.deliver(2, 0, Nack)
    assert not bench[0].coordinator.leading
    assert bench[0].election.highest == Ballot(2, 1)


def test_a_late_phase_1b_of_an_old_ballot_is_no_promise_for_the_new_one() -> None:
    """FP, phase 2a of round i: the coordinator needs phase 1b messages *of round i* from a quorum."""
    bench = Bench()
    bench.campaign(0)
    bench.deliver(0, 1, Phase1a)
    late = bench.take(1, 0, Phase1b)
    bench.campaign(0)
    bench.hand_over(late)
    assert not bench[0].coordinator.leading


# Lost messages -------------------------------------------------------------------------------------------------------


def test_a_vote_for_a_command_the_coordinator_lacks_makes_it_fetch_the_command() -> None:
    """§3: "fetches it from a voter, so one lost client message cannot leave a command undecided"."""
    bench = cluster()
    bench.propose(A, to=[1])
    bench.deliver(kind=Phase2b)
    bench.pass_time(62)
    assert (0, 1, FetchBodies(["c:1"])) in bench.flights
    bench.stabilize()
    assert all("c:1" in bench.executed[node] for node in (0, 1))


def test_a_decree_whose_body_an_acceptor_lacks_makes_it_fetch_the_body() -> None:
    """§3, Phase 2a: "A command whose body it lacks is fetched"."""
    bench = cluster()
    bench.propose(A, to=[0])
    bench.deliver(0, 1, Phase2a)
    bench.flights.clear()
    bench.pass_time(62)
    assert (1, 0, FetchBodies(["c:1"])) in bench.flights


@pytest.mark.parametrize("kind", [CLASSIC, PINNED], ids=["classic", "pinned"])
def test_decrees_carry_the_bodies_to_those_that_have_no_vote(kind: Kind) -> None:
    """§3, Phase 2a: decrees carry the bodies to those that do not have them from clients."""
    bench = cluster(3, kind)
    bench.propose(A, to=[0])
    [decree] = [message for _, receiver, message in bench.flights if receiver == 2]
    assert isinstance(decree, Phase2a)
    assert decree.bodies == bodies(A)


def test_messages_may_be_lost_delivered_twice_and_out_of_order() -> None:
    """GP, the model: messages may be lost, duplicated, and delivered out of order."""
    bench = cluster()
    for command in (A, C, B, A, C):
        bench.propose(command)
    flights = bench.take()
    bench.hand_over([*reversed(flights), *flights][::2])
    bench.hand_over(reversed(bench.take()))
    bench.run_for(400)
    assert len({tuple(bench[node].history.ids) for node in range(3)}) == 1
    assert {bench[node].history.committed for node in range(3)} == {5}
    assert all(bench.cents(node) == bench.cents(0) for node in range(3))


def test_a_replica_that_was_away_asks_for_what_it_missed() -> None:
    """§8: "A replica behind … receives … until it has them it promises and adopts nothing it cannot place"."""
    bench = cluster()
    bench.crash(2)
    for _ in range(4):
        bench.propose(C)
    bench.run_for(60)
    bench.restart(2)
    bench.drop(kind=Heartbeat)
    bench.run_for(200)
    assert bench[2].history.committed == 4
    assert not [message for _, _, message in bench.flights if isinstance(message, Fetch)]


# Exactly once --------------------------------------------------------------------------------------------------------


def test_a_command_proposed_again_is_the_same_command() -> None:
    """GP, c-structs are built of commands; one proposed twice occurs once. §7: and its client gets the first
    result.
    """
    bench = cluster()
    bench.propose(C)
    bench.stabilize()
    bench.propose(A)
    bench.propose(C, name="c:1")
    bench.run_for(200)
    assert bench.replies["c:1"] == [None, False]
    assert bench[0].history.ids == ["c:1", "c:2"]


def test_interfering_commands_of_one_client_need_not_run_in_the_order_of_their_numbers() -> None:
    """§7: a session may have many commands outstanding; the history orders them, not their numbers."""
    bench = cluster()
    send(bench, {node: [("x:2", C), ("x:1", A)] for node in range(3)})
    bench.stabilize()
    assert bench.executed[0] == ["x:2", "x:1"]


def test_reports_are_asked_of_all_and_a_classic_quorum_is_enough() -> None:
    """FP, phase 1: the coordinator waits for *some* quorum, never for all."""
    bench = Bench(5)
    bench.campaign(0)
    assert len([m for _, _, m in bench.flights if isinstance(m, Phase1a)]) == 4
    for node in (3, 4):
        bench.deliver(0, node)
    bench.deliver(3, 0, Phase1b)
    assert not bench[0].coordinator.leading
    bench.deliver(4, 0, Phase1b)
    assert bench[0].coordinator.leading
    assert bench[0].acceptor.kind.pinned == (0, 3, 4)
