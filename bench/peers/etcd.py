"""etcd: three members on loopback, durable, as it comes; puts over its gRPC API to the member that leads."""

import asyncio
import itertools
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.errors import BenchError
from bench.harness.cluster import data_directory, free_ports
from bench.harness.contender import Load
from bench.harness.options import Options
from bench.harness.tally import key_of
from bench.peers.children import Children
from bench.peers.grpc import UnaryCalls
from bench.peers.peer import Peer
from bench.peers.protobuf import bytes_field, fields, varint
from bench.peers.puts import put_of
from commutativity import Command
from genpaxos.runtime.client import Submission

HOST = "127.0.0.1"
READY_S = 30.0
POLL_S = 0.05
TXN_PUTS = 128
"""etcd's default for the most there may be."""
FILL_OUTSTANDING = 32
MISSING = (
    "etcd is not installed: put `etcd` on the PATH (on Debian, `apt install etcd-server`), or leave --against etcd out"
)

_PUT = "/etcdserverpb.KV/Put"
_TXN = "/etcdserverpb.KV/Txn"
_STATUS = "/etcdserverpb.Maintenance/Status"
_HASH = "/etcdserverpb.Maintenance/HashKV"
_MOVE_LEADER = "/etcdserverpb.Maintenance/MoveLeader"


@dataclass(frozen=True, slots=True)
class MemberStatus:
    """What a member says of itself."""

    member: int
    leader: int
    """0 while there is none."""
    revision: int
    """1 and the number of puts executed."""


class PutClient:
    """Puts a command's value under its key, over one connection."""

    def __init__(self, calls: UnaryCalls) -> None:
        self._calls = calls
        self._numbers = itertools.count(1)

    @classmethod
    async def connect(cls, port: int) -> "PutClient":
        """To one member. Raises :class:`OSError`."""
        return cls(await UnaryCalls.connect(HOST, port, _PUT))

    def close(self) -> None:
        """Close the connection."""
        self._calls.close()

    def start(self, command: Command[Any]) -> Submission[Any]:
        """Submit a put without waiting."""
        key, value = put_of(command)
        return Submission(f"put:{next(self._numbers)}", command, self._calls.call(_put(key, value)))


