"""When the coordinator proposes that sessions end."""

from __future__ import annotations

from typing import Any

from genpaxos.core.effects import Effects
from genpaxos.core.endings import END
from genpaxos.core.farewells import CLIENT, LEFT_BYTES_MAX
from genpaxos.core.messages import Propose
from genpaxos.core.replica import Replica
from genpaxos.core.settings import Settings
from genpaxos.examples.bank import Bank
from tests.core.bench import body

HOUR_MS = 3_600_000.0


def leading(**settings: Any) -> Replica:
    """A cluster of one."""
    replica = Replica(0, Bank(), Settings(1, **settings), 0.0)
    replica.begin_phase1(Effects())
    replica.step(0.0)
    assert replica.coordinator.leading
    return replica


def use(replica: Replica, now_ms: float, *clients: str, sequence: int = 1) -> None:
    for client in clients:
        replica.step(now_ms, (), [(client, Propose([f"{client}:{sequence}"], [body(Bank.deposit("a", 1))]))])


def clients_of(replica: Replica) -> list[str]:
    return [client for client in replica.proposals.sessions.open if client != CLIENT]


def test_clients_that_left_are_ended_together_after_a_while() -> None:
    replica = leading()
    use(replica, 100.0, "a", "b", "c")
    replica.farewells.left("a", 200.0)
    replica.farewells.left("c", 5_000.0)
    replica.step(9_000.0)
    assert clients_of(replica) == ["a", "b", "c"]
    replica.step(10_300.0)
    assert clients_of(replica) == ["b"]
    assert replica.proposals.sessions.over("a")
    assert replica.history.ids[-1].endswith(f"/{CLIENT}:1")


def test_large_results_of_clients_that_left_are_dropped_at_once() -> None:
    replica = leading()
    use(replica, 100.0, "a")
    session = replica.proposals.sessions.open["a"]
    session.bytes = LEFT_BYTES_MAX + 1
    replica.step(300.0)
    assert clients_of(replica) == ["a"], "it may still ask for them"
    replica.farewells.left("a", 400.0)
    replica.step(500.0)
    assert clients_of(replica) == []


def test_who_is_silent_for_the_time_that_is_set_is_ended_and_who_is_heard_is_not() -> None:
    replica = leading(session_ms=16_000.0)
    use(replica, 100.0, "silent", "busy", "heard")
    for second in range(1, 40):
        now_ms = 1_000.0 * second
        replica.farewells.heard("heard")
        use(replica, now_ms, "busy", sequence=second + 1)
    assert clients_of(replica) == ["busy", "heard"]


def test_nobody_is_ended_by_the_time_if_none_is_set() -> None:
    replica = leading(session_ms=0)
    use(replica, 100.0, "a")
    for hour in range(1, 30):
        replica.step(hour * HOUR_MS)
    assert clients_of(replica) == ["a"]


def test_what_a_client_says_to_have_is_dropped_if_it_is_much() -> None:
    replica = leading()
    use(replica, 100.0, "a")
    session = replica.proposals.sessions.open["a"]
    replica.farewells.heard("a", 1)
    replica.step(400.0)
    assert session.results, "so little can wait for the next command"
    session.bytes = replica.proposals.sessions.bytes = 2 * 1024 * 1024
    replica.farewells.heard("a", 1)
    replica.step(700.0)
    assert not session.results
    assert clients_of(replica) == ["a"]


def test_one_end_at_a_time_is_proposed_and_again_if_it_is_not_executed() -> None:
    replica = Replica(0, Bank(), Settings(3, farewell_ms=0.0), 0.0)
    replica.proposals.sessions.record("a:1", "a", 1, [None, None], 0)
    replica.farewells.left("a", 0.0)
    assert replica.farewells.proposal(0.0, Effects()) is None, "it does not coordinate"
    replica.coordinator.phase = type(replica.coordinator.phase).LEADING
    first = replica.farewells.proposal(100.0, Effects())
    assert first is not None
    assert first.bodies[0][:2] == [END, [["a"], 0, []]]
    assert replica.farewells.proposal(200.0, Effects()) is None
    assert replica.farewells.proposal(1_200.0, Effects()) == first, "it was lost, it seems"


def test_the_floor_rises_to_what_was_committed_so_long_ago() -> None:
    replica = leading(session_ms=16_000.0, farewell_ms=0.0)
    for second in range(1, 60):
        use(replica, 1_000.0 * second, "busy", sequence=second)
    replica.farewells.left("busy", 60_000.0)
    replica.step(60_500.0)
    sessions = replica.proposals.sessions
    assert clients_of(replica) == []
    assert 40 <= sessions.floor <= 44, "sixteen seconds before, and one sample more at most"
    assert list(sessions.ended) == ["busy"], "its name does not tell its birth"
