"""ProvedSafe in counting form against the textbook: fast quorums enumerated, histories as explicit partial orders.

Lamport, *Generalized Consensus and Paxos* (MSR-TR-2005-33) §5.3.2: with k the highest ballot reported by the classic
quorum Q, γ(R) = ⊓ of the values reported at k by Q ∩ R, for every fast quorum R whose members in Q are all at k;
whatever
is chosen must extend ⊔Γ, the least upper bound of all γ(R).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commutativity import interferes
from genpaxos.core.ballot import CLASSIC, Ballot, BallotKind, Policy
from genpaxos.core.commands import Proposals
from genpaxos.core.history import History
from genpaxos.core.messages import Phase1b
from genpaxos.core.policies import rules_of
from genpaxos.core.quorum import QuorumSystem, mask_of, members_of
from genpaxos.core.recovery import _chosen_fast, _longest_decrees, _rest, decree_proved_safe
from genpaxos.examples.bank import Bank
from tests.core.bench import history_of, known
from tests.core.test_history import IDS, bank_commands

if TYPE_CHECKING:
    Order = nx.DiGraph[str]

LOW, K, NEW = Ballot(1, 0), Ballot(2, 0), Ballot(3, 1)


@dataclass
class Case:
    """What a coordinator has in hand at the end of phase 1."""

    replicas: int
    kind: BallotKind
    proposals: Proposals
    reports: dict[int, Phase1b]

    @property
    def system(self) -> QuorumSystem:
        return QuorumSystem.majority(self.replicas).for_ballot(self.kind, K.coordinator)

    @property
    def at_k(self) -> dict[int, Phase1b]:
        return {a: report for a, report in self.reports.items() if report.accepted == K}

    def recovered(self) -> list[str]:
        history = history_of(self.proposals)
        decree_proved_safe(history, self.reports, QuorumSystem.majority(self.replicas))
        return history.ids

    def base(self) -> list[str]:
        return max((report.ids for report in self.at_k.values()), key=len)

    def seen(self) -> set[str]:
        return {command for report in self.reports.values() for command in [*report.ids, *report.tail]}


@st.composite
def cases(draw: st.DrawFn, kinds: str = "fast") -> Case:
    """Any histories of the form V[1..j] • tail, at k or below it: more than any run could give."""
    replicas = draw(st.integers(3, 5))
    proposals = known({name: draw(bank_commands) for name in IDS[:6]})
    pinned = tuple(range(replicas // 2 + 1))
    kind = CLASSIC if kinds == "classic" else draw(
        st.sampled_from([BallotKind(Policy.LEADER_ORDERED), BallotKind(Policy.LEADER_ORDERED, pinned)])
    )  # fmt: skip
    decrees = list(draw(st.permutations(IDS[:6])))[: draw(st.integers(0, 4))]
    asked = draw(st.permutations(range(replicas)))[: draw(st.integers(replicas // 2 + 1, replicas))]
    favourite = list(draw(st.permutations(IDS[:6])))
    reports = {}
    for place, acceptor in enumerate(asked):
        at_k = place == 0 or draw(st.integers(0, 3)) > 0
        order = favourite if draw(st.booleans()) else list(draw(st.permutations(IDS[:6])))
        adopted = decrees[: draw(st.integers(0, len(decrees)))] if at_k else []
        tail = [command for command in order[: draw(st.integers(0, 6))] if command not in adopted]
        labels = history_of(proposals).accept(adopted)
        reports[acceptor] = Phase1b(
            NEW,
            K if at_k else LOW,
            kind if at_k else CLASSIC,
            0,
            1,
            adopted,
            labels,
            tail if rules_of(kind).acceptors_vote else [],
        )
    return Case(replicas, kind, proposals, reports)


# The textbook -------------------------------------------------------------------------------------------------------


def order_of(proposals: Proposals, sequence: list[str]) -> Order:
    """The command history that a sequence stands for: an edge from each command to those that must follow it."""
    graph: Order = nx.DiGraph()
    for at, command in enumerate(sequence):
        graph.add_node(command)
        for earlier in sequence[:at]:
            if interferes(Bank.table, proposals.known[earlier][1], proposals.known[command][1]):
                graph.add_edge(earlier, command)
    return graph


def down(graph: Order, command: str) -> Order:
    """↓C: the command and what it must follow, with their order."""
    return graph.subgraph({command, *nx.ancestors(graph, command)})


def same(one: Order, other: Order) -> bool:
    return set(one.nodes) == set(other.nodes) and set(one.edges) == set(other.edges)


def glb(graphs: list[Order]) -> Order:
    """⊓: the commands whose down-set is the same in all."""
    first = graphs[0]
    common = [c for c in first if all(c in g and same(down(first, c), down(g, c)) for g in graphs)]
    return first.subgraph(common)


def is_prefix(one: Order, other: Order) -> bool:
    """⊑: the commands of ``one`` have the same down-sets in ``other``."""
    return all(command in other and same(down(one, command), down(other, command)) for command in one)


def gammas(case: Case) -> list[Order]:
    """Γ: for every fast quorum R whose members in Q are all at k, ⊓ of their reports, projected onto the longest
    decrees.
    """
    base, asked, found = case.base(), set(case.reports), []
    for quorum in case.system.fast:
        meeting = sorted(set(members_of(quorum)) & asked)
        if all(acceptor in case.at_k for acceptor in meeting):
            projected = []
            for acceptor in meeting:
                report = case.reports[acceptor]
                rest = [command for command in [*report.ids, *report.tail] if command not in base]
                projected.append(order_of(case.proposals, base + rest))
            found.append(glb(projected))
    return found


# Agreement of the two -----------------------------------------------------------------------------------------------


@settings(max_examples=400, deadline=None)
@given(cases())
def test_the_counting_form_finds_exactly_the_commands_of_the_textbook(case: Case) -> None:
    history = history_of(case.proposals)
    history.decree(_longest_decrees(history, case.at_k))
    base = set(history.ids)
    rests = {a: _rest(history, report) for a, report in case.at_k.items()}
    labels = _chosen_fast(history, rests, case.system, mask_of(case.reports))
    assert set(labels) == {command for gamma in gammas(case) for command in gamma} - base


@settings(max_examples=400, deadline=None)
@given(cases())
def test_what_is_decreed_extends_the_least_upper_bound_of_the_textbook(case: Case) -> None:
    """Every γ(R) is a prefix of the new decrees: whatever was chosen keeps its down-set."""
    result = order_of(case.proposals, case.recovered())
    for gamma in gammas(case):
        assert is_prefix(gamma, result)


@settings(max_examples=200, deadline=None)
@given(cases())
def test_all_gammas_are_compatible(case: Case) -> None:
    """*Fast Paxos* §2.2, assumption 2, at work: any two fast quorums meet in an acceptor that answered."""
    union = nx.compose_all([nx.DiGraph(), *gammas(case)])
    assert nx.is_directed_acyclic_graph(union)
    assert all(is_prefix(gamma, union) for gamma in gammas(case))


@settings(max_examples=200, deadline=None)
@given(cases() | cases("classic"))
def test_the_longest_decrees_come_first_and_nothing_seen_is_lost(case: Case) -> None:
    recovered = case.recovered()
    assert recovered[: len(case.base())] == case.base()
    assert set(recovered) == case.seen()
    assert len(recovered) == len(set(recovered))


@settings(max_examples=100, deadline=None)
@given(cases(), st.randoms(use_true_random=False))
def test_the_order_of_the_answers_does_not_matter(case: Case, chance: object) -> None:
    shuffled = dict(sorted(case.reports.items(), key=lambda _: chance.random()))  # type: ignore[attr-defined]
    assert replace(case, reports=shuffled).recovered() == case.recovered()


@settings(max_examples=200, deadline=None)
@given(cases())
def test_a_report_below_k_says_nothing_of_what_was_chosen_at_k(case: Case) -> None:
    """Nor can a fast quorum whose member is below k have chosen anything there."""
    history = history_of(case.proposals)
    history.decree(_longest_decrees(history, case.at_k))
    rests = {a: _rest(history, report) for a, report in case.at_k.items()}
    for command in _chosen_fast(history, rests, case.system, mask_of(case.reports)):
        supporters = {a for a, rest in rests.items() if command in rest}
        assert any(set(members_of(q)) & set(case.reports) <= supporters for q in case.system.fast)


# Cases a person can read --------------------------------------------------------------------------------------------

PINNED = BallotKind(Policy.LEADER_ORDERED, (0, 1))
ANY = BallotKind(Policy.LEADER_ORDERED)
ACCOUNT = known({f"c:{n}": Bank.withdraw("alice", n) for n in range(1, 5)} | {"d:1": Bank.deposit("bob", 1)})


def report(accepted: Ballot, kind: BallotKind, decrees: list[str], tail: list[str], committed: int = 0) -> Phase1b:
    return Phase1b(NEW, accepted, kind, committed, committed + 1, decrees, history_of(ACCOUNT).accept(decrees), tail)


def recover(replicas: int, reports: dict[int, Phase1b], committed: list[str] | None = None) -> History:
    history = history_of(ACCOUNT)
    history.decree(committed or [])
    history.committed = history.length
    decree_proved_safe(history, reports, QuorumSystem.majority(replicas))
    return history


def test_what_only_the_tail_of_the_pinned_member_held_comes_before_all_that_interferes() -> None:
    """Q ∩ R = {1}: its whole history may have been chosen, and c:2 of acceptor 2 comes behind."""
    done = recover(3, {1: report(K, PINNED, [], ["c:1"]), 2: report(K, PINNED, [], ["c:2"])})
    assert done.ids == ["c:1", "c:2"]


def test_a_pinned_member_below_k_shows_that_nothing_was_chosen_fast() -> None:
    """Acceptor 1 has not voted at k, so the pinned quorum {0, 1} has chosen nothing there."""
    reports = {1: report(LOW, PINNED, [], ["c:1"]), 2: report(K, PINNED, ["c:2"], [])}
    assert recover(3, reports).ids == ["c:2", "c:1"]


def test_a_lagging_acceptors_report_is_projected_onto_the_longest_decrees() -> None:
    """1 has adopted nothing yet and holds c:3 before c:1, the decree it lacks: behind the decrees c:3 has another
    digest.
    """
    done = recover(3, {1: report(K, PINNED, [], ["c:3"]), 2: report(K, PINNED, ["c:1", "c:2"], [])})
    assert done.ids == ["c:1", "c:2", "c:3"]


def test_of_four_reports_at_k_two_with_one_digest_may_be_a_choice() -> None:
    """N = 5, f = 4, |Q| = 3: t = 2. The order of 1 and 3 wins over that of 2, although 2 comes first in step 4."""
    done = recover(
        5,
        {
            1: report(K, ANY, [], ["c:2", "c:1"]),
            2: report(K, ANY, [], ["c:1", "c:2"]),
            3: report(K, ANY, [], ["c:1", "c:2"]),
        },
    )
    assert done.ids == ["c:1", "c:2"]


def test_after_a_classic_ballot_the_longest_decrees_are_all_that_can_be_chosen() -> None:
    reports = {
        0: report(K, CLASSIC, ["c:1"], []),
        1: report(K, CLASSIC, ["c:1", "c:2"], []),
        2: report(LOW, ANY, [], ["c:3"]),
    }
    assert recover(3, reports).ids == ["c:1", "c:2", "c:3"]


def test_reports_begin_where_each_acceptors_commit_index_ends() -> None:
    reports = {
        0: report(K, PINNED, ["c:3"], [], committed=2),
        1: report(K, PINNED, ["c:2", "c:3"], ["c:4"], committed=1),
    }
    done = recover(3, reports, committed=["c:1", "c:2"])
    assert done.ids == ["c:1", "c:2", "c:3", "c:4"]


def test_a_first_ballot_has_nothing_to_keep() -> None:
    assert recover(3, {a: report(Ballot(0, -1), CLASSIC, [], []) for a in (0, 2)}).ids == []


@pytest.mark.parametrize("ahead", [1, 2])
def test_a_coordinator_that_has_not_caught_up_with_the_reports_may_not_start(ahead: int) -> None:
    with pytest.raises(AssertionError):
        recover(3, {0: report(K, PINNED, [], []), 1: report(K, PINNED, [], [], committed=ahead)})
