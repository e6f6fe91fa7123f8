"""Disks that fail under a replica: by errors injected into its system calls where libfiu is installed, and by a limit
on its files everywhere."""

from __future__ import annotations

import resource
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from genpaxos import LocalCluster
from genpaxos.examples.bank import Bank
from tests.runtime.clusters import agreement, coordinator, rows, wait_until

REPLICAS = 3
PRELOADED = ("fiu_run_preload.so", "fiu_posix_preload.so")


def find_libfiu() -> tuple[Path, ...]:
    """The libraries to preload, beside the ``fiu-run`` on the path; empty if libfiu is not installed."""
    program = shutil.which("fiu-run")
    if program is None:
        return ()
    found = tuple(Path(program).parent.parent / "lib" / "fiu" / name for name in PRELOADED)
    return found if all(library.exists() for library in found) else ()


needs_libfiu = pytest.mark.skipif(not find_libfiu(), reason="libfiu is not installed (Debian: apt install fiu-utils)")


@pytest.fixture
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(Bank, replicas=REPLICAS) as made:
        made.client_sync().submit_many([Bank.deposit("alice", 1)] * 50)
        yield made


@pytest.fixture
def control(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Replicas that are started from now on run under libfiu, which listens at this path."""
    control = tmp_path / "fiu"
    monkeypatch.setenv("LD_PRELOAD", " ".join(map(str, find_libfiu())))
    monkeypatch.setenv("FIU_CTRL_FIFO", str(control))
    return control


def goes_on_without(cluster: LocalCluster, broken: int) -> str:
    """The others commit while a replica's disk fails; returns what that replica says of itself."""
    client = cluster.client_sync(timeout_s=20.0)
    for _ in range(30):
        client.submit(Bank.deposit("alice", 1))
    said = wait_until(lambda: rows(cluster)[broken]["error"], "the replica says what is wrong")
    assert rows(cluster)[broken]["role"] == "stopped"
    assert coordinator(cluster) != broken
    assert client.submit(Bank.balance("alice")) == 80
    return str(said)


def comes_back(cluster: LocalCluster, node: int) -> None:
    """On a disk that works the replica rejoins, and lacks nothing."""
    cluster.kill(node)
    cluster.restart(node)
    wait_until(lambda: rows(cluster).get(node, {}).get("quorum"), "the replica is back")
    client = cluster.client_sync(timeout_s=20.0)
    client.submit(Bank.deposit("alice", 1))
    assert client.submit(Bank.balance("alice")) == 81
    agreement(cluster)


def inject(pid: int, control: Path, failure: str) -> None:
    """Tell a process under libfiu which calls fail from now on; its remote control is a pair of pipes."""
    to_it, from_it = (control.with_name(f"{control.name}-{pid}.{end}") for end in ("in", "out"))
    wait_until(from_it.exists, "the replica listens to libfiu's remote control")
    with to_it.open("wb", buffering=0) as commands:
        commands.write(f"{failure}\n".encode())
        with from_it.open("rb", buffering=0) as answers:
            assert answers.read(16).strip() == b"0", failure


@pytest.mark.cluster
@needs_libfiu
@pytest.mark.parametrize("who", ["coordinator", "follower"])
@pytest.mark.parametrize("call", ["posix/io/sync/*", "posix/io/rw/pwrite"])
def test_a_replica_whose_disk_reports_errors_stops_voting_and_the_others_go_on(
    control: Path, cluster: LocalCluster, who: str, call: str
) -> None:
    """An error of ``fsync`` means that nobody knows what is on the disk: trying again would prove nothing."""
    leader = coordinator(cluster)
    broken = leader if who == "coordinator" else (leader + 1) % REPLICAS
    inject(cluster.processes._processes[broken].pid, control, f"enable name={call},failinfo=5")  # EIO
    assert "no longer votes" in goes_on_without(cluster, broken)
    comes_back(cluster, broken)


def test_libfiu_is_found_where_it_is_installed_and_only_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the tests with it are skipped for that reason and no other."""
    assert bool(find_libfiu()) == (shutil.which("fiu-run") is not None)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert not find_libfiu()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "fiu-run").touch(mode=0o755)
    assert not find_libfiu(), "the program alone does nothing"
    (tmp_path / "lib" / "fiu").mkdir(parents=True)
    for name in PRELOADED:
        (tmp_path / "lib" / "fiu" / name).touch()
    assert [library.name for library in find_libfiu()] == list(PRELOADED)


@pytest.mark.cluster
def test_a_replica_whose_log_is_on_the_full_disk_too_stays_to_say_so(cluster: LocalCluster) -> None:
    full = (coordinator(cluster) + 1) % REPLICAS
    resource.prlimit(cluster.processes._processes[full].pid, resource.RLIMIT_FSIZE, (1, 1))
    client = cluster.client_sync(timeout_s=20.0)
    for _ in range(30):
        client.submit(Bank.deposit("alice", 1))
    wait_until(lambda: not cluster.processes.running(full) or rows(cluster)[full]["error"], "the disk is full")
    assert cluster.processes.running(full), "it stays to answer questions"
    assert rows(cluster)[full]["role"] == "stopped"
