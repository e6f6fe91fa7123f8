"""The papers, sentence by sentence, held against the real replicas.

- GP: Lamport, *Generalized Consensus and Paxos*, MSR-TR-2005-33
- FP: Lamport, *Fast Paxos*, MSR-TR-2005-112
- CP: Lamport and Massa, *Cheap Paxos*, DSN 2004
- SP: Ryabinin, Gotsman and Sutra, *SwiftPaxos*, NSDI 2024
- §: the project's protocol page, which is quoted word for word; the papers are not

Delays are counted in a lock-step network: in each round everybody gets, in one step, all that was sent in the round
before. The client's own message is the first delay.
"""

from __future__ import annotations

from typing import Any

import pytest

from commutativity import Command
from genpaxos.core.ballot import Ballot, FastQuorums, Policy
from genpaxos.core.messages import Nack, Phase1a, Phase1b, Phase2a, Phase2b, Propose
from genpaxos.core.quorum import EVERYBODY
from genpaxos.examples.bank import Bank
from tests.core.bench import Bench, bodies

A, B, C = Bank.deposit("alice", 5), Bank.deposit("bob", 7), Bank.withdraw("alice", 3)
"""A and B commute, A and C interfere."""
CLASSIC, PINNED, ANY = (
    (Policy.CLASSIC, FastQuorums.PINNED),
    (Policy.LEADER_ORDERED, FastQuorums.PINNED),
    (Policy.LEADER_ORDERED, FastQuorums.ANY),
)
Kind = tuple[Policy, FastQuorums]
EVERY = pytest.mark.parametrize("kind", [CLASSIC, PINNED, ANY], ids=["classic", "pinned", "any"])
SIZES = pytest.mark.parametrize("replicas", [3, 4, 5])


def cluster(replicas: int = 3, kind: Kind = PINNED) -> Bench:
    return Bench(replicas, *kind).led_by(0)


def send(bench: Bench, orders: dict[int, list[tuple[str, Command[Any]]]]) -> None:
    """The first delay: clients' messages arrive, at each replica in an order of its own, in one step."""
    for node, order in orders.items():
        message = Propose([name for name, _ in order], bodies(*(command for _, command in order)), EVERYBODY)
        bench.step(node, clients=[("client", message)])


def delays(bench: Bench, names: set[str], learners: list[int]) -> int:
    """Message delays, the client's included, until these learners have executed these commands."""
    for count in range(1, 12):
        if all(names <= set(bench.executed[learner]) for learner in learners):
            return count
        bench.round()
    raise AssertionError("not learned")


# GP: the four requirements -------------------------------------------------------------------------------------------


@EVERY
def test_nontriviality_only_proposed_commands_are_learned(kind: Kind) -> None:
    """GP, *Nontriviality*: what a learner has learned is made of proposed commands."""
    bench = cluster(3, kind)
    bench.propose(A)
    bench.propose(C)
    bench.run_for(300)
    for node in range(3):
        assert set(bench.executed[node]) == {"c:1", "c:2"}


def test_nontriviality_votes_alone_cannot_make_a_command_up() -> None:
    """GP, *Nontriviality*: nothing is executed that has no body, and nothing decreed that nobody proposed."""
    bench = cluster()
    ballot = bench[0].acceptor.accepted
    for _ in range(5):
        bench.step(2, peers=[(0, Phase2a(ballot, bench[0].acceptor.kind, 0, 0, 1, ["x:1"], [1]))])
        bench.step(2, peers=[(1, Phase2b(ballot, ["x:1"], [1], 0))])
    assert bench.executed[2] == []
    assert bench[2].history.length == 0


@EVERY
def test_stability_what_is_learned_is_only_ever_extended(kind: Kind) -> None:
    """GP, *Stability*: what is learned is a prefix of all that will be. Here over a change of coordinator too."""
    bench = cluster(3, kind)
    before: list[list[tuple[str, int]]] = [[] for _ in range(3)]
    for number, command in enumerate([A, B, C, A, C, B]):
        bench.propose(command)
        if number == 3:
            bench.drop(0)
            bench.campaign(1)
        bench.run_for(150)
        for node in range(3):
            history = bench[node].history
            now = list(zip(*history.decrees(1, history.committed), strict=True))
            assert now[: len(before[node])] == before[node]
            before[node] = now
    assert len(before[0]) == 6


@EVERY
def test_consistency_all_that_is_learned_has_a_common_upper_bound(kind: Kind) -> None:
    """GP, *Consistency*: what any two learners have learned is compatible. So interfering commands are learned in one
    order, whatever order each replica heard them in.
    """
    bench = cluster(3, kind)
    one, two = ("x:1", A), ("y:1", C)
    send(bench, {0: [one, two], 1: [two, one], 2: [two, one]})
    bench.stabilize()
    bench.run_for(150)
    orders = {tuple(bench.executed[node]) for node in range(3)}
    assert orders == {("x:1", "y:1")}, "the coordinator's"


