"""A disk that takes nothing more: the replica stops voting and says so, the others go on, a restart rejoins."""

from __future__ import annotations

import resource
from collections.abc import Iterator

import pytest

from genpaxos import LocalCluster
from genpaxos.examples.bank import Bank
from tests.runtime.clusters import agreement, coordinator, rows, wait_until

pytestmark = pytest.mark.cluster


@pytest.fixture
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(Bank, replicas=3) as made:
        yield made


def fill_disk(cluster: LocalCluster, node: int) -> None:
    """No file of the replica's process may grow beyond what its journal takes already."""
    limit = 16 * 1024  # SQLite's log is longer from the start: soon it is to be written beyond this
    resource.prlimit(cluster.processes._processes[node].pid, resource.RLIMIT_FSIZE, (limit, limit))


@pytest.mark.parametrize("who", ["coordinator", "follower"])
def test_a_replica_whose_disk_is_full_stops_voting_and_the_others_go_on(cluster: LocalCluster, who: str) -> None:
    client = cluster.client_sync()
    client.submit_many([Bank.deposit("alice", 1)] * 50)
    leader = coordinator(cluster)
    full = leader if who == "coordinator" else (leader + 1) % 3
    fill_disk(cluster, full)
    client.submit_many([Bank.deposit("alice", 1)] * 50)
    for _ in range(20):
        client.submit(Bank.deposit("alice", 1))

    said = wait_until(lambda: rows(cluster)[full]["error"], "the replica says what is wrong")
    assert "StorageError" in said
    assert "no longer votes" in said
    row = rows(cluster)[full]
    assert (row["role"], row["quorum"], row["coordinator"]) == ("stopped", False, None)
    assert "no longer votes" in row["quorum_reason"]
    assert "stops taking part" in cluster.processes.log_file(full).read_text()
    assert cluster.processes.running(full), "it stays to answer questions"
    assert coordinator(cluster) != full
    assert client.submit(Bank.balance("alice")) == 120

    cluster.kill(full)
    cluster.restart(full)
    wait_until(lambda: rows(cluster).get(full, {}).get("quorum"), "the replica is back")
    client.submit(Bank.deposit("alice", 1))
    assert client.submit(Bank.balance("alice")) == 121
    agreement(cluster)
