"""When an acceptor tells its adoption watermark."""

from math import inf

from genpaxos.core.ballot import Ballot
from genpaxos.core.watermark import Watermark

BALLOT, NEXT = Ballot(1, 0), Ballot(2, 1)


def test_what_was_told_need_not_be_told_again() -> None:
    watermark = Watermark(20)
    watermark.sent(BALLOT, 3)
    assert not watermark.due(BALLOT, 3, True, 0.0)
    assert watermark.due_ms == inf


def test_an_urgent_watermark_is_told_at_once() -> None:
    assert Watermark(20).due(BALLOT, 3, True, 0.0)


def test_others_are_kept_back_for_a_while_and_then_told() -> None:
    watermark = Watermark(20)
    assert not watermark.due(BALLOT, 3, False, 100.0)
    assert watermark.due_ms == 120.0
    assert not watermark.due(BALLOT, 4, False, 119.0)
    assert watermark.due_ms == 120.0, "a higher watermark does not put the first one off"
    assert watermark.due(BALLOT, 4, False, 120.0)


def test_telling_one_ends_the_wait() -> None:
    watermark = Watermark(20)
    watermark.due(BALLOT, 3, False, 100.0)
    watermark.sent(BALLOT, 3)
    assert watermark.due_ms == inf
    assert not watermark.due(BALLOT, 4, False, 130.0)
    assert watermark.due_ms == 150.0


def test_the_same_index_in_another_ballot_is_news() -> None:
    watermark = Watermark(20)
    watermark.sent(BALLOT, 3)
    assert watermark.due(NEXT, 3, True, 0.0)


def test_without_patience_nothing_is_kept_back() -> None:
    assert Watermark(0).due(BALLOT, 1, False, 0.0)
