"""Small runs of the demo, whole: real processes, real load, and the verdict."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.cli.running import ROOT, answer, command, environment, genpaxos, on_a_terminal
from tests.runtime.clusters import wait_until

pytestmark = pytest.mark.cluster

KEYS = {
    "replicas", "commands", "acknowledged", "fast", "classic", "seconds", "commands_per_second", "latency_ms",
    "linearizable", "replicas_agree", "conserved", "ok",
}  # fmt: skip


def demo(*options: object, commands: int = 300, replicas: int = 3, clients: int = 4) -> dict[str, Any]:
    """One run's object, checked for what every run must give."""
    found: dict[str, Any] = answer(
        "demo", *options, "--commands", commands, "--replicas", replicas, "--clients", clients, "--seed", 1
    )
    assert found.keys() >= KEYS
    assert (found["replicas"], found["commands"], found["acknowledged"]) == (replicas, commands, commands)
    assert found["linearizable"] is found["replicas_agree"] is found["exactly_once"] is found["ok"] is True
    assert 0 < found["latency_ms"]["p50"] <= found["latency_ms"]["p99"]
    assert found["seconds"] > 0
    return found


def test_the_bank_without_interference_is_learned_fast() -> None:
    found = demo("bank", "--interference", 0, clients=2)
    assert found["conserved"] is True
    assert found["fast"] / (found["fast"] + found["classic"]) >= 0.6, "a small run, perhaps on a busy machine"
    assert found["killed"] is found["paused_s"] is None


def test_the_bank_with_full_interference_is_as_correct() -> None:
    assert demo("bank", "--interference", 1)["conserved"] is True


def test_the_register_has_nothing_to_conserve() -> None:
    assert demo("register")["conserved"] is None


def test_a_classic_cluster_has_no_fast_path() -> None:
    found = demo("--kind", "classic")
    assert (found["policy"], found["fast"]) == ("classic", 0)
    assert found["classic"] >= 300


def test_any_three_quarters_may_be_the_fast_quorum() -> None:
    assert demo("--fast-quorum", "any", replicas=5)["fast"] > 0


@pytest.mark.parametrize("policy", ["coordinated", "uncoordinated"])
@pytest.mark.parametrize("interference", ["0", "1"])
def test_every_policy_holds_at_any_interference(policy: str, interference: str) -> None:
    found = demo("--policy", policy, "--interference", interference, replicas=4)
    assert found["fast"] > 0


@pytest.mark.parametrize("kind", ["leader-ordered", "classic", "coordinated", "uncoordinated"])
def test_a_killed_coordinator_is_replaced_in_time(kind: str) -> None:
    found = demo("--kill", "coordinator", "--kind", kind, commands=600)
    assert found["killed"] in (0, 1, 2)
    assert found["paused_s"] < 2.0


def test_any_replica_may_be_killed() -> None:
    assert demo("--kill", "any", commands=600, replicas=5)["killed"] in range(5)


def test_a_pipe_gets_plain_lines() -> None:
    done = genpaxos("demo", "--commands", 1_000, "--replicas", 3, "--kill", "any")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    assert "\r" not in done.stdout
    lines = done.stdout.splitlines()
    assert any(line.startswith("genpaxos demo bank: ") and "acknowledged" in line for line in lines)
    assert any(line.startswith("1,000 commands by 8 clients on 3 replicas in ") for line in lines)
    assert any("was killed; commits paused for" in line for line in lines)
    for name in ("acknowledged", "exactly once", "replicas agree", "linearizable", "conserved"):
        assert any(line.startswith(f"✓  {name}") for line in lines)
    assert lines[-1] == "✓ all 5 checks hold"


def test_a_terminal_gets_a_live_view_and_then_the_verdict() -> None:
    printed = on_a_terminal("demo", "--commands", "1500", "--replicas", "3", COLUMNS="100", LINES="40")
    live, _, after = printed.partition("\x1b[?1049l")
    assert "\x1b[?1049h" in live, "on a screen of its own"
    assert "stable command graph" in live
    assert "coordinator" in live
    assert "stable command graph" in after, "the last picture stays"
    assert "all 5 checks hold" in after


def test_a_cluster_that_cannot_be_is_one_line() -> None:
    done = genpaxos("demo", "--replicas", 14)
    assert (done.returncode, done.stdout) == (1, "")
    assert "expected a number of replicas, from 1 to 13" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_leaves_nothing_behind(how: signal.Signals, tmp_path: Path) -> None:
    process = subprocess.Popen(
        command("demo", "--commands", 100_000, "--replicas", 3),
        cwd=ROOT, env=environment(TMPDIR=str(tmp_path), PYTHONUNBUFFERED="1"),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    while "running" not in process.stdout.readline():
        assert process.poll() is None
    children = _children(process.pid)
    assert len(children) == 3
    process.send_signal(how)
    _, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (130, "")
    wait_until(lambda: not any(Path(f"/proc/{child}").exists() for child in children), "the replicas are gone")
    assert list(tmp_path.iterdir()) == []


def _children(pid: int) -> list[int]:
    found = []
    for directory in os.listdir("/proc"):
        if directory.isdecimal():
            try:
                fields = Path(f"/proc/{directory}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == pid:
                found.append(int(directory))
    return found
