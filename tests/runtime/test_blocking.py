from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from genpaxos import Disconnected, LocalCluster, NoQuorum, connect_sync
from genpaxos.examples.bank import Bank, InvalidAmount
from genpaxos.runtime.config import ClusterConfig, ReplicaConfig
from tests.runtime.clusters import agreement, wait_until


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(Bank, replicas=3) as made:
        yield made
        agreement(made)


@pytest.fixture
def nowhere(tmp_path: Path) -> ClusterConfig:
    """A cluster whose replica does not run."""
    replica = ReplicaConfig(f"ipc://{tmp_path}/0", tmp_path / "0")
    return ClusterConfig("nowhere", "genpaxos.examples.bank:Bank", (replica,))


@pytest.mark.cluster
def test_the_blocking_twin_gives_the_same_results(cluster: LocalCluster) -> None:
    with connect_sync(cluster.cluster_file) as client:
        assert client.submit(Bank.deposit("twin", 5)) is None
        assert client.submit_many([Bank.withdraw("twin", 3), Bank.withdraw("twin", 3)]) == [True, False]
        assert client.submit(Bank.balance("twin")) == 2
        with pytest.raises(InvalidAmount):
            client.submit(Bank.deposit("twin", 0))


@pytest.mark.cluster
def test_several_threads_may_share_a_client(cluster: LocalCluster) -> None:
    with connect_sync(cluster.config) as client, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: client.submit(Bank.deposit("shared", 1)), range(400)))
        assert client.submit(Bank.balance("shared")) == 400


def test_no_quorum_can_be_asked_for_again(nowhere: ClusterConfig) -> None:
    with connect_sync(nowhere) as client:
        with pytest.raises(NoQuorum, match="reachable: none; 1 of 1 are needed") as found:
            client.submit(Bank.total(), timeout_s=0.1)
        with pytest.raises(NoQuorum) as again:
            client.resubmit(found.value, timeout_s=0.1)
        assert again.value.id == found.value.id


def test_a_closed_client_says_so_and_its_thread_is_gone(nowhere: ClusterConfig) -> None:
    before = set(threading.enumerate())
    client = connect_sync(nowhere)
    assert len(set(threading.enumerate()) - before) == 1
    client.close()
    client.close()
    assert set(threading.enumerate()) == before
    for act in (lambda: client.submit(Bank.total()), lambda: client.submit_many([Bank.total()])):
        with pytest.raises(Disconnected, match="this client is closed"):
            act()


def test_closing_wakes_every_thread_that_waits(nowhere: ClusterConfig) -> None:
    client = connect_sync(nowhere, timeout_s=60)
    ended: list[BaseException] = []

    def wait(many: bool) -> None:
        try:
            client.submit_many([Bank.total()] * 5) if many else client.submit(Bank.total())
        except Disconnected as error:
            ended.append(error)

    threads = [threading.Thread(target=wait, args=(number % 2 == 0,), daemon=True) for number in range(6)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(client._client._pending) == 18, "all are waiting")
    client.close()
    for thread in threads:
        thread.join(10)
    assert len(ended) == 6
