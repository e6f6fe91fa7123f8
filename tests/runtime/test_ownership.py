"""A client belongs to one process and one event loop; elsewhere it says so at once."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from genpaxos import BlockingClient, Client, Disconnected, LocalCluster, NoQuorum, WrongContext, connect, connect_sync
from genpaxos.examples.bank import Bank
from genpaxos.runtime.config import ClusterConfig, ReplicaConfig


@pytest.fixture
def nowhere(tmp_path: Path) -> ClusterConfig:
    """A cluster none of whose replicas runs."""
    replicas = tuple(ReplicaConfig(f"ipc://{tmp_path}/{n}", tmp_path / str(n)) for n in range(3))
    return ClusterConfig("nowhere", "genpaxos.examples.bank:Bank", replicas)


def fork() -> int:
    """As ``os.fork``; that threads run here is what is to be tested, and newer Pythons warn of it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def in_child(act: Callable[[], Any]) -> Any:
    """What this gives in a fork of the process: its value, or the exception's type and text."""
    reader, writer = os.pipe()
    pid = fork()
    if pid == 0:
        try:
            said = [None, act()]
        except BaseException as error:
            said = [type(error).__name__, str(error)]
        os.write(writer, json.dumps(said).encode())
        os._exit(0)
    os.close(writer)
    with open(reader, "rb") as pipe:
        said = pipe.read()
    os.waitpid(pid, 0)
    kind, value = json.loads(said)
    return value if kind is None else (kind, value)


def assert_refused(found: Any) -> None:
    kind, said = found
    assert kind == "WrongContext", found
    assert f"process {os.getpid()} connected this client, and this is a fork of it" in said
    assert "Make a client after the fork" in said


# Forks --------------------------------------------------------------------------------------------------------------


def test_a_client_made_before_a_fork_and_entered_in_each_child_has_a_session_of_its_own(nowhere: ClusterConfig) -> None:
    client = connect(nowhere)

    async def session() -> str:
        async with client:
            return client.start(Bank.total()).id

    ids = [in_child(lambda: asyncio.run(session())) for _ in range(3)]
    assert len({name.rpartition(":")[0] for name in ids}) == 3


def test_a_connected_client_is_refused_in_a_fork_and_goes_on_in_the_parent(nowhere: ClusterConfig) -> None:
    async def scenario() -> None:
        async with connect(nowhere) as client:
            waiting = client.start(Bank.total(), timeout_s=0.3)
            await asyncio.sleep(0)

            async def use(how: str) -> Any:
                match how:
                    case "submit":
                        return await client.submit(Bank.total())
                    case "start":
                        return client.start(Bank.total()).id
                    case "submit_many":
                        return await client.submit_many([Bank.total()])
                    case "resubmit":
                        return await client.resubmit(waiting.id, Bank.total())
                    case "enter":
                        return await client.__aenter__()
                    case _:
                        return await client.close()

            def in_another_loop(how: str) -> Any:
                return asyncio.run(use(how))

            for how in ("submit", "start", "submit_many", "resubmit", "enter"):
                assert_refused(in_child(lambda how=how: in_another_loop(how)))  # type: ignore[misc]
            assert in_child(lambda: in_another_loop("close")) is None
            with pytest.raises(Exception, match="no result"):
                await waiting

    asyncio.run(scenario())


def test_a_fork_in_which_the_event_loop_goes_on_ends_what_was_waiting(nowhere: ClusterConfig) -> None:
    async def scenario() -> None:
        reader, writer = os.pipe()
        async with connect(nowhere) as client:
            waiting = client.start(Bank.total())
            await asyncio.sleep(0)
            pid = fork()
            if pid == 0:
                said = "nothing"
                signal.alarm(20)  # asyncio has no timeouts here: for it no loop runs in this process
                try:
                    await waiting.future
                except BaseException as error:
                    said = f"{type(error).__name__}: {error}"
                os.write(writer, said.encode())
                os._exit(0)
            await asyncio.to_thread(os.waitpid, pid, 0)
            with open(reader) as pipe:
                os.close(writer)
                said = pipe.read()
            assert said.startswith("WrongContext: process")
            assert client.start(Bank.total()).id.partition("/")[2].endswith(":2")

    asyncio.run(scenario())


def test_a_blocking_client_is_refused_in_a_fork_at_once(nowhere: ClusterConfig) -> None:
    with connect_sync(nowhere) as client:

        def wait() -> None:
            with pytest.raises(NoQuorum):
                client.submit(Bank.total(), timeout_s=0.5)

        busy = threading.Thread(target=wait)
        busy.start()
        for act in (
            lambda: client.submit(Bank.total()),
            lambda: client.submit_many([Bank.total()]),
            lambda: client.resubmit("0123456789abcdef/a:1", Bank.total()),
            lambda: client.submit(Bank.total(), key="k"),
        ):
            assert_refused(in_child(act))
        with client._lock:  # another thread may hold it when the process is forked
            assert_refused(in_child(lambda: client.submit(Bank.total())))
            assert in_child(client.close) is None
        busy.join()


