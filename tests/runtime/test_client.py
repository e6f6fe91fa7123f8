from __future__ import annotations

import asyncio
import datetime
import gc
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeVar

import pytest
import zmq

from commutativity import JSON, Command, CommutativityTable, Machine, OperationError, operation
from genpaxos import Client, Disconnected, LocalCluster, NoQuorum, Rejected, Unknown, connect
from genpaxos.core.ballot import FastQuorums, Policy
from genpaxos.core.ids import split_id
from genpaxos.examples.bank import Bank, InvalidAmount
from genpaxos.runtime import submitting, wire
from genpaxos.runtime.config import ClusterConfig, ReplicaConfig
from tests.runtime.clusters import Deaf, agreement, coordinator, rows, wait_until

T = TypeVar("T")


class Blackboard(Machine):
    """Takes anything, and fails in every way it may."""

    table = CommutativityTable("""
               see  put
        see     .    x
        put     x    x
    """)

    class Full(OperationError):  # noqa: N818
        """No room."""

    def __init__(self) -> None:
        self.values: list[JSON] = []

    @operation(everything="put")
    def put(self, value: JSON) -> int:
        """Keep anything; the number of things kept."""
        self.values.append(value)
        return len(self.values)

    @operation(everything="see")
    def last(self) -> JSON:
        """The last thing kept."""
        return self.values[-1] if self.values else None

    @operation(everything="put")
    def fail(self, words: str) -> None:
        """Raise ``Full``."""
        raise self.Full(words)

    @operation(everything="see")
    def repeated(self, word: str, times: int) -> JSON:
        """A result of any size."""
        return word * times

    @operation(everything="see")
    def beyond(self) -> JSON:
        """A result that plain JSON cannot carry."""
        return 2**64


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    """One cluster for the tests that leave it whole."""
    with LocalCluster(Blackboard, replicas=3) as made:
        yield made
        agreement(made)


@pytest.fixture(scope="module")
def banks() -> Iterator[LocalCluster]:
    with LocalCluster(Bank, replicas=3) as made:
        yield made
        agreement(made)


@pytest.fixture
def nowhere(tmp_path: Any) -> ClusterConfig:
    """A cluster none of whose replicas runs."""
    replicas = tuple(ReplicaConfig(f"ipc://{tmp_path}/{n}", tmp_path / str(n)) for n in range(3))
    return ClusterConfig("nowhere", "genpaxos.examples.bank:Bank", replicas)


def with_client(config: ClusterConfig, scenario: Callable[[Client], Awaitable[T]], **options: Any) -> T:
    async def main() -> T:
        async with connect(config, **options) as client:
            return await scenario(client)

    return asyncio.run(main())


# Results ------------------------------------------------------------------------------------------------------------


@pytest.mark.cluster
def test_results_come_back_as_the_operation_gave_them(banks: LocalCluster) -> None:
    async def scenario(client: Client) -> list[Any]:
        return [
            await client.submit(Bank.deposit("typed", 500)),
            await client.submit(Bank.withdraw("typed", 200)),
            await client.submit(Bank.withdraw("typed", 900)),
            await client.submit(Bank.balance("typed")),
        ]

    results = with_client(banks.config, scenario)
    assert results == [None, True, False, 300]
    assert [type(result) for result in results] == [type(None), bool, bool, int]


@pytest.mark.cluster
@pytest.mark.parametrize(
    "value", [None, True, 0, -(2**63), 2**63 - 1, 0.1, "", "ü\x00\u2028", [], {"": [{}]}, [[None]]]
)
def test_any_json_survives_the_way_there_and_back(cluster: LocalCluster, value: Any) -> None:
    async def scenario(client: Client) -> Any:
        await client.submit(Blackboard.put(value))
        return await client.submit(Blackboard.last())

    assert with_client(cluster.config, scenario) == value


@pytest.mark.cluster
def test_a_declared_error_arrives_as_its_own_class(banks: LocalCluster) -> None:
    async def scenario(client: Client) -> None:
        with pytest.raises(InvalidAmount, match="not -5") as found:
            await client.submit(Bank.deposit("alice", -5))
        assert found.value.code == "InvalidAmount"

    with_client(banks.config, scenario)


