"""Serving what others lack, in chunks."""

from __future__ import annotations

import orjson
import pytest

from genpaxos.core import serving, settled
from genpaxos.core.ballot import Ballot
from genpaxos.core.coordinator import Phase
from genpaxos.core.messages import Bodies, Committed, Fetch, FetchBodies, FetchSnapshot, Phase2a, SnapshotChunk
from genpaxos.examples.bank import Bank
from genpaxos.examples.register import Registers
from tests.core.bench import Bench
from tests.core.test_snapshot import isolate


def filled(commands: int) -> Bench:
    bench = Bench().led_by(0)
    for n in range(commands):
        bench.propose(Bank.deposit("alice", n + 1))
    bench.stabilize()
    bench.run_for(50)
    return bench


def test_the_coordinator_serves_its_decrees_with_bodies() -> None:
    answer = filled(3)[0].serving.on_fetch(Fetch(2))
    assert isinstance(answer, Phase2a)
    assert (answer.first, answer.ids) == (2, ["c:2", "c:3"])
    assert answer.bodies is not None


def test_the_coordinator_answers_even_when_there_is_nothing_to_serve() -> None:
    """That tells an acceptor which ballot to join."""
    bench = filled(1)
    answer = bench[0].serving.on_fetch(Fetch(2))
    assert isinstance(answer, Phase2a)
    assert answer.ids == []
    assert bench[0].serving.on_fetch(Fetch(3)) is None


def test_others_serve_what_is_committed() -> None:
    bench = filled(3)
    assert bench[1].history.committed == 3
    answer = bench[1].serving.on_fetch(Fetch(3))
    assert isinstance(answer, Committed)
    assert (answer.ballot, answer.first, answer.ids) == (bench[1].acceptor.promised, 3, ["c:3"])
    assert bench[1].serving.on_fetch(Fetch(4)) is None


def test_a_chunk_has_a_bounded_number_of_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "CHUNK_COMMANDS_MAX", 2)
    bench = filled(5)
    for node in (0, 1):
        answer = bench[node].serving.on_fetch(Fetch(2))
        assert isinstance(answer, Phase2a | Committed)
        assert answer.ids == ["c:2", "c:3"]
        assert len(answer.digests) == 2


def test_a_chunk_has_a_bounded_number_of_bytes_but_at_least_one_command(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = filled(4)
    ids, bodies = bench[1].history.decrees(1)[0], bench[1].history.bodies(1, 4)
    monkeypatch.setattr(serving, "CHUNK_BYTES_MAX", 1)
    assert bench[1].serving.chunk(ids[:2], bodies[:2]) == 1
    monkeypatch.setattr(serving, "CHUNK_BYTES_MAX", 150)
    assert bench[1].serving.chunk(ids, bodies) == 2
    assert bench[1].serving.chunk([], []) == 0


def test_a_replica_that_lags_catches_up_chunk_by_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "CHUNK_COMMANDS_MAX", 2)
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
    answer = bench[1].serving.on_fetch_bodies(FetchBodies(["c:2", "d:9"]))
    assert answer == Bodies(["c:2"], [["deposit", ["alice", 2], 0]])
    assert bench[1].serving.on_fetch_bodies(FetchBodies(["d:9"])) is None


def large(commands: int, size: int) -> Bench:
    """Replicas of which the last has missed so many commands of so many bytes, all of them settled."""
    bench = Bench(machine=Registers, settle_commands=0).led_by(0)
    isolate(bench, 2)
    for n in range(commands):
        bench.propose(Registers.write("a", f"{n}" + "x" * size), [0, 1])
        bench.stabilize()
    bench.flights.clear()
    bench.cut.clear()
    assert bench[0].history.settled == commands
    return bench


def test_a_chunk_of_large_commands_costs_no_more_than_a_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[int] = []
    loads = orjson.loads
    bench = large(100, 60_000)
    monkeypatch.setattr(settled.orjson, "loads", lambda encoded: decoded.append(len(encoded)) or loads(encoded))
    answer = bench[0].serving.on_fetch(Fetch(1))
    assert isinstance(answer, Phase2a)
    assert len(answer.ids) == serving.CHUNK_BYTES_MAX // 60_000
    assert sum(decoded) < serving.CHUNK_BYTES_MAX + 2 * settled.RUN_BYTES_MAX
    decoded.clear()
    found = bench[0].serving.on_fetch_bodies(FetchBodies([f"c:{n}" for n in range(1, 101)]))
    assert found is not None
    assert sum(decoded) < serving.CHUNK_BYTES_MAX + 2 * settled.RUN_BYTES_MAX