@EVERY
@SIZES
def test_liveness_a_command_is_learned_if_a_quorum_is_not_faulty(kind: Kind, replicas: int) -> None:
    """GP, *Liveness*: a proposed command is eventually learned, given a nonfaulty quorum."""
    bench = cluster(replicas, kind)
    for node in range((replicas - 1) // 2):
        bench.crash(node)  # the coordinator first
    name = bench.propose(A)
    bench.run_for(1800)
    assert all(name in bench.executed[node] for node in bench.up)


@EVERY
def test_without_a_quorum_nothing_is_learned(kind: Kind) -> None:
    """GP, *Liveness*: it is promised only with a quorum; safety always."""
    bench = cluster(3, kind)
    bench.crash(1)
    bench.crash(2)
    bench.propose(A)
    bench.run_for(1500)
    assert bench.executed[0] == []


# Message delays ------------------------------------------------------------------------------------------------------


@SIZES
@pytest.mark.parametrize("kind", [PINNED, ANY], ids=["pinned", "any"])
def test_commuting_commands_are_learned_in_two_message_delays(kind: Kind, replicas: int) -> None:
    """GP, abstract: two message delays, if concurrent commands do not interfere. In whatever order they arrive."""
    bench = cluster(replicas, kind)
    one, two = ("x:1", A), ("y:1", B)
    send(bench, {node: [one, two] if node % 2 else [two, one] for node in range(replicas)})
    members = list(bench[0].acceptor.kind.pinned) or list(range(replicas))
    assert delays(bench, {"x:1", "y:1"}, members) == 2
    assert all(bench[node].learner.fast_count == 2 for node in range(replicas)), "outside the quorum too"


@SIZES
@pytest.mark.parametrize("kind", [PINNED, ANY], ids=["pinned", "any"])
def test_interfering_commands_are_learned_in_three_message_delays(kind: Kind, replicas: int) -> None:
    """SP: one more message delay than commuting ones; the coordinator's order is the decree sequence (§4.1)."""
    bench = cluster(replicas, kind)
    one, two = ("x:1", A), ("y:1", C)
    send(bench, {node: [one, two] if node % 2 else [two, one] for node in range(replicas)})
    assert delays(bench, {"x:1", "y:1"}, list(range(replicas))) == 3
    assert {tuple(bench.executed[node]) for node in range(replicas)} == {("y:1", "x:1")}


@SIZES
def test_a_classic_ballot_learns_in_three_message_delays(replicas: int) -> None:
    """FP, on classic rounds: client to coordinator, phase 2a, phase 2b."""
    bench = cluster(replicas, CLASSIC)
    send(bench, {0: [("x:1", A), ("y:1", C)]})
    assert delays(bench, {"x:1", "y:1"}, list(range(replicas))) == 3


def test_a_collision_costs_no_restart() -> None:
    """§4.1: after a collision the ballot goes on, and the next commuting command is fast again."""
    bench = cluster()
    one, two = ("x:1", A), ("y:1", C)
    send(bench, {0: [one, two], 1: [two, one]})
    bench.stabilize()
    send(bench, {node: [("z:1", B)] for node in range(3)})
    assert delays(bench, {"z:1"}, [0, 1]) == 2
    assert bench[0].acceptor.promised.number == 1


def test_full_interference_costs_what_multi_paxos_costs() -> None:
    """§4.1: "under 100 % interference the cost is Multi-Paxos's": three delays, one round of decrees, no new ballot."""
    bench = cluster()
    names = [(f"{client}:1", C) for client in "uvwxyz"]
    send(bench, {0: names, 1: names[::-1], 2: names[::-1]})
    assert delays(bench, {name for name, _ in names}, [0, 1, 2]) == 3
    assert bench[0].acceptor.promised.number == 1


def test_the_pinned_quorum_of_five_is_three_so_two_may_be_slow() -> None:
    """§3, Quorums: "only they need vote": the other two acceptors may be as slow as they like."""
    bench = cluster(5)
    pinned = list(bench[0].acceptor.kind.pinned)
    assert len(pinned) == 3
    bench.cut = {(a, b) for a in range(5) for b in range(5) if a not in pinned or b not in pinned}
    send(bench, {node: [("x:1", A)] for node in pinned})
    assert delays(bench, {"x:1"}, pinned) == 2


# Votes ---------------------------------------------------------------------------------------------------------------


def test_an_acceptor_does_nothing_in_a_ballot_below_the_one_it_has_promised() -> None:
    """FP, phases 1b and 2b: an acceptor takes part in a round unless it has taken part in a higher one."""
    bench = cluster()
    bench.step(2, peers=[(1, Phase1a(Ballot(5, 1), 0))])
    bench.flights.clear()
    bench.propose(A, to=[0])
    bench.deliver(0, 2, Phase2a)
    assert bench.flights[-1] == (2, 0, Nack(bench[0].coordinator.ballot, Ballot(5, 1)))
    assert bench[2].history.length == 0


def test_votes_of_one_ballot_count_whatever_j_each_had_adopted() -> None:
    """§3, Learning (i): acceptor 1 votes for B before it has adopted V[1] = A; the coordinator had it. One digest
    all the same.
    """
    bench = cluster()
    bench.propose(A, to=[0])
    held_back = bench.take(0, 1, Phase2a)
    bench.propose(B, to=[0, 1])
    bench.deliver(1, 0, Phase2b)
    assert "c:2" in bench.learned[0]
    assert bench[1].history.length == 0
    bench.hand_over(held_back)
    bench.stabilize()
    bench.run_for(100)
    assert bench[1].history.ids == ["c:1", "c:2"]


def test_votes_are_never_added_across_ballots() -> None:
    """GP, *chosen at* a ballot: by a quorum that voted in *that ballot*. The vote of 1 in ballot 1 comes late, when 2's
    ballot is under way and 2 has voted the same: together they are no quorum of either.
    """
    bench = cluster()
    bench.propose(A, to=[1])
    late = bench.take(1, 2, Phase2b)
    bench.campaign(2)
    bench.drop(2, 1)
    bench.deliver(2, 0, Phase1a)
    bench.deliver(0, 2, Phase1b)
    assert bench[2].coordinator.leading
    bench.propose(A, to=[2], name="c:1")
    bench.hand_over(late)
    assert bench.learned[2] == {}


def test_a_vote_that_arrives_again_counts_once() -> None:
    """GP: a quorum is a *set* of acceptors."""
    bench = cluster()
    bench.propose(A, to=[1])
    votes = bench.take(1, 2, Phase2b)
    for _ in range(4):
        bench.hand_over(votes)
    assert bench.learned[2] == {}


def test_whatever_is_chosen_fast_has_the_coordinators_vote() -> None:
    """SP: the fast quorum includes the leader. Four equal votes of five do not do without it."""
    bench = cluster(5, ANY)
    bench.propose(A, to=[1, 2, 3, 4])
    bench.deliver(kind=Phase2b)
    assert all(learned == {} for learned in bench.learned)
    bench.propose(A, to=[0], name="c:1")
    assert "c:1" in bench.learned[0]


def test_a_command_may_be_learned_by_both_rules_and_runs_once() -> None:
    """§3, Learning: "both rules run at once … and each learner takes whichever completes first"."""
    bench = cluster()
    bench.propose(A)
    bench.stabilize()
    assert bench[1].learner.fast_count == 1
    assert bench[0].history.committed == 1
    assert bench.cents(0) == {"alice": 5}
    assert all(bench[node].executor.applied == 1 for node in range(3))


def test_the_classic_rule_learns_what_an_acceptor_of_the_fast_quorum_keeps_silent_about() -> None:
    """§4.1: "An acceptor may skip fast votes at any time … not voting is always safe", and costs a delay at most."""
    bench = cluster()
    bench.crash(1)
    bench.propose(A)
    assert bench.learned[0] == {}
    bench.stabilize()
    assert bench[0].history.committed == 1


# Stable storage ------------------------------------------------------------------------------------------------------


def test_a_vote_survives_a_crash() -> None:
    """FP: an acceptor keeps its promise and its vote in stable storage; §3: a vote leaves after it is synced."""
    bench = cluster()
    bench.propose(A, to=[1])
    bench.crash(1)
    bench.restart(1)
    assert list(bench[1].history.tail) == ["c:1"]
    assert bench[1].acceptor.accepted == Ballot(1, 0)


def test_a_promise_survives_a_crash() -> None:
    """FP, the same."""
    bench = cluster()
    bench.step(1, peers=[(2, Phase1a(Ballot(5, 2), 0))])
    bench.crash(1)
    bench.restart(1)
    bench.flights.clear()
    bench.propose(A, to=[0])
    bench.deliver(0, 1, Phase2a)
    assert isinstance(bench.flights[-1][2], Nack)


def test_a_coordinator_that_restarts_leads_no_ballot_and_never_uses_a_number_twice() -> None:
    """FP: a ballot has one coordinator and one sequence of decrees; what it had sent before it crashed is
    unknown to it.
    """
    bench = cluster()
    bench.propose(A, to=[0])
    bench.crash(0)
    bench.restart(0)
    assert not bench[0].coordinator.leading
    bench.campaign(0)
    assert bench[0].coordinator.ballot > Ballot(1, 0)
