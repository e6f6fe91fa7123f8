"""Tiny runs beside every peer that is installed: the shape of the comparison, never who was faster."""

from __future__ import annotations

import asyncio
import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from bench import cli
from bench.errors import BenchError
from bench.harness.client_check import client_check
from bench.harness.options import Options
from bench.harness.sample import Sample
from bench.harness.tally import Tally
from bench.peers import etcd, pysyncobj, unreplicated
from bench.peers.against import PEERS
from bench.peers.children import Children
from bench.peers.puts import put_of
from bench.peers.pysyncobj import MISSING
from bench.publish import report
from genpaxos.examples.bank import Bank, InvalidAmount
from genpaxos.runtime.client import Client
from genpaxos.runtime.config import ClusterConfig, ReplicaConfig
from genpaxos.runtime.query import ask

cluster = pytest.mark.cluster

TINY = ["--rounds", "2", "--commands", "40", "--warmup", "20", "--outstanding", "8", "--json"]
INSTALLED = {
    "etcd": pytest.mark.skipif(not etcd.installed(), reason=etcd.MISSING),
    **dict.fromkeys(("pysyncobj", "pysyncobj-tuned"), pytest.mark.skipif(not pysyncobj.installed(), reason=MISSING)),
}


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert cli.main([*arguments, *TINY]) == 0
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


def check(result: dict[str, Any], names: list[str]) -> None:
    assert list(result["ratios"]) == list(result["peers"]) == result["options"]["against"] == names
    for name, peer in result["peers"].items():
        assert [row["commands"] for row in peer["rounds"]] == [40, 40]
        assert peer["verified"]["acknowledged"] == 20 + 2 * 40
        # ratios are rounded to three digits, and tiny runs can differ by far
        pairs = zip(result["rounds"], peer["rounds"], strict=True)
        ratios = [ours["commands_per_second"] / theirs["commands_per_second"] for ours, theirs in pairs]
        assert result["ratios"][name] == peer["ratio"]["median"] == pytest.approx(sum(ratios) / 2, rel=0.01, abs=0.001)
        assert [peer["ratio"]["low"], peer["ratio"]["high"]] == pytest.approx(sorted(ratios), rel=0.01, abs=0.001)


@cluster
def test_the_engine_beside_its_own_stack_without_consensus(capsys: pytest.CaptureFixture[str]) -> None:
    result = run(capsys, "throughput", "--tcp", "--against", "unreplicated", "--against", "unreplicated-nosync")
    check(result, ["unreplicated", "unreplicated-nosync"])
    assert result["peers"]["unreplicated"]["rounds"][0]["cpu_cores"].keys() >= {"client", "server"}
    report.console().print(report.render(result))
    printed = capsys.readouterr().out
    assert "ours/theirs" in printed
    assert "unreplicated-nosync: one server without consensus, not synced; verified" in printed


