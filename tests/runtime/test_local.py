from __future__ import annotations

import asyncio
import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from genpaxos import ConfigError, GenpaxosError, InvalidOption, LocalCluster
from genpaxos.core.election import Timing
from genpaxos.examples.bank import Bank
from genpaxos.runtime.identity import create_directory
from genpaxos.runtime.local import machine_name, socket_directory
from genpaxos.runtime.query import NoAnswer
from tests.runtime.clusters import agreement, coordinator, rows, wait_until

PARENT = """
import os, sys, time
from genpaxos.examples.bank import Bank
from genpaxos import LocalCluster

cluster = LocalCluster(Bank, replicas=2)
cluster.start()
print(*(cluster.processes._processes[node].pid for node in range(2)), cluster.directory, flush=True)
time.sleep(60)
"""


@pytest.mark.cluster
def test_the_example_of_the_documentation_works() -> None:
    async def example() -> int:
        async with LocalCluster(Bank, replicas=3) as cluster:
            client = await cluster.client()
            await client.submit(Bank.deposit("alice", 500))
            console = Console(file=io.StringIO(), width=80)
            console.print(cluster.history())
            assert "deposit" in console.file.getvalue()  # type: ignore[attr-defined]
            assert "alice" in console.file.getvalue()  # type: ignore[attr-defined]
            return await client.submit(Bank.balance("alice"))

    assert asyncio.run(example()) == 500


@pytest.mark.cluster
def test_a_cluster_is_gone_when_it_is_left() -> None:
    with LocalCluster(Bank, replicas=2) as cluster:
        assert cluster.client_sync().submit(Bank.total()) == 0
        directory, processes = cluster.directory, cluster.processes
        assert directory.exists()
        with pytest.raises(GenpaxosError, match="replica 1 is running already"):
            cluster.restart(1)
    assert not directory.exists()
    assert not any(processes.running(node) for node in range(2))


@pytest.mark.cluster
def test_one_replica_alone_is_a_cluster() -> None:
    with LocalCluster(Bank, replicas=1) as cluster:
        client = cluster.client_sync()
        client.submit_many([Bank.deposit("alone", 1)] * 100)
        cluster.kill(0)
        assert isinstance(cluster.status()[0], NoAnswer)
        cluster.restart(0)
        assert client.submit(Bank.balance("alone")) == 100


@pytest.mark.cluster
def test_a_given_directory_is_kept_and_never_used_twice(tmp_path: Path) -> None:
    with LocalCluster(Bank, replicas=1, directory=tmp_path / "c") as cluster:
        assert cluster.client_sync().submit(Bank.total()) == 0
    assert (tmp_path / "c" / "0" / "journal.db").exists()
    with pytest.raises(ConfigError, match="holds a replica's data already"):
        LocalCluster(Bank, replicas=1, directory=tmp_path / "c").start()


def test_a_cluster_that_cannot_be_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(InvalidOption, match="replicas is 14: expected a number of replicas, from 1 to 13"):
        LocalCluster(Bank, replicas=14, directory=tmp_path / "many")
    with pytest.raises(ConfigError, match="election_ms = 100 must be at least twice"):
        LocalCluster(Bank, timing=Timing(election_ms=100), directory=tmp_path / "hasty").start()


@pytest.mark.cluster
def test_a_replica_that_ends_at_once_is_reported_with_what_it_said(tmp_path: Path) -> None:
    cluster = LocalCluster(Bank, replicas=2, directory=tmp_path)
    (tmp_path / "1.sock").mkdir()
    with pytest.raises(GenpaxosError, match=r"replica 1 ended with status 1:\n.*cannot listen on"):
        cluster.start()
    assert not any(cluster.processes.running(node) for node in range(2))


@pytest.mark.cluster
def test_a_wiped_replica_is_not_let_in_again_as_itself() -> None:
    with LocalCluster(Bank, replicas=3) as cluster:
        client = cluster.client_sync()
        client.submit(Bank.deposit("alice", 5))
        agreement(cluster)
        victim = (coordinator(cluster) + 1) % 3
        directory = cluster.config.replicas[victim].directory
        cluster.kill(victim)
        for path in directory.glob("journal.db*"):
            path.unlink()

        cluster.restart(victim)
        wait_until(lambda: not cluster.processes.running(victim), "it refuses to start")
        log = cluster.processes.log_file(victim).read_text()
        assert f"holds no data of replica {victim}" in log
        assert "Traceback" not in log

        with pytest.raises(ConfigError, match="holds what is left of a replica's data"):
            create_directory(cluster.config, victim)
        (directory / "synced").unlink()
        create_directory(cluster.config, victim)  # as somebody may who does not know what it means
        cluster.restart(victim)
        wait_until(lambda: "refuses this one" in cluster.processes.log_file(victim).read_text(), "its peers refuse it")
        assert "it has lost its promises" in cluster.processes.log_file(victim).read_text()
        wait_until(lambda: (row := rows(cluster).get(victim)) and not row["quorum"], "nobody hears it")
        assert client.submit(Bank.balance("alice")) == 5


@pytest.mark.cluster
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_replicas_end_with_the_process_that_started_them(how: signal.Signals) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout:
        *pids, directory = parent.stdout.readline().split()
    parent.send_signal(how)
    parent.wait()
    wait_until(lambda: not any(_exists(int(pid)) for pid in pids), "the replicas are gone")
    subprocess.run(["rm", "-r", directory], check=True)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return state != "Z"


def test_a_machine_of_a_module_is_named_by_it() -> None:
    assert machine_name(Bank) == "genpaxos.examples.bank:Bank"


def test_a_machine_typed_at_a_prompt_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    typed = type("Typed", (Bank,), {"__module__": "__main__"})
    monkeypatch.delattr(sys.modules["__main__"], "__file__", raising=False)
    with pytest.raises(ConfigError, match=r"defined interactively.*%%writefile"):
        LocalCluster(typed)


@pytest.mark.parametrize("name", ["long-" * 40, "with spaces"])
def test_sockets_of_a_directory_that_cannot_hold_them_stand_in_a_short_one(tmp_path: Path, name: str) -> None:
    directory = tmp_path / name
    short = socket_directory(directory)
    assert short != directory
    assert len(str(short)) < 60
    assert socket_directory(directory) == short
    assert socket_directory(tmp_path / f"{name}2") != short


@pytest.mark.cluster
def test_a_long_temporary_directory_serves_like_any_other(tmp_path: Path) -> None:
    with LocalCluster(Bank, replicas=1, directory=tmp_path / ("long " * 40)) as cluster:
        cluster.client_sync().submit(Bank.deposit("alice", 5))
        sockets = Path(cluster.config.replicas[0].address.removeprefix("ipc://")).parent
        assert sockets.stat().st_mode & 0o777 == 0o700
    assert not sockets.exists()