@pytest.mark.cluster
def test_a_result_that_cannot_travel_is_an_error_and_no_fault(cluster: LocalCluster) -> None:
    async def scenario(client: Client) -> None:
        with pytest.raises(OperationError, match="64 bits") as found:
            await client.submit(Blackboard.beyond())
        assert found.value.code == "UnrepresentableResult"
        with pytest.raises(Blackboard.Full, match="a reason"):
            await client.submit(Blackboard.fail("a reason"))

    with_client(cluster.config, scenario)


@pytest.mark.cluster
def test_large_results_arrive_however_many_there_are(cluster: LocalCluster) -> None:
    async def scenario(client: Client) -> None:
        results = await client.submit_many([Blackboard.repeated("x", 500_000)] * 40, timeout_s=30)
        assert {len(str(result)) for result in results} == {500_000}
        with pytest.raises(OperationError, match=f"the limit is {wire.MESSAGE_BYTES_MAX}"):
            await client.submit(Blackboard.repeated("x", wire.MESSAGE_BYTES_MAX))

    with_client(cluster.config, scenario)


# Many at once -------------------------------------------------------------------------------------------------------


@pytest.mark.cluster
def test_many_commands_may_be_outstanding(banks: LocalCluster) -> None:
    async def scenario(client: Client) -> None:
        submissions = [client.start(Bank.deposit("many", 1)) for _ in range(3_000)]
        assert len({submission.id for submission in submissions}) == 3_000
        for submission in reversed(submissions):
            await submission
            await submission  # as often as one likes
        assert await client.submit(Bank.balance("many")) == 3_000

    with_client(banks.config, scenario)


@pytest.mark.cluster
def test_commands_submitted_together_give_their_results_in_order(banks: LocalCluster) -> None:
    async def scenario(client: Client) -> None:
        await client.submit(Bank.deposit("order", 10))
        amounts = [1, 20, 2, 30, 3]
        assert await client.submit_many(Bank.withdraw("order", cents) for cents in amounts) == [
            True, False, True, False, True,
        ]  # fmt: skip
        assert await client.submit_many([]) == []

    with_client(banks.config, scenario)


@pytest.mark.cluster
def test_commands_submitted_together_all_end_before_the_first_error_is_raised(banks: LocalCluster) -> None:
    async def scenario(client: Client) -> None:
        with pytest.raises(InvalidAmount, match="not 0"):
            await client.submit_many([Bank.deposit("all", 1), Bank.deposit("all", 0), Bank.deposit("all", -1)] * 50)
        assert await client.submit(Bank.balance("all")) == 50

    with_client(banks.config, scenario)


@pytest.mark.cluster
def test_more_than_one_message_holds_is_sent_in_several(cluster: LocalCluster) -> None:
    large = "x" * 60_000  # 60 of these are three messages of the largest size a client makes

    async def scenario(client: Client) -> None:
        numbers = await client.submit_many([Blackboard.put(large)] * 60, timeout_s=30)
        assert numbers == list(range(numbers[0], numbers[0] + 60)), "one client's interfering commands keep their order"

    with_client(cluster.config, scenario)


@pytest.mark.cluster
def test_every_replica_may_be_asked_for_the_result(banks: LocalCluster) -> None:
    for home in range(3):

        async def scenario(client: Client, account: str = f"home-{home}") -> None:
            await client.submit(Bank.deposit(account, 7))
            assert await client.submit(Bank.balance(account)) == 7

        with_client(banks.config, scenario, home=home)


# What is refused ----------------------------------------------------------------------------------------------------


