"""Learning by a fast quorum of equal votes, or by a classic quorum of adoptions."""

from __future__ import annotations

from itertools import combinations

import pytest

from genpaxos.core.ballot import CLASSIC, Ballot, BallotKind, Policy
from genpaxos.core.history import History
from genpaxos.core.learner import RECENT_COMMANDS_MAX, Learner
from genpaxos.core.quorum import QuorumSystem
from genpaxos.examples.bank import Bank
from tests.core.bench import history_of, known

B1, B2 = Ballot(1, 0), Ballot(2, 1)
PINNED, ANY = BallotKind(Policy.LEADER_ORDERED, (0, 1)), BallotKind(Policy.LEADER_ORDERED)
NOTHING: tuple[list[str], list[int]] = ([], [])


def learner(replicas: int = 3, kind: BallotKind = PINNED, ids: int = 0) -> tuple[Learner, History]:
    commands = {f"c:{n}": Bank.deposit("alice", n) for n in range(1, ids + 1)}
    history = history_of(known(commands))
    history.decree(list(commands))
    made = Learner(history, QuorumSystem.majority(replicas), lambda _: False)
    made.start(B1, kind)
    return made, history


def test_a_fast_quorum_of_equal_votes_learns() -> None:
    made, _ = learner()
    assert made.on_votes(0, B1, ["c:1"], [7]) == NOTHING
    assert made.pending == 1
    assert made.on_votes(1, B1, ["c:1"], [7]) == (["c:1"], [7])
    assert (made.pending, made.fast_count) == (0, 1)
    assert made.learned_fast("c:1")


def test_a_quorum_without_a_pinned_member_does_not() -> None:
    made, _ = learner()
    assert made.on_votes(0, B1, ["c:1"], [7]) == NOTHING
    assert made.on_votes(2, B1, ["c:1"], [7]) == NOTHING


@pytest.mark.parametrize("voters", list(combinations(range(5), 4)))
def test_any_f_votes_learn_if_the_coordinators_is_among_them(voters: tuple[int, ...]) -> None:
    made, _ = learner(5, ANY)
    learned = [made.on_votes(voter, B1, ["c:1"], [7])[0] for voter in voters]
    assert learned[:-1] == [[], [], []]
    assert learned[-1] == (["c:1"] if 0 in voters else [])


def test_an_acceptor_counts_once_however_often_its_vote_arrives() -> None:
    made, _ = learner(5, ANY)
    for _ in range(9):
        assert made.on_votes(0, B1, ["c:1"], [7]) == NOTHING


def test_votes_with_different_digests_are_not_added_and_show_as_a_conflict() -> None:
    made, _ = learner()
    made.on_votes(0, B1, ["c:1"], [7])
    assert made.on_votes(1, B1, ["c:1"], [8]) == NOTHING
    assert made.conflicts == {"c:1"}
    assert made.on_votes(1, B1, ["c:1"], [7]) == (["c:1"], [7])


def test_votes_are_never_added_across_ballots() -> None:
    made, _ = learner()
    made.on_votes(0, B1, ["c:1"], [7])
    made.start(B2, PINNED)
    assert made.on_votes(1, B2, ["c:1"], [7]) == NOTHING, "0 voted in another ballot"
    assert made.on_votes(0, B1, ["c:1"], [7]) == NOTHING, "a late vote of the old one"
    assert made.on_votes(0, B2, ["c:1"], [7]) == (["c:1"], [7])


def test_a_lower_ballot_is_not_watched_again() -> None:
    made, _ = learner()
    made.start(B2, ANY)
    made.on_votes(1, B2, ["c:1"], [7])
    made.start(B1, PINNED)
    assert (made.ballot, made.kind, made.pending) == (B2, ANY, 1)


def test_watermarks_are_never_added_across_ballots() -> None:
    made, history = learner(ids=3)
    made.on_adopted(0, B1, 3)
    made.start(B2, PINNED)
    made.on_adopted(1, B1, 3)
    made.on_adopted(1, B2, 3)
    assert not made.advance(B2)
    assert history.committed == 0
    made.on_adopted(2, B2, 2)
    assert made.advance(B2)
    assert history.committed == 2


def test_a_classic_quorum_of_adoptions_commits_what_the_acceptor_beside_has() -> None:
    made, history = learner(ids=2)
    made.on_adopted(1, B1, 5)
    made.on_adopted(2, B1, 4)
    assert made.advance(B1)
    assert history.committed == 2, "4 are committed, but only 2 are known here"


