"""A cluster executes nothing of the clients of another one, and says nothing that is taken for the other's."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from commutativity import Machine, operation
from genpaxos import ConfigError, LocalCluster, NoQuorum, Rejected, Unknown, WrongCluster, connect, connect_sync
from genpaxos.examples.bank import Bank
from genpaxos.runtime import wire
from genpaxos.runtime.config import ClusterConfig, ReplicaConfig
from genpaxos.runtime.greeter import Expected, Greeter
from genpaxos.runtime.identity import cluster_identity, cluster_text
from genpaxos.runtime.query import WrongReplica, ask_any, ask_cluster
from genpaxos.runtime.rejoin import prepare_rejoin
from genpaxos.runtime.scaffold import scaffold
from genpaxos.runtime.status import ask_status
from tests.runtime.clusters import agreement, coordinator

BASE = ClusterConfig(
    "shop",
    "genpaxos.examples.bank:Bank",
    tuple(ReplicaConfig(f"tcp://127.0.0.1:{7600 + n}", Path(str(n))) for n in range(3)),
)


class Reading(Machine):
    """Not the rules of the bank."""

    table = Bank.table

    @operation(everything="read")
    def total(self) -> int:
        """As the bank has it."""
        return 0


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(Bank, replicas=3) as made:
        yield made
        agreement(made)


# Identities ---------------------------------------------------------------------------------------------------------


def test_an_identity_is_that_of_name_and_id_or_of_name_and_addresses() -> None:
    moved = replace(BASE, replicas=(ReplicaConfig("tcp://127.0.0.1:7700", Path("0")), *BASE.replicas[1:]))
    known = replace(BASE, id="0a1b")
    assert len({cluster_identity(c) for c in (BASE, moved, replace(BASE, name="bank"), known)}) == 4
    assert cluster_identity(replace(moved, id="0a1b")) == cluster_identity(known), "addresses change, the cluster stays"
    assert cluster_identity(replace(known, name="bank")) != cluster_identity(known)
    assert cluster_identity(replace(BASE, machine="other:Machine")) == cluster_identity(BASE)


def test_init_draws_an_id_and_the_file_keeps_it(tmp_path: Path) -> None:
    ids = []
    for name in ("one", "two"):
        scaffold(tmp_path / name / "shop", 3, 7600)
        config = ClusterConfig.load(tmp_path / name / "shop" / "cluster.toml")
        ids.append(config.id)
        (tmp_path / "again.toml").write_text(config.text())
        assert ClusterConfig.load(tmp_path / "again.toml").id == config.id
        assert f"id = {config.id}" in cluster_text(config).splitlines()
    assert len(set(ids)) == 2
    assert all(len(drawn) == 32 for drawn in ids)


def test_a_file_without_an_id_is_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "cluster.toml").write_text(BASE.text())
    assert "\nid" not in BASE.text()
    assert ClusterConfig.load(tmp_path / "cluster.toml").id == ""
    assert cluster_text(BASE).startswith("name = shop\nmachine = ")


@pytest.mark.parametrize("value", ['""', "7", '"a b"', f'"{"a" * 65}"', "[]"])
def test_an_id_that_cannot_be_is_named(tmp_path: Path, value: str) -> None:
    text = replace(BASE, id="0a1b").text().replace('"0a1b"', value)
    (tmp_path / "cluster.toml").write_text(text)
    with pytest.raises(ConfigError, match=r"\[cluster\] id = .*: expected 1 to 64 letters, digits and dashes"):
        ClusterConfig.load(tmp_path / "cluster.toml")


def test_a_card_is_compared_with_what_is_known() -> None:
    card = Greeter(BASE, Bank).card
    assert Expected.of(BASE).difference("x", card) is None
    assert Expected.of(BASE, Bank).difference("x", card) is None
    said = Expected.of(replace(BASE, name="other")).difference("tcp://x", card)
    assert said is not None
    assert all(word in said for word in ("tcp://x", "'shop'", "'other'", cluster_identity(BASE)))
    said = Expected.of(BASE, Reading).difference("tcp://x", card)
    assert said is not None
    assert "other operations or commutativity rules than the machine here" in said


def test_a_request_begins_with_the_cluster_it_is_for() -> None:
    greeter = Greeter(BASE, Bank)
    for expected in (Expected.of(BASE), Expected.of(BASE, Bank)):
        assert wire.request("a", [1], [b"[]"], None, expected.text).startswith(greeter.starts)
    for other in (Expected.of(replace(BASE, id="x")), Expected.of(BASE, Reading)):
        payload = wire.request("a", [1], [b"[]"], None, other.text)
        assert not payload.startswith(greeter.starts)
        assert wire.loads(greeter.turned_away(payload)) == ["wrong-cluster", greeter.card]


# Clusters -----------------------------------------------------------------------------------------------------------


@pytest.mark.cluster
@pytest.mark.parametrize("changed", [{"name": "other"}, {"id": "0a1b"}, {"id": ""}], ids=str)
def test_a_client_of_another_cluster_is_told_so_at_once(cluster: LocalCluster, changed: dict[str, str]) -> None:
    other = replace(cluster.config, **changed)  # type: ignore[arg-type]
    with connect_sync(other, timeout_s=30) as client:
        for _ in range(2):
            with pytest.raises(
                WrongCluster, match=r"deposit\('x', 1\) was not executed: ipc://.* belongs to cluster 'bank'"
            ):
                client.submit(Bank.deposit("x", 1))
        with pytest.raises(Rejected):
            client.submit_many([Bank.deposit("x", 1)] * 3)
        with pytest.raises(WrongCluster):
            client.submit(Bank.deposit("x", 1), key="k")
    with connect_sync(cluster.config) as client:
        assert client.submit(Bank.balance("x")) == 0


@pytest.mark.cluster
def test_an_unknown_outcome_stays_unknown_if_another_cluster_is_asked(cluster: LocalCluster, tmp_path: Path) -> None:
    gone = replace(
        cluster.config, id="0a1b", replicas=tuple(ReplicaConfig(f"ipc://{tmp_path}/{n}", tmp_path) for n in range(3))
    )
    with connect_sync(gone) as client, pytest.raises(NoQuorum) as lost:
        client.submit(Bank.deposit("x", 1), timeout_s=0.1)
    with connect_sync(replace(cluster.config, id="0a1b"), timeout_s=30) as client:
        with pytest.raises(Unknown, match=r"belongs to cluster 'bank'.*The right one may have executed it") as found:
            client.resubmit(lost.value)
        assert found.value.id == lost.value.id
        with pytest.raises(Unknown):
            client.resubmit(lost.value.id, Bank.deposit("x", 1))
    with connect_sync(cluster.config) as client:
        assert client.submit(Bank.balance("x")) == 0


@pytest.mark.cluster
def test_one_address_that_another_cluster_took_over_does_not_matter(cluster: LocalCluster) -> None:
    with LocalCluster(Bank, replicas=1) as other:
        taken = (coordinator(cluster) + 1) % 3
        replicas = list(cluster.config.replicas)
        replicas[taken] = replace(replicas[taken], address=other.config.replicas[0].address)
        mixed = replace(cluster.config, replicas=tuple(replicas))
        with connect_sync(mixed) as client:
            client.submit(Bank.deposit("mixed", 5))
            assert client.submit(Bank.balance("mixed")) == 5
        two = replace(mixed, replicas=(mixed.replicas[taken],) * 2 + (cluster.config.replicas[coordinator(cluster)],))
        assert other.client_sync().submit(Bank.total()) == 0
        answers = ask_cluster(mixed, "status")
        assert [isinstance(answer, WrongReplica) for answer in answers] == [node == taken for node in range(3)]
        rows = ask_status(two, timeout_s=2.0)["replicas"]
        assert [row["reachable"] for row in rows] == [False, False, True]
        assert "belongs to cluster 'bank'" in rows[0]["error"]


@pytest.mark.cluster
def test_too_few_replicas_of_the_right_cluster_are_named_with_the_wrong_ones(
    cluster: LocalCluster, tmp_path: Path
) -> None:
    """Nobody knows whether the others will come back: this is a wait."""
    replicas = (*cluster.config.replicas[:2], ReplicaConfig(f"ipc://{tmp_path}/gone", tmp_path))
    with (
        connect_sync(replace(cluster.config, id="0a1b", replicas=replicas)) as client,
        pytest.raises(NoQuorum, match=r"reachable: none; 2 of 3.*Replica 0: ipc://.* belongs to cluster 'bank'"),
    ):
        client.submit(Bank.deposit("x", 1), timeout_s=1.0)


@pytest.mark.cluster
def test_questions_to_another_cluster_are_not_answered_for_it(cluster: LocalCluster) -> None:
    other = replace(cluster.config, id="0a1b")
    with pytest.raises(WrongReplica, match="belongs to cluster 'bank'"):
        ask_any(other, "graph", 5)
    with pytest.raises(ConfigError, match=r"of the others only \[\] answer"):
        prepare_rejoin(
            replace(other, replicas=(ReplicaConfig("ipc:///nobody", Path("nobody")), *other.replicas[1:])), 0
        )


@pytest.mark.cluster
def test_a_client_that_knows_other_rules_is_refused(cluster: LocalCluster) -> None:
    with connect_sync(cluster.config, machine=Bank) as client:
        assert client.submit(Bank.total()) >= 0
    with (
        connect_sync(cluster.config, machine=Reading, timeout_s=30) as client,
        pytest.raises(WrongCluster, match="other operations or commutativity rules"),
    ):
        client.submit(Reading.total())

    async def scenario() -> None:
        async with connect(cluster.config, machine=Bank) as client:
            assert await client.submit(Bank.total()) >= 0

    asyncio.run(scenario())
