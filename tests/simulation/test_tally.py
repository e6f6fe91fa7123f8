"""The second count of promises and votes sees what it is there to see, and passes what is right."""

from __future__ import annotations

import pytest

from genpaxos.core.ballot import CLASSIC, Ballot, BallotKind, Policy
from genpaxos.core.messages import Phase1b, Phase2a, Phase2b, RejoinAck
from genpaxos.core.settings import Settings
from genpaxos.simulation.rejoining import Floors
from genpaxos.simulation.tally import Tally
from genpaxos.simulation.violations import Invariant, ViolationError

ONE, TWO = Ballot(1, 0), Ballot(2, 0)
PINNED = BallotKind(Policy.LEADER_ORDERED, (0, 1))
ORDERED = BallotKind(Policy.LEADER_ORDERED)
COORDINATED = BallotKind(Policy.COORDINATED)


def tally(replicas: int = 3, acceptors: tuple[int, ...] = ()) -> Tally:
    return Tally(Settings(replicas, acceptors=acceptors), Floors(replicas))


def promise(ballot: Ballot) -> Phase1b:
    return Phase1b(ballot, ONE, CLASSIC, 0, 1, [], [], [])


def vote(ballot: Ballot, step: int = 0) -> Phase2b:
    return Phase2b(ballot, ["c:1"], [7], 0, 0, step)


def test_a_ballot_takes_a_majority_of_promises_of_that_very_ballot() -> None:
    counted = tally(5)
    counted.left(1, 0, promise(TWO))
    counted.left(2, 0, promise(ONE))
    counted.left(1, 0, promise(TWO))
    with pytest.raises(ViolationError, match="with the promises of 2 acceptors, not 3") as raised:
        counted.started(TWO, 0)
    assert raised.value.invariant is Invariant.QUORUM
    counted.left(2, 0, promise(TWO))
    counted.started(TWO, 0)


def test_a_coordinator_that_is_no_acceptor_promises_nothing() -> None:
    counted = tally(4, (1, 2, 3))
    counted.left(1, 0, promise(TWO))
    with pytest.raises(ViolationError, match="with the promises of 1 acceptors, not 2"):
        counted.started(TWO, 0)


def test_a_promise_of_an_incarnation_that_is_over_counts_only_below_the_floor_of_the_next() -> None:
    floors = Floors(5)
    counted = Tally(Settings(5), floors)
    for acceptor in (1, 2):
        counted.left(acceptor, 0, promise(TWO))
    for other in (2, 3, 4):
        floors.left(other, 0, 1, RejoinAck(1, ONE, [0, 1, 0, 0, 0]))
    with pytest.raises(ViolationError, match="with the promises of 2 acceptors, not 3"):
        counted.started(TWO, 0)
    counted.left(1, 1, promise(TWO))
    counted.started(TWO, 0)
    for acceptor in (1, 2):
        counted.left(acceptor, 0, promise(ONE))
    counted.started(ONE, 0)


@pytest.mark.parametrize(
    ("kind", "voters", "chosen"),
    [
        (PINNED, (0, 1), True),
        (PINNED, (0, 2), False),
        (ORDERED, (0, 1, 2), True),
        (ORDERED, (1, 2, 3), False),
        (ORDERED, (0, 1), False),
        (COORDINATED, (1, 2, 3), True),
        (COORDINATED, (2, 3), False),
    ],
)
def test_a_fast_quorum_is_all_that_are_pinned_or_three_quarters(
    kind: BallotKind, voters: tuple[int, ...], chosen: bool
) -> None:
    counted = tally(4)
    for voter in voters:
        counted.left(voter, 0, vote(ONE))
    if chosen:
        counted.learned(3, ONE, kind, ["c:1"], [7], 0)
    else:
        with pytest.raises(ViolationError, match=r"replica 3 learned c:1 fast in ballot 1\.0"):
            counted.learned(3, ONE, kind, ["c:1"], [7], 0)


def test_votes_of_another_ballot_step_or_digest_and_votes_told_again_do_not_count() -> None:
    counted = tally()
    counted.voted(0, ONE, ["c:1"], [7])
    counted.left(0, 0, vote(ONE))
    counted.left(1, 0, vote(TWO))
    counted.left(1, 0, vote(ONE, 1))
    counted.left(1, 0, Phase2b(ONE, ["c:1"], [8], 0))
    with pytest.raises(ViolationError, match=r"it has the votes of \[0\]"):
        counted.learned(2, ONE, PINNED, ["c:1"], [7], 0)


def test_a_decree_is_a_vote_of_its_coordinator_unless_acceptors_order() -> None:
    decree = Phase2a(ONE, PINNED, 0, 0, 1, ["c:1"], [7])
    counted = tally()
    counted.left(0, 0, decree)
    counted.left(1, 0, vote(ONE))
    counted.learned(2, ONE, PINNED, ["c:1"], [7], 0)
    other = tally()
    other.left(0, 0, Phase2a(ONE, COORDINATED, 0, 0, 1, ["c:1"], [7]))
    for voter in (1, 2):
        other.left(voter, 0, vote(ONE))
    with pytest.raises(ViolationError, match=r"it has the votes of \[1, 2\]"):
        other.learned(2, ONE, COORDINATED, ["c:1"], [7], 0)
