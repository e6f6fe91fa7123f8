"""What is settled is found by index only, and stays what it was: exactly once, and there for who lags."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given

from genpaxos.core import settled as settled_module
from genpaxos.core.ballot import FastQuorums, Policy
from genpaxos.core.messages import Bodies, FetchBodies, Propose
from genpaxos.core.quorum import EVERYBODY
from genpaxos.examples.bank import Bank
from genpaxos.examples.register import Registers
from tests.core.bench import Bench, body, known
from tests.core.test_history import digests_of, history_of, worlds
from tests.core.test_snapshot import POLICIES, assert_same, isolate, run


def settled(count: int = 3, policy: Policy = Policy.LEADER_ORDERED, fast: FastQuorums = FastQuorums.PINNED) -> Bench:
    """Replicas that have settled some deposits; the last of three has missed them."""
    bench = Bench(policy=policy, fast=fast, settle_commands=0).led_by(0)
    isolate(bench, 2)
    run(bench, count)
    for node in (0, 1):
        assert bench[node].history.settled == count
        assert not bench[node].history.positions
        assert not bench[node].proposals.known
    bench.flights.clear()
    bench.cut.clear()
    return bench


@given(worlds())
def test_a_history_has_the_bodies_of_its_decrees_wherever_they_are(world: object) -> None:
    proposals, decrees, _ = world  # type: ignore[misc]
    history = history_of(proposals)
    history.adopt(decrees, digests_of(proposals, decrees))
    expected = proposals.bodies(decrees)
    history.committed = history.length
    for index in range(history.length + 1):
        history.settle(index)
        history.cut(index // 2)
        for first in range(history.base + 1, history.length + 2):
            for last in range(first - 1, history.length + 1):
                assert history.bodies(first, last) == expected[first - 1 : last]
        found = history.settled_bodies([*decrees, "c:99"])
        assert found == dict(zip(decrees[history.base : index], expected[history.base : index], strict=True))
        assert list(history.positions) == decrees[index:]


def test_what_a_restart_settles_at_once_is_decoded_a_little_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else serving each chunk to a replica that lags would decode the whole journal."""
    monkeypatch.setattr(settled_module, "RUN_COMMANDS_MAX", 2)
    decoded: list[int] = []
    loads = orjson.loads

    def counting(encoded: bytes) -> list[object]:
        run: list[object] = loads(encoded)
        decoded.append(len(run))
        return run

    bench = Bench(1, settle_commands=0).led_by(0)
    for n in range(5):
        bench.propose(Bank.deposit("alice", n + 1))
    bench.restart(0)
    bench.step(0)
    history = bench[0].history
    assert history.settled == 5
    monkeypatch.setattr(settled_module.orjson, "loads", counting)
    for first in range(1, 6):
        for last in range(first, 6):
            decoded.clear()
            bodies = [body(Bank.deposit("alice", n)) for n in range(first, last + 1)]
            assert history.bodies(first, last) == bodies
            assert sum(decoded) <= len(bodies) + 2


def test_settled_bodies_are_encoded_in_runs_of_so_many_bytes_whatever_their_sizes() -> None:
    sizes = [10, 60_000, 30_000, 5, 200_000, 7, 7, 60_000, 60_000, 60_000, *[3] * 40, *[50_000] * 9]
    commands = {f"c:{n}": Registers.write("a", "x" * size) for n, size in enumerate(sizes, 1)}
    proposals = known(commands, Registers)
    history = history_of(proposals, Registers)
    history.decree(list(commands))
    bodies, history.committed = proposals.bodies(commands), len(commands)
    history.settle(history.committed, 1)
    assert 0 < history.settled < history.committed, "a little at a time"
    while history.settled < history.committed:
        history.settle(history.committed, 1)
    assert all(
        len(run) <= settled_module.RUN_BYTES_MAX or len(orjson.loads(run)) == 1 for _, run in history._bodies._runs
    )
    assert history.bodies(1, len(sizes)) == bodies
    for first in range(1, len(sizes) + 1):
        part = history.bodies(first, len(sizes), 100_000)
        assert part == bodies[first - 1 :][: len(part)]
        assert len(orjson.dumps(part)) < 100_000 + 2 * settled_module.RUN_BYTES_MAX + 200_000
    found = history.settled_bodies(["c:1", "c:50", "d:1"])
    assert found == {"c:1": bodies[0], "c:50": bodies[49]}


