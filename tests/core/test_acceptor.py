"""The acceptor: promises, votes, adoption, entering a ballot, and what it writes down."""

from __future__ import annotations

import pytest

from genpaxos.core.acceptor import Acceptor
from genpaxos.core.ballot import CLASSIC, ZERO, Ballot, BallotKind, Policy
from genpaxos.core.commands import Proposals
from genpaxos.core.history import DivergenceError
from genpaxos.core.messages import Committed, Nack, Phase1a, Phase1b, Phase2a
from genpaxos.core.records import Accepted, Adopted, CommitIndex, Entered, Learned, Promised
from genpaxos.core.sessions import Sessions
from genpaxos.examples.bank import Bank
from tests.core.bench import acceptor_of, history_of, known

B1, B2, B3 = Ballot(1, 0), Ballot(2, 2), Ballot(3, 0)
PINNED = BallotKind(Policy.LEADER_ORDERED, (0, 1))
COMMANDS = {
    "c:1": Bank.deposit("alice", 1),
    "c:2": Bank.withdraw("alice", 2),
    "c:3": Bank.deposit("alice", 3),
    "c:4": Bank.withdraw("alice", 4),
    "c:5": Bank.deposit("bob", 5),
}


def labels(*ids: str) -> list[int]:
    """The digests of a decree sequence."""
    return history_of(known(COMMANDS)).accept(ids)


def decrees(
    ballot: Ballot, *ids: str, first: int = 1, recovered: int = 0, committed: int = 0, kind: BallotKind = PINNED
) -> Phase2a:
    """``phase2a``: the decrees from index ``first`` on, of the sequence V = ids."""
    return Phase2a(ballot, kind, recovered, committed, first, list(ids[first - 1 :]), labels(*ids)[first - 1 :])


def committed(ballot: Ballot, *ids: str, first: int = 1, upto: int | None = None) -> Committed:
    chosen = list(ids[first - 1 : upto])
    return Committed(ballot, first, chosen, labels(*ids)[first - 1 : upto], known(COMMANDS).bodies(chosen))


def acceptor(node: int = 1, proposals: Proposals | None = None) -> Acceptor:
    return acceptor_of(node, proposals or known(COMMANDS))


def entered(node: int = 1, ballot: Ballot = B1) -> Acceptor:
    """An acceptor that takes part in a ballot without decrees."""
    made = acceptor(node)
    assert made.on_phase2a(decrees(ballot)) is None
    assert made.current
    return made


def test_a_promise_is_made_for_a_higher_ballot_and_reported_with_what_was_voted_for() -> None:
    voter = entered()
    voter.accept(["c:1", "c:2"])
    voter.on_phase2a(decrees(B1, "c:1"))
    report = voter.on_phase1a(Phase1a(B2, 0))
    assert report == Phase1b(B2, B1, PINNED, 0, 1, ["c:1"], labels("c:1"), ["c:2"])
    assert voter.promised == B2


def test_a_lower_ballot_is_answered_with_the_one_that_was_promised() -> None:
    voter = acceptor()
    voter.on_phase1a(Phase1a(B2, 0))
    assert voter.on_phase1a(Phase1a(B1, 0)) == Nack(B1, B2)
    assert voter.on_phase2a(decrees(B1, "c:1")) == Nack(B1, B2)
    assert voter.history.length == 0


def test_the_same_question_is_answered_again() -> None:
    voter = acceptor()
    assert voter.on_phase1a(Phase1a(B2, 0)) == voter.on_phase1a(Phase1a(B2, 0))
    assert voter.records == [Promised(B2)], "but promised once"


def test_a_report_begins_behind_what_the_asker_has_committed() -> None:
    voter = entered()
    voter.on_phase2a(decrees(B1, "c:1", "c:2", "c:3"))
    report = voter.on_phase1a(Phase1a(B2, 2))
    assert isinstance(report, Phase1b)
    assert (report.first, report.ids) == (3, ["c:3"])


def test_promised_and_accepted_are_two_variables() -> None:
    """A promise is not a vote (bug pattern 1): the ballot reported is the one in which votes were cast."""
    voter = entered()
    voter.accept(["c:1"])
    voter.on_phase1a(Phase1a(B2, 0))
    report = voter.on_phase1a(Phase1a(B3, 0))
    assert isinstance(report, Phase1b)
    assert report.accepted == B1
    assert (voter.promised, voter.accepted) == (B3, B1)


def test_taking_part_in_a_ballot_promises_it() -> None:
    """A phase 2a raises ``promised`` even when no phase 1a came before it (bug pattern 2)."""
    voter = acceptor()
    voter.on_phase2a(decrees(B2, "c:1"))
    assert voter.promised == B2
    assert voter.on_phase1a(Phase1a(B1, 0)) == Nack(B1, B2)
    assert Promised(B2) in voter.records


