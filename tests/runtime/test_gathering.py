"""A replica that nobody waits for gathers messages for a moment; a question for it never waits for that to begin."""

from __future__ import annotations

from typing import Any

import pytest

from genpaxos.core.askers import LATELY_MS
from genpaxos.core.gathering import GATHER_MS
from genpaxos.core.messages import Propose
from genpaxos.examples.bank import Bank
from genpaxos.runtime import server as module
from genpaxos.runtime.server import Server
from tests.core.bench import Bench, bodies

PEER = (0, object())


def request(asked: int) -> tuple[bytes, Propose]:
    return b"client", Propose(["c:1"], bodies(Bank.deposit("alice", 1)), asked)


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the server slept, each time."""
    slept: list[float] = []
    monkeypatch.setattr(module.time, "sleep", slept.append)
    return slept


def gathered(node: int, monkeypatch: pytest.MonkeyPatch, *batches: tuple[list[Any], list[Any]]) -> Any:
    """What a replica of three handles in one step when these arrive, one batch after the other."""
    bench = Bench().led_by(0)
    bench.run_for(LATELY_MS + 210)
    server, left = object.__new__(Server), list(batches)
    server.replica = bench[node]
    monkeypatch.setattr(server, "_receive", lambda: left.pop(0))
    monkeypatch.setattr(module.time, "monotonic", lambda: bench.now_ms / 1000)
    return server._gather()


def test_what_follows_within_a_moment_is_handled_in_the_same_step(
    monkeypatch: pytest.MonkeyPatch, naps: list[float]
) -> None:
    elsewhere, later = request(1 << 0), request(1 << 1)
    found = gathered(2, monkeypatch, ([PEER], [elsewhere]), ([PEER], [later]))
    assert found == ([PEER, PEER], [elsewhere, later])
    assert naps == [GATHER_MS / 1000]


def test_a_question_for_it_is_handled_at_once(monkeypatch: pytest.MonkeyPatch, naps: list[float]) -> None:
    here = request(1 << 2)
    assert gathered(2, monkeypatch, ([PEER], [here])) == ([PEER], [here])
    assert not naps


def test_a_member_of_the_pinned_quorum_never_waits(monkeypatch: pytest.MonkeyPatch, naps: list[float]) -> None:
    for node in (0, 1):
        assert gathered(node, monkeypatch, ([PEER], [request(1 << 0)]))[0] == [PEER]
    assert not naps


def test_when_only_time_has_passed_nothing_is_waited_for(monkeypatch: pytest.MonkeyPatch, naps: list[float]) -> None:
    assert gathered(2, monkeypatch, ([], [])) == ([], [])
    assert not naps
