from __future__ import annotations

import pytest

from examples.bank import Bank
from genpaxos import GenpaxosError, LocalCluster
from genpaxos.demo.evidence import collect


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
def test_a_replica_that_ended_is_reported_at_once_with_what_it_said() -> None:
    with LocalCluster(Bank, replicas=3) as cluster:
        cluster.kill(1)
        with pytest.raises(GenpaxosError, match=r"replica 1 ended with status -9:\nreplica 1 of 'bank' listens on"):
            collect(cluster.config, cluster.processes.check)
