"""Whether a measured cluster did what it said: a fast wrong run is no result."""

from collections.abc import Sequence
from typing import Any

from bench.cluster import Bench
from bench.errors import BenchError
from genpaxos.demo import evidence
from genpaxos.demo.evidence import ReplicaEvidence


def verify(bench: Bench) -> dict[str, Any]:
    """Ask all replicas for everything and :func:`judge` it; gives the counts. Raises :class:`BenchError`."""
    judge(evidence.collect(bench.cluster.config), bench.acknowledged)
    return {"replicas_agree": True, "acknowledged": len(bench.acknowledged)}


def judge(replicas: Sequence[ReplicaEvidence], acknowledged: Sequence[str]) -> None:
    """Raise :class:`BenchError` unless all replicas hold the same log and state, each acknowledged command once."""
    first = replicas[0]
    for replica in replicas:
        if replica.ids != first.ids:
            raise BenchError(f"the logs of replicas {first.node} and {replica.node} differ")
        if replica.state_sha256 != first.state_sha256:
            raise BenchError(f"the states of replicas {first.node} and {replica.node} differ")
        if replica.applied != len(replica.ids) or replica.pending:
            raise BenchError(
                f"replica {replica.node} applied {replica.applied} commands for {len(replica.ids)} in its log, "
                f"{replica.pending} unsettled"
            )
    logged = set(first.ids)
    if len(logged) != len(first.ids):
        raise BenchError(f"{len(first.ids) - len(logged)} commands are in the log twice")
    lost = set(acknowledged) - logged
    if lost:
        raise BenchError(f"{len(lost)} acknowledged commands were never executed, such as {min(lost)}")
