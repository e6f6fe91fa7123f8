"""Serving what others lack, in chunks."""

from __future__ import annotations

import pytest

from genpaxos.core import catchup
from genpaxos.core.messages import Bodies, Committed, Fetch, FetchBodies, Phase2a
from genpaxos.examples.bank import Bank
from tests.core.bench import Bench


def filled(commands: int) -> Bench:
    bench = Bench().led_by(0)
    for n in range(commands):
        bench.propose(Bank.deposit("alice", n + 1))
    bench.stabilize()
    bench.run_for(50)
    return bench


def test_the_coordinator_serves_its_decrees_with_bodies() -> None:
    answer = filled(3)[0].catchup.on_fetch(Fetch(2))
    assert isinstance(answer, Phase2a)
    assert (answer.first, answer.ids) == (2, ["c:2", "c:3"])
    assert answer.bodies is not None


def test_the_coordinator_answers_even_when_there_is_nothing_to_serve() -> None:
    """That tells an acceptor which ballot to join."""
    bench = filled(1)
    answer = bench[0].catchup.on_fetch(Fetch(2))
    assert isinstance(answer, Phase2a)
    assert answer.ids == []
    assert bench[0].catchup.on_fetch(Fetch(3)) is None


def test_others_serve_what_is_committed() -> None:
    bench = filled(3)
    assert bench[1].history.committed == 3
    answer = bench[1].catchup.on_fetch(Fetch(3))
    assert isinstance(answer, Committed)
    assert (answer.ballot, answer.first, answer.ids) == (bench[1].acceptor.promised, 3, ["c:3"])
    assert bench[1].catchup.on_fetch(Fetch(4)) is None


def test_a_chunk_has_a_bounded_number_of_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catchup, "CHUNK_COMMANDS_MAX", 2)
    bench = filled(5)
    for node in (0, 1):
        answer = bench[node].catchup.on_fetch(Fetch(2))
        assert isinstance(answer, Phase2a | Committed)
        assert answer.ids == ["c:2", "c:3"]
        assert len(answer.digests) == 2


def test_a_chunk_has_a_bounded_number_of_bytes_but_at_least_one_command(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = filled(4)
    ids, bodies = bench[1].history.decrees(1)[0], bench[1].history.bodies(1, 4)
    monkeypatch.setattr(catchup, "CHUNK_BYTES_MAX", 1)
    assert bench[1].catchup.chunk(ids[:2], bodies[:2]) == 1
    monkeypatch.setattr(catchup, "CHUNK_BYTES_MAX", 150)
    assert bench[1].catchup.chunk(ids, bodies) == 2
    assert bench[1].catchup.chunk([], []) == 0


def test_a_replica_that_lags_catches_up_chunk_by_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catchup, "CHUNK_COMMANDS_MAX", 2)
    bench = Bench().led_by(0)
    bench.crash(2)
    for n in range(9):
        bench.propose(Bank.deposit("alice", n + 1))
    bench.run_for(50)
    bench.restart(2)
    bench.run_for(400)
    assert bench[2].history.committed == 9
    assert bench.cents(2) == {"alice": 45}


def test_bodies_are_served_as_far_as_they_are_known() -> None:
    bench = filled(2)
    answer = bench[1].catchup.on_fetch_bodies(FetchBodies(["c:2", "d:9"]))
    assert answer == Bodies(["c:2"], [["deposit", ["alice", 2], 0]])
    assert bench[1].catchup.on_fetch_bodies(FetchBodies(["d:9"])) is None
