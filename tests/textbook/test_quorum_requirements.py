"""Why quorums must meet (Lamport, *Generalized Consensus and Paxos* §5.3.1; *Fast Paxos* §2.2): choices lost if not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import pytest

from genpaxos.core.quorum import QuorumError, QuorumSystem, members_of
from genpaxos.textbook import counting
from genpaxos.textbook.algebra import IncompatibleError, glb
from genpaxos.textbook.history import CommandHistory, InterferingPairs
from genpaxos.textbook.provedsafe import BallotArray, is_choosable_at, is_chosen_at, proved_safe
from tests.textbook.worlds import all_histories, digest_algebra, fast_size, masks

INTERFERING = InterferingPairs.of("ab")
BOTTOM = CommandHistory.empty(INTERFERING)
A, B = BOTTOM.append("a"), BOTTOM.append("b")
ALL = all_histories("ab", INTERFERING)
K, M = 1, 2


def answered(votes: Mapping[int, CommandHistory], asked: int) -> BallotArray[CommandHistory]:
    """What a coordinator knows when Q has joined ballot 2: their votes at 1, and ⊥ at 0."""
    ballots = {a: {0: BOTTOM} | ({K: votes[a]} if a in votes else {}) for a in members_of(asked)}
    return BallotArray(ballots, dict.fromkeys(members_of(asked), M))


def lost(value: CommandHistory, votes: Mapping[int, Any], asked: int, replicas: int, quorums: Sequence[int]) -> bool:
    """Whether the acceptors that did not answer may have voted so that something is chosen that ``value`` lacks."""
    missing = [a for a in range(replicas) if not asked >> a & 1]
    for vote in ALL:
        full = BallotArray({a: {K: v} for a, v in (dict(votes) | dict.fromkeys(missing, vote)).items()}, {})
        if any(is_chosen_at(w, K, full, lambda _: quorums) and not w <= value for w in ALL):
            return True
    return False


def split_brain(classic: Sequence[int], fast: Sequence[int]) -> tuple[int, int, int]:
    """Q, R₁ and R₂ with Q ∩ R₁ ∩ R₂ = ∅."""
    return next((q, one, two) for q in classic for one, two in combinations(fast, 2) if not q & one & two)


@pytest.mark.parametrize("with_coordinator", [False, True], ids=["any", "any with the coordinator"])
@pytest.mark.parametrize("replicas", range(3, 9))
def test_with_f_one_too_small_two_choices_look_alike_and_each_answer_loses_one(
    replicas: int, with_coordinator: bool
) -> None:
    """Q ∩ R₁ reports a and Q ∩ R₂ reports b, which interfere: R₁ may have chosen a, or R₂ b, and Q cannot tell."""
    size = fast_size(replicas) - 1
    classic = masks(replicas, replicas // 2 + 1)
    fast = [quorum for quorum in masks(replicas, size) if quorum & 1 or not with_coordinator]
    asked, one, two = split_brain(classic, fast)
    votes = {a: A if one >> a & 1 else B for a in members_of(asked & (one | two))}

    assert is_choosable_at(A, K, answered(votes, asked), lambda _: fast)
    assert is_choosable_at(B, K, answered(votes, asked), lambda _: fast)
    with pytest.raises(IncompatibleError):
        proved_safe(asked, M, answered(votes, asked), lambda _: fast)
    assert all(lost(value, votes, asked, replicas, fast) for value in ALL), "no answer would be right"
    with pytest.raises(QuorumError, match="could be lost"):
        QuorumSystem(replicas, classic, tuple(fast))


@pytest.mark.parametrize("replicas", range(3, 9))
def test_with_the_papers_f_no_such_acceptors_exist(replicas: int) -> None:
    classic, fast = masks(replicas, replicas // 2 + 1), masks(replicas, fast_size(replicas))
    with pytest.raises(StopIteration):
        split_brain(classic, fast)
    QuorumSystem(replicas, classic, fast)


def test_a_classic_quorum_one_too_small_misses_a_choice() -> None:
    """N = 4, q = 2: {0, 1} chose a; {2, 3} never heard of it."""
    quorums = masks(4, 2)
    votes = {0: {0: BOTTOM, K: A}, 1: {0: BOTTOM, K: A}, 2: {0: BOTTOM}, 3: {0: BOTTOM}}
    beta = BallotArray(votes, {2: M, 3: M})
    assert is_chosen_at(A, K, beta, lambda _: quorums)
    with pytest.raises(QuorumError, match="in common"):
        proved_safe(0b1100, M, beta, lambda _: quorums)
    assert all(lost(value, {}, 0b1100, 4, quorums) for value in ALL)
    with pytest.raises(QuorumError, match="do not meet"):
        QuorumSystem(4, quorums)


def test_a_pinned_quorum_that_is_no_majority_can_choose_behind_the_coordinators_back() -> None:
    """N = 3, R = {0} and Q = {1, 2}: whatever 0 voted for is chosen, and nobody in Q knows."""
    beta = BallotArray({0: {K: A}, 1: {0: BOTTOM, K: B}, 2: {0: BOTTOM}}, {1: M, 2: M})
    assert is_chosen_at(A, K, beta, lambda _: [0b001])
    with pytest.raises(QuorumError, match="in common"):
        proved_safe(0b110, M, beta, lambda _: [0b001])
    assert all(lost(value, {1: B}, 0b110, 3, [0b001]) for value in ALL)
    with pytest.raises(QuorumError, match="could be lost"):
        QuorumSystem.majority(3).with_pinned([0])


def test_two_pinned_quorums_are_one_too_many() -> None:
    """N = 3: one pinned majority needs only to meet Q. {0, 1} and {1, 2} both do, but Q = {0, 2} reports a and b."""
    votes = {0: A, 2: B}
    with pytest.raises(IncompatibleError):
        proved_safe(0b101, M, answered(votes, 0b101), lambda _: [0b011, 0b110])
    assert all(lost(value, votes, 0b101, 3, [0b011, 0b110]) for value in ALL)
    assert proved_safe(0b101, M, answered(votes, 0b101), lambda _: [0b011]) == [A]
    assert not lost(A, votes, 0b101, 3, [0b011])
    with pytest.raises(QuorumError, match="could be lost"):
        QuorumSystem(3, masks(3, 2), (0b011, 0b110))


@pytest.mark.parametrize("replicas", range(3, 8))
def test_a_threshold_one_too_high_forgets_a_choice_and_one_too_low_contradicts_itself(replicas: int) -> None:
    """t = f + |Q| − N (protocol §5 step 3): so many may be all that a choosing quorum has in Q."""
    size, q = fast_size(replicas), replicas // 2 + 1
    fast, asked, t = masks(replicas, size), (1 << q) - 1, size + q - replicas
    label = digest_algebra("ab", INTERFERING).digests
    votes = {a: label("a" if a < t else "b") for a in range(q)}
    assert counting.proved_safe(votes, asked, fast) == [label("a")]
    graphs = {a: A if a < t else B for a in range(q)}
    assert is_choosable_at(A, K, answered(graphs, asked), lambda _: fast)
    assert lost(B, graphs, asked, replicas, fast), "what t + 1 would allow"
    assert 2 * (t - 1) <= q < 2 * t, "with t − 1, half of Q could report a and the other half b; with t, it cannot"


def test_a_vote_at_a_lower_ballot_does_not_count() -> None:
    """Added across ballots, two votes for a look like a choice that never was; b, at k, may be one."""
    votes = {0: {0: BOTTOM, 1: A}, 1: {0: BOTTOM, 1: A}, 2: {0: BOTTOM, 2: B}}
    beta = BallotArray(votes, dict.fromkeys(range(3), 3))
    assert proved_safe(0b110, 3, beta, lambda _: [0b101]) == [B]
    assert glb([A, B]) == BOTTOM


def test_nobody_can_be_asked_who_never_began() -> None:
    with pytest.raises(ValueError, match="has voted below"):
        proved_safe(0b11, M, BallotArray[CommandHistory]({}, {0: M, 1: M}), lambda _: [0b11])
