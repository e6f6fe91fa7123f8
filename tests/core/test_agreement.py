"""The running sum of results: what it depends on, and how much of its past is remembered."""

from __future__ import annotations

from collections.abc import Sequence

import orjson
from hypothesis import given
from hypothesis import strategies as st

from commutativity.declared import UNREPRESENTABLE
from genpaxos.core.agreement import (
    BLOCK_COMMANDS,
    BLOCKS_MAX,
    MARKS_MAX,
    NOTHING,
    Agreement,
    encoded,
)


def covering(results: Sequence[bytes], agreement: Agreement | None = None, batch: int = 10_000) -> Agreement:
    """These results of commands with the digests 1, 2, …, covered so many at a time."""
    made = agreement or Agreement()
    for start in range(0, len(results), batch):
        part = results[start : start + batch]
        ids = [f"c:{made.index + 1 + at}" for at in range(len(part))]
        made.ahead.update(zip(ids, part, strict=True))
        made.cover(ids, [made.index + 1 + at for at in range(len(part))])
    return made


def numbered(count: int, first: int = 0) -> list[bytes]:
    return [encoded([None, first + n]) for n in range(count)]


@given(st.integers(0, 300), st.integers(1, 70), st.integers(1, 70))
def test_the_sum_at_an_index_depends_on_no_batches(count: int, batch: int, other: int) -> None:
    results = numbered(count)
    one, two = covering(results, batch=batch), covering(results, batch=other)
    assert [one.sum_at(index) for index in range(count + 1)] == [two.sum_at(index) for index in range(count + 1)]
    assert one.told() == two.told()


@given(st.integers(1, 300), st.data())
def test_a_result_that_differs_changes_all_sums_from_there_on(count: int, data: st.DataObject) -> None:
    results = numbered(count)
    at = data.draw(st.integers(1, count))
    one = covering(results)
    two = covering([*results[: at - 1], b"null,-1", *results[at:]])
    for index in range(count + 1):
        assert (one.sum_at(index) == two.sum_at(index)) == (index < at)


def test_a_digest_that_differs_changes_the_sum() -> None:
    one, two = Agreement(), Agreement()
    for agreement, digest in ((one, 5), (two, 6)):
        agreement.ahead["c:1"] = NOTHING
        agreement.cover(["c:1"], [digest])
    assert one.sum_at(1) != two.sum_at(1)


def test_what_a_heartbeat_tells_is_the_sum_at_the_index_and_at_the_last_mark() -> None:
    agreement = covering(numbered(2 * BLOCK_COMMANDS + 3))
    told = agreement.told()
    assert told == {
        "executed": 2 * BLOCK_COMMANDS + 3,
        "sum": agreement.sum_at(2 * BLOCK_COMMANDS + 3),
        "mark_sum": agreement.sum_at(2 * BLOCK_COMMANDS),
    }
    at_a_mark = covering(numbered(BLOCK_COMMANDS)).told()
    assert at_a_mark["sum"] == at_a_mark["mark_sum"]


def test_memory_is_bounded_and_the_newest_is_remembered() -> None:
    agreement = covering(numbered(3 * MARKS_MAX * BLOCK_COMMANDS + 7), batch=1_000)
    assert len(agreement._results) <= (2 * BLOCKS_MAX + 20) * BLOCK_COMMANDS
    assert len(agreement._digests) == len(agreement._results)
    assert len(agreement._marks) <= 2 * MARKS_MAX + 20
    last = agreement.index
    assert agreement.sum_at(last - BLOCKS_MAX * BLOCK_COMMANDS + BLOCK_COMMANDS) is not None
    assert agreement.marks()[-1] == last - 7
    assert len(agreement.marks()) == MARKS_MAX
    assert agreement.sum_at(5) is None
    assert agreement.sum_at(last + 1) is None
    assert agreement.block_of(last) == list(range(last - 7, last + 1))
    assert agreement.block_of(BLOCK_COMMANDS * 3) == [BLOCK_COMMANDS * 3]
    assert agreement.result_at(last) == f"[null,{last - 1}]"
    assert agreement.result_at(1) == ""


def test_sums_are_the_same_when_all_is_covered_at_once_as_after_a_restart() -> None:
    results = numbered(40_000)
    assert covering(results, batch=100_000).told() == covering(results, batch=64).told()


@given(st.integers(0, 200), st.integers(0, 200))
def test_a_snapshot_goes_on_with_the_same_sums(before: int, after: int) -> None:
    whole = covering(numbered(before))
    whole.ahead["c:x"] = b'null,"\\u00e9"'
    copy = Agreement()
    copy.restore(orjson.loads(orjson.dumps(whole.snapshot())))
    assert copy.told() == whole.told()
    assert copy.ahead == whole.ahead
    for agreement in (whole, copy):
        covering(numbered(after, before), agreement)
    assert copy.told() == whole.told()
    assert copy.snapshot() == whole.snapshot()


def test_who_goes_on_from_the_state_of_another_does_not_vouch_for_it() -> None:
    agreement = covering(numbered(10))
    assert agreement.vouches(1)
    agreement.ahead["c:12"] = NOTHING
    agreement.borrow()
    assert not agreement.vouches(10)
    assert agreement.vouches(11)
    agreement.ahead["c:11"] = NOTHING
    agreement.cover(["c:11"], [11])
    copy = Agreement()
    copy.restore(orjson.loads(orjson.dumps(agreement.snapshot())))
    for one in (agreement, copy):
        one.cover(["c:12"], [12])
        assert not one.vouches(12), "it ran at the other one, ahead of the index"
        one.ahead["c:13"] = NOTHING
        one.cover(["c:13"], [13])
        assert one.vouches(13)


def test_results_are_compared_with_sorted_keys_and_long_ones_by_a_hash() -> None:
    assert encoded([None, {"b": 1, "a": 2}]) == encoded([None, {"a": 2, "b": 1}])
    assert encoded([None, [1, 2]]) != encoded([None, [2, 1]])
    assert encoded([None, 1]) != encoded([None, 1.0])
    long, other = encoded([None, "é" * 5_000]), encoded([None, "é" * 4_999 + "e"])
    assert long != other
    assert len(long) < 300
    assert long.decode().startswith('null,"é')


def test_texts_that_differ_between_processes_are_not_compared() -> None:
    def failed(text: str) -> bytes:
        return encoded(["genpaxos.OperationFailed", text])

    assert failed("shop.Broken: <Order object at 0x7f01>") == failed("shop.Broken: <Order object at 0x7f99>")
    assert failed("shop.Broken: x") != failed("shop.Other: x")
    assert encoded([UNREPRESENTABLE, "<a at 0x1>"]) == encoded([UNREPRESENTABLE, "<a at 0x2>"])
    assert encoded(["Refused", "a: b"]) != encoded(["Refused", "a: c"])


def test_what_is_not_json_is_compared_as_that() -> None:
    assert encoded([None, {1, 2}]) == b"not JSON"


def test_the_short_ways_encode_as_the_long_one_does() -> None:
    for value in (True, False, None):
        assert encoded([None, value]) == orjson.dumps([None, value])[1:-1]
    assert encoded([None, None]) == NOTHING
    assert encoded(["Refused", True]) == b'"Refused",true'