def test_a_retry_of_what_is_settled_gets_its_first_result_and_does_not_run_again() -> None:
    bench = settled()
    bench.run_for(900)
    bench.replies.clear()
    for node in range(3):
        bench.propose(Bank.deposit("alice", 1), [node], "c:2")
        assert bench.replies.pop("c:2") == [None, None]
    bench.run_for(300)
    assert_same(bench)
    assert bench.cents(0) == {"alice": 3}


def test_what_is_settled_is_taken_up_again_from_nobody() -> None:
    bench = settled()
    for message in (Propose(["c:2"], [body(Bank.deposit("alice", 1))]), Bodies(["c:2"], [body(Bank.deposit("x", 1))])):
        bench[1].step(bench.now_ms, [(0, message)])
        assert not bench[1].proposals.known
        assert not bench[1].history.tail


def test_who_asks_for_the_body_of_a_settled_command_gets_it_from_the_log() -> None:
    bench = settled()
    effects = bench[0].step(bench.now_ms, [(2, FetchBodies(["c:3", "c:1", "d:9"]))])
    answers = [message for _, message in effects.sends if isinstance(message, Bodies)]
    assert answers == [Bodies(["c:3", "c:1"], [body(Bank.deposit("alice", 1))] * 2)]
    assert not effects.chunks


@pytest.mark.parametrize(("policy", "fast"), POLICIES)
def test_a_replica_that_missed_what_others_have_settled_catches_up(policy: Policy, fast: FastQuorums) -> None:
    bench = settled(5, policy, fast)
    bench.run_for(1_000)
    assert_same(bench)
    assert bench.cents(2) == {"alice": 5}
    bench.crash(0)
    bench.run_for(3_000)
    name = bench.propose(Bank.withdraw("alice", 2), [1, 2])
    bench.run_for(2_000)
    assert bench.replies[name] == [None, True]
    assert bench.cents(1) == bench.cents(2) == {"alice": 3}


def test_late_votes_for_what_is_settled_are_not_counted() -> None:
    bench = settled(3, Policy.LEADER_ORDERED, FastQuorums.ANY)
    replica = bench[1]
    vote = bench[0].history.digests[0]
    replica.learner.on_votes(2, replica.learner.ballot, ["c:1"], [vote])
    assert replica.learner.pending == 0


def misled(bench: Bench) -> None:
    """A client numbers two commands 1, and acknowledges that number: here replica 2 hears of the second last."""
    deposit = Bank.deposit("alice", 1)
    bench.propose(deposit, name="h1/c:1")
    bench.stabilize()
    bench.run_for(300)
    bench.propose(Bank.deposit("eve", 1), [0, 1], "h9/c:1")
    for node in range(3):
        bench.step(node, clients=[("client", Propose(["h2/c:2"], [body(Bank.deposit("bob", 1), 1)], EVERYBODY))])
    votes = [flight for flight in bench.take(receiver=2) if "h2/c:2" in getattr(flight[2], "ids", ())]
    bench.hand_over(votes)
    assert "h2/c:2" in bench[2].executor.ahead
    assert bench[2].proposals.settled("h9/c:1")


def test_a_decree_under_a_number_that_was_acknowledged_for_another_command_is_adopted_all_the_same() -> None:
    """It never ran here, or V would not hold it behind the commit index: a replica must not wait for it for ever."""
    bench = Bench().led_by(0)
    misled(bench)
    bench.run_for(2_000)
    assert [bench[node].history.committed for node in range(3)] == [3, 3, 3]
    assert bench.cents(2) == bench.cents(0) == {"alice": 1, "eve": 1, "bob": 1}
    bench.crash(1)
    bench.run_for(2_000)
    bench.propose(Bank.withdraw("eve", 1), [0, 2], "d:1")
    bench.run_for(2_000)
    assert bench.replies["d:1"] == [None, True]


def test_such_a_decree_is_recovered_by_the_next_coordinator() -> None:
    bench = Bench().led_by(0)
    misled(bench)
    bench.deliver(receiver=1)
    bench.flights.clear()
    bench.crash(0)
    bench.campaign(2)
    bench.run_for(2_000)
    assert bench[2].history.committed == bench[1].history.committed == 3
    assert bench.cents(2) == bench.cents(1) == {"alice": 1, "eve": 1, "bob": 1}
