from __future__ import annotations

from typing import Any

import pytest

from genpaxos import GenpaxosError, LocalCluster
from genpaxos.core.ids import operation_ids
from genpaxos.demo.evidence import Archive, collect
from genpaxos.examples.bank import Bank


@pytest.mark.cluster
def test_the_evidence_is_what_the_replicas_hold() -> None:
    with LocalCluster(Bank, replicas=3) as cluster:
        client = cluster.client_sync()
        client.submit_many([Bank.deposit("alice", 1)] * 6_000, timeout_s=30)  # more than one page of the log
        evidence = collect(cluster.config, cluster.processes.check)
        assert [replica.node for replica in evidence] == [0, 1, 2]
        for replica in evidence:
            assert (len(replica.ids), replica.applied, replica.pending) == (6_000, 6_000, 0)
            assert len(set(replica.ids)) == 6_000
            assert replica.state == {"cents": {"alice": 6_000}}


@pytest.mark.cluster
def test_what_is_cut_off_the_logs_comes_from_who_read_it_before() -> None:
    archive = Archive()
    with LocalCluster(Bank, replicas=3, snapshot_commands=500) as cluster:
        client = cluster.client_sync()
        for _ in range(10):
            client.submit_many([Bank.deposit("alice", 1)] * 300, timeout_s=30)
            archive.read(cluster.config, timeout_s=5.0)
        evidence = collect(cluster.config, cluster.processes.check, archive)
        assert all(row["cut"] > 0 for row in cluster.status())
        with pytest.raises(GenpaxosError, match="read by nobody before"):
            collect(cluster.config, cluster.processes.check)
    assert archive.contradictions == []
    told = [name for command in archive.between(1, len(archive)) for name in operation_ids(command)]
    for replica in evidence:
        assert replica.ids == told
        assert (len(set(replica.ids)), replica.applied, replica.pending) == (3_000, 3_000, 0)


def log(first: int, *ids: str, committed: int | None = None) -> dict[str, Any]:
    return {"first": first, "ids": list(ids), "committed": committed or first - 1 + len(ids)}


def test_an_archive_is_put_together_from_what_each_replica_still_has() -> None:
    archive = Archive()
    archive.take(0, log(1, "a", "b"))
    archive.take(1, log(4, "d"))
    assert (archive.wanted(0), archive.wanted(1), archive.wanted(2), len(archive)) == (3, 5, 1, 4)
    with pytest.raises(GenpaxosError, match=r"V\[1..4\] is cut off the log, and 1 of these"):
        archive.between(1, 4)
    archive.take(0, log(3, "c"))
    assert archive.between(1, 4) == ["a", "b", "c", "d"]
    assert archive.between(2, 3) == ["b", "c"]
    assert archive.between(1, 0) == []
    with pytest.raises(GenpaxosError):
        archive.between(3, 6)


def test_two_replicas_that_tell_different_commands_of_one_index_contradict() -> None:
    archive = Archive()
    archive.take(0, log(1, "a", "b", "c"))
    archive.take(1, log(1, "a", "x"))
    assert archive.contradictions == ["replica 1 has x at index 2, where b was told"]
    assert archive.between(1, 3) == ["a", "b", "c"]


def test_a_replica_that_comes_back_with_less_is_read_anew() -> None:
    archive = Archive()
    archive.take(0, log(1, "a", "b", "c"))
    archive.take(0, log(1, committed=0))
    assert archive.wanted(0) == 1
    archive.take(0, log(1, "a", "x", committed=3))
    assert archive.wanted(0) == 3
    assert archive.contradictions == ["replica 0 has x at index 2, where b was told"]


@pytest.mark.cluster
def test_a_replica_that_ended_is_reported_at_once_with_what_it_said() -> None:
    with LocalCluster(Bank, replicas=3) as cluster:
        cluster.kill(1)
        with pytest.raises(GenpaxosError, match=r"replica 1 ended with status -9:\nreplica 1 of 'bank' listens on"):
            collect(cluster.config, cluster.processes.check)
