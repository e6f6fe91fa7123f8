"""Wrong runs are no results; pauses, processor time and summaries are computed as they say."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from bench.engine.recovery import choose
from bench.errors import BenchError
from bench.harness import cpu
from bench.harness.cpu import CpuTimes
from bench.harness.load import ClosedLoop
from bench.harness.outage import longest_pause
from bench.harness.sample import Sample, summary
from bench.harness.verify import judge
from bench.harness.workload import commands
from genpaxos.demo.evidence import ReplicaEvidence
from genpaxos.examples.bank import Bank
from genpaxos.runtime.client import Client, Submission

GOOD = ReplicaEvidence(0, ["a:1", "a:2", "a:3"], applied=3, pending=0, state={}, state_sha256="0")


def test_replicas_that_agree_pass() -> None:
    judge([GOOD, replace(GOOD, node=1)], ["a:1", "a:3"])


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (replace(GOOD, node=1, ids=["a:2", "a:1", "a:3"]), "the logs of replicas 0 and 1 differ"),
        (replace(GOOD, node=1, state_sha256="1"), "the states of replicas 0 and 1 differ"),
        (replace(GOOD, node=1, applied=4), "applied 4 commands for 3"),
        (replace(GOOD, node=1, pending=1), "1 unsettled"),
    ],
)
def test_replicas_that_differ_do_not(other: ReplicaEvidence, why: str) -> None:
    with pytest.raises(BenchError, match=why):
        judge([GOOD, other], [])


def test_a_lost_or_repeated_command_is_noticed() -> None:
    with pytest.raises(BenchError, match="1 acknowledged commands were never executed, such as a:4"):
        judge([GOOD], ["a:1", "a:4"])
    with pytest.raises(BenchError, match="1 commands are in the log twice"):
        judge([replace(GOOD, ids=["a:1", "a:2", "a:2"])], [])


def test_the_longest_pause_after_a_kill() -> None:
    assert longest_pause([0.0, 5.0, 5.25, 6.25, 6.5], killed_s=5.1, stopped_s=7.0) == (1.0, 6.25)
    assert longest_pause([0.0, 5.0, 5.25], killed_s=5.5, stopped_s=7.0) == (0.0, 5.5)
    assert longest_pause([5.0, 5.5, 9.0, 20.0], killed_s=5.1, stopped_s=9.0) == (3.5, 9.0)


def test_one_replica_of_each_kind_is_killed() -> None:
    assert choose({"coordinator": 1, "pinned": [1, 3]}, 5) == {
        "coordinator": 1,
        "other follower": 0,
        "pinned follower": 3,
    }
    assert choose({"coordinator": 0, "pinned": None}, 3) == {"coordinator": 0, "follower": 1}
    with pytest.raises(BenchError, match="no coordinator"):
        choose({"coordinator": None, "pinned": None}, 3)


def test_processor_time_is_what_was_used_between_two_readings() -> None:
    before = CpuTimes({"client": 1.0, "replica 0": 2.0}, busy=10.0)
    after = CpuTimes({"client": 2.0, "replica 0": 5.0, "replica 1": 9.0}, busy=16.0)
    assert after.cores_since(before, 2.0) == {"client": 0.5, "replica 0": 1.5, "others": 1.0}
    assert "others" not in after.cores_since(replace(before, busy=None), 2.0)


def test_a_copy_that_writes_a_snapshot_is_not_taken_for_its_replica(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for pid, parent, node in [(30, 10, 0), (31, 10, 1), (29, 30, 0), (44, 31, 1)]:
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "cmdline").write_bytes(f"python\0-m\0genpaxos\0serve\0c.toml\0{node}\0".encode())
        (tmp_path / str(pid) / "stat").write_text(f"{pid} (a name) S {parent} 1 1")
    monkeypatch.setattr(cpu, "PROC", tmp_path)
    assert cpu.replica_pids(Path("c.toml")) == {0: 30, 1: 31}
    assert cpu.replica_pids(Path("other.toml")) == {}


def test_a_summary_has_medians_and_ranges_over_rounds() -> None:
    samples = [
        Sample(100, seconds, p50, p99, {"client": seconds}, None)
        for seconds, p50, p99 in [(1.0, 1.0, 9.0), (2.0, 2.0, 8.0), (4.0, 3.0, 7.0)]
    ]
    found = summary(samples)
    assert found["commands_per_second"] == 50.0
    assert found["commands_per_second_range"] == [25.0, 100.0]
    assert found["latency_ms"] == {"p50": 2.0, "p99": 8.0}
    assert found["latency_ms_range"] == {"p50": [1.0, 3.0], "p99": [7.0, 9.0]}
    assert found["cpu_cores"] == {"client": 2.0}
    assert [row["commands_per_second"] for row in found["rounds"]] == [100.0, 50.0, 25.0]


def test_the_workload_repeats_and_interferes_as_told() -> None:
    def first(interference: float) -> list[str]:
        stream = commands(3, interference)
        return [str(next(stream)) for _ in range(400)]

    assert first(0.5) == first(0.5)
    assert all(command.startswith("deposit") for command in first(0.0))
    assert all("alice" in command for command in first(1.0))
    assert 150 < sum("alice" in command for command in first(0.5)) < 250


class _FakeClient:
    """Answers a command in the loop's next turn; the one numbered ``silent`` never."""

    def __init__(self, silent: int | None = None) -> None:
        self.started = 0
        self.running = self.most = 0
        self._silent = silent

    def start(self, command: Any) -> Submission[Any]:
        self.started += 1
        self.running += 1
        self.most = max(self.most, self.running)
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if self.started != self._silent:
            asyncio.get_running_loop().call_soon(self._answer, future)
        return Submission(f"c:{self.started}", command, future)

    def _answer(self, future: asyncio.Future[Any]) -> None:
        self.running -= 1
        future.set_result(None)


def _loop(client: _FakeClient, count: int, outstanding: int) -> ClosedLoop:
    return ClosedLoop(cast(Client, client), iter([Bank.deposit("a", 1)] * count), outstanding)


def test_a_closed_loop_keeps_so_many_outstanding_and_runs_all() -> None:
    client = _FakeClient()
    loop = _loop(client, 25, 4)
    asyncio.run(loop.run(5.0))
    assert client.most == 4
    assert sorted(loop.ids) == sorted(f"c:{n}" for n in range(1, 26))
    assert len(loop.latencies_s) == len(loop.acknowledged_s) == 25
    assert loop.acknowledged_s == sorted(loop.acknowledged_s)


def test_a_wedged_loop_ends_with_an_error() -> None:
    with pytest.raises(BenchError, match=r"wedged: 9 commands acknowledged in 0\.05 s, 1 outstanding"):
        asyncio.run(_loop(_FakeClient(silent=3), 10, 2).run(0.05))
