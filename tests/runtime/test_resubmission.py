"""An outcome that is unknown can be asked for by whoever has id and command, or the application's key."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from commutativity import Command
from genpaxos import (
    Disconnected,
    KeyConflict,
    LocalCluster,
    NoQuorum,
    Rejected,
    ResultForgotten,
    Unknown,
    connect,
    connect_sync,
)
from genpaxos.core.ids import sealed_id, split_id
from genpaxos.examples.bank import Bank, InvalidAmount
from genpaxos.runtime.call import ask_again
from genpaxos.runtime.config import ClusterConfig, ReplicaConfig
from genpaxos.runtime.resubmission import SPAN, bodies
from tests.runtime.clusters import Deaf, agreement
from tests.runtime.test_ownership import in_child


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(Bank, replicas=3) as made:
        yield made
        agreement(made)


@pytest.fixture
def nowhere(tmp_path: Path) -> ClusterConfig:
    """A cluster whose replica does not run."""
    replica = ReplicaConfig(f"ipc://{tmp_path}/0", tmp_path / "0")
    return ClusterConfig("nowhere", "genpaxos.examples.bank:Bank", (replica,))


def balance(cluster: LocalCluster, account: str) -> int:
    with connect_sync(cluster.config) as client:
        return client.submit(Bank.balance(account))


def found(name: str, unacknowledged: bytes) -> bytes | None:
    """The body that is found, and how often others get a turn is nobody's concern."""
    return [body for body in bodies(name, unacknowledged) if body is not None][-1]


# Bodies -------------------------------------------------------------------------------------------------------------


@given(st.integers(1, 2**63 - 1), st.integers(1, 3_000))
def test_a_body_is_found_from_the_id_and_the_command(sequence: int, behind: int) -> None:
    acknowledged = max(0, sequence - behind)
    body = orjson.dumps(["deposit", ["alice", 5], acknowledged])
    name = sealed_id("client7", sequence, body)
    assert found(name, orjson.dumps(["deposit", ["alice", 5], 0])) == body


def test_a_body_is_found_although_very_many_were_outstanding() -> None:
    body = orjson.dumps(["deposit", ["alice", 5], 10**9 - SPAN])
    assert found(sealed_id("client7", 10**9, body), orjson.dumps(["deposit", ["alice", 5], 0])) == body


def test_the_id_of_another_command_is_noticed_before_anything_is_sent() -> None:
    name = sealed_id("client7", 9, orjson.dumps(["deposit", ["alice", 5], 3]))
    for other in (["deposit", ["alice", 6], 0], ["withdraw", ["alice", 5], 0], ["deposit", ["bob", 5], 0]):
        with pytest.raises(Rejected, match="is the id of another command"):
            found(name, orjson.dumps(other))


@pytest.mark.parametrize("name", ["", "x", "a:1", "0/a:1", "zzzzzzzzzzzzzzzz/a:1", "0123456789abcdef/a:0", 7, None])
def test_what_is_no_id_is_refused(nowhere: ClusterConfig, name: str) -> None:
    with pytest.raises(Rejected, match="is not the id of a submitted command"):
        found(name, b'["total",[],0]')
    with connect_sync(nowhere) as client, pytest.raises(Rejected, match="is not the id of a submitted command"):
        client.resubmit(name, Bank.total(), timeout_s=1)


def test_an_error_whose_id_is_not_its_commands_is_refused(nowhere: ClusterConfig) -> None:
    stranger = Unknown("lost", id="0123456789abcdef/somebody:1", command=Bank.total(), body=b'["total",[],0]')
    with connect_sync(nowhere) as client, pytest.raises(Rejected, match="is the id of another command"):
        client.resubmit(stranger, timeout_s=1)


def test_the_line_that_asks_again_can_be_pasted_into_a_shell() -> None:
    assert ask_again("my cluster.toml", "0a/b:1", "deposit", ["it's", "-5"]) == (
        """genpaxos call 'my cluster.toml' --id 0a/b:1 deposit 'it'"'"'s' -5"""
    )
    assert " -- deposit --key 1" in ask_again("c.toml", "0a/b:1", "deposit", ["--key", "1"])


# Asking again -------------------------------------------------------------------------------------------------------


@pytest.mark.cluster
def test_another_process_asks_for_what_the_first_never_heard_of(cluster: LocalCluster) -> None:
    """The first one is deaf, has several commands outstanding, and is gone without a word."""

    async def lost() -> str:
        client = await Deaf(cluster.config).__aenter__()
        client.deaf = False
        for _ in range(3):
            await client.submit(Bank.deposit("crashed", 1))
        client.deaf = True
        for _ in range(5):
            client.start(Bank.deposit("crashed", 1))
        await asyncio.sleep(0)
        submission = client.start(Bank.withdraw("crashed", 7))
        with pytest.raises(Unknown):
            await client.submit(Bank.total(), timeout_s=0.3)
        return submission.id  # and the process ends here

    name = in_child(lambda: asyncio.run(lost()))
    assert split_id(name)[1] == 9
    with connect_sync(cluster.config) as client:
        assert client.resubmit(name, Bank.withdraw("crashed", 7)) is True
        assert client.resubmit(name, Bank.withdraw("crashed", 7)) is True
        with pytest.raises(Rejected, match="the id of another command"):
            client.resubmit(name, Bank.withdraw("crashed", 6))
        assert client.submit(Bank.balance("crashed")) == 1


@pytest.mark.cluster
def test_what_was_never_sent_is_executed_when_it_is_asked_for(cluster: LocalCluster, nowhere: ClusterConfig) -> None:
    with connect_sync(nowhere) as unheard, pytest.raises(NoQuorum) as error:
        unheard.submit(Bank.deposit("unsent", 5), timeout_s=0.1)
    with connect_sync(cluster.config) as client:
        assert client.resubmit(error.value.id, Bank.deposit("unsent", 5)) is None
        assert client.resubmit(error.value) is None
        assert client.submit(Bank.balance("unsent")) == 5


