from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from commutativity import CommutativityTable, Machine, operation
from genpaxos.core.ballot import FastQuorums, Policy
from genpaxos.core.election import Timing
from genpaxos.errors import ConfigError, IdentityError
from genpaxos.examples.bank import Bank
from genpaxos.runtime import identity
from genpaxos.runtime.config import ClusterConfig, ReplicaConfig
from genpaxos.runtime.identity import Identity, create_directory, open_directory, parse_routing_id
from genpaxos.runtime.storage import FILE, Storage


class OtherTable(Bank):
    """The bank, with a table that says something else."""

    table = CommutativityTable("""
                 read  add  update
        read      .     x     x
        add       x     x     x
        update    x     x     x
    """)


class OtherFootprint(Bank):
    """The bank, with an operation that touches something else."""

    @operation(account="update")
    def deposit(self, account: str, cents: int) -> None:
        """As the bank's."""


@pytest.fixture
def config(tmp_path: Path) -> ClusterConfig:
    config = ClusterConfig(
        name="bank",
        machine="genpaxos.examples.bank:Bank",
        replicas=tuple(ReplicaConfig(f"ipc://{tmp_path}/{n}.sock", tmp_path / str(n)) for n in range(3)),
    )
    for node in range(3):
        create_directory(config, node)
    return config


@pytest.fixture(autouse=True)
def _nothing_left_open(config: ClusterConfig) -> Iterator[None]:
    """However opening ends, the journal can be opened afterwards."""
    yield
    for replica in config.replicas:
        if (replica.directory / "journal.db").exists():
            Storage(replica.directory).close()


def refusal(config: ClusterConfig, node: int = 0, machine: type[Machine] = Bank) -> str:
    with pytest.raises(IdentityError) as found:
        open_directory(config, node, machine)
    return str(found.value)


def test_a_directory_opens_for_what_it_was_made_for(config: ClusterConfig) -> None:
    for node in range(3):
        storage, identity = open_directory(config, node, Bank)
        storage.close()
        assert identity.node == node


def test_replicas_of_one_cluster_share_a_fingerprint_but_no_directory(config: ClusterConfig) -> None:
    found = []
    for node in range(3):
        storage, identity = open_directory(config, node, Bank)
        storage.close()
        found.append(identity)
    assert len({identity.fingerprint for identity in found}) == 1
    assert len({identity.directory_id for identity in found}) == 3


def test_an_introduction_says_who_with_which_rules_and_directory(config: ClusterConfig) -> None:
    storage, identity = open_directory(config, 2, Bank)
    storage.close()
    introduction = identity.routing_id()
    assert parse_routing_id(introduction) == (2, identity.fingerprint, identity.directory_id, 0)
    assert introduction != identity.routing_id(), "each process has its own"


@pytest.mark.parametrize("routing_id", [b"", b"r0", b"\x00\x80\x00\x00\x29", b"r0:" + b"g" * 32, b"r100:" + b"a" * 74])
def test_a_client_is_not_taken_for_a_replica(routing_id: bytes) -> None:
    assert parse_routing_id(routing_id) is None


def test_a_directory_is_never_made_over_another(config: ClusterConfig) -> None:
    with pytest.raises(ConfigError, match="holds a replica's data already"):
        create_directory(config, 0)


def test_a_wiped_directory_is_refused_with_what_to_do(config: ClusterConfig) -> None:
    shutil.rmtree(config.replicas[0].directory)
    said = refusal(config)
    assert "holds no data of replica 0" in said
    assert "--create" in said
    assert "promises are lost" in said


def test_a_directory_whose_facts_were_damaged_is_refused_with_the_way_back(config: ClusterConfig) -> None:
    """The facts are read before the journal: a flipped bit must not pass for another rule, or another directory."""
    file = config.replicas[0].directory / FILE
    whole = file.read_bytes()
    assert whole.count(b'"incarnation":"0"') == 1
    file.write_bytes(whole.replace(b'"incarnation":"0"', b'"incarnation":"1"'))
    with pytest.raises(ConfigError, match=r"is damaged: the facts .* `genpaxos rejoin CLUSTER 0`"):
        open_directory(config, 0, Bank)
    file.write_bytes(whole)


def test_another_replicas_directory_is_refused(config: ClusterConfig) -> None:
    shutil.rmtree(config.replicas[0].directory)
    shutil.copytree(config.replicas[1].directory, config.replicas[0].directory)
    assert "belongs to replica 1, not to replica 0" in refusal(config)


@pytest.mark.parametrize(
    ("change", "then", "now"),
    [
        ({"name": "other"}, "-name = bank", "+name = other"),
        ({"policy": Policy.CLASSIC}, "-policy = leader-ordered", "+policy = classic"),
        ({"fast": FastQuorums.ANY}, "-fast_quorum = pinned", "+fast_quorum = any"),
        (
            {"machine": "genpaxos.examples.register:Registers"},
            "-machine = genpaxos.examples.bank:Bank",
            "+machine = genpaxos.examples.register",
        ),
    ],
)
def test_a_changed_cluster_file_is_refused_with_the_difference(
    config: ClusterConfig, change: dict[str, str], then: str, now: str
) -> None:
    said = refusal(replace(config, **change))  # type: ignore[arg-type]
    assert "the cluster file changed" in said
    assert then in said
    assert now in said
    assert said.count("\n  ") == 2, "only what differs"


def test_a_changed_membership_is_refused_with_the_difference(config: ClusterConfig, tmp_path: Path) -> None:
    more = replace(config, replicas=(*config.replicas, ReplicaConfig("tcp://h:1", tmp_path / "3")))
    assert "+replica 3 = tcp://h:1" in refusal(more)
    assert "-replica 2 = ipc://" in refusal(replace(config, replicas=config.replicas[:2]))


def test_timing_may_change(config: ClusterConfig) -> None:
    storage, _ = open_directory(replace(config, timing=Timing(heartbeat_ms=10)), 0, Bank)
    storage.close()


def test_a_changed_table_is_refused_with_the_difference(config: ClusterConfig) -> None:
    said = refusal(config, machine=OtherTable)
    assert "the commutativity rules changed" in said
    assert "  -add" in said
    assert "  +add" in said
    assert "would diverge" in said


def test_a_changed_footprint_is_refused_with_the_difference(config: ClusterConfig) -> None:
    said = refusal(config, machine=OtherFootprint)
    assert "-deposit(account: str, cents: int) touches" in said
    assert "+deposit(account: str, cents: int) touches" in said


def test_a_half_made_directory_is_refused(tmp_path: Path, config: ClusterConfig) -> None:
    half = replace(config, replicas=(replace(config.replicas[0], directory=tmp_path / "half"), *config.replicas[1:]))
    with_node_only = Storage(tmp_path / "half", create=True)
    with_node_only.put("node", "0")
    with_node_only.close()
    assert "was not completely made" in refusal(half)


def test_versions_that_talk_differently_introduce_themselves_differently(monkeypatch: pytest.MonkeyPatch) -> None:
    one = identity.Identity(0, "cluster", "machine", "0" * 32)
    before = one.fingerprint
    monkeypatch.setattr(identity, "VERSION", identity.VERSION + 1)
    assert one.fingerprint != before


def test_replicas_with_different_hash_seeds_are_not_the_same_cluster() -> None:
    def fingerprint(seed: str) -> str:
        return Identity(0, "cluster", "machine", "d", hash_seed=seed).fingerprint

    assert fingerprint("17") != fingerprint("0")
    assert fingerprint("17") != fingerprint("18")
    assert fingerprint("random") == fingerprint("0"), "a server inside another program, a test, say"