def test_decrees_that_cannot_be_adopted_yet_promise_their_ballot_all_the_same() -> None:
    voter = acceptor()
    voter.on_phase2a(decrees(B2, "c:1", "c:2", first=2, recovered=2))
    assert (voter.promised, voter.accepted) == (B2, ZERO)


def test_votes_not_sent_yet_are_dropped_at_a_promise() -> None:
    """Queued output of an old ballot must not follow the promise (bug pattern 6)."""
    voter = entered()
    voter.accept(["c:1"])
    voter.on_phase1a(Phase1a(B2, 0))
    assert voter.take_votes() == ([], [], 0)
    voter.on_phase2a(decrees(B2, "c:2"))
    assert voter.take_votes() == ([], [], 0)  # nor do they leave in the next one


def test_an_acceptor_stops_voting_when_it_promises() -> None:
    voter = entered()
    assert voter.votes_fast
    voter.on_phase1a(Phase1a(B2, 0))
    assert not voter.votes_fast


def test_only_members_of_a_pinned_quorum_vote() -> None:
    assert entered(1).votes_fast
    assert not entered(2).votes_fast


def test_everybody_votes_where_any_quorum_will_do() -> None:
    voter = acceptor(2)
    voter.on_phase2a(decrees(B1, kind=BallotKind(Policy.LEADER_ORDERED)))
    assert voter.votes_fast


def test_nobody_votes_in_a_classic_ballot() -> None:
    voter = acceptor()
    voter.on_phase2a(decrees(B1, kind=CLASSIC))
    assert voter.current
    assert not voter.votes_fast


@pytest.mark.parametrize("parts", [[1], [1, 2], [2], [2, 3], [3]])
def test_a_ballot_is_entered_with_all_of_what_phase_1_proved_safe_or_not_at_all(parts: list[int]) -> None:
    """A part of V[1..recovered] is not safe: what is left out may have been chosen."""
    voter = acceptor()
    everything = decrees(B2, "c:1", "c:2", "c:3", recovered=3)
    for at in parts:
        voter.on_phase2a(Phase2a(B2, PINNED, 3, 0, at, everything.ids[at - 1 : at], everything.digests[at - 1 : at]))
        assert voter.accepted == ZERO
        assert voter.history.length == 0
    voter.on_phase2a(everything)
    assert voter.accepted == B2
    assert voter.history.ids == ["c:1", "c:2", "c:3"]


def test_a_ballot_is_entered_in_parts_once_the_last_is_there() -> None:
    voter = acceptor()
    everything = decrees(B2, "c:1", "c:2", "c:3", recovered=3)
    for at in (1, 2, 3):
        assert voter.next_wanted() == at
        voter.on_phase2a(Phase2a(B2, PINNED, 3, 0, at, everything.ids[at - 1 : at], everything.digests[at - 1 : at]))
    assert voter.accepted == B2


def test_a_ballot_is_not_entered_before_the_bodies_of_its_decrees_are_there() -> None:
    proposals = known({name: COMMANDS[name] for name in ("c:1",)})
    voter = acceptor(1, proposals)
    voter.on_phase2a(decrees(B2, "c:1", "c:2", recovered=2))
    assert voter.accepted == ZERO
    assert voter.missing_bodies() == ["c:2"]
    proposals.add(["c:2"], known(COMMANDS).bodies(["c:2"]))
    voter.adopt_offered()
    assert voter.accepted == B2


def test_the_rest_of_the_history_stays_behind_the_decrees_of_a_new_ballot() -> None:
    """Dropping it is unsafe: the check finds the counterexample (protocol §4.2)."""
    voter = entered()
    voter.accept(["c:1", "c:2", "c:3"])
    voter.on_phase2a(decrees(B2, "c:2", recovered=1))
    assert voter.history.ids == ["c:2"]
    assert list(voter.history.tail) == ["c:1", "c:3"]
    assert [*voter.history.tail.values()] == labels("c:2", "c:1", "c:3")[1:]


def test_decrees_are_adopted_in_index_order_whatever_order_they_come_in() -> None:
    voter = entered()
    voter.on_phase2a(decrees(B1, "c:1", "c:2", first=2))
    assert voter.history.ids == []
    voter.on_phase2a(decrees(B1, "c:1"))
    voter.on_phase2a(decrees(B1, "c:1", "c:2"))
    voter.on_phase2a(decrees(B1, "c:1", "c:2"))
    assert voter.history.ids == ["c:1", "c:2"]


