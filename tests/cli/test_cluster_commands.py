"""``init``, then three ``serve``, then everything a user asks of a cluster, in one directory."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from genpaxos.runtime.config import ClusterConfig
from genpaxos.runtime.query import NoAnswer, ask_each
from tests.cli.running import answer, command, complaint, environment, genpaxos
from tests.runtime.clusters import wait_until

pytestmark = pytest.mark.cluster


def free_ports(count: int) -> int:
    """The first of so many neighbouring ports nobody listens on."""
    for first in range(17_600 + os.getpid() % 4_000 * count, 32_000, count):
        with ExitStack() as stack:
            try:
                for port in range(first, first + count):
                    held = stack.enter_context(socket.socket())
                    held.bind(("127.0.0.1", port))
            except OSError:
                continue
            return first
    raise AssertionError("no free ports")


class Served:
    """A scaffolded cluster and its replicas' processes."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.processes: dict[int, subprocess.Popen[str]] = {}

    def serve(self, node: int) -> None:
        self.processes[node] = subprocess.Popen(
            command("serve", "cluster.toml", node),
            cwd=self.directory, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def end(self, node: int, how: signal.Signals) -> tuple[int, str, str]:
        """Exit status, standard output and standard error of a replica told to stop."""
        process = self.processes.pop(node)
        process.send_signal(how)
        out, err = process.communicate(timeout=10)
        return process.returncode, out, err

    def ready(self) -> bool:
        config = ClusterConfig.load(self.directory / "cluster.toml")
        rows = ask_each([replica.address for replica in config.replicas], "status", timeout_s=0.5)
        up = [row for node, row in enumerate(rows) if node in self.processes and not isinstance(row, NoAnswer)]
        return len(up) == len(self.processes) and all(row["coordinator"] is not None for row in up)


@contextmanager
def serving(directory: Path) -> Iterator[Served]:
    made = genpaxos("init", directory, "--port", free_ports(3))
    assert (made.returncode, made.stderr) == (0, "")
    served = Served(directory)
    try:
        for node in range(3):
            served.serve(node)
        wait_until(served.ready, "the replicas are up")
        yield served
    finally:
        for process in served.processes.values():
            process.kill()
            process.communicate()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("cli") / "counters") as made:
        assert genpaxos("call", "cluster.toml", "increment", "visits", cwd=made.directory).stdout == "null\n"
        assert genpaxos("call", "cluster.toml", "increment", "visits", "41", cwd=made.directory).stdout == "null\n"
        yield made


def test_a_call_prints_its_result(served: Served) -> None:
    assert genpaxos("call", "cluster.toml", "value", "visits", cwd=served.directory).stdout == "42\n"
    assert answer("call", "cluster.toml", "value", "visits", cwd=served.directory) == {"result": 42}
    assert genpaxos("call", "cluster.toml", "increment", "below", "-5", cwd=served.directory).stdout == "null\n"
    assert answer("call", "cluster.toml", "value", "below", cwd=served.directory) == {"result": -5}


def test_a_cluster_may_be_asked_from_anywhere(served: Served, tmp_path: Path) -> None:
    file = served.directory / "cluster.toml"
    assert answer("call", file, "value", "visits", cwd=tmp_path) == {"result": 42}
    assert answer("status", file, cwd=tmp_path)["quorum"] is True


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["vlue", "visits"], "did you mean 'value'"),
        (["value"], "expected value(name: str)"),
        (["increment", "visits", "many"], "expected int, got 'many'"),
        (["increment", "visits", "1.5"], "expected int, got 1.5"),
    ],
)
def test_a_call_that_cannot_be_is_one_line(served: Served, words: list[str], hint: str) -> None:
    assert hint in complaint("call", "cluster.toml", *words, cwd=served.directory)


def test_a_key_runs_one_command_whichever_process_sends_it(served: Served) -> None:
    def keyed(*words: str, **changed: int) -> str:
        ask = complaint if changed else lambda *words, cwd: genpaxos(*words, cwd=cwd).stdout
        return ask("call", "cluster.toml", "--key", "order 1", "increment", *words, cwd=served.directory, **changed)

    for _ in range(2):
        assert keyed("keyed", "5") == "null\n"
    assert "another command was executed under the same key" in keyed("keyed", "6", status=1)
    assert answer("call", "cluster.toml", "value", "keyed", cwd=served.directory) == {"result": 5}
    said = complaint("call", "cluster.toml", "--key", "k", "--id", "i", "value", "x", cwd=served.directory, status=2)
    assert "not allowed with" in said
    said = complaint("call", "cluster.toml", "--id", "0123456789abcdef/a:1", "value", "x", cwd=served.directory)
    assert "is the id of another command" in said


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "soon"])
def test_a_timeout_is_a_finite_number_above_zero(served: Served, seconds: str) -> None:
    for words in (["call", "cluster.toml", "value", "x"], ["status", "cluster.toml"], ["graph", "cluster.toml"]):
        assert "--timeout" in complaint(*words, f"--timeout={seconds}", cwd=served.directory, status=2)


def test_status_is_a_table_for_people(served: Served) -> None:
    done = genpaxos("status", "cluster.toml", cwd=served.directory)
    assert (done.returncode, done.stderr) == (0, "")
    assert "quorum ✓ yes: connected with 3 of 3 (itself included), needs 2" in done.stdout
    assert "machine:Counters" in done.stdout
    assert done.stdout.count("acceptor") == 2
    assert "\x1b" not in done.stdout


