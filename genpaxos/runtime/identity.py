"""What a replica's directory was made for, and the refusal to serve anything else from it.

A replica that lost its promises must not come back as itself (it could break them), and one whose table differs would
disagree on what commutes. So a directory is made once, on purpose, and carries what it belongs to; peers remember each
other's directory too, and refuse a number that comes back with another one.
"""

import difflib
import hashlib
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from commutativity import Machine
from genpaxos.core.journal import DamageError
from genpaxos.core.records import Rejoining
from genpaxos.errors import ConfigError, IdentityError
from genpaxos.runtime.config import ClusterConfig
from genpaxos.runtime.hashing import FIXED_HASH_SEED, hash_seed
from genpaxos.runtime.storage import FILE, Storage
from genpaxos.runtime.wire import VERSION

_ROUTING_ID = re.compile(rb"r(\d{1,2}):([0-9a-f]{32}):([0-9a-f]{32}):(\d{1,9}):[0-9a-f]{8}")


@dataclass(frozen=True, slots=True)
class Identity:
    """A replica of one cluster, running one machine, with one directory."""

    node: int
    cluster: str
    """The cluster file's lines that all replicas must agree on."""
    machine: str
    """The machine's rules (:meth:`commutativity.Machine.fingerprint_text`)."""
    directory_id: str
    """Drawn when the directory was made."""
    incarnation: int = 0
    """How often the replica has come back without its data (:mod:`genpaxos.core.incarnations`)."""
    hash_seed: str = "random"
    """What this process hashes texts with (:mod:`genpaxos.runtime.hashing`): sets are walked through in its order."""

    @property
    def fingerprint(self) -> str:
        """What replicas compare when they meet: 128 bits of cluster, machine, hash seed, and the version of messages
        and digests."""
        told = f"{VERSION}\0{self.cluster}\0{self.machine}"
        if self.hash_seed not in (FIXED_HASH_SEED, "random"):  # the latter not under `genpaxos serve`
            told += f"\0{self.hash_seed}"
        return hashlib.sha256(told.encode()).hexdigest()[:32]

    def routing_id(self) -> bytes:
        """How this process introduces itself to a peer; new for every process."""
        drawn = secrets.token_hex(4)
        return f"r{self.node}:{self.fingerprint}:{self.directory_id}:{self.incarnation}:{drawn}".encode()


def parse_routing_id(routing_id: bytes) -> tuple[int, str, str, int] | None:
    """Node, fingerprint, directory id and incarnation of a peer's introduction; ``None`` if it is a client's."""
    match = _ROUTING_ID.fullmatch(routing_id)
    return None if match is None else (int(match[1]), match[2].decode(), match[3].decode(), int(match[4]))


def create_directory(config: ClusterConfig, node: int, *, incarnation: int = 0) -> None:
    """Make the directory of a replica that never ran, or that comes back without its data as a later incarnation.

    Raises :class:`ConfigError` if there is data already.
    """
    storage = Storage(config.replica(node).directory, create=True)
    if incarnation:
        storage.append([Rejoining(incarnation)])
    storage.put("incarnation", str(incarnation))
    storage.put("node", str(node))
    storage.put("cluster", cluster_text(config))
    storage.put("machine", config.load_machine().fingerprint_text())
    storage.put("directory", secrets.token_hex(16))
    storage.close()


def open_directory(config: ClusterConfig, node: int, machine: type[Machine]) -> tuple[Storage, Identity]:
    """Open a replica's directory. Raises :class:`IdentityError`, saying what differs, if it is not that replica's, and
    :class:`ConfigError` if it is damaged or cannot be opened."""
    directory = config.replica(node).directory
    if not (directory / FILE).exists():
        raise IdentityError(
            f"{directory} holds no data of replica {node}. If this replica has never run, make its directory with "
            f"`genpaxos serve ... {node} --create`. If it has, its promises are lost: it must not come back as itself; "
            f"`genpaxos rejoin ... {node}` lets it come back as a new incarnation."
        )
    try:
        storage = Storage(directory)
    except DamageError as error:
        raise refuse_damage(config, node, error) from error
    try:
        identity = Identity(
            node=node,
            cluster=cluster_text(config),
            machine=machine.fingerprint_text(),
            directory_id=_fact(storage, directory, "directory"),
            incarnation=int(_fact(storage, directory, "incarnation")),
            hash_seed=hash_seed() or "random",
        )
        found = _fact(storage, directory, "node")
        if found != str(node):
            raise IdentityError(f"{directory} belongs to replica {found}, not to replica {node}")
        _same("cluster file", directory, _fact(storage, directory, "cluster"), identity.cluster)
        _same("commutativity rules", directory, _fact(storage, directory, "machine"), identity.machine)
    except ConfigError:
        storage.close()
        raise
    return storage, identity


def refuse_damage(config: ClusterConfig, node: int, damage: DamageError) -> ConfigError:
    """Why a replica does not start from damaged data, and the way back."""
    return ConfigError(
        f"the data of replica {node} in {config.replica(node).directory} is damaged: {damage}. It may have forgotten "
        f"what it promised, so it must not come back as itself. `genpaxos rejoin CLUSTER {node}` sets the data aside "
        "and lets the replica recover from the others as a new incarnation."
    )


def cluster_identity(config: ClusterConfig) -> str:
    """What clients and replicas compare: a hash of the cluster's name and id, or of its name and addresses where the
    cluster file has no id."""
    what = config.id or "\0".join(replica.address for replica in config.replicas)
    return hashlib.sha256(f"{config.name}\0{what}".encode()).hexdigest()[:16]


def rules_identity(machine: type[Machine]) -> str:
    """The same for a machine's rules, which a client may know."""
    return hashlib.sha256(machine.fingerprint_text().encode()).hexdigest()[:16]


def cluster_text(config: ClusterConfig) -> str:
    """The lines of the cluster file that may not change under a running cluster."""
    lines = [f"name = {config.name}", *([f"id = {config.id}"] if config.id else [])]
    lines += [f"machine = {config.machine}", f"policy = {config.policy}"]
    lines.append(f"fast_quorum = {config.fast}")
    lines += [f"replica {number} = {replica.address}" for number, replica in enumerate(config.replicas)]
    return "\n".join(lines)


def _fact(storage: Storage, directory: Path, key: str) -> str:
    value = storage.get(key)
    if value is None:
        raise IdentityError(f"{directory} was not completely made (no {key!r}): remove it and make it again")
    return value


def _same(what: str, directory: Path, before: str, now: str) -> None:
    if before != now:
        changes = [
            line
            for line in difflib.unified_diff(before.splitlines(), now.splitlines(), lineterm="", n=0)
            if not line.startswith(("---", "+++", "@@"))
        ]
        raise IdentityError(
            f"the {what} changed since {directory} was made (- then, + now):\n  " + "\n  ".join(changes) + "\n"
            "Replicas that follow different rules would diverge. Restore it, or start a new cluster in new directories."
        )