def test_a_step_sends_about_a_chunk_and_the_next_one_goes_on_at_once() -> None:
    bench = large(60, 60_000)
    bench.step(0, peers=[(2, Fetch(1)), (2, FetchBodies(["c:20"])), (1, Fetch(9)), (1, FetchSnapshot(1, 0))])
    assert [(to, type(message)) for _, to, message in bench.flights] == [(2, Phase2a), (2, Bodies)]
    assert bench[0].due_ms <= bench.now_ms
    bench.step(0)
    assert [(to, type(message)) for _, to, message in bench.flights][2:] == [(1, Phase2a)]
    assert bench[0].due_ms > bench.now_ms, "of the state there is none"


def test_what_is_asked_for_again_is_not_sent_twice() -> None:
    bench = large(60, 60_000)
    bench.step(0, peers=[(2, Fetch(1))] * 5)
    for _ in range(3):
        bench.now_ms += 5
        bench.step(0, peers=[(2, Fetch(1))])
    assert len(bench.take(0, 2, Phase2a)) == 1
    bench.now_ms += bench.settings.timing.retry_ms
    bench.step(0, peers=[(2, Fetch(1))])
    assert len(bench.take(0, 2, Phase2a)) == 1, "it may have been lost"


def test_a_replica_to_which_much_is_under_way_gets_its_answer_later() -> None:
    bench = large(60, 60_000)
    bench[0].serving.busy = [2]
    bench.step(0, peers=[(2, Fetch(1)), (1, Fetch(1))])
    assert [to for _, to, _ in bench.take(0, kind=Phase2a)] == [1]
    assert bench[0].serving.held == {2}
    assert bench[0].due_ms > bench.now_ms, "nothing to do until it has taken that"
    bench[0].serving.busy = []
    assert bench[0].due_ms <= bench.now_ms
    bench.step(0)
    assert [to for _, to, _ in bench.take(0, kind=Phase2a)] == [2]


def test_each_body_that_phase_1_lacks_is_asked_of_one_acceptor_and_the_next_when_those_came(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(serving, "CHUNK_COMMANDS_MAX", 10)
    bench = Bench(5).led_by(0)
    for n in range(100):
        bench.propose(Bank.deposit("alice", n + 1), [0, 1, 2])
    bench.deliver(0, kind=Phase2a)
    bench.flights.clear()
    bench.campaign(4)
    asked: list[str] = []
    for _ in range(200):
        for _, _, message in [flight for flight in bench.flights if isinstance(flight[2], Bodies)]:
            assert isinstance(message, Bodies)
            asked += message.ids
        bench.run_for(1)
        if bench[4].coordinator.leading:
            break
    assert bench[4].coordinator.leading
    assert len(asked) <= 1.3 * len(set(asked)), "the same is not sent again and again"


def in_phase_1_behind_others() -> Bench:
    """2 missed what the others committed, and has started a ballot."""
    bench = Bench().led_by(0)
    bench.crash(2)
    bench.propose(Bank.deposit("alice", 1), to=[0, 1])
    bench.stabilize()
    bench.restart(2)
    bench.campaign(2)
    bench.drop()
    assert bench[2].coordinator.phase is Phase.PHASE1
    return bench


def test_who_takes_over_what_a_higher_ballot_committed_does_not_go_on_with_its_own() -> None:
    bench = in_phase_1_behind_others()
    higher = Ballot(99, 1)
    ids, digests = bench[0].history.decrees(1)
    bench.step(2, peers=[(1, Committed(higher, 1, ids, digests, bench[0].history.bodies(1, len(ids))))])
    assert bench[2].acceptor.promised == higher
    assert bench[2].coordinator.phase is Phase.IDLE
    assert bench[2].history.committed == 1


def test_who_takes_over_the_state_of_a_higher_ballot_does_not_go_on_with_its_own() -> None:
    bench = in_phase_1_behind_others()
    higher, state = Ballot(99, 1), bench.capture(0).snapshot.state
    bench.step(2, peers=[(1, SnapshotChunk(higher, 1, 0, len(state), state))])
    assert bench[2].acceptor.promised == higher
    assert bench[2].coordinator.phase is Phase.IDLE
    assert bench[2].history.committed == 1