@pytest.mark.cluster
@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (Command("wipe", ()), "unknown operation 'wipe'"),
        (Command("put", ()), "0 arguments given, 1 expected"),
        (Command("fail", (7,)), "expected str, got 7"),
        (Command("put", (2**63,)), "64 bits"),
        (Command("put", (2**64,)), "not JSON"),
        (Command("put", (float("nan"),)), "not JSON: .*nan is not a finite number"),
        (Command("put", ([{"deep": float("inf")}],)), "not JSON: .*inf is not a finite number"),
        (Command("put", ("\ud800",)), "not JSON"),
        (Command("put", ({1: 2},)), "not JSON"),  # type: ignore[dict-item]
        (Command("put", (datetime.date(2020, 1, 1),)), "not JSON"),  # type: ignore[arg-type]
        (Command("put", ({1, 2},)), "not JSON"),  # type: ignore[arg-type]
        (Command("put", (b"bytes",)), "not JSON"),  # type: ignore[arg-type]
        (Command("put", ("x" * wire.COMMAND_BYTES_MAX,)), f"a command has at most {wire.COMMAND_BYTES_MAX}"),
    ],
)
def test_a_command_made_by_hand_is_rejected_with_the_reason(
    cluster: LocalCluster, command: Command[Any], reason: str
) -> None:
    async def scenario(client: Client) -> None:
        with pytest.raises(Rejected, match=reason):
            await client.submit(command)
        assert await client.submit(Blackboard.put("still here")) > 0
        for _ in range(2):  # a hole in a session is never acknowledged
            with pytest.raises(Rejected, match=reason):
                await client.submit(command)
        assert await client.submit(Blackboard.last()) == "still here"

    with_client(cluster.config, scenario)


@pytest.mark.cluster
@pytest.mark.parametrize("depth", [33, 300, 10_000])
def test_a_command_nested_too_deeply_is_rejected(cluster: LocalCluster, depth: int) -> None:
    value: Any = None
    for _ in range(depth):
        value = [value]

    async def scenario(client: Client) -> None:
        with pytest.raises(Rejected, match=r"nested deeper|not JSON"):
            await client.submit(Command("put", (value,)))

    with_client(cluster.config, scenario)


@pytest.mark.cluster
def test_a_command_of_just_the_largest_size_is_taken(cluster: LocalCluster) -> None:
    value = "x" * (wire.COMMAND_BYTES_MAX - 40)

    async def scenario(client: Client) -> None:
        await client.submit(Blackboard.put(value))
        assert await client.submit(Blackboard.last()) == value

    with_client(cluster.config, scenario)


# Deadlines ----------------------------------------------------------------------------------------------------------


def test_without_any_replica_no_quorum_says_so(nowhere: ClusterConfig) -> None:
    async def scenario(client: Client) -> None:
        submission = client.start(Bank.deposit("a", 1), timeout_s=0.2)
        with pytest.raises(NoQuorum) as found:
            await submission
        said = str(found.value)
        assert "replicas reachable: none; 2 of 3 are needed" in said
        assert "deposit('a', 1)" in said
        assert f"resubmitting it (id {submission.id}) is safe" in said
        assert found.value.id == submission.id
        assert found.value.command == Bank.deposit("a", 1)

    with_client(nowhere, scenario)


@pytest.mark.cluster
def test_with_a_majority_killed_no_quorum_says_who_is_left_and_the_rest_comes_back() -> None:
    with LocalCluster(Bank, replicas=3) as cluster:

        async def scenario(client: Client) -> None:
            await client.submit(Bank.deposit("a", 1))
            cluster.kill(0)
            cluster.kill(2)
            with pytest.raises(NoQuorum, match="replicas reachable: 1; 2 of 3 are needed") as found:
                await client.submit(Bank.deposit("a", 1), timeout_s=2.0)
            cluster.restart(0)
            cluster.restart(2)
            await client.resubmit(found.value, timeout_s=20)
            assert await client.submit(Bank.balance("a"), timeout_s=20) == 2
            assert await client.resubmit(found.value) is None
            assert await client.submit(Bank.balance("a")) == 2

        with_client(cluster.config, scenario)
        agreement(cluster)


@pytest.mark.cluster
def test_an_unknown_outcome_retires_the_session(banks: LocalCluster) -> None:
    """What is not known to have been executed must never be acknowledged, or it could not be asked for any more."""

    async def scenario() -> None:
        async with Deaf(banks.config) as client:
            client.deaf = False
            first = client.start(Bank.deposit("retired", 1))
            await first
            client.deaf = True
            lost = client.start(Bank.deposit("retired", 1), timeout_s=0.1)
            with pytest.raises(Unknown) as found:
                await lost
            client.deaf = False
            after = client.start(Bank.deposit("retired", 1))
            await after
            session = [split_id(submission.id)[0] for submission in (first, lost, after)]
            assert session[0] == session[1] != session[2]
            await client.resubmit(found.value)
            assert await client.submit(Bank.balance("retired")) == 3

    asyncio.run(scenario())


