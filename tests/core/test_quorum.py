"""Quorum systems: their intersections by enumeration, and the two counting rules against brute force."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genpaxos.core.ballot import CLASSIC, BallotKind, Policy
from genpaxos.core.quorum import REPLICAS_MAX, QuorumError, QuorumSystem, mask_of, members_of

FAST = BallotKind(Policy.LEADER_ORDERED)
SIZES = range(1, 8)


def sets(replicas: int, size: int) -> list[frozenset[int]]:
    return [frozenset(c) for c in combinations(range(replicas), size)]


def pinned(replicas: int) -> QuorumSystem:
    return QuorumSystem.majority(replicas).for_ballot(
        BallotKind(Policy.LEADER_ORDERED, tuple(range(replicas // 2 + 1))), 0
    )


def any_of(replicas: int, coordinator: int = 0) -> QuorumSystem:
    return QuorumSystem.majority(replicas).for_ballot(FAST, coordinator)


def systems(replicas: int) -> list[QuorumSystem]:
    return [pinned(replicas), any_of(replicas), any_of(replicas, replicas - 1)]


@given(st.sets(st.integers(0, 12)))
def test_a_mask_names_the_members_it_was_made_of(members: set[int]) -> None:
    assert members_of(mask_of(members)) == tuple(sorted(members))


@pytest.mark.parametrize("replicas", SIZES)
def test_a_majority_is_more_than_half(replicas: int) -> None:
    system = QuorumSystem.majority(replicas)
    for mask in range(1 << replicas):
        assert system.is_classic(mask) == (2 * mask.bit_count() > replicas)


@pytest.mark.parametrize("replicas", SIZES)
def test_any_two_classic_quorums_meet(replicas: int) -> None:
    for one, other in combinations(QuorumSystem.majority(replicas).classic, 2):
        assert one & other


@pytest.mark.parametrize("replicas", SIZES)
def test_a_classic_quorum_meets_the_meeting_of_any_two_fast_ones(replicas: int) -> None:
    """*Fast Paxos* §2.2, assumption 2."""
    for system in systems(replicas):
        for classic in system.classic:
            for one in system.fast:
                assert all(classic & one & other for other in system.fast)


@pytest.mark.parametrize("replicas", SIZES)
def test_any_f_is_the_smallest_number_that_fast_paxos_allows(replicas: int) -> None:
    """f = ⌈3N/4⌉ satisfies 2f + q > 2N, and f − 1 does not, q being a majority (*Fast Paxos* §2.2)."""
    f, q = -(-3 * replicas // 4), replicas // 2 + 1
    assert 2 * f + q > 2 * replicas
    assert 2 * (f - 1) + q <= 2 * replicas
    assert {mask.bit_count() for mask in any_of(replicas).fast} == {f}


@pytest.mark.parametrize("replicas", SIZES)
def test_every_fast_quorum_includes_the_coordinator(replicas: int) -> None:
    """A leader-ordered ballot follows the coordinator's order only if whatever is chosen has its vote (SwiftPaxos
    §4).
    """
    for coordinator in range(replicas):
        assert all(quorum >> coordinator & 1 for quorum in any_of(replicas, coordinator).fast)


@pytest.mark.parametrize("replicas", SIZES)
def test_a_set_is_a_fast_quorum_when_it_contains_one(replicas: int) -> None:
    for system in systems(replicas):
        for mask in range(1 << replicas):
            assert bool(system.fast_table[mask]) == any(mask & quorum == quorum for quorum in system.fast)


def test_a_classic_ballot_has_no_fast_quorum() -> None:
    system = pinned(3).for_ballot(CLASSIC, 0)
    assert system.fast == ()
    assert not any(system.fast_table)


def test_classic_quorums_that_do_not_meet_are_named() -> None:
    with pytest.raises(QuorumError, match=r"classic quorums \(0, 1\) and \(2, 3\) do not meet"):
        QuorumSystem(4, (0b0011, 0b1100))


def test_fast_quorums_that_a_classic_one_misses_are_named() -> None:
    with pytest.raises(QuorumError, match=r"\(0,\) and \(0,\) and the classic quorum \(1, 2\)"):
        QuorumSystem.majority(3).with_pinned([0])


@pytest.mark.parametrize("replicas", [3, 4, 5, 6, 7])
def test_one_vote_less_than_any_f_is_refused(replicas: int) -> None:
    """The wrong fast-quorum arithmetic cannot be built (models.md, bug pattern 7)."""
    classic = QuorumSystem.majority(replicas)
    smaller = [size for size in range(1, replicas) if 2 * size + replicas // 2 + 1 <= 2 * replicas]
    assert smaller[-1] == -(-3 * replicas // 4) - 1
    for size in smaller:
        with pytest.raises(QuorumError, match="a choice could be lost"):
            classic.with_any(size, including=0)


@pytest.mark.parametrize("replicas", [-1, 0, REPLICAS_MAX + 1])
def test_a_cluster_has_at_least_one_replica_and_not_too_many(replicas: int) -> None:
    with pytest.raises(QuorumError, match="a cluster has 1 to"):
        QuorumSystem.majority(replicas)


@pytest.mark.parametrize("classic", [(), (0,), (0b1000,)])
def test_a_quorum_is_a_set_of_acceptors_that_exist(classic: tuple[int, ...]) -> None:
    with pytest.raises(QuorumError, match="non-empty sets of the 3 acceptors"):
        QuorumSystem(3, classic)


@pytest.mark.parametrize("replicas", range(3, 8))
def test_a_command_may_be_chosen_when_acceptors_that_did_not_answer_could_complete_a_fast_quorum(replicas: int) -> None:
    """*Fast Paxos*, rule O4: some fast quorum R has R ∩ Q ⊆ those that report the vote. By enumeration of vote sets:
    add to the reporters any acceptors outside Q, and see whether that contains a fast quorum.
    """
    everyone = frozenset(range(replicas))
    for system in systems(replicas):
        fast = [frozenset(members_of(quorum)) for quorum in system.fast]
        for size in range(replicas // 2 + 1, replicas + 1):
            for asked in sets(replicas, size)[:: 1 if replicas < 7 else 3]:
                for count in range(size + 1):
                    for reported in map(frozenset, combinations(sorted(asked), count)):
                        possible = any(quorum <= reported | (everyone - asked) for quorum in fast)
                        assert system.may_be_chosen_fast(mask_of(reported), mask_of(asked)) == possible


@pytest.mark.parametrize("replicas", range(3, 8))
def test_for_any_f_it_comes_down_to_counting_t_reports(replicas: int) -> None:
    """t = f + |Q| − N (protocol §5, step 3), less what the coordinator's own absence already excludes."""
    system, f = any_of(replicas), -(-3 * replicas // 4)
    for size in range(replicas // 2 + 1, replicas + 1):
        for asked in sets(replicas, size):
            threshold = f + size - replicas
            for count in range(size + 1):
                reported = frozenset(sorted(asked)[:count])
                counted = count >= threshold and (0 not in asked or 0 in reported)
                assert system.may_be_chosen_fast(mask_of(reported), mask_of(asked)) == counted


@given(st.integers(1, 7).flatmap(lambda n: st.lists(st.integers(0, 9), min_size=n, max_size=n)))
def test_the_agreed_index_is_the_largest_that_a_classic_quorum_has_reached(adopted: list[int]) -> None:
    quorums = sets(len(adopted), len(adopted) // 2 + 1)
    expected = max(min(adopted[a] for a in quorum) for quorum in quorums)
    assert QuorumSystem.majority(len(adopted)).agreed_index(adopted) == expected


@given(st.lists(st.integers(0, 9), min_size=5, max_size=5), st.integers(0, 4), st.integers(0, 9))
def test_the_agreed_index_never_falls_when_an_acceptor_adopts_more(adopted: list[int], which: int, more: int) -> None:
    system = QuorumSystem.majority(5)
    after = [*adopted[:which], max(more, adopted[which]), *adopted[which + 1 :]]
    assert system.agreed_index(after) >= system.agreed_index(adopted)