def test_status_is_one_object_for_machines(served: Served) -> None:
    found = answer("status", "cluster.toml", cwd=served.directory)
    assert found["quorum"] is True
    assert found["coordinator"] in (0, 1, 2)
    assert [replica["node"] for replica in found["replicas"]] == [0, 1, 2]
    for replica in found["replicas"]:
        assert replica.keys() >= {
            "role", "ballot", "kind", "quorum", "quorum_reason", "coordinator", "committed", "learned", "executed",
            "fast", "classic", "lag", "last_seen_ms", "error",
        }  # fmt: skip
        assert replica["error"] is None


def test_the_graph_comes_in_every_format(served: Served) -> None:
    graph = answer("graph", "cluster.toml", cwd=served.directory)
    again = answer("graph", "cluster.toml", "--format", "json", cwd=served.directory)
    assert again["edges"] == graph["edges"]
    assert [node["id"] for node in again["nodes"]] == [node["id"] for node in graph["nodes"]]
    assert [node["operation"] for node in graph["nodes"][:2]] == ["increment", "increment"]

    def drawn(*options: object) -> str:
        done = genpaxos("graph", "cluster.toml", *options, cwd=served.directory)
        assert (done.returncode, done.stderr) == (0, "")
        assert "\x1b" not in done.stdout
        return done.stdout

    assert "visits" in drawn()
    assert "increment" in drawn("--format", "heap")
    assert drawn("--format", "mermaid").startswith("flowchart TD\n")
    assert drawn("--format", "dot").startswith("digraph commands {\n")
    for node in range(3):
        assert "increment visits 41" in drawn("--format", "dot", "--node", node)
    assert len(answer("graph", "cluster.toml", "--limit", 1, cwd=served.directory)["nodes"]) == 1


def test_a_second_process_for_the_same_replica_is_refused(served: Served) -> None:
    assert "is another process serving this replica?" in complaint("serve", "cluster.toml", 1, cwd=served.directory)


def test_replicas_stop_cleanly_and_those_left_say_what_is_missing(tmp_path: Path) -> None:
    with serving(tmp_path / "counters") as served:
        assert answer("call", "cluster.toml", "increment", "visits", cwd=served.directory) == {"result": None}
        for node, how in ((0, signal.SIGTERM), (1, signal.SIGINT)):
            status, out, err = served.end(node, how)
            assert (status, err) == (0, "")
            assert out.startswith(f"replica {node} of 'counters' listens on tcp://127.0.0.1:")

        def alone() -> bool:
            return genpaxos("status", "cluster.toml", "--timeout", "0.3", cwd=served.directory).returncode == 1

        wait_until(alone, "replica 2 knows that it is alone")
        found = answer("status", "cluster.toml", "--timeout", "0.3", cwd=served.directory, status=1)
        assert found["quorum"] is False
        assert found["quorum_reason"] == "connected with 1 of 3 (itself included), needs 2"
        assert [replica["reachable"] for replica in found["replicas"]] == [False, False, True]
        said = complaint(
            "call", "cluster.toml", "increment", "visits", "--timeout", "0.5", cwd=served.directory, status=3
        )
        assert "replicas reachable: 2; 2 of 3 are needed" in said
        again = said.splitlines()[-1].removeprefix("To ask again: genpaxos ")

        assert served.end(2, signal.SIGTERM)[0] == 0
        done = genpaxos("status", "cluster.toml", "--timeout", "0.3", cwd=served.directory)
        assert done.returncode == 1
        assert "NO: none of 3 replicas answers" in done.stdout
        assert done.stdout.count("unreachable: no answer from tcp://127.0.0.1:") == 3
        assert "are they running?" in complaint("graph", "cluster.toml", "--timeout", "0.3", cwd=served.directory)

        for node in range(3):
            served.serve(node)
        wait_until(served.ready, "the replicas are up again")
        for _ in range(2):  # by two more processes: executed once
            assert genpaxos(*shlex.split(again), cwd=served.directory).stdout == "null\n"
        assert answer("call", "cluster.toml", "value", "visits", cwd=served.directory) == {"result": 2}


def test_what_a_replica_refuses_to_serve_is_one_line(tmp_path: Path) -> None:
    directory = tmp_path / "counters"
    assert genpaxos("init", directory).returncode == 0
    file = directory / "cluster.toml"
    good, machine = file.read_text(), (directory / "machine.py").read_text()

    file.write_text(good.replace('name = "counters"', 'name = "other"'))
    assert "+name = other" in complaint("serve", file, 0)
    file.write_text(good.replace("heartbeat_ms = 100", "heartbeat_ms = 300"))
    assert "must be at least twice heartbeat_ms" in complaint("serve", file, 0)
    file.write_text(good)
    (directory / "machine.py").write_text(machine.replace("add      x    .", "add      x    x"))
    assert "the commutativity rules changed" in complaint("serve", file, 0)
    (directory / "machine.py").write_text(machine)
    for path in (directory / "data" / "0").iterdir():
        path.unlink()
    assert "holds no data of replica 0" in complaint("serve", file, 0)
    (directory / "data" / "1" / "journal.db").write_bytes(b"damaged" * 1_000)
    assert "is damaged" in complaint("serve", file, 1)
    assert "holds a replica's data already" in complaint("serve", file, 2, "--create")