class Etcd(Peer):
    """Three members and what was put into them."""

    def __init__(self, about: str, children: Children, deadline_s: float, ports: Sequence[int]) -> None:
        super().__init__(about, children, deadline_s)
        self.ports = ports
        self.puts = 0
        """What was asked to be put, one by one."""
        self._filled = 0
        """Transactions that made keys."""
        self.again = 0
        """Puts whose first outcome is unknown, and which were put again: each was executed once or twice."""
        self._down: set[int] = set()

    async def run(self, commands: Sequence[Command[Any]], outstanding: int) -> Load:
        """Put all, so many at a time. Raises :class:`BenchError`."""
        client = await PutClient.connect(await self.leader_port())
        try:
            load = await self._closed_loop(client, commands, outstanding)
        finally:
            client.close()
        self.puts += len(commands)
        return load

    async def fill(self, keys: int) -> None:
        """In transactions as large as they may be, each of which makes one revision, until all members have them.

        Raises :class:`BenchError`.
        """
        calls = await UnaryCalls.connect(HOST, await self.leader_port(), _TXN)
        requests = (_fill(first, min(first + TXN_PUTS, keys)) for first in range(0, keys, TXN_PUTS))
        try:
            async with asyncio.timeout(self.deadline_s):
                await asyncio.gather(*(self._call_all(calls, requests) for _ in range(FILL_OUTSTANDING)))
        except TimeoutError:
            raise BenchError(f"etcd did not take {keys:,} keys in {self.deadline_s:g} s") from None
        finally:
            calls.close()
        await self._until(lambda found: _agree_on_revision(found, 1 + self._filled + self.puts))

    async def _call_all(self, calls: UnaryCalls, requests: Iterator[bytes]) -> None:
        for request in requests:
            await calls.call(request)
            self._filled += 1

    async def verify(self) -> dict[str, Any]:
        """Every member has executed each put once, and holds the same keys and values. Raises :class:`BenchError`."""
        expected = 1 + self._filled + self.puts
        statuses = await self._until(lambda found: _agree_on_revision(found, expected))
        question = varint(1 << 3) + varint(statuses[0].revision)
        hashes = [fields(await _ask(port, _HASH, question, timeout_s=READY_S))[2] for port in self.ports]
        judge(expected, [status.revision for status in statuses], hashes, again=self.again)
        return {
            "members_agree": True,
            "acknowledged": self.puts,
            **({"put_again": self.again} if self.again else {}),
        }

    def kill(self, node: int) -> None:
        """``kill -9`` a member; the others are asked from now on."""
        self._down.add(node)
        self.children.kill(_name(node))

    def restart(self, node: int) -> None:
        """Start a killed member again from its directory."""
        self.children.restart(_name(node))
        self._down.discard(node)

    def stored(self) -> dict[str, Path]:
        """Each member's directory, its log and its database."""
        return {_name(node): self.children.directory / _name(node).replace(" ", "-") for node in range(len(self.ports))}

    async def leader_port(self, *, poll_s: float = POLL_S) -> int:
        """Where the member listens that all agree leads. Raises :class:`BenchError` if there is none in time."""
        return self.ports[await self.leader(poll_s=poll_s)]

    async def leader(self, *, poll_s: float = POLL_S) -> int:
        """Which member all that run agree leads. Raises :class:`BenchError` if there is none in time."""
        statuses = await self._until(_agree_on_leader, poll_s)
        return next(node for node, status in zip(self._up(), statuses, strict=True) if status.member == status.leader)

    async def revision(self, node: int) -> int | None:
        """What a member has executed; ``None`` while it says nothing."""
        try:
            return _status(await _ask(self.ports[node], _STATUS, b"")).revision
        except (OSError, TimeoutError, BenchError):
            return None

    async def move_leader(self, node: int) -> None:
        """Let this member lead. Raises :class:`BenchError` if it does not in time."""
        leader = await self.leader()
        if leader != node:
            target = _status(await _ask(self.ports[node], _STATUS, b"")).member
            await _ask(self.ports[leader], _MOVE_LEADER, varint(1 << 3) + varint(target))
            await self._until(lambda found: {status.leader for status in found} == {target})

    async def statuses(self) -> list[MemberStatus]:
        """The status of those that run.

        Raises :class:`OSError`, :class:`TimeoutError` or :class:`BenchError` if one is silent.
        """
        return [_status(await _ask(self.ports[node], _STATUS, b"")) for node in self._up()]

    def _up(self) -> list[int]:
        return [node for node in range(len(self.ports)) if node not in self._down]

    async def _until(self, right: Callable[[list[MemberStatus]], bool], poll_s: float = POLL_S) -> list[MemberStatus]:
        end_s = asyncio.get_running_loop().time() + READY_S
        found: list[MemberStatus] | str = "nothing"
        while asyncio.get_running_loop().time() < end_s:
            self.children.check()
            try:
                found = await self.statuses()
            except (OSError, TimeoutError, BenchError) as error:
                found = str(error)
            else:
                if right(found):
                    return found
            await asyncio.sleep(poll_s)
        raise BenchError(f"etcd's members did not get there within {READY_S:g} s; they say: {found}")


def judge(expected: int, revisions: Sequence[int], hashes: Sequence[object], *, again: int = 0) -> None:
    """Raise :class:`BenchError` unless all members are at the revision that the puts make, with the same content.

    Each put that was put ``again`` may make one more.
    """
    right = len(set(revisions)) == 1 and expected <= revisions[0] <= expected + again
    if not right or len(set(hashes)) != 1:
        most = f" (or up to {expected + again}, for what was put again)" if again else ""
        raise BenchError(
            f"etcd: after {expected - 1:,} puts and transactions every member must be at revision {expected}{most} "
            f"with the same hash; they are at {list(revisions)} with {list(hashes)}"
        )


