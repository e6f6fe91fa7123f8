"""Ballots: their order, and what kinds there are."""

from hypothesis import given
from hypothesis import strategies as st

from genpaxos.core.ballot import CLASSIC, ZERO, Ballot, BallotKind, Policy
from genpaxos.core.policies import rules_of

ballots = st.builds(Ballot, st.integers(0, 5), st.integers(0, 4))


@given(ballots, ballots)
def test_ballots_are_ordered_by_number_and_then_by_coordinator(one: Ballot, other: Ballot) -> None:
    assert (one < other) == ((one.number, one.coordinator) < (other.number, other.coordinator))


@given(ballots, ballots)
def test_two_coordinators_never_own_one_ballot(one: Ballot, other: Ballot) -> None:
    assert one.coordinator == other.coordinator or one != other


@given(ballots)
def test_zero_lies_below_every_ballot(ballot: Ballot) -> None:
    assert ballot > ZERO


def test_a_ballot_reads_as_number_and_coordinator() -> None:
    assert str(Ballot(3, 1)) == "3.1"


def test_only_the_classic_kind_is_not_fast() -> None:
    assert not rules_of(CLASSIC).acceptors_vote
    assert rules_of(Policy.LEADER_ORDERED).acceptors_vote
    assert rules_of(BallotKind(Policy.LEADER_ORDERED, (0, 2))).acceptors_vote
