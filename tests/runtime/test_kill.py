"""``kill -9`` of real replica processes: nothing acknowledged is lost, and whoever was killed rejoins by itself."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

import pytest

from genpaxos import Client, LocalCluster, NoQuorum, Unknown, connect
from genpaxos.core.election import Timing
from genpaxos.demo import run
from genpaxos.demo.evidence import collect
from genpaxos.demo.run import Options, Record
from genpaxos.demo.verdict import Check, judge, passed
from genpaxos.examples.bank import Bank
from genpaxos.runtime.client import Submission
from tests.runtime.clusters import Deaf, agreement, coordinator, rows, wait_until

pytestmark = pytest.mark.cluster

T = TypeVar("T")


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    """One cluster for the tests that leave it whole."""
    with LocalCluster(Bank, replicas=3) as made:
        yield made


def with_client(cluster: LocalCluster, scenario: Callable[[Client], Awaitable[T]], retry_s: float = 0.5) -> T:
    async def main() -> T:
        async with connect(cluster.config, retry_s=retry_s) as client:
            return await scenario(client)

    return asyncio.run(main())


def caught_up(cluster: LocalCluster) -> bool:
    found = rows(cluster)
    return len(found) == len(cluster.config.replicas) and len({row["committed"] for row in found.values()}) == 1


class Load:
    """Deposits of one cent to an account of its own, one after another from several tasks, until told to stop."""

    def __init__(self, client: Client, account: str, tasks: int = 8) -> None:
        self._client = client
        self._account = account
        self._tasks = tasks
        self._stopped = False
        self.acknowledged = 0
        self.answered_s: list[float] = []

    async def run(self) -> None:
        await asyncio.gather(*(self._work() for _ in range(self._tasks)))

    async def _work(self) -> None:
        while not self._stopped:
            await self._client.submit(Bank.deposit(self._account, 1), timeout_s=30)
            self.acknowledged += 1
            self.answered_s.append(time.monotonic())

    async def more(self, count: int) -> None:
        """Return once so many more commands are acknowledged."""
        wanted = self.acknowledged + count
        while self.acknowledged < wanted:
            await asyncio.sleep(0.005)

    def stop(self) -> None:
        self._stopped = True

    def pause_s(self, since_s: float) -> float:
        """The longest time without an acknowledgement after a moment."""
        times = [at for at in self.answered_s if at >= since_s]
        return max(after - before for before, after in zip([since_s, *times], times, strict=False))


@pytest.mark.parametrize("who", ["coordinator", "follower"])
def test_commits_go_on_without_a_killed_replica_which_then_rejoins(cluster: LocalCluster, who: str) -> None:
    async def scenario(client: Client) -> tuple[float, int]:
        load = Load(client, who)
        running = asyncio.create_task(load.run())
        await load.more(200)
        leader = coordinator(cluster)
        victim = leader if who == "coordinator" else (leader + 1) % 3
        killed_s = time.monotonic()
        cluster.kill(victim)
        await load.more(500)
        cluster.restart(victim)
        await load.more(500)
        load.stop()
        await running
        balance = await client.submit(Bank.balance(who))
        assert balance == load.acknowledged
        return load.pause_s(killed_s), victim

    pause_s, victim = with_client(cluster, scenario)
    assert pause_s < 2.0
    wait_until(lambda: caught_up(cluster), "the killed replica has caught up")
    assert rows(cluster)[victim]["error"] is None
    agreement(cluster)


def test_a_replica_that_missed_thousands_of_commands_catches_up_while_the_cluster_goes_on(
    cluster: LocalCluster,
) -> None:
    missed = 6_000
    victim = (coordinator(cluster) + 1) % 3
    before = rows(cluster)[victim]["committed"]

    async def scenario(client: Client) -> None:
        cluster.kill(victim)
        await client.submit_many([Bank.deposit("away", 1)] * missed, timeout_s=30)
        load = Load(client, "meanwhile")
        running = asyncio.create_task(load.run())
        cluster.restart(victim)
        while rows(cluster).get(victim, {"committed": 0})["committed"] < before + missed:
            await load.more(1)
        await load.more(100)
        load.stop()
        await running
        assert await client.submit(Bank.balance("away")) == missed
        assert await client.submit(Bank.balance("meanwhile")) == load.acknowledged

    with_client(cluster, scenario)
    assert len(agreement(cluster)[victim].ids) > before + missed


def test_nothing_acknowledged_is_lost_when_all_replicas_are_killed_at_once(cluster: LocalCluster) -> None:
    account = "blackout"

    async def scenario(client: Client) -> None:
        load = Load(client, account)
        running = asyncio.create_task(load.run())
        await load.more(500)
        for node in range(3):
            cluster.processes._processes[node].kill()
        for node in range(3):
            cluster.kill(node)
        acknowledged = load.acknowledged
        for node in range(3):
            cluster.restart(node)
        await load.more(100)  # the commands under way got their results after all
        load.stop()
        await running
        assert await client.submit(Bank.balance(account)) == load.acknowledged > acknowledged

    with_client(cluster, scenario)
    agreement(cluster)


def test_a_result_that_got_lost_is_asked_for_again_and_is_the_first(cluster: LocalCluster) -> None:
    """The replicas execute the command, again and again asked to; ``resubmit`` gives the first result."""

    async def scenario() -> None:
        async with connect(cluster.config) as teller, Deaf(cluster.config, retry_s=0.05, timeout_s=1.0) as client:
            await teller.submit(Bank.deposit("once", 100))
            submissions = [client.start(Bank.withdraw("once", 60)) for _ in range(5)]
            ended = await asyncio.gather(*submissions, return_exceptions=True)
            lost = [error for error in ended if isinstance(error, Unknown) and not isinstance(error, NoQuorum)]
            assert [error.id for error in lost] == [submission.id for submission in submissions]
            assert "resubmitting it" in str(lost[0])
            assert await teller.submit(Bank.balance("once")) == 40

            client.deaf = False
            results = [await client.resubmit(error, timeout_s=10) for error in lost]
            assert sorted(results) == [False] * 4 + [True], "one of them found the money"
            again = await asyncio.gather(*(client.resubmit(error, timeout_s=10) for error in lost))
            assert again == results, "and its result stays"
            assert await client.submit(Bank.balance("once"), timeout_s=10) == 40, "in a new session"
            assert await client.resubmit(lost[0], timeout_s=10) == results[0]

    asyncio.run(scenario())
    agreement(cluster)


def test_a_command_that_outlived_its_replicas_is_executed_once_when_asked_for_again(cluster: LocalCluster) -> None:
    async def scenario(client: Client) -> None:
        await client.submit(Bank.deposit("outlived", 100))
        submissions: list[Submission[bool]] = [
            client.start(Bank.withdraw("outlived", 1), timeout_s=0.5) for _ in range(20)
        ]
        for node in range(3):
            cluster.kill(node)
        ended = await asyncio.gather(*submissions, return_exceptions=True)
        unknown = [error for error in ended if isinstance(error, Unknown)]
        for node in range(3):
            cluster.restart(node)
        assert await asyncio.gather(*(client.resubmit(error, timeout_s=20) for error in unknown)) == [True] * len(
            unknown
        )
        assert await client.submit(Bank.balance("outlived")) == 80

    with_client(cluster, scenario)
    agreement(cluster)


@pytest.mark.parametrize("policy", ["leader-ordered", "classic"])
def test_random_kills_leave_a_history_that_is_linearizable(policy: str) -> None:
    options = Options(replicas=5, clients=6, commands=1_500, seed=11, interference=0.5)
    record: Record = run.make(options)
    draw = random.Random(f"kills/{policy}")

    async def kills(cluster: LocalCluster) -> None:
        for number in range(4):
            while record.acknowledged < (number + 1) * options.commands // 6:
                await asyncio.sleep(0.005)
            victims = draw.sample(range(5), draw.choice([1, 2]))
            for victim in victims:
                cluster.kill(victim)
            await asyncio.sleep(0)
            wanted = record.acknowledged + 60
            while record.acknowledged < min(wanted, options.commands):
                await asyncio.sleep(0.005)
            for victim in victims:
                cluster.restart(victim)

    async def scenario() -> dict[str, Check]:
        timing = Timing(heartbeat_ms=50, election_ms=250, stagger_ms=50)
        async with LocalCluster(Bank, replicas=5, policy=policy, timing=timing) as cluster:
            killing = asyncio.create_task(kills(cluster))
            await run.run(cluster, record)
            await killing
            return judge(record, collect(cluster.config))

    checks = asyncio.run(scenario())
    assert passed(checks), checks


@pytest.mark.parametrize("replicas", [1, 3])
def test_a_classic_coordinator_that_comes_back_as_such_survives_those_who_wait_for_it(replicas: int) -> None:
    """Its journal says that it coordinates, it does not yet: what clients ask of it then must go nowhere by itself."""

    async def scenario(client: Client) -> None:
        load = Load(client, "waiting", tasks=4)
        running = asyncio.create_task(load.run())
        await load.more(50)
        for _ in range(2):
            for node in range(replicas):
                cluster.kill(node)
            for node in range(replicas):
                cluster.restart(node)
            await load.more(50)
        load.stop()
        await running

    with LocalCluster(Bank, replicas=replicas, policy="classic") as cluster:
        with_client(cluster, scenario, retry_s=0.02)
        agreement(cluster)