# Cancellation and closing -------------------------------------------------------------------------------------------


@pytest.mark.cluster
def test_giving_up_on_a_command_disturbs_no_other(banks: LocalCluster) -> None:
    async def scenario(client: Client) -> None:
        tasks = [asyncio.create_task(client.submit(Bank.deposit("cancelled", 1))) for _ in range(100)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert [isinstance(result, asyncio.CancelledError) for result in ended] == [True, False] * 50
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.submit(Bank.deposit("cancelled", 1)), 0)
        assert 50 <= await client.submit(Bank.balance("cancelled")) <= 101

    with_client(banks.config, scenario)


def test_giving_up_while_waiting_for_room_disturbs_no_other(
    nowhere: ClusterConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those who wait for room wait for one future: the one that is cancelled must not take it from the others."""
    monkeypatch.setattr(submitting, "OUTSTANDING_MAX", 1)

    async def scenario(client: Client) -> None:
        first = client.start(Bank.balance("alice"), timeout_s=0.2)
        waiting = [asyncio.create_task(client.submit(Bank.balance("alice"), timeout_s=0.2)) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        ended = await asyncio.wait_for(asyncio.gather(first.future, *waiting, return_exceptions=True), 10)
        assert [type(end) for end in ended] == [NoQuorum, asyncio.CancelledError, NoQuorum, NoQuorum]

    with_client(nowhere, scenario)


def test_closing_ends_what_is_waiting_and_what_comes_after(nowhere: ClusterConfig) -> None:
    async def scenario() -> None:
        client = connect(nowhere)
        with pytest.raises(Disconnected, match="not connected"):
            client.start(Bank.total())
        async with client:
            waiting = asyncio.create_task(client.submit(Bank.deposit("a", 1)))
            await asyncio.sleep(0)
        with pytest.raises(Disconnected, match=r"closed before deposit\('a', 1\) had a result"):
            await waiting
        with pytest.raises(Disconnected, match="this client is closed"):
            await client.submit(Bank.total())
        await client.close()

    asyncio.run(scenario())


@pytest.mark.cluster
def test_a_closed_client_leaves_nothing_behind(banks: LocalCluster) -> None:
    async def scenario() -> None:
        tasks = asyncio.all_tasks()
        for _ in range(3):
            async with connect(banks.config) as client:
                await client.submit(Bank.total())
        assert asyncio.all_tasks() == tasks

    gc.collect()
    before = threading.active_count()
    asyncio.run(scenario())
    gc.collect()
    assert threading.active_count() == before
    assert not [found for found in gc.get_objects() if isinstance(found, zmq.Socket) and not found.closed]


# Policies -----------------------------------------------------------------------------------------------------------


@pytest.mark.cluster
def test_a_classic_client_finds_the_coordinator_again_when_another_takes_over() -> None:
    with LocalCluster(Bank, replicas=3, policy=Policy.CLASSIC) as cluster:

        async def scenario(client: Client) -> None:
            for _ in range(20):
                await client.submit(Bank.deposit("classic", 1))
            leader = coordinator(cluster)
            cluster.kill(leader)
            for _ in range(20):
                await client.submit(Bank.deposit("classic", 1))
            assert coordinator(cluster) != leader
            cluster.restart(leader)
            assert await client.submit(Bank.balance("classic")) == 40

        with_client(cluster.config, scenario)
        wait_until(lambda: len(rows(cluster)) == 3, "all are back")
        agreement(cluster)
        assert all(row["fast"] == 0 for row in rows(cluster).values()), "classic ballots have no fast path"


@pytest.mark.cluster
def test_any_three_quarters_may_learn_fast() -> None:
    with LocalCluster(Bank, replicas=4, fast=FastQuorums.ANY) as cluster:

        async def scenario(client: Client) -> None:
            for _ in range(20):  # replicas that get hundreds at once, as when a client repeats all it has, abstain
                await client.submit(Bank.deposit("any", 1))
            await client.submit_many([Bank.deposit("any", 1)] * 180)
            assert await client.submit(Bank.balance("any")) == 200

        with_client(cluster.config, scenario)
        agreement(cluster)
        assert rows(cluster)[coordinator(cluster)]["fast"] > 0
