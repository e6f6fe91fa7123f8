"""Peers in turn with the engine on interference, growth and recovery: tiny runs, and what is computed from them."""

from __future__ import annotations

import asyncio
import json
from argparse import ArgumentTypeError
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import count
from typing import Any

import pytest

from bench import cli
from bench.engine.dimensions import DIMENSIONS, Setting, measured
from bench.errors import BenchError
from bench.harness.contender import in_turn
from bench.harness.options import Options
from bench.harness.outage import Back, Interrupted, Outage
from bench.peers import etcd, etcd_outages, pysyncobj, pysyncobj_member
from bench.peers.against import PEERS, listed
from bench.peers.etcd_outages import FailoverPuts
from bench.peers.protobuf import fields
from bench.peers.pysyncobj_member import ClosedPuts, FlowingPuts
from bench.publish import report
from genpaxos.examples.bank import Bank
from genpaxos.runtime.client import Submission

cluster = pytest.mark.cluster
NEEDS_ETCD = pytest.mark.skipif(not etcd.installed(), reason=etcd.MISSING)
NEEDS_PYSYNCOBJ = pytest.mark.skipif(not pysyncobj.installed(), reason=pysyncobj.MISSING)

TINY = ["--rounds", "2", "--commands", "40", "--warmup", "20", "--outstanding", "8", "--json"]


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[dict[str, Any], str]:
    """A result, and what is printed of it."""
    assert cli.main([arguments[0], *TINY, *arguments[1:]]) == 0
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    report.console().print(report.render(result))
    return result, capsys.readouterr().out


# Interference -------------------------------------------------------------------------------------------------------


@cluster
@NEEDS_ETCD
def test_peers_take_the_same_shares_of_interfering_commands(capsys: pytest.CaptureFixture[str]) -> None:
    result, printed = run(capsys, "interference", "--rounds", "1", "--against", "etcd,unreplicated")
    assert list(result["peers"]) == result["options"]["against"] == ["etcd", "unreplicated"]
    assert list(result["ratios"])[:2] == ["etcd", "unreplicated"]
    assert list(result["ratios"])[2::4] == ["classic at 0", "etcd at 0", "unreplicated at 0"]
    for share in result["shares"]:
        for name, peer in share["peers"].items():
            assert [row["commands"] for row in peer["rounds"]] == [40]
            assert result["ratios"][f"{name} at {share['interference']:g}"] == peer["ratio"]["median"]
    for peer in result["peers"].values():
        assert peer["verified"]["acknowledged"] == 1 + 20 + 4 * 40
        assert peer["client"].keys() == {"inside", "cores", "may_limit"}
    assert "etcd, turn by turn" in printed
    assert "interfering commands are puts of one key" in printed


# Growth -------------------------------------------------------------------------------------------------------------