def test_a_decree_that_comes_before_its_command_is_a_vote() -> None:
    voter = entered()
    voter.on_phase2a(decrees(B1, "c:1", "c:2"))
    assert voter.take_votes() == (["c:1", "c:2"], labels("c:1", "c:2"), 0)


def test_a_decree_of_what_was_voted_for_is_no_second_vote() -> None:
    voter = entered()
    voter.accept(["c:1"])
    voter.take_votes()
    voter.on_phase2a(decrees(B1, "c:1"))
    assert voter.take_votes() == ([], [], 0)


def test_committed_decrees_of_others_replace_undecided_ones_of_a_ballot_that_lost() -> None:
    """They are part of every later ballot's V; what this acceptor had adopted in a ballot that lost goes behind
    them.
    """
    voter = entered()
    voter.on_phase2a(decrees(B1, "c:2", "c:5"))
    assert voter.on_committed(committed(B2, "c:1", "c:2"))
    assert voter.history.ids == ["c:1", "c:2"]
    assert list(voter.history.tail) == ["c:5"]
    assert voter.history.committed == 2
    assert (voter.promised, voter.accepted) == (B2, B1), "it must not vote on in the ballot that lost"
    assert not voter.votes_fast
    assert isinstance(voter.records[-1], Learned)


def test_committed_decrees_that_one_has_already_only_raise_the_commit_index() -> None:
    voter = entered()
    voter.on_phase2a(decrees(B1, "c:1", "c:2", "c:3"))
    assert voter.on_committed(committed(B1, "c:1", "c:2"))
    assert voter.history.ids == ["c:1", "c:2", "c:3"]
    assert voter.records[-1] == CommitIndex(2)


def test_committed_decrees_that_are_old_or_leave_a_gap_are_no_news() -> None:
    voter = entered()
    assert voter.on_committed(committed(B1, "c:1", "c:2"))
    assert not voter.on_committed(committed(B1, "c:1", "c:2"))
    assert not voter.on_committed(committed(B1, "c:1", "c:2", "c:3", "c:4", first=4))
    assert voter.on_committed(committed(B1, "c:1", "c:2", "c:3"))
    assert voter.history.committed == 3


def test_a_lagging_acceptor_learns_at_once_what_an_offer_says_is_committed() -> None:
    voter = acceptor()
    voter.on_phase2a(
        Phase2a(B2, PINNED, 3, 2, 1, ["c:1", "c:2"], labels("c:1", "c:2"), known(COMMANDS).bodies(["c:1", "c:2"]))
    )
    assert voter.accepted == ZERO
    assert voter.history.committed == 2


def test_decrees_that_contradict_their_digests_stop_the_acceptor() -> None:
    voter = acceptor()
    wrong = Phase2a(B2, PINNED, 2, 0, 1, ["c:2", "c:1"], labels("c:1", "c:2"))
    with pytest.raises(DivergenceError):
        voter.on_phase2a(wrong)


def test_every_change_is_written_down() -> None:
    voter = acceptor()
    voter.on_phase2a(decrees(B1))
    voter.accept(["c:1"])
    voter.on_phase2a(decrees(B1, "c:1", "c:2"))
    kinds = [type(record) for record in voter.records]
    assert kinds == [Promised, Entered, Accepted, Adopted]
    adopted = voter.records[-1]
    assert isinstance(adopted, Adopted)
    assert [body is None for body in adopted.bodies] == [True, False], "bodies the tail held are on disk already"


def test_replaying_the_records_gives_the_same_acceptor() -> None:
    voter = acceptor()
    voter.on_phase2a(decrees(B1))
    voter.accept(["c:3", "c:1"])
    voter.on_phase2a(decrees(B1, "c:1", "c:2"))
    voter.on_phase1a(Phase1a(B2, 0))
    voter.on_phase2a(decrees(B2, "c:2", recovered=1, kind=CLASSIC))
    voter.on_committed(committed(B3, "c:2", "c:5"))
    again = acceptor(1, Proposals(Bank, Sessions()))
    for record in voter.records:
        again.replay(record)
    assert (again.promised, again.accepted, again.kind) == (voter.promised, voter.accepted, voter.kind)
    assert (again.history.ids, again.history.digests) == (voter.history.ids, voter.history.digests)
    assert list(again.history.tail.items()) == list(voter.history.tail.items())
    assert again.history.committed == voter.history.committed
    assert again.history._index == voter.history._index


def test_a_stored_command_that_the_machine_no_longer_takes_stops_the_replica() -> None:
    with pytest.raises(DivergenceError, match="a stored command is not one of this machine's"):
        acceptor().replay(Accepted(["d:1"], [["nonesuch", [], 0]]))