def test_the_thread_of_a_blocking_client_cannot_wait_for_itself(nowhere: ClusterConfig) -> None:
    with connect_sync(nowhere) as client:
        said: list[str] = []
        done = threading.Event()

        def use() -> None:
            try:
                client.submit(Bank.total())
            except WrongContext as error:
                said.append(str(error))
            done.set()

        client._loop.call_soon_threadsafe(use)
        assert done.wait(10)
        assert "the client's own thread" in said[0]


@pytest.mark.cluster
def test_children_share_a_cluster_but_no_session_and_do_not_end_it() -> None:
    """What a preloaded server or a pool does."""
    with LocalCluster(Bank, replicas=3) as cluster:
        early, preloaded = cluster.client_sync(), connect(cluster.config)
        early.submit(Bank.deposit("forks", 1))

        async def work() -> int:
            async with preloaded as client:
                for _ in range(10):
                    await client.submit(Bank.deposit("forks", 1))
            return 10

        def child() -> int:
            done = asyncio.run(work())
            with pytest.raises(WrongContext):
                early.submit(Bank.deposit("forks", 1))
            with pytest.raises(WrongContext, match="this is a fork of it: start, kill and stop replicas there"):
                cluster.kill(0)
            cluster.client_sync().submit(Bank.deposit("forks", 1))
            cluster.stop()  # as at the end of a `with` that the child is in
            return done + 1

        assert [in_child(child) for _ in range(3)] == [11, 11, 11]
        assert cluster.directory.exists()
        assert early.submit(Bank.balance("forks")) == 34


# Event loops --------------------------------------------------------------------------------------------------------


def test_a_client_is_refused_in_another_event_loop_at_once(nowhere: ClusterConfig) -> None:
    async def scenario() -> None:
        async with connect(nowhere) as client:
            waiting = client.start(Bank.total(), timeout_s=5)

            async def use() -> None:
                with pytest.raises(WrongContext, match="entered in another event loop"):
                    await client.submit(Bank.total())
                with pytest.raises(WrongContext, match="entered in another event loop"):
                    client.start(Bank.total())
                with pytest.raises(WrongContext, match="entered in another event loop"):
                    await client.submit_many([Bank.total()])
                with pytest.raises(WrongContext, match="entered in another event loop"):
                    await client.resubmit(waiting.id, Bank.total())
                with pytest.raises(WrongContext, match="entered in another event loop"):
                    await client.close()
                with pytest.raises(WrongContext, match="entered in another event loop"):
                    await client.__aenter__()
                with pytest.raises(WrongContext, match="this submission belongs to another event loop"):
                    await waiting

            await asyncio.to_thread(asyncio.run, use())
            with pytest.raises(WrongContext, match="entered in another event loop"):
                await asyncio.to_thread(client.start, Bank.total())  # a thread without any loop
            assert not waiting.future.done()

    asyncio.run(scenario())


def test_a_submission_that_is_done_belongs_to_its_loop_all_the_same(nowhere: ClusterConfig) -> None:
    async def scenario() -> None:
        async with connect(nowhere) as client:
            waiting = client.start(Bank.total(), timeout_s=0.01)
            with pytest.raises(Exception, match="no result"):
                await waiting

            async def use() -> None:
                with pytest.raises(WrongContext):
                    await waiting

            await asyncio.to_thread(asyncio.run, use())

    asyncio.run(scenario())


def test_a_client_left_open_by_an_event_loop_that_ended_is_refused_and_can_be_closed(nowhere: ClusterConfig) -> None:
    client = connect(nowhere)

    async def enter() -> Client:
        return await client.__aenter__()

    asyncio.run(enter())

    async def use() -> None:
        with pytest.raises(WrongContext):
            await client.submit(Bank.total())
        await client.close()
        assert client._connections._context is None

    asyncio.run(use())


def test_a_client_is_entered_once(nowhere: ClusterConfig) -> None:
    client = connect(nowhere)

    async def scenario() -> None:
        async with client:
            with pytest.raises(Disconnected, match="connected already"):
                await client.__aenter__()
        with pytest.raises(Disconnected, match=r"this client is closed: connect\(...\) makes another"):
            await client.__aenter__()

    asyncio.run(scenario())
    with pytest.raises(Disconnected, match="closed"):
        asyncio.run(scenario())


def test_several_loops_may_use_one_blocking_client(nowhere: ClusterConfig) -> None:
    """It has a loop of its own."""
    client: BlockingClient = connect_sync(nowhere, timeout_s=0.05)

    async def use() -> None:
        with pytest.raises(Exception, match="no result"):
            await asyncio.to_thread(client.submit, Bank.total())

    with client:
        asyncio.run(use())
        asyncio.run(use())