@cluster
@NEEDS_ETCD
def test_peers_grow_interval_by_interval_with_the_engine(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["growth", "--snapshot-commands", "10", "--resources", "5", "--against", "unreplicated,etcd"]
    result, printed = run(capsys, *words)
    assert list(result["ratios"]) == ["time", "memory", "disk", "unreplicated", "etcd"]
    for point in result["points"]:
        for name, processes in (("unreplicated", 1), ("etcd", 3)):
            peer = point["peers"][name]
            assert peer["commands"] == point["commands"]
            assert peer["mean_microseconds_per_command"] > 0
            assert len(peer["rss_mib"]) == len(peer["disk_mib"]) == processes
            assert all(disk > 0 for disk in peer["disk_mib"])
    for name, peer in result["peers"].items():
        assert peer["verified"]["acknowledged"] == 40
        assert peer["grown"].keys() == {"time", "memory", "disk"}
        assert result["ratios"][name] == peer["ratio"]["median"]
    assert "etcd, interval by interval" in printed


@cluster
@NEEDS_ETCD
@NEEDS_PYSYNCOBJ
def test_peers_have_the_keys_and_the_bytes_in_a_value_that_the_engine_has(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    most = DIMENSIONS["size"](Options(rounds=1, commands=1, outstanding=1))[-1].value_bytes

    async def both(options: Options, progress: Any) -> Any:
        return await measured([Setting(1_000, replace(options, resources=1_000), most)], options, progress)

    monkeypatch.setattr(cli, "dimension", both)
    names = ["etcd", "pysyncobj", "unreplicated"]
    words = ["growth", "--over", "resources", "--rounds", "1", "--against", ",".join(names)]
    result, printed = run(capsys, *words)
    (point,) = result["points"]
    assert list(point["peers"]) == names
    for name, processes in (("etcd", 3), ("pysyncobj", 3), ("unreplicated", 1)):
        peer = point["peers"][name]
        assert len(peer["rounds"][0]["cpu_cores"].keys() - {"client", "others"}) == processes
        assert result["ratios"][name] == result["ratios"][f"{name} at 1000"] == peer["ratio"]["median"]
        made = 1 if name == "unreplicated" else 0  # keys, by one command
        assert result["peers"][name]["verified"]["acknowledged"] == made + 20 + 40
    assert "pysyncobj, turn by turn" in printed


def test_keys_are_made_in_transactions_of_puts_without_a_value() -> None:
    (operation,) = [value for value in fields(etcd._fill(7, 8)).values() if isinstance(value, bytes)]
    (put,) = [value for value in fields(operation).values() if isinstance(value, bytes)]
    assert fields(put) == {1: b"key-7", 2: b""}
    assert etcd._fill(0, 3) == b"".join(etcd._fill(number, number + 1) for number in range(3))


# Recovery -----------------------------------------------------------------------------------------------------------


def test_an_outage_is_what_its_load_and_its_return_show() -> None:
    load = Interrupted(10.0, 11.0, 13.0, [10.5, 10.75, 12.0, 12.25], [0.5, 0.25, 1.25, 0.25])
    found = Outage.of("leader", 2, load, Back(0.1, 0.5))
    assert (found.calm_pause_ms, found.pause_ms, found.resumed_ms, found.slowest_ms) == (250, 1250, 1000, 1250)
    assert (found.missed, found.per_second, found.p50_ms) == (2, 2.0, 250)
    assert (found.answered_ms, found.caught_up_ms) == (100, 500)
    late = Interrupted(10.0, 11.0, 13.0, [11.5], [1.5])
    with pytest.raises(BenchError, match=r"nothing was acknowledged in 1 s before the kill of leader 2"):
        Outage.of("leader", 2, late, Back(0.1, 0.5))


class _FakePuts:
    """A connection that answers when it is told to."""

    def __init__(self) -> None:
        self.open: list[asyncio.Future[Any]] = []
        self.closed = False

    def start(self, command: Any) -> Submission[Any]:
        if self.closed:
            raise BenchError("closed")
        self.open.append(asyncio.get_running_loop().create_future())
        return Submission("put", command, self.open[-1])

    def close(self) -> None:
        self.closed = True


class _FakeEtcd:
    """Knows who leads, or that nobody does."""

    def __init__(self, ports: list[int | Exception]) -> None:
        self._ports = iter(ports)

    async def leader_port(self, **_: Any) -> int:
        port = next(self._ports)
        if isinstance(port, Exception):
            raise port
        return port


def failed_over(
    monkeypatch: pytest.MonkeyPatch, ports: list[Any], script: Callable[[FailoverPuts, dict[int, _FakePuts]], Any]
) -> None:
    connections: dict[int, _FakePuts] = {}

    async def connect(port: int) -> _FakePuts:
        if port == 0:
            raise OSError("refused")
        connections[port] = _FakePuts()
        return connections[port]

    async def play() -> None:
        monkeypatch.setattr(etcd_outages.PutClient, "connect", connect)
        monkeypatch.setattr(etcd_outages, "ASK_LEADER_S", 0.0)
        client = FailoverPuts(_FakeEtcd(ports))  # type: ignore[arg-type]
        await client.connect()
        await script(client, connections)

    asyncio.run(play())


def test_puts_that_were_not_answered_are_put_again_at_the_next_leader(monkeypatch: pytest.MonkeyPatch) -> None:
    async def script(client: FailoverPuts, connections: dict[int, _FakePuts]) -> None:
        answered, lost, started = (client.start(Bank.deposit("alice", n)).future for n in (1, 2, 3))
        first, second, third = connections[1].open
        first.set_result(None)
        await answered
        second.set_exception(BenchError("the connection was lost"))
        third.set_exception(BenchError("the connection was lost"))
        while 2 not in connections:
            await asyncio.sleep(0)
        late = client.start(Bank.deposit("alice", 4)).future
        await asyncio.sleep(0)
        for call in connections[2].open:
            call.set_result(None)
        await asyncio.gather(lost, started, late)
        assert len(connections[2].open) == 3
        assert connections[1].closed
        assert client.again == 2
        client.close()

    failed_over(monkeypatch, [1, 0, 2], script)


def test_when_nobody_leads_in_time_every_put_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    async def script(client: FailoverPuts, connections: dict[int, _FakePuts]) -> None:
        puts = [client.start(Bank.deposit("alice", n)).future for n in (1, 2)]
        for call in connections[1].open:
            call.set_exception(BenchError("the connection was lost"))
        for put in puts:
            with pytest.raises(BenchError, match="nobody leads"):
                await put

    failed_over(monkeypatch, [1, BenchError("nobody leads")], script)


def test_a_put_that_was_put_again_may_have_made_one_revision_more() -> None:
    etcd.judge(41, [43, 43, 43], [7, 7, 7], again=2)
    with pytest.raises(BenchError, match=r"at revision 41 \(or up to 43, for what was put again\)"):
        etcd.judge(41, [44, 44, 44], [7, 7, 7], again=2)
    with pytest.raises(BenchError, match="at revision 41 with the same hash"):
        etcd.judge(41, [43, 43, 43], [7, 7, 7])


# PySyncObj's loop, without PySyncObj --------------------------------------------------------------------------------


class _FakeMember:
    """Applies what is put when it is waited for; the put numbered ``bad`` fails once."""

    def __init__(self, bad: int | None = None) -> None:
        self.applied: list[Any] = []
        self.most = 0
        self._waiting: list[tuple[Any, Any]] = []
        self._number = count()
        self._bad = bad

    def put(self, key: Any, done: Any) -> None:
        self._waiting.append((key, done))
        self.most = max(self.most, len(self._waiting))

    def failed(self, reason: int) -> bool:
        return bool(reason)

    def wait(self, ended: Callable[[], bool]) -> None:
        while not ended():
            key, done = self._waiting.pop(0)
            reason = int(next(self._number) == self._bad)
            if not reason:
                self.applied.append(key)
            done(None, reason)


def test_a_members_loop_keeps_so_many_outstanding_and_puts_again_what_failed() -> None:
    member = _FakeMember(bad=3)
    took = ClosedPuts(member, member.put, [(n,) for n in range(20)]).run(4)  # type: ignore[arg-type]
    assert sorted(member.applied) == list(range(20))
    assert (member.most, took["again"]) == (4, 1)
    assert len(took["latencies_s"]) == 20
    assert took["acknowledged_s"] == sorted(took["acknowledged_s"])
    assert took["started_s"] <= took["acknowledged_s"][0]


def test_a_members_loop_that_flows_stops_when_it_is_told_to_and_ends_what_it_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    member, lines = _FakeMember(), iter([False] * 50 + [True] * 2)
    monkeypatch.setattr(pysyncobj_member, "asked", partial(next, lines, True))
    monkeypatch.setattr(pysyncobj_member.sys.stdin, "readline", lambda: "[]\n", raising=False)
    took = FlowingPuts(member, member.put, ((n,) for n in count())).run(4)  # type: ignore[arg-type]
    assert member.applied == list(range(50 + 4))
    assert took["acknowledged_s"][49] <= took["stopped_s"] <= took["acknowledged_s"][50]


# Words --------------------------------------------------------------------------------------------------------------


def test_another_one_comes_first_every_turn() -> None:
    assert [in_turn("abc", turn) for turn in range(4)] == [list("abc"), list("bca"), list("cab"), list("abc")]


def test_peers_are_named_between_commas_or_one_by_one() -> None:
    words = ["interference", "--against", "etcd, unreplicated", "--against", "pysyncobj,etcd"]
    assert cli._options(cli._parser().parse_args(words)).against == ("etcd", "unreplicated", "pysyncobj")
    with pytest.raises(ArgumentTypeError, match=r"invalid choice: 'raft' \(choose from etcd, pysyncobj"):
        listed("etcd,raft", PEERS)
