"""The session table: exactly once, whatever the order of commuting commands."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genpaxos.core.sessions import DROP_RESULTS, Result, Sessions, born, client_name, held_bytes

Ran = tuple[str, int, int, int]
"""Client, first sequence number, how many, acknowledged."""


@st.composite
def ran(draw: st.DrawFn) -> list[Ran]:
    """Distinct commands of some clients, runs among them, each acknowledging some before it.

    Numbers may occur in two commands, as with a client that retries a run in other pieces.
    """
    numbers = st.tuples(st.sampled_from("ab"), st.integers(1, 12), st.sampled_from((1, 1, 1, 2, 3, 5)))
    ids = draw(st.lists(numbers, unique=True, max_size=16))
    return [(client, first, count, draw(st.integers(0, first - 1))) for client, first, count in ids]


def name_of(client: str, first: int, count: int) -> str:
    return f"{client}:{first}" if count == 1 else f"{client}:{first}+{count}"


def result_of(first: int, count: int) -> Result:
    return [None, first] if count == 1 else [[None, number] for number in range(first, first + count)]


def record(sessions: Sessions, one: Ran) -> None:
    client, first, count, acknowledged = one
    sessions.record(name_of(client, first, count), client, first, result_of(first, count), acknowledged)


def table(order: Iterable[Ran]) -> Sessions:
    sessions = Sessions()
    for one in order:
        record(sessions, one)
    return sessions


def singles(*order: tuple[str, int, int]) -> Sessions:
    return table((client, sequence, 1, acknowledged) for client, sequence, acknowledged in order)


@given(ran(), st.randoms(use_true_random=False))
def test_the_order_of_execution_leaves_no_trace_in_the_table(order: list[Ran], chance: random.Random) -> None:
    """Replicas run commuting commands in different orders, so every update must commute (protocol §7)."""
    shuffled = list(order)
    chance.shuffle(shuffled)
    assert table(order).to_json() == table(shuffled).to_json()


@given(ran())
def test_the_table_says_what_a_set_and_a_dictionary_would(order: list[Ran]) -> None:
    sessions, commands = table(order), {one[:3] for one in order}
    done = {(client, number) for client, first, count in commands for number in range(first, first + count)}
    acknowledged: dict[str, int] = {}
    for client, _, _, up_to in order:
        acknowledged[client] = max(acknowledged.get(client, 0), up_to)
    for client in "abc":
        assert sessions.highest(client) == max((number for name, number in done if name == client), default=0)
        known = acknowledged.get(client, 0)
        for first in range(1, 15):
            for count in (1, 2, 3, 5):
                name, last = name_of(client, first, count), first + count - 1
                all_done = all((client, number) in done for number in range(first, last + 1))
                here = (client, first, count) in commands
                assert sessions.executed(name, client, first, last) == (all_done and (here or last <= known))
                kept = here and last > known
                assert sessions.result(name, client, first, last) == (result_of(first, count) if kept else None)


def test_an_acknowledgement_inside_a_run_keeps_the_whole_of_it() -> None:
    """Its client has a part of the results: asked for again, it must not be taken for another command."""
    sessions = table([("c", 1, 4, 0), ("c", 5, 1, 2)])
    assert sessions.result("c:1+4", "c", 1, 4) == result_of(1, 4)
    assert sessions.executed("c:1+4", "c", 1, 4)
    assert not sessions.executed("other/c:1+4", "c", 1, 4)
    record(sessions, ("c", 200, 1, 199))
    assert sessions.result("c:1+4", "c", 1, 4) is None
    assert not sessions.open["c"].results.keys() & {1, 5}


def test_an_acknowledgement_before_a_run_ran_here_leaves_it_to_be_dropped_later() -> None:
    sessions = table([("c", 9, 1, 3), ("c", 200, 1, 5), ("c", 2, 6, 0)])
    assert sessions.result("c:2+6", "c", 2, 7) == result_of(2, 6)
    record(sessions, ("c", 400, 1, 399))
    assert list(sessions.open["c"].results) == [400]


def test_executed_numbers_are_a_watermark_and_the_set_above_it() -> None:
    sessions = singles(("c", 3, 0), ("c", 1, 0), ("c", 5, 0))
    assert sessions.to_json()["c"][:2] == [1, [3, 5]]
    sessions.record("c:2", "c", 2, [None, None], 0)
    assert sessions.to_json()["c"][:2] == [3, [5]]


@given(ran(), st.randoms(use_true_random=False))
def test_a_table_restored_from_its_json_is_the_same_table(order: list[Ran], chance: random.Random) -> None:
    """It is part of every snapshot; what runs afterwards finds it as it was."""
    split = chance.randint(0, len(order))
    restored = Sessions()
    restored.restore(json.loads(json.dumps(table(order[:split]).to_json())))
    assert restored.to_json() == table(order[:split]).to_json()
    for one in order[split:]:
        record(restored, one)
    assert restored.to_json() == table(order).to_json()


def test_a_number_given_to_two_commands_keeps_both_results_in_whatever_order_they_ran() -> None:
    one, other = Sessions(), Sessions()
    one.record("x/c:1", "c", 1, [None, "x"], 0)
    one.record("y/c:1", "c", 1, [None, "y"], 0)
    other.record("y/c:1", "c", 1, [None, "y"], 0)
    other.record("x/c:1", "c", 1, [None, "x"], 0)
    assert one.to_json() == other.to_json()
    assert (one.result("x/c:1", "c", 1, 1), one.result("y/c:1", "c", 1, 1)) == ([None, "x"], [None, "y"])
    assert not one.executed("z/c:1", "c", 1, 1)


def test_a_huge_acknowledgement_costs_no_more_than_the_results_there_are() -> None:
    """A client may claim what it likes: 2^62 numbers are not walked through (this would never end)."""
    sessions = singles(("c", 1, 0), ("c", 2, 0))
    sessions.record("big", "c", 2**62, [None, "kept"], 2**62 - 1)
    assert sessions.result("c:1", "c", 1, 1) is None
    assert sessions.result("big", "c", 2**62, 2**62) == [None, "kept"]
    assert sessions.executed("c:1", "c", 1, 1)
    assert not sessions.executed("c:3", "c", 3, 3), "what is acknowledged has run somewhere, not here"


def test_an_acknowledgement_that_comes_late_takes_nothing_back() -> None:
    sessions = singles(("c", 1, 0), ("c", 5, 4), ("c", 2, 1))
    assert sessions.result("c:2", "c", 2, 2) is None
    assert sessions.result("c:5", "c", 5, 5) == [None, 5]


def test_clients_do_not_touch_each_other() -> None:
    sessions = singles(("a", 1, 0), ("b", 2, 1))
    assert sessions.result("a:1", "a", 1, 1) == [None, 1]
    assert not sessions.executed("b:3", "b", 3, 3)
    assert len(sessions) == 2


@given(st.randoms(use_true_random=False))
def test_dropping_results_a_few_at_a_time_leaves_no_trace_and_keeps_few(chance: random.Random) -> None:
    """Windows of commands run in any order; each acknowledges what lies two windows back."""
    window, count = 10, 5 * DROP_RESULTS
    order = [("a", n, max(0, n - 2 * window)) for n in range(1, count + 1)]
    shuffled = [run for at in range(0, count, window) for run in chance.sample(order[at : at + window], window)]
    one, other = singles(*order), singles(*shuffled)
    assert one.to_json() == other.to_json()
    held = other.open["a"].results
    assert len(held) <= DROP_RESULTS + 3 * window
    acknowledged = count - 2 * window
    assert other.result(f"a:{acknowledged}", "a", acknowledged, acknowledged) is None
    assert other.result(f"a:{acknowledged + 1}", "a", acknowledged + 1, acknowledged + 1) == [None, acknowledged + 1]
    assert other.executed(f"a:{acknowledged}", "a", acknowledged, acknowledged)


def test_the_end_of_sessions_is_kept_by_name_until_the_floor_passes_the_birth() -> None:
    sessions = singles(("aB5", 1, 0), ("bB9", 1, 0), ("plain", 1, 0), ("dB1", 1, 0))
    assert sessions.end(["aB5", "bB9", "plain", "goneB3"], 0) == 3
    assert all(map(sessions.over, ["aB5", "bB9", "plain", "goneB3"]))
    assert list(sessions.open) == ["dB1"]
    sessions.end([], 5)
    assert list(sessions.ended) == ["bB9", "plain"], "what the floor says need not be kept"
    assert all(map(sessions.over, ["aB5", "bB9", "plain", "goneB3", "neverB2"]))
    assert not sessions.over("dB1"), "it has a session"
    assert not sessions.over("newB6")
    restored = Sessions()
    restored.restore(json.loads(json.dumps(sessions.to_json())))
    assert restored.to_json() == sessions.to_json()
    assert (restored.floor, restored.over("neverB2"), restored.over("bB9")) == (5, True, True)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 80), st.integers(0, 40)), unique_by=lambda t: t[:2]))
def test_the_bytes_of_results_are_those_that_are_held(runs: list[tuple[str, int, int]]) -> None:
    sessions = Sessions()
    for client, sequence, acknowledged in runs:
        result = [None, "x" * (sequence * 500)]
        sessions.record(f"{client}:{sequence}", client, sequence, result, min(acknowledged, sequence - 1))
    held = sum(held_bytes(r) for s in sessions.open.values() for rows in s.results.values() for _, r, _ in rows)
    assert sessions.bytes == held == sum(map(sessions.held, sessions.open))
    sessions.end(["a"], 0, [("b", 90)])
    assert sessions.bytes == 0
    assert sessions.held("b") == 0


@pytest.mark.parametrize(
    ("client", "birth"), [("abcB0", 0), ("abcBff", 255), ("B7", 7), ("abc", None), ("abcB", None), ("abcBxy", None)]
)
def test_a_name_may_tell_the_birth(client: str, birth: int | None) -> None:
    assert born(client) == birth
    if birth is not None:
        assert client_name(client.rpartition("B")[0], birth) == client
