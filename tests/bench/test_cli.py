"""Tiny runs of every benchmark on real replicas: the shape of what they print, never how fast they were."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bench import cli
from bench.engine import recovery
from bench.harness import outage
from bench.peers.against import absent
from bench.publish import report

pytestmark = pytest.mark.cluster

TINY = ["--rounds", "2", "--commands", "40", "--warmup", "20", "--outstanding", "8", "--json"]
LATENCY = {"p50", "p99"}


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert cli.main([arguments[0], *TINY, *arguments[1:]]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    result: dict[str, Any] = json.loads(line)
    assert result["benchmark"] == arguments[0]
    assert result["commands_per_second"] > 0
    assert set(result["latency_ms"]) == LATENCY
    assert isinstance(result["ratios"], dict)
    described = result["machine"]
    assert described.keys() >= {"cpu", "cores", "python", "versions", "sync_ms", "file_system"}
    assert described["versions"].keys() >= {"genpaxos", "pyzmq", "orjson", "sqlite"}
    assert set(described["sync_ms"]) == LATENCY
    assert result["options"]["commands"] == 40
    return result


def text(result: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> str:
    report.console().print(report.render(result))
    printed = capsys.readouterr().out
    assert "\x1b" not in printed
    return printed


def test_throughput_over_tcp(capsys: pytest.CaptureFixture[str]) -> None:
    result = run(capsys, "throughput", "--tcp")
    assert result["options"]["transport"] == "tcp"
    assert len(result["rounds"]) == 2
    for row in result["rounds"]:
        assert row["commands"] == 40
        assert set(row["latency_ms"]) == LATENCY
        assert row["latency_ms"]["p50"] <= row["latency_ms"]["p99"]
        assert row["cpu_cores"].keys() >= {"client"}
    low, high = result["commands_per_second_range"]
    assert low <= result["commands_per_second"] <= high
    assert result["verified"] == {"replicas_agree": True, "acknowledged": 1 + 20 + 2 * 40}
    assert result["roles"]["coordinator"] in result["roles"]["pinned"]
    assert "3 durable replicas over tcp, leader-ordered, 8 outstanding" in text(result, capsys)


def test_latency_of_a_classic_cluster_asked_at_another_home(capsys: pytest.CaptureFixture[str]) -> None:
    result = run(capsys, "latency", "--policy", "classic", "--home", "1")
    assert (result["options"]["policy"], result["options"]["home"]) == ("classic", 1)
    assert result["roles"]["pinned"] is None


def test_interference(capsys: pytest.CaptureFixture[str]) -> None:
    result = run(capsys, "interference")
    assert [entry["interference"] for entry in result["shares"]] == [0, 0.02, 0.25, 1]
    assert list(result["ratios"]) == ["classic at 0", "classic at 0.02", "classic at 0.25", "classic at 1"]
    for entry in result["shares"]:
        assert len(entry["tested"]["rounds"]) == len(entry["classic"]["rounds"]) == 2
        assert entry["ratio"]["low"] <= entry["ratio"]["median"] <= entry["ratio"]["high"]
    acknowledged = 1 + 20 + 2 * 4 * 40
    assert [result["verified"][side]["acknowledged"] for side in ("tested", "classic")] == [acknowledged] * 2
    assert "100%" in text(result, capsys)


def test_recovery_in_turn_with_the_peers_there_are(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outage, "STEADY_S", 0.6)
    monkeypatch.setattr(outage, "DOWN_S", 0.1)
    peers = [name for name in recovery.KILLABLE if name not in absent()]
    result = run(capsys, "recovery", "--rounds", "1", *(word for name in peers for word in ("--against", name)))
    assert list(result["ratios"]) == list(result["peers"]) == peers
    assert list(result["pause_ms"]) == ["coordinator", "pinned follower", "other follower"]
    assert result["pause_ms"]["coordinator"]["median"] > 0
    assert [row["role"] for row in result["rounds"]] == list(result["pause_ms"])
    for row in result["rounds"]:
        assert row["missed"] > 0
        assert row["calm_pause_ms"] >= 0
        assert row["caught_up_ms"] >= row["answered_ms"] > 0
    printed = text(result, capsys)
    for name, peer in result["peers"].items():
        check_killed(peer)
        assert result["ratios"][name] == peer["ratio"]["median"]
        assert f"{name} leader" in printed
        assert f"{name}'s pause after kill -9 of its leader" in printed
    assert "pinned follower" in printed
    assert "caught up" in printed
    assert "kill -9 of the coordinator under load" in printed
    assert "≤ 1,000" in printed
    assert ("met, with" in printed) or ("above it by" in printed)


def check_killed(peer: dict[str, Any]) -> None:
    assert [row["role"] for row in peer["rounds"]] == ["leader", "follower"]
    assert peer["pause_ms"]["leader"]["median"] > 0
    for row in peer["rounds"]:
        assert row["missed"] > 0
        assert row["caught_up_ms"] >= row["answered_ms"] > 0
    assert peer["verified"]["members_agree"]
    assert peer["verified"]["acknowledged"] > 20


def test_a_run_past_its_deadline_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["latency", "--warmup", "30000", "--deadline", "1.2"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("bench: ")  # wedged, or on a busy machine not even begun


def test_recovery_needs_three_replicas(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["recovery", "--replicas", "2"]) == 1
    assert "fewer than 3 replicas" in capsys.readouterr().err