@asynccontextmanager
async def start(options: Options) -> AsyncIterator[Etcd]:
    """As many members as there are replicas, ready; gone with their data when left. Raises :class:`BenchError`."""
    with ExitStack() as stack:
        directory = stack.enter_context(data_directory(options.directory))
        children = stack.enter_context(Children(directory))
        stack.callback(children.kill_all)  # asked to end they hand over to one another first, for seconds
        ports = free_ports(2 * options.replicas)
        clients, peers = ports[: options.replicas], ports[options.replicas :]
        version = start_members(children, directory, clients, peers)
        about = f"version {version}, its defaults, gRPC over tcp to the leader"
        etcd = Etcd(about, children, options.deadline_s, clients)
        await etcd.leader_port()
        yield etcd


def start_members(
    children: Children,
    directory: Path,
    clients: Sequence[int],
    peers: Sequence[int],
    *,
    dialled: Sequence[int] | None = None,
    **settings: int,
) -> str:
    """Start a member for each pair of ports it listens on; gives etcd's version. Raises :class:`BenchError`.

    ``dialled`` are the ports at which its peers reach it, if they are others; ``settings`` are more of its flags.
    """
    binary = shutil.which("etcd")
    if binary is None:
        raise BenchError(MISSING)
    more = [f"--{name.replace('_', '-')}={value}" for name, value in settings.items()]
    for node in range(len(clients)):
        words = _arguments(node, directory, clients[node], peers[node], dialled or peers)
        children.start(_name(node), [binary, *words, *more], env=_environment())
    return _version(binary)


def _name(node: int) -> str:
    """The name of a member's process."""
    return f"member {node}"


def _arguments(node: int, directory: Path, client_port: int, peer_port: int, dialled: Sequence[int]) -> list[str]:
    """Nothing is tuned: only names, places and how much is logged."""
    client, peer = f"http://{HOST}:{client_port}", f"http://{HOST}:{peer_port}"
    cluster = ",".join(f"member-{number}=http://{HOST}:{port}" for number, port in enumerate(dialled))
    named = {
        "name": f"member-{node}",
        "data-dir": str(directory / f"member-{node}"),
        "listen-client-urls": client,
        "advertise-client-urls": client,
        "listen-peer-urls": peer,
        "initial-advertise-peer-urls": f"http://{HOST}:{dialled[node]}",
        "initial-cluster": cluster,
        "initial-cluster-state": "new",
        "logger": "zap",
        "log-outputs": "stderr",
        "log-level": "error",
    }
    return [word for name, value in named.items() for word in (f"--{name}", value)]


def _environment() -> dict[str, str]:
    """Without settings meant for another etcd on this machine."""
    return {name: value for name, value in os.environ.items() if not name.startswith("ETCD_")}


def _version(binary: str) -> str:
    said = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True, timeout=READY_S).stdout
    return said.splitlines()[0].rpartition(" ")[2]


def _put(key: str, value: int | str) -> bytes:
    return bytes_field(1, key.encode()) + bytes_field(2, str(value).encode())


def _fill(first: int, end: int) -> bytes:
    """A transaction without a condition that puts nothing under the keys of these numbers."""
    puts = (bytes_field(2, _put(key_of(number), "")) for number in range(first, end))
    return b"".join(bytes_field(2, put) for put in puts)


async def _ask(port: int, path: str, request: bytes, *, timeout_s: float = READY_S / 10) -> bytes:
    async with asyncio.timeout(timeout_s):
        calls = await UnaryCalls.connect(HOST, port, path)
        try:
            return await calls.call(request)
        finally:
            calls.close()


def _status(answer: bytes) -> MemberStatus:
    status = fields(answer)
    header, leader = status[1], status.get(4, 0)
    assert isinstance(header, bytes)
    assert isinstance(leader, int)
    named = fields(header)
    member, revision = named[2], named.get(3, 0)
    assert isinstance(member, int)
    assert isinstance(revision, int)
    return MemberStatus(member, leader, revision)


def _agree_on_revision(found: list[MemberStatus], least: int) -> bool:
    return found[0].revision >= least and len({status.revision for status in found}) == 1


def _agree_on_leader(found: list[MemberStatus]) -> bool:
    return {status.leader for status in found} <= {status.member for status in found} and (
        len({status.leader for status in found}) == 1
    )


def installed() -> bool:
    """Whether it is there to be measured."""
    return shutil.which("etcd") is not None
