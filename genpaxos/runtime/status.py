"""The status of a cluster, put together from what each replica answers (shape: :mod:`genpaxos.view.cluster`)."""

from collections.abc import Sequence
from typing import Any

from genpaxos.runtime.config import ClusterConfig
from genpaxos.runtime.query import NoAnswer, ask_cluster


def cluster_status(config: ClusterConfig, rows: Sequence[Any]) -> dict[str, Any]:
    """One JSON object from the replicas' own rows; a :class:`NoAnswer` makes a replica unreachable."""
    return {
        "cluster": config.name,
        "machine": config.machine,
        "policy": str(config.policy),
        "replicas": [
            {"node": node, "address": replica.address, "reachable": False, "error": str(row)}
            if isinstance(row, NoAnswer)
            else {**row, "address": replica.address, "reachable": True}
            for node, (replica, row) in enumerate(zip(config.replicas, rows, strict=True))
        ],
    }


def ask_status(config: ClusterConfig, *, timeout_s: float = 1.0) -> dict[str, Any]:
    """Ask every replica of a cluster for its status."""
    return cluster_status(config, ask_cluster(config, "status", timeout_s=timeout_s))
