"""What is under way to a peer is bounded in bytes."""

from __future__ import annotations

from genpaxos.runtime.credit import MARK_BYTES, PEER_BYTES_MAX, SMALL_BYTES, Credit


def test_what_was_sent_is_under_way_until_the_mark_behind_it_is_back() -> None:
    credit = Credit()
    assert not credit.sent(1_000)
    first = credit.mark()
    assert credit.sent(MARK_BYTES), "a mark should follow"
    assert credit.under_way == 1_000 + MARK_BYTES
    second = credit.mark()
    credit.back(first)
    assert credit.under_way == MARK_BYTES
    credit.back(second)
    assert credit.under_way == 0
    credit.back(first)
    assert credit.under_way == 0, "marks come back in order; an old one says nothing"


def test_a_later_mark_stands_for_one_that_was_lost() -> None:
    credit = Credit()
    credit.sent(MARK_BYTES)
    credit.mark()
    credit.back(credit.mark())
    assert credit.under_way == 0


def test_a_mark_that_was_never_sent_gives_no_credit() -> None:
    credit = Credit()
    credit.sent(MARK_BYTES)
    for payload in (
        b'["mark",1]',
        b'["mark",-1]',
        b'["mark",99999999]',
        b'["mark",true]',
        b'["mark",1,2]',
        b'["mark",',
        b"",
    ):
        credit.back(payload)
    assert credit.under_way == MARK_BYTES, "none was"


def test_with_much_under_way_only_what_is_small_is_sent() -> None:
    credit = Credit()
    while credit.allows(100_000):
        credit.sent(100_000)
    assert PEER_BYTES_MAX - 100_000 < credit.under_way <= PEER_BYTES_MAX
    assert credit.allows(SMALL_BYTES)
    credit.back(credit.mark())
    assert credit.allows(100_000)


def test_a_message_beyond_the_bound_is_sent_when_next_to_nothing_else_is_under_way() -> None:
    credit = Credit()
    assert credit.allows(2 * PEER_BYTES_MAX)
    credit.sent(MARK_BYTES + 1)
    assert not credit.allows(2 * PEER_BYTES_MAX)