@cluster
@pytest.mark.parametrize("name", [pytest.param(name, marks=mark) for name, mark in INSTALLED.items()])
def test_the_engine_beside_others(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    result = run(capsys, "latency", "--against", name)
    check(result, [name])
    assert result["peers"][name]["rounds"][0]["cpu_cores"].keys() >= {"member 0", "member 1", "member 2"}
    assert result["peers"][name]["verified"]["members_agree"]
    assert result["peers"][name]["client"]["inside"] is name.startswith("pysyncobj")


@cluster
def test_the_unreplicated_server_is_durable_and_runs_a_command_once(tmp_path: Path) -> None:
    address = f"ipc://{tmp_path}/server.sock"
    config = ClusterConfig("unreplicated", "genpaxos.examples.bank:Bank", (ReplicaConfig(address, tmp_path),))

    async def deposits(children: Children) -> None:
        async with Client(config, timeout_s=30.0, retry_s=0.02) as client:
            await client.submit(Bank.deposit("alice", 5))
            children.kill(unreplicated.SERVER)
            unsure = asyncio.create_task(client.submit(Bank.deposit("alice", 7)))
            unreplicated.serve(children, address, tmp_path / "data", config.machine, sync=True)
            await unsure  # sent again and again until the server was back
            assert await client.submit(Bank.balance("alice")) == 12
            with pytest.raises(InvalidAmount, match="between 1 and"):
                await client.submit(Bank.deposit("alice", 0))

    with Children(tmp_path) as children:
        unreplicated.serve(children, address, tmp_path / "data", config.machine, sync=True)
        asyncio.run(deposits(children))
        assert ask(address, "state") == {"applied": 4, "machine": {"cents": {"alice": 12}}}


def test_a_peer_that_is_not_installed_says_how_to_install_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(name: str) -> None:
        async def enter() -> None:
            async with PEERS[name](Options(rounds=1, commands=1, outstanding=1)):
                raise AssertionError("it started")

        asyncio.run(enter())

    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(BenchError, match="apt install etcd-server"):
        start("etcd")
    with pytest.raises(BenchError, match=r"pip install -r requirements-bench\.txt"):
        start("pysyncobj")
    with pytest.raises(SystemExit):
        cli.main(["throughput", "--against", "zookeeper"])
    assert "invalid choice: 'zookeeper'" in capsys.readouterr().err
    for name, why in (("unreplicated", "nothing is left that could go on"), ("pysyncobj-tuned", "take pysyncobj,")):
        with pytest.raises(SystemExit):
            cli.main(["recovery", "--against", f"etcd,{name}"])
        assert why in capsys.readouterr().err


def test_members_or_servers_that_are_wrong_are_noticed() -> None:
    etcd.judge(41, [41, 41, 41], [7, 7, 7])
    with pytest.raises(BenchError, match=r"after 40 puts .* at revision 41 .* they are at \[41, 42, 41\]"):
        etcd.judge(41, [41, 42, 41], [7, 7, 7])
    with pytest.raises(BenchError, match="with the same hash"):
        etcd.judge(41, [41, 41, 41], [7, 8, 7])
    state = {"applied": 2, "machine": {"cents": {"alice": 3}}}
    unreplicated.judge(state, 2, {"cents": {"alice": 3}})
    with pytest.raises(BenchError, match="3 commands were acknowledged and 2 applied"):
        unreplicated.judge(state, 3, {"cents": {"alice": 3}})
    with pytest.raises(BenchError, match="state is not what"):
        unreplicated.judge(state, 2, {"cents": {"alice": 4}})


def test_a_process_that_ends_by_itself_is_noticed_with_what_it_logged(tmp_path: Path) -> None:
    with Children(tmp_path) as children:
        children.start("sleeper", ["sleep", "60"])
        children.check()
        process = children.start("member 0", ["sh", "-c", "echo no room for data >&2; exit 3"])
        process.wait(10)
        assert list(children.pids()) == ["sleeper"]
        with pytest.raises(BenchError, match=r"member 0 ended with status 3, .*\nno room for data"):
            children.check()
    assert children.pids() == {}


def test_every_command_that_changes_something_is_a_put_that_interferes_where_the_command_does() -> None:
    assert put_of(Bank.deposit("bob", 5)) == ("bob", 5)
    assert put_of(Bank.withdraw("alice", 7)) == ("alice", 7)
    assert put_of(Bank.transfer("alice", "bob", 9)) == ("alice", 9)
    assert put_of(Tally.add("key-1", "xxx")) == ("key-1", "xxx")
    for nothing in (Bank.balance("alice"), Tally.make(0, 10)):
        with pytest.raises(ValueError, match="has no counterpart in a key-value store"):
            put_of(nothing)


@cluster
def test_commands_in_bulk_are_verified_by_what_they_make(capsys: pytest.CaptureFixture[str]) -> None:
    result = run(capsys, "throughput", "--many", "--against", "unreplicated")
    check(result, ["unreplicated"])
    assert result["options"]["many"] is True
    assert result["verified"] == {"replicas_agree": True, "acknowledged": 1 + 20 + 2 * 40}
    assert result["load"] == result["peers"]["unreplicated"]["load"]
    assert result["load"].startswith("8 batches of 1 at a time through submit_many")
    for side in (result, *result["peers"].values()):
        assert side["client"].keys() == {"inside", "cores", "may_limit"}
    report.console().print(report.render(result))
    printed = capsys.readouterr().out
    assert "load: 8 batches of 1 at a time" in printed
    assert "the client's share of a core" in printed


def test_the_load_is_made_in_bulk_from_many_outstanding_on_unless_it_is_said_otherwise() -> None:
    def many(*words: str) -> bool:
        return cli._options(cli._parser().parse_args(list(words))).many

    assert [many("throughput", "--outstanding", text) for text in ("1023", "1024")] == [False, True]
    assert many("throughput", "--many")
    assert not many("throughput", "--outstanding", "4096", "--no-many")
    assert not many("interference", "--outstanding", "4096")


def test_a_client_that_takes_a_core_may_be_what_limits_its_system() -> None:
    def sample(**cores: float) -> Sample:
        return Sample(1, 1.0, 1.0, 1.0, cores, None)

    outside = [sample(client=share, server=0.2, others=3.0) for share in (0.95, 0.1, 0.92)]
    assert client_check(outside, inside=False) == {"inside": False, "cores": 0.92, "may_limit": True}
    assert client_check(outside, inside=True) == {"inside": True, "cores": 0.2, "may_limit": False}
    assert client_check([sample()], inside=False) == {"inside": False, "cores": None, "may_limit": None}
