"""No more is taken up from a client than its results may take."""

from __future__ import annotations

import pytest

from commutativity import CommutativityTable, Machine, operation
from genpaxos.core.commands import Proposals
from genpaxos.core.intake import AGAIN_MS, TAKEN_BYTES_MAX, UNKNOWN_BYTES, WAITING_MAX, WAITING_MS, Intake
from genpaxos.core.messages import Propose
from genpaxos.core.sessions import Sessions
from genpaxos.core.sizes import LARGE_BYTES, Sizes

MB = 1_000_000


class Shelf(Machine):
    table = CommutativityTable("""
             get  put
        get   .    x
        put   x    x
    """)

    @operation(everything="get")
    def get(self) -> str:
        return ""

    @operation(everything="put")
    def put(self, text: str) -> None: ...


def request(operation: str, first: int, count: int, client: str = "c") -> Propose:
    sequences = list(range(first, first + count))
    arguments = ["x"] if operation == "put" else []
    ids = [f"{client}:{sequence}" for sequence in sequences]
    return Propose(ids, [[operation, arguments, 0] for _ in ids], 1, (client, sequences))


@pytest.fixture
def proposals() -> Proposals:
    return Proposals(Shelf, Sessions())


def take(intake: Intake, proposals: Proposals, message: Propose, now_ms: float = 0.0) -> list[str]:
    taken = intake.taken("route", message, now_ms)
    proposals.add(taken.ids, taken.bodies, taken.origin)
    return taken.ids


def test_an_operation_that_returns_nothing_is_never_held_up(proposals: Proposals) -> None:
    intake = Intake(Sizes(Shelf), proposals)
    assert len(take(intake, proposals, request("put", 1, 5_000))) == 5_000


def test_of_an_operation_that_has_returned_nothing_yet_a_few_are_taken_and_the_others_when_it_has(
    proposals: Proposals,
) -> None:
    sizes = Sizes(Shelf)
    intake = Intake(sizes, proposals)
    few = TAKEN_BYTES_MAX // UNKNOWN_BYTES
    assert take(intake, proposals, request("get", 1, 100)) == [f"c:{n}" for n in range(1, few + 1)]
    sizes.note("get", 100)
    ((route, rest),) = intake.released([], AGAIN_MS)
    assert route == "route"
    assert rest.ids == [f"c:{n}" for n in range(few + 1, 101)]
    assert rest.origin == ("c", list(range(few + 1, 101)))
    assert take(intake, proposals, rest) == rest.ids
    assert intake.released([], 2 * AGAIN_MS) == []


def test_what_waits_is_tried_now_and_then_and_dropped_after_a_while(proposals: Proposals) -> None:
    intake = Intake(Sizes(Shelf), proposals)
    few = len(take(intake, proposals, request("get", 1, 100)))
    take(intake, proposals, request("get", 1, 100), 10.0)
    tries, now_ms = 0, 0.0
    while now_ms < WAITING_MS:
        for _, waiting in intake.released([], now_ms):
            assert waiting.ids == [f"c:{n}" for n in range(few + 1, 101)], "once, though it was sent twice"
            assert take(intake, proposals, waiting, now_ms) == []
            tries += 1
        now_ms += 10.0
    assert tries == WAITING_MS // AGAIN_MS
    assert intake.released([], now_ms + AGAIN_MS) == []


def test_no_more_wait_than_so_many(proposals: Proposals) -> None:
    intake = Intake(Sizes(Shelf), proposals)
    for first in range(1, 10_000, 1_000):
        take(intake, proposals, request("get", first, 1_000))
    assert sum(len(waiting.ids) for _, waiting in intake.released([], AGAIN_MS)) == WAITING_MAX


def test_of_large_results_as_many_are_taken_as_may_stay_unacknowledged(proposals: Proposals) -> None:
    sizes, sessions = Sizes(Shelf), proposals.sessions
    sizes.note("get", MB)
    intake = Intake(sizes, proposals)
    taken = take(intake, proposals, request("get", 1, 50))
    assert len(taken) == TAKEN_BYTES_MAX // MB
    assert take(intake, proposals, request("get", 1, 50)) == taken, "those on their way may be asked for again"
    assert len(take(intake, proposals, request("get", 1, 50, client="d"))) == TAKEN_BYTES_MAX // MB
    for sequence, name in enumerate(taken, 1):
        sessions.record(name, "c", sequence, [None, "x" * MB], 0)
    assert take(intake, proposals, request("get", 1, 50)) == taken, "they are kept, and may be asked for"
    sessions.end([], 0, [("c", len(taken))])
    assert len(take(intake, proposals, request("get", len(taken) + 1, 50))) == TAKEN_BYTES_MAX // MB


def test_a_single_result_may_be_larger_than_the_limit(proposals: Proposals) -> None:
    sizes = Sizes(Shelf)
    sizes.note("get", 2 * TAKEN_BYTES_MAX)
    assert take(Intake(sizes, proposals), proposals, request("get", 1, 3)) == ["c:1"]


def test_what_was_large_once_counts_less_with_each_small_one() -> None:
    sizes = Sizes(Shelf)
    sizes.note("get", MB)
    for _ in range(60):
        sizes.note("get", 100)
    assert sizes.large == {}
    assert MB * (7 / 8) ** 40 < LARGE_BYTES