@pytest.mark.cluster
def test_a_result_that_was_acknowledged_is_said_to_be_gone(cluster: LocalCluster) -> None:
    async def scenario() -> None:
        async with connect(cluster.config) as client:
            first = client.start(Bank.deposit("forgotten", 5))
            await first
            for _ in range(3):  # these acknowledge it
                await client.submit(Bank.deposit("forgotten", 1))
            async with connect(cluster.config, timeout_s=5) as other:
                with pytest.raises(
                    ResultForgotten, match=rf"deposit\('forgotten', 5\) \(id {first.id}\): the command was"
                ):
                    await other.resubmit(first.id, Bank.deposit("forgotten", 5))
                assert await other.submit(Bank.balance("forgotten")) == 8
            assert await client.submit(Bank.balance("forgotten")) == 8, "the first one goes on in its session"

    asyncio.run(scenario())


@pytest.mark.cluster
def test_one_that_asks_for_its_own_pending_command_waits_with_the_first(cluster: LocalCluster) -> None:
    async def scenario() -> None:
        async with connect(cluster.config) as client:
            first = client.start(Bank.withdraw("own", 5))
            again = client.resubmit(first.id, Bank.withdraw("own", 5))
            assert await asyncio.gather(first.future, again) == [False, False]
            batch = asyncio.create_task(client.submit_many([Bank.deposit("own", 1)] * 3))
            while len(client._pending) < 3:
                await asyncio.sleep(0)
            name = list(client._pending)[1]
            assert await client.resubmit(name, Bank.deposit("own", 1)) is None
            assert await batch == [None] * 3
            assert await client.submit(Bank.balance("own")) == 3

    asyncio.run(scenario())


# Keys ---------------------------------------------------------------------------------------------------------------


@pytest.mark.cluster
def test_under_one_key_a_command_is_executed_once_from_wherever_it_comes(cluster: LocalCluster) -> None:
    def order(_: object = None) -> None:
        with connect_sync(cluster.config) as client:
            return client.submit(Bank.deposit("order", 5), key="order-4711")

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(order, range(4))) == [None] * 4
    assert in_child(order) is None
    with connect_sync(cluster.config) as client, ThreadPoolExecutor(8) as pool:
        again = [pool.submit(client.submit, Bank.deposit("order", 5), key="order-4711") for _ in range(8)]
        assert [one.result() for one in again] == [None] * 8
    assert balance(cluster, "order") == 5


@pytest.mark.cluster
def test_the_first_result_is_given_whatever_happened_since(cluster: LocalCluster) -> None:
    with connect_sync(cluster.config) as client:
        client.submit(Bank.deposit("first", 5))
        assert client.submit(Bank.withdraw("first", 5), key="withdrawal") is True
        assert client.submit(Bank.withdraw("first", 5), key="withdrawal") is True, "there is no money left"
        for _ in range(2):
            with pytest.raises(InvalidAmount):
                client.submit(Bank.deposit("first", -1), key="mistake")
        assert client.submit(Bank.balance("first")) == 0


@pytest.mark.cluster
def test_another_command_under_a_key_is_refused_and_has_no_effect(cluster: LocalCluster) -> None:
    others: list[Command[None]] = [Bank.deposit("conflict", 6), Bank.deposit("elsewhere", 5)]
    with connect_sync(cluster.config) as client:
        client.submit(Bank.deposit("conflict", 5), key="taken")
        for other in others * 2:
            with pytest.raises(KeyConflict, match=r"deposit\(.*another command was executed under the same key"):
                client.submit(other, key="taken")
        assert client.submit(Bank.deposit("conflict", 5), key="taken") is None
        assert client.submit(Bank.balance("conflict")) == 5
        assert client.submit(Bank.balance("elsewhere")) == 0


@pytest.mark.cluster
def test_of_many_different_commands_at_once_under_one_key_one_is_executed(cluster: LocalCluster) -> None:
    async def scenario() -> None:
        clients = [await connect(cluster.config, home=home).__aenter__() for home in range(3)]
        commands = [Bank.deposit("race", 10 ** (n % 6)) for n in range(18)]
        calls = [clients[n % 3].submit(command, key="race") for n, command in enumerate(commands)]
        ended = await asyncio.gather(*calls, return_exceptions=True)
        won = {command.arguments[1] for command, end in zip(commands, ended, strict=True) if end is None}
        assert all(end is None or isinstance(end, KeyConflict) for end in ended)
        assert won == {await clients[0].submit(Bank.balance("race"))}
        for client in clients:
            await client.close()

    asyncio.run(scenario())


@pytest.mark.cluster
def test_a_keyed_command_without_a_result_leaves_the_session_as_it_is(cluster: LocalCluster) -> None:
    async def scenario() -> None:
        async with Deaf(cluster.config) as client:
            before = client._session
            with pytest.raises(Unknown) as error:
                await client.submit(Bank.deposit("keyed", 5), key="keyed", timeout_s=0.2)
            assert client._session is before
            client.deaf = False
            assert await client.resubmit(error.value) is None
            assert await client.submit(Bank.deposit("keyed", 5), key="keyed") is None
            assert await client.submit(Bank.balance("keyed")) == 5
            name = error.value.id
        async with connect(cluster.config) as other:
            assert await other.resubmit(name, Bank.deposit("keyed", 5)) is None
        with pytest.raises(Disconnected):
            await other.resubmit(name, Bank.deposit("keyed", 5))

    asyncio.run(scenario())
