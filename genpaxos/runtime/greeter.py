"""Which cluster this is: what replicas tell clients of it, and clients of another one that they are turned away.

An address may belong to another cluster than it did: a copied or an old cluster file, a port in use again, a cluster
made anew in the same place. So requests begin with the identity of the cluster they are for
(:func:`genpaxos.runtime.identity.cluster_identity`), and a replica of another one executes nothing of them. What it
*answers* to a question carries its own identity, for the client to compare.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from commutativity import Machine
from genpaxos.runtime import wire
from genpaxos.runtime.config import ClusterConfig
from genpaxos.runtime.identity import cluster_identity, rules_identity


class Greeter:
    """A replica's side."""

    def __init__(self, config: ClusterConfig, machine: type[Machine]) -> None:
        identity, rules = cluster_identity(config), rules_identity(machine)
        self.card = {"cluster": config.name, "cluster_id": identity, "rules": rules}
        """What pongs and answers carry."""
        self.starts = (wire.request_start(identity), wire.request_start(f"{identity}/{rules}"))
        """How requests begin that are for this cluster: the only thing that is compared, once per message."""

    def turned_away(self, payload: bytes) -> bytes:
        """The answer to a request that is for another cluster. Raises :class:`RemoteProtocolError` if it is none."""
        wire.request_cluster(payload)
        return wire.dumps(["wrong-cluster", self.card])


@dataclass(frozen=True, slots=True)
class Expected:
    """A client's side: the cluster it means, and the machine's rules if it knows them."""

    name: str
    identity: str
    rules: str | None = None

    @classmethod
    def of(cls, config: ClusterConfig, machine: type[Machine] | None = None) -> "Expected":
        """What a cluster file, and the machine if it is known, let one expect."""
        return cls(config.name, cluster_identity(config), None if machine is None else rules_identity(machine))

    @property
    def text(self) -> str:
        """What requests carry."""
        return self.identity if self.rules is None else f"{self.identity}/{self.rules}"

    def difference(self, address: str, card: Mapping[str, Any]) -> str | None:
        """Why a replica with this card is not the one that is meant; ``None`` if it is."""
        name, identity, rules = card.get("cluster"), card.get("cluster_id", self.identity), card.get("rules")
        if identity != self.identity:
            return (
                f"{address} belongs to cluster {name!r} (identity {identity}), and the cluster file here is of "
                f"{self.name!r} (identity {self.identity}). The identity stands for name and id in the file, or for "
                "name and addresses where it has no id: use the file of the cluster that runs there"
            )
        if self.rules is not None and rules != self.rules:
            return (
                f"the replica at {address} runs cluster {name!r} with other operations or commutativity rules than the "
                "machine here: bring its code and this one to the same version"
            )
        return None
