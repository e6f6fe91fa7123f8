"""``genpaxos rejoin`` with real processes: after lost or damaged data a replica comes back as a new incarnation."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from genpaxos import LocalCluster
from genpaxos.core.ballot import Ballot
from genpaxos.core.records import Promised
from genpaxos.core.replica import Replica
from genpaxos.errors import ConfigError
from genpaxos.examples.bank import Bank
from genpaxos.runtime.identity import create_directory, open_directory
from genpaxos.runtime.query import ask
from genpaxos.runtime.rejoin import prepare_rejoin
from genpaxos.runtime.server import Server
from genpaxos.runtime.storage import FILE, write_snapshot
from tests.runtime.clusters import coordinator, rows, stranger, wait_until
from tests.runtime.test_snapshots import same_state


@pytest.fixture
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(Bank, replicas=3, snapshot_commands=100) as made:
        yield made


def damage_journal(directory: Path) -> None:
    """Flip a bit of the last batch; the snapshot's if that stands for all of the journal."""
    with closing(sqlite3.connect(directory / FILE, isolation_level=None)) as database:
        behind = "SELECT batch, records FROM journal WHERE batch > (SELECT batch FROM snapshot) ORDER BY batch DESC"
        found = database.execute(behind).fetchone()  # what lies before is needed no more, and not looked at
        if found is None:
            damage_snapshot(directory)
        else:
            changed = flipped(found[1], -2)
            database.execute("UPDATE journal SET records = ? WHERE batch = ?", (changed, found[0]))


def damage_snapshot(directory: Path) -> None:
    for file in directory.glob("snapshot-*"):
        file.write_bytes(flipped(file.read_bytes(), 100))


def flipped(data: bytes, at: int) -> bytes:
    changed = bytearray(data)
    changed[at] ^= 1
    return bytes(changed)


def adopted(cluster: LocalCluster, node: int) -> bool:
    """Whether a replica has a whole snapshot."""
    names = [file.name for file in cluster.config.replicas[node].directory.glob("snapshot-*")]
    return len(names) == 1 and not names[0].endswith(".part")


def back(cluster: LocalCluster, node: int, incarnation: int) -> None:
    """The replica takes part again, and every other one knows which incarnation it is."""

    def known() -> bool:
        found = rows(cluster)
        takes_part = node in found and found[node]["role"] != "rejoining" and found[node]["quorum"]
        return bool(takes_part) and all(row["incarnations"][node] == incarnation for row in found.values())

    wait_until(known, f"replica {node} is back as incarnation {incarnation}")


@pytest.mark.cluster
def test_a_replica_with_damaged_data_refuses_to_start_and_comes_back_by_rejoin(cluster: LocalCluster) -> None:
    client = cluster.client_sync()
    client.submit_many([Bank.deposit("alice", 1)] * 150)
    wait_until(lambda: all(adopted(cluster, node) for node in range(3)), "all have taken a snapshot")
    node = (coordinator(cluster) + 1) % 3
    config = cluster.config
    directory = config.replicas[node].directory
    with pytest.raises(ConfigError, match="is running: stop it first"):
        prepare_rejoin(config, node)
    pid = cluster.processes._processes[node].pid
    os.kill(pid, signal.SIGSTOP)  # silent, and still the owner of its files
    with pytest.raises(ConfigError, match="is running: stop it first"):
        prepare_rejoin(config, node)
    os.kill(pid, signal.SIGCONT)

    cluster.kill(node)
    client.submit_many([Bank.deposit("alice", 1)] * 450)
    damage_journal(directory)
    cluster.restart(node)
    wait_until(lambda: not cluster.processes.running(node), "it refuses to start")
    said = cluster.processes.log_file(node).read_text()
    assert "is damaged" in said
    assert f"genpaxos rejoin CLUSTER {node}" in said

    command = [sys.executable, "-m", "genpaxos", "rejoin", str(cluster.cluster_file), str(node), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=None)
    assert done.returncode == 0, done.stderr
    aside = Path(f"{directory}.lost-1")
    assert json.loads(done.stdout) == {"node": node, "incarnation": 1, "aside": str(aside)}
    assert (aside / FILE).exists(), "nothing is thrown away"
    cluster.restart(node)
    back(cluster, node, 1)
    client.submit_many([Bank.deposit("alice", 1)] * 50)
    assert client.submit(Bank.balance("alice")) == 650
    wait_until(lambda: same_state(cluster), "all are in the same state")

    cluster.kill(node)  # it has learned what it needs: from now on it is a replica like any other
    cluster.restart(node)
    back(cluster, node, 1)

    with stranger(cluster, (node + 1) % 3, routing_id_of(cluster, node, aside)) as old:
        assert "has come back as a later incarnation" in old.ask(b'["heartbeat"]')[1]