def test_a_watermark_never_falls() -> None:
    made, history = learner(ids=3)
    made.on_adopted(0, B1, 3)
    made.on_adopted(1, B1, 3)
    made.on_adopted(1, B1, 1)
    assert made.advance(B1)
    assert history.committed == 3
    assert not made.advance(B1), "no news"


def test_nothing_is_committed_while_the_acceptor_beside_is_in_another_ballot() -> None:
    """Its V is not the one that was adopted."""
    made, history = learner(ids=2)
    made.on_adopted(0, B1, 2)
    made.on_adopted(1, B1, 2)
    assert not made.advance(B2)
    assert history.committed == 0


def test_there_are_no_fast_votes_in_a_classic_ballot() -> None:
    made, _ = learner(3, CLASSIC)
    assert all(made.on_votes(a, B1, ["c:1"], [7]) == NOTHING for a in range(3))
    assert not made.can_learn_fast(0b111)


def test_votes_for_what_is_learned_or_committed_say_nothing_new() -> None:
    made, _ = learner(ids=2)
    made.on_votes(0, B1, ["c:1"], [7])
    made.on_votes(1, B1, ["c:1"], [7])
    made.on_votes(0, B1, ["c:1"], [7])
    made.commit(2)
    made.on_votes(0, B1, ["c:2"], [9])
    assert made.pending == 0


def test_each_command_counts_for_the_rule_that_learned_it_first() -> None:
    made, _ = learner(ids=2)
    made.on_votes(0, B1, ["c:1", "c:2"], [7, 8])
    made.on_votes(1, B1, ["c:1"], [7])
    made.commit(2)
    made.forget(["c:1", "c:2"])
    assert (made.fast_count, made.classic_count, made.pending) == (1, 1, 0)
    assert made.recent == {"c:1": True, "c:2": False}
    assert not made.conflicts


def test_what_is_kept_to_look_at_is_bounded() -> None:
    made, _ = learner()
    for start in range(0, 5 * RECENT_COMMANDS_MAX, 512):
        made.forget([f"d:{n}" for n in range(start + 1, start + 513)])
    assert len(made.recent) <= 2 * RECENT_COMMANDS_MAX + 512
    assert f"d:{5 * RECENT_COMMANDS_MAX}" in made.recent


def test_votes_of_decrees_wait_until_somebody_else_votes() -> None:
    made, _ = learner()
    assert made.on_decrees(0, B1, 1, ["c:1", "c:2"], [7, 8]) == NOTHING
    assert made.on_decrees(0, B1, 3, ["c:3"], [9]) == NOTHING
    assert made.pending == 3
    assert made.on_votes(1, B1, [], []) == NOTHING, "a watermark alone"
    assert made.on_votes(1, B1, ["c:3", "c:2"], [9, 5]) == (["c:3"], [9])
    assert made.conflicts == {"c:2"}
    assert made.on_votes(1, B1, ["c:1"], [7]) == (["c:1"], [7])


def test_votes_of_decrees_that_come_after_others_count_at_once() -> None:
    made, _ = learner()
    made.on_votes(1, B1, ["c:1"], [7])
    assert made.on_decrees(0, B1, 1, ["c:1"], [7]) == (["c:1"], [7])


def test_votes_of_committed_decrees_are_never_counted() -> None:
    made, _ = learner(ids=2)
    made.on_decrees(0, B1, 1, ["c:1"], [7])
    made.on_decrees(0, B1, 2, ["c:2"], [8])
    made.commit(1)
    assert made.pending == 1
    made.commit(2)
    assert made.pending == 0
    assert made.on_votes(1, B1, ["c:1", "c:2"], [7, 8]) == NOTHING
    assert made.pending == 0


def test_votes_of_decrees_end_with_their_ballot() -> None:
    made, _ = learner()
    made.on_decrees(0, B1, 1, ["c:1"], [7])
    made.start(B2, made.kind)
    assert made.pending == 0
    assert made.on_decrees(0, B1, 1, ["c:1"], [7]) == NOTHING
    assert made.on_votes(1, B2, ["c:1"], [7]) == NOTHING


def test_what_a_quorum_had_adopted_in_a_ballot_says_nothing_in_the_next() -> None:
    made, history = learner(ids=2)
    history.truncate(1)
    for acceptor in (0, 1):
        made.on_adopted(acceptor, B1, 2)
    assert made.advance(B1)
    assert history.committed == 1, "this acceptor holds no more yet"
    made.start(B2, PINNED)
    history.decree(["c:2"])
    assert not made.advance(B2), "nobody has adopted V[2] in this ballot"
    for acceptor in (0, 1):
        made.on_adopted(acceptor, B2, 2)
    assert made.advance(B2)
    assert history.committed == 2
