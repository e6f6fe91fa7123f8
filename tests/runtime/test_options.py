"""What callers pass by mistake is answered where it is passed, with what to pass instead."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from commutativity import Command
from genpaxos import (
    ConfigError,
    GenpaxosError,
    InvalidOption,
    LocalCluster,
    NotACommand,
    Rejected,
    connect,
    connect_sync,
)
from genpaxos.examples.bank import Bank
from genpaxos.runtime import options
from genpaxos.runtime.config import ClusterConfig, ReplicaConfig
from genpaxos.runtime.query import ask_each


@pytest.fixture
def nowhere(tmp_path: Path) -> ClusterConfig:
    """A cluster none of whose replicas runs."""
    replicas = tuple(ReplicaConfig(f"ipc://{tmp_path}/{n}", tmp_path / str(n)) for n in range(3))
    return ClusterConfig("nowhere", "genpaxos.examples.bank:Bank", replicas)


NO_SECONDS = [0, 0.0, -1, -0.001, float("nan"), float("inf"), -float("inf"), "5", b"5", True, [], Decimal(1)]
NO_SECONDS += [1e300, 1.1e9, 10**400, -(10**400)]  # more than the system's clocks take


@pytest.mark.parametrize("value", [*NO_SECONDS, None], ids=repr)
@pytest.mark.parametrize("name", ["timeout_s", "retry_s"])
def test_a_client_takes_no_time_that_never_ends_or_is_none(nowhere: ClusterConfig, name: str, value: Any) -> None:
    for make in (connect, connect_sync):
        with pytest.raises(InvalidOption, match=rf"{name} is .*: expected a .*number of seconds"):
            make(nowhere, **{name: value})  # type: ignore[operator]


@pytest.mark.parametrize("value", NO_SECONDS, ids=repr)
def test_no_call_takes_such_a_time(nowhere: ClusterConfig, value: Any) -> None:
    async def scenario() -> None:
        async with connect(nowhere) as client:
            for act in (
                lambda: client.submit(Bank.total(), timeout_s=value),
                lambda: client.submit_many([Bank.total()], timeout_s=value),
                lambda: client.resubmit("0/a:1", Bank.total(), timeout_s=value),
            ):
                with pytest.raises(InvalidOption, match="timeout_s"):
                    await asyncio.wait_for(act(), 5)
            with pytest.raises(InvalidOption, match="timeout_s"):
                client.start(Bank.total(), timeout_s=value)

    asyncio.run(scenario())
    with connect_sync(nowhere) as client:
        for act in (
            lambda: client.submit(Bank.total(), timeout_s=value),
            lambda: client.submit_many([Bank.total()], timeout_s=value),
            lambda: client.resubmit("0/a:1", Bank.total(), timeout_s=value),
        ):
            with pytest.raises(InvalidOption, match="timeout_s"):
                act()
    with pytest.raises(InvalidOption, match="timeout_s"):
        ask_each([nowhere.replicas[0].address], "status", timeout_s=value)


@pytest.mark.parametrize("value", [1, 0.001, 1e9])
def test_a_time_is_a_finite_number_above_zero(value: float) -> None:
    assert options.seconds("timeout_s", value) == value


@pytest.mark.parametrize("home", [-1, 3, 2**70, 1.0, "0", True, [0]], ids=repr)
def test_home_is_a_replica_of_the_cluster(nowhere: ClusterConfig, home: Any) -> None:
    for make in (connect, connect_sync):
        with pytest.raises(InvalidOption, match="expected the number of a replica, from 0 to 2"):
            make(nowhere, home=home)  # type: ignore[operator]
    for good in (None, 0, 2):
        assert options.replica_number(good, 3) == good


@pytest.mark.parametrize("key", ["", 7, b"x", "\ud800", "x" * 1_025, ("a",)], ids=repr)
def test_a_key_is_text(nowhere: ClusterConfig, key: Any) -> None:
    with connect_sync(nowhere) as client, pytest.raises(InvalidOption, match=r"key is .*: expected text"):
        client.submit(Bank.total(), key=key)


def test_a_wrong_option_is_every_kind_of_error_one_may_expect() -> None:
    assert issubclass(InvalidOption, (GenpaxosError, ValueError, TypeError))
    assert issubclass(NotACommand, (Rejected, TypeError))


async def _coroutine() -> None:
    return None


def _function() -> None:
    return None


NO_COMMANDS: list[tuple[Any, str]] = [
    (Bank.deposit, r"deposit is an operation that was not called.*deposit\(account: str, cents: int\)"),
    (Bank().deposit, "deposit is the method of one machine in this process"),
    (Bank().balance("a"), "0 is no command. A method called on an instance"),
    (Bank().deposit("a", 1), "None is no command. A method called on an instance"),
    (Bank(), "this is a Bank: a machine runs on the replicas"),
    (Bank, "Bank is a class"),
    ("deposit alice 5", "'deposit alice 5' is text"),
    ([Bank.total()], "a list is no command; submit_many takes several"),
    ((Bank.total(),), "a tuple is no command; submit_many takes several"),
    (_function, "a function cannot travel"),
    (7.5, "7.5 is no command"),
    (object(), "a value of type object is no command"),
    (Command("total", None), "its arguments a tuple, not 'total' and None"),  # type: ignore[arg-type]
    (Command(7, ()), "a command's operation is text"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("given", "said"), NO_COMMANDS, ids=[said[:20] for _, said in NO_COMMANDS])
def test_what_is_no_command_is_told_what_to_pass(nowhere: ClusterConfig, given: Any, said: str) -> None:
    async def scenario() -> None:
        async with connect(nowhere) as client:
            with pytest.raises(NotACommand, match=f"{said}.*Pass a command, which an operation makes"):
                await client.submit(given)
            with pytest.raises(NotACommand, match=said):
                client.start(given, key="k")
            with pytest.raises(NotACommand, match=said):
                await client.submit_many([given], timeout_s=5)
            with pytest.raises(NotACommand, match=said if given is not None else "alone cannot be asked for again"):
                await client.resubmit("0123456789abcdef/a:1", given)

    asyncio.run(scenario())


def test_a_coroutine_is_no_command_and_is_not_left_unawaited(
    nowhere: ClusterConfig, recwarn: pytest.WarningsRecorder
) -> None:
    with connect_sync(nowhere) as client, pytest.raises(NotACommand, match="coroutine is being submitted already"):
        client.submit(_coroutine())  # type: ignore[arg-type]
    assert not recwarn.list


async def _async() -> AsyncIterator[Command[int]]:
    yield Bank.total()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (Bank.total(), "this is one command: use submit"),
        (Bank.total, "total is an operation that was not called"),
        ("deposit", "is text"),
        (7, "7 is no command"),
        (None, "None is no command"),
        (_async(), "an async iterable"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_submit_many_takes_an_iterable_of_commands(nowhere: ClusterConfig, given: Any, said: str) -> None:
    with connect_sync(nowhere) as client, pytest.raises(NotACommand, match=said):
        client.submit_many(given)


def test_resubmit_says_what_it_takes(nowhere: ClusterConfig) -> None:
    with connect_sync(nowhere) as client:
        for given in (None, "0123456789abcdef/a:1", Bank.total()):
            with pytest.raises(NotACommand, match="pass the Unknown error that was raised, or the command's id and"):
                client.resubmit(given)  # type: ignore[call-overload]


@pytest.mark.parametrize(
    "given", [7, Bank(), int, "genpaxos.examples.bank:Bank"], ids=lambda given: type(given).__name__
)
def test_machine_is_a_class_with_operations(nowhere: ClusterConfig, given: Any) -> None:
    for make in (connect, connect_sync):
        with pytest.raises(InvalidOption, match=r"machine is .*: expected a class, derived from Machine"):
            make(nowhere, machine=given)  # type: ignore[operator]
    with pytest.raises(InvalidOption, match=r"machine is .*: expected a class, derived from Machine"):
        LocalCluster(given)


@pytest.mark.parametrize("given", [None, 7, b"cluster.toml", Bank, {}], ids=repr)
def test_a_cluster_is_named_by_its_file(given: Any) -> None:
    for make in (connect, connect_sync):
        with pytest.raises(InvalidOption, match=r"is no cluster file: expected its path, such as 'cluster.toml'"):
            make(given)  # type: ignore[operator]


@pytest.mark.parametrize(
    ("option", "values"),
    [
        ("replicas", [0, -1, 14, "3", 2.5, True]),
        ("policy", ["bogus", None, 3]),
        ("fast", ["bogus", None]),
        ("timing", [3, {"heartbeat_ms": 100}]),
        ("snapshot_commands", [-1, "x", 1.5]),
        ("checksum_s", [-1, 0.5, None, float("nan")]),
        ("directory", [5, b"/tmp", ""]),
    ],
)
def test_a_local_cluster_checks_its_options_before_it_makes_anything(
    option: str, values: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for value in values:
        with pytest.raises(InvalidOption, match=rf"^{option} is .*: expected "):
            LocalCluster(Bank, **{option: value})
    assert not list(tmp_path.iterdir())


def test_a_local_cluster_says_that_a_class_in_a_function_cannot_be_imported() -> None:
    class Local(Bank):
        pass

    with pytest.raises(ConfigError, match="is defined inside a function, where replica processes cannot import it"):
        LocalCluster(Local)