def routing_id_of(cluster: LocalCluster, node: int, directory: Path) -> bytes:
    """How a replica would introduce itself from another directory."""
    replicas = list(cluster.config.replicas)
    replicas[node] = replace(replicas[node], directory=directory)
    storage, identity = open_directory(replace(cluster.config, replicas=tuple(replicas)), node, Bank)
    storage.close()
    return identity.routing_id()


@pytest.mark.cluster
def test_rejoin_refuses_what_would_be_a_guess_and_numbers_what_was_heard_of(cluster: LocalCluster) -> None:
    config, client = cluster.config, cluster.client_sync()
    client.submit_many([Bank.deposit("alice", 1)] * 20)
    cluster.kill(2)
    shutil.rmtree(config.replicas[2].directory)
    cluster.kill(1)
    with pytest.raises(ConfigError, match=r"only \[0\] answer and take part"):
        prepare_rejoin(config, 2, timeout_s=0.5)
    assert not config.replicas[2].directory.exists()
    cluster.restart(1)
    wait_until(lambda: rows(cluster).get(1, {}).get("quorum"), "the other is back")

    assert prepare_rejoin(config, 2) == (1, None)
    with stranger(
        cluster, 0, routing_id_of(cluster, 2, config.replicas[2].directory)
    ) as met:  # it says a word to one, then its directory is lost too
        met.send(b'["fetch",1]')
        wait_until(lambda: rows(cluster)[0]["incarnations"][2] == 1, "0 has heard of it")
    incarnation, aside = prepare_rejoin(config, 2, timeout_s=0.5)
    assert (incarnation, aside) == (2, Path(f"{config.replicas[2].directory}.lost-1"))
    cluster.restart(2)
    back(cluster, 2, 2)
    wait_until(lambda: same_state(cluster), "all are in the same state")
    assert ask(config.replicas[2].address, "state")["machine"] == {"cents": {"alice": 20}}


@pytest.mark.parametrize("damage", [damage_journal, damage_snapshot])
def test_a_server_does_not_start_from_damaged_data(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    config = LocalCluster(Bank, replicas=3, directory=tmp_path).config
    create_directory(config, 1)
    storage, _ = open_directory(config, 1, Bank)
    storage.open()
    storage.append([Promised(Ballot(1, 0))])
    replica = Replica(1, Bank(), config.settings(), 0.0)
    storage.adopt_snapshot(write_snapshot(storage.directory, storage.place, 0, replica.capture()))
    storage.append([Promised(Ballot(2, 0))])
    storage.close()
    damage(config.replicas[1].directory)
    with pytest.raises(ConfigError, match=r"is damaged: .*`genpaxos rejoin CLUSTER 1`"):
        Server(config, 1)


def test_a_cluster_of_two_has_no_majority_to_rejoin(tmp_path: Path) -> None:
    config = LocalCluster(Bank, replicas=2, directory=tmp_path).config
    with pytest.raises(ConfigError, match="cannot rejoin a cluster of 2"):
        prepare_rejoin(config, 1)


def test_a_directory_of_a_later_incarnation_starts_with_the_record_that_says_so(tmp_path: Path) -> None:
    config = LocalCluster(Bank, replicas=3, directory=tmp_path).config
    create_directory(config, 1, incarnation=4)
    storage, identity = open_directory(config, 1, Bank)
    _, records = storage.open()
    assert identity.incarnation == 4
    assert [type(record).__name__ for record in records] == ["Rejoining"]
    storage.close()
