"""The explicit step by which a replica comes back after its data was lost or damaged.

It never comes back as itself: the old data is set aside, and a new directory made for a new incarnation of the replica,
which votes for nothing until the others have agreed to it (:mod:`genpaxos.core.incarnations`).
"""

from pathlib import Path

from genpaxos.core.quorum import QuorumSystem, mask_of
from genpaxos.errors import ConfigError
from genpaxos.runtime.config import ClusterConfig
from genpaxos.runtime.identity import create_directory
from genpaxos.runtime.query import NoAnswer, ask_cluster
from genpaxos.runtime.storage import in_use


def prepare_rejoin(config: ClusterConfig, node: int, *, timeout_s: float = 5.0) -> tuple[int, Path | None]:
    """Make the directory of the replica's next incarnation; returns its number, and where the old data was put.

    Raises :class:`ConfigError` if too few of the others answer: they must agree to the new incarnation, and know the
    number of the last one.
    """
    total = len(config.replicas)
    directory = config.replica(node).directory
    answer = ask_cluster(config, "status", timeout_s=0.5, nodes=[node])[0]
    if not isinstance(answer, NoAnswer) or in_use(directory):
        raise ConfigError(f"replica {node} is running: stop it first")
    others = [peer for peer in range(total) if peer != node]
    if not QuorumSystem.majority(total).is_classic(mask_of(others)):
        raise ConfigError(
            f"replica {node} cannot rejoin a cluster of {total}: a majority must be left without it. "
            "Restore its data, or start a new cluster."
        )
    answers = ask_cluster(config, "status", timeout_s=timeout_s, nodes=others)
    able = {
        peer: answer
        for peer, answer in zip(others, answers, strict=True)
        if not isinstance(answer, NoAnswer) and answer["error"] is None and answer["role"] != "rejoining"
    }
    if not QuorumSystem.majority(total).is_classic(mask_of(able)):
        raise ConfigError(
            f"replica {node} cannot rejoin now: a majority of the cluster must be up without it, and of the others "
            f"only {sorted(able)} answer and take part. Start them first."
        )
    incarnation = 1 + max(answer["incarnations"][node] for answer in able.values())
    aside = _set_aside(directory) if directory.exists() else None
    create_directory(config, node, incarnation=incarnation)
    return incarnation, aside


def _set_aside(directory: Path) -> Path:
    number = 1
    while (aside := directory.with_name(f"{directory.name}.lost-{number}")).exists():
        number += 1
    return directory.rename(aside)
