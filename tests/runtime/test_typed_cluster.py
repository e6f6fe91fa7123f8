"""Values that are more than JSON, through real replicas: commands, results, snapshots, restarts, the command line."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from commutativity import Command, CommutativityTable, Machine, operation
from genpaxos import LocalCluster, UnexpectedResult
from tests.cli.running import genpaxos
from tests.commutativity.valuables import Account, Deposit, Entry, Key, Node, Withdrawal
from tests.runtime.clusters import wait_until

WHEN = datetime(2026, 1, 31, 8, 0, tzinfo=UTC)


class Shop(Machine):
    """Deposits and withdrawals by key, and numbers without end."""

    table = CommutativityTable("""
                read  change
        read     .     x
        change   x     x
    """)

    def __init__(self) -> None:
        self.entries: dict[Key, list[Entry]] = {}
        self.seen: set[str] = set()
        self.product = 1

    @operation(key="change")
    def add(self, key: Key, what: Deposit | Withdrawal, price: Decimal) -> Entry:
        """Note a deposit or a withdrawal."""
        amount = what.amount * price * (1 if isinstance(what, Deposit) else -1)
        self.entries.setdefault(key, []).append(Entry(Account(key.shop), amount, WHEN, {type(what).__name__}))
        self.seen.add(key.shop)
        return self.entries[key][-1]

    @operation(everything="read")
    def all(self) -> dict[Key, list[Entry]]:
        """Everything noted."""
        return self.entries

    @operation(everything="change")
    def multiply(self, factor: int) -> int:
        """The product of all factors."""
        self.product *= factor
        return self.product

    @operation(everything="read")
    def names(self) -> frozenset[str]:
        """The shops."""
        return frozenset(self.seen)


class Other(Shop):
    """What a program of another version takes results for."""

    @operation(everything="read")
    def names(self) -> Node:  # type: ignore[override]
        """The shops."""
        raise NotImplementedError


@pytest.mark.cluster
def test_values_go_through_replicas_their_snapshots_and_the_command_line() -> None:
    rome, oslo = Key("rome", 1), Key("oslo", 2)
    sold = Entry(Account("rome"), Decimal("3.00"), WHEN, {"Deposit"})
    with LocalCluster(Shop, replicas=3, snapshot_commands=20) as cluster:
        client = cluster.client_sync()
        assert client.submit(Shop.add(rome, Deposit(2), Decimal("1.50"))) == sold
        assert client.submit(Shop.add(oslo, Withdrawal(1), Decimal("0.10"))).amount == Decimal("-0.10")
        for _ in range(60):  # some snapshots on the way
            product = client.submit(Shop.multiply(10**10))
        assert product == 10**600
        assert client.submit(Shop.names()) == frozenset({"rome", "oslo"})
        with pytest.raises(UnexpectedResult, match=r"names\(\) was executed, but its result is not the Node") as caught:
            client.submit(Other.names())
        assert caught.value.result == ["oslo", "rome"]

        for node in range(3):
            cluster.kill(node)
        for node in range(3):
            cluster.restart(node)
        wait_until(lambda: cluster.coordinator() is not None, "a coordinator")
        entries = client.submit(Shop.all())
        assert entries == {rome: [sold], oslo: [Entry(Account("oslo"), Decimal("-0.10"), WHEN, {"Withdrawal"})]}
        assert str(entries[rome][0].amount) == "3.00"
        assert client.submit(Shop.multiply(0)) == 0

        note = ("add", '{"shop": "rome", "number": 1}', '{"Deposit": {"amount": 1}}', "2.5")
        called = genpaxos("call", cluster.cluster_file, *note)
        assert called.stdout.strip() == (
            '{"account":"rome","amount":"2.5","when":"2026-01-31T08:00:00+00:00","tags":["Deposit"]}'
        ), called
        assert "oslo" in genpaxos("call", cluster.cluster_file, "names").stdout
        assert genpaxos("graph", cluster.cluster_file, "--limit", 5).returncode == 0
        shown = genpaxos("graph", cluster.cluster_file, "--limit", 5, "--format", "json").stdout
        assert '{"Deposit":{"amount":1}}' in shown.replace("\\", "")
        assert client.submit(Command("multiply", (5,))) == 0
