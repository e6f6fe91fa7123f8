"""No call outlasts its deadline. Nothing answers here: whatever ends, ends by the clock."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from commutativity import Command
from genpaxos import Client, Disconnected, NoQuorum, Unknown, connect, connect_sync
from genpaxos.examples.bank import Bank
from genpaxos.runtime import options, submitting
from genpaxos.runtime.config import ClusterConfig, ReplicaConfig
from genpaxos.runtime.query import NoAnswer, ask_any, ask_cluster

LATE_S = 1.0
"""Far more than the machine should need, far less than what a call would take that forgot its deadline."""
LONG_S = 60.0


@pytest.fixture
def nowhere(tmp_path: Path) -> ClusterConfig:
    """A cluster none of whose replicas runs."""
    replicas = tuple(ReplicaConfig(f"ipc://{tmp_path}/{n}", tmp_path / str(n)) for n in range(3))
    return ClusterConfig("nowhere", "genpaxos.examples.bank:Bank", replicas)


def within(config: ClusterConfig, scenario: Callable[[Client], Awaitable[None]], seconds: float, **given: Any) -> None:
    """Run it; it must have ended so long after its beginning, and not much before."""

    async def main() -> None:
        async with connect(config, **{"timeout_s": LONG_S, **given}) as client:
            begun_s = time.monotonic()
            await scenario(client)
            took_s = time.monotonic() - begun_s
            assert seconds - 0.01 <= took_s <= seconds + LATE_S

    asyncio.run(main())


@pytest.mark.parametrize("timeout_s", [0.001, 0.02, 0.3])
def test_a_command_ends_at_its_deadline_and_not_at_the_clocks_next_look(
    nowhere: ClusterConfig, timeout_s: float
) -> None:
    async def scenario(client: Client) -> None:
        await asyncio.sleep(0.02)  # the clock sleeps by now
        begun_s = time.monotonic()
        with pytest.raises(NoQuorum):
            await client.submit(Bank.total(), timeout_s=timeout_s)
        assert time.monotonic() - begun_s >= timeout_s
        assert client._earliest_s > begun_s + LATE_S

    within(nowhere, scenario, timeout_s + 0.02)


def test_waiting_for_room_counts(nowhere: ClusterConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submitting, "OUTSTANDING_MAX", 1)

    async def scenario(client: Client) -> None:
        client.start(Bank.total())
        with pytest.raises(NoQuorum, match="It was not sent yet: 1 others were waiting") as found:
            await client.submit(Bank.deposit("a", 1), timeout_s=0.1)
        with pytest.raises(NoQuorum, match="It was not sent yet"):
            await client.submit_many([Bank.deposit("a", 1)] * 3, timeout_s=0.1)
        with pytest.raises(NoQuorum, match="no result for deposit") as again:
            await client.resubmit(found.value, timeout_s=0.1)
        assert again.value.id == found.value.id

    within(nowhere, scenario, 0.3)


def test_one_deadline_is_for_all_that_is_submitted_together(nowhere: ClusterConfig) -> None:
    """Endlessly many: 65,536 of them are outstanding, and the rest is never sent."""

    async def scenario(client: Client) -> None:
        with pytest.raises(NoQuorum):
            await client.submit_many((Bank.deposit("a", n) for n in itertools.count()), timeout_s=1.0)
        assert not client._pending

    within(nowhere, scenario, 1.0)


def test_an_iterable_that_is_slow_does_not_keep_the_call(nowhere: ClusterConfig) -> None:
    def slowly() -> Iterator[Command[int]]:
        while True:
            time.sleep(0.01)
            yield Bank.total()

    async def scenario(client: Client) -> None:
        with pytest.raises(NoQuorum):
            await client.submit_many(slowly(), timeout_s=0.2)

    within(nowhere, scenario, 0.2)
    with connect_sync(nowhere) as client:
        begun_s = time.monotonic()
        with pytest.raises(NoQuorum, match="It was not sent yet"):
            client.submit_many(slowly(), timeout_s=0.2)
        assert time.monotonic() - begun_s < 0.2 + LATE_S


def test_what_an_iterable_raises_comes_out_once_the_sent_ones_have_ended(nowhere: ClusterConfig) -> None:
    def broken() -> Iterator[Command[int]]:
        for _ in range(options.CHUNK_COMMANDS):
            yield Bank.total()
        raise LookupError("a mistake")

    async def scenario(client: Client) -> None:
        with pytest.raises(LookupError, match="a mistake") as found:
            await client.submit_many(broken(), timeout_s=0.3)
        assert "submit_many, after 2,000 submitted commands" in found.value.__notes__[0]
        assert not client._pending

    within(nowhere, scenario, 0.3)


def test_who_joins_a_pending_command_keeps_an_own_deadline(nowhere: ClusterConfig) -> None:
    async def scenario(client: Client) -> None:
        long = client.start(Bank.total())
        sequence_of = client.start(Bank.total(), key="k")
        begun_s = time.monotonic()
        with pytest.raises(Unknown):
            await client.resubmit(long.id, Bank.total(), timeout_s=0.1)
        with pytest.raises(Unknown):
            await client.submit(Bank.total(), key="k", timeout_s=0.1)
        assert time.monotonic() - begun_s < 0.2 + LATE_S
        assert not long.future.done()
        assert not sequence_of.future.done()
        later = [asyncio.create_task(client.resubmit(long.id, Bank.total(), timeout_s=t)) for t in (0.3, 0.1, 0.2)]
        await asyncio.sleep(0)
        done, _ = await asyncio.wait(later, return_when=asyncio.FIRST_COMPLETED)
        assert done == {later[1]}
        await asyncio.wait(later)
        assert all(isinstance(task.exception(), Unknown) for task in later)
        assert not long.future.done()

    within(nowhere, scenario, 0.5)


def test_the_one_that_was_first_ends_at_its_deadline_although_others_go_on(nowhere: ClusterConfig) -> None:
    async def scenario(client: Client) -> None:
        first = client.start(Bank.total(), timeout_s=0.1)
        other = asyncio.create_task(client.resubmit(first.id, Bank.total(), timeout_s=30))
        with pytest.raises(NoQuorum):
            await first
        assert not other.done()
        assert list(client._pending) == [first.id]
        other.cancel()

    within(nowhere, scenario, 0.1)


def test_an_event_loop_that_was_blocked_ends_what_is_late_when_it_goes_on(nowhere: ClusterConfig) -> None:
    async def scenario(client: Client) -> None:
        waiting = client.start(Bank.total(), timeout_s=0.05)
        await asyncio.sleep(0)
        time.sleep(0.2)
        with pytest.raises(NoQuorum):
            await asyncio.wait_for(waiting.future, LATE_S)

    within(nowhere, scenario, 0.2)


def test_the_search_for_what_a_command_acknowledged_has_a_deadline(nowhere: ClusterConfig) -> None:
    async def scenario(client: Client) -> None:
        with pytest.raises(Unknown):
            await client.submit(Bank.total(), timeout_s=0.01)
        with pytest.raises(Exception, match=r"the time was too short|the id of another command"):
            await client.resubmit("0123456789abcdef/a:1000000", Bank.total(), timeout_s=0.1)

    within(nowhere, scenario, 0.1)


def test_without_its_clock_a_client_ends_everything_and_says_why(
    nowhere: ClusterConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(client: Client) -> None:
        waiting = client.start(Bank.total())

        def fail(_: float) -> None:
            raise RuntimeError("a mistake")

        monkeypatch.setattr(client, "_expire", fail)
        with pytest.raises(Disconnected, match="the client failed: RuntimeError"):
            await waiting
        with pytest.raises(Disconnected, match="closed"):
            await client.submit(Bank.total())

    within(nowhere, scenario, 0.0)


def test_questions_end_in_time(nowhere: ClusterConfig) -> None:
    begun_s = time.monotonic()
    answers = ask_cluster(nowhere, "status", timeout_s=0.1)
    assert all(isinstance(answer, NoAnswer) for answer in answers)
    with pytest.raises(NoAnswer, match="are they running"):
        ask_any(nowhere, "graph", 5, timeout_s=0.1)
    assert time.monotonic() - begun_s < 0.2 + LATE_S


def test_a_blocking_client_ends_in_time_from_every_thread(nowhere: ClusterConfig) -> None:
    ended: list[float] = []
    with connect_sync(nowhere, timeout_s=0.2) as client:

        def ask() -> None:
            with pytest.raises(NoQuorum):
                client.submit(Bank.total())
            ended.append(time.monotonic())

        begun_s = time.monotonic()
        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LONG_S)
        assert len(ended) == 8
        assert max(ended) - begun_s < 0.2 + LATE_S
