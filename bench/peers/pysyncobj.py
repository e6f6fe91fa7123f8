"""PySyncObj: three members on loopback, in memory; puts into a replicated dictionary at the leader.

Twice: as its documentation sets it up, with all its defaults, and tuned.
"""

import asyncio
import importlib.util
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from bench.errors import BenchError
from bench.harness.cluster import data_directory, free_ports
from bench.harness.contender import Load
from bench.harness.options import Options
from bench.peers.children import Children, Process
from bench.peers.peer import Peer
from bench.peers.puts import put_of
from commutativity import Command

MEMBER = "bench.peers.pysyncobj_member"
READY_S = 30.0
POLL_S = 0.05
MISSING = (
    "pysyncobj is not installed: `python -m pip install -r requirements-bench.txt`, or leave --against pysyncobj out"
)


class PySyncObj(Peer):
    """Three members, asked over pipes."""

    client_inside = True

    def __init__(self, about: str, children: Children, deadline_s: float, members: Sequence[Process]) -> None:
        super().__init__(about, children, deadline_s)
        self._members = list(members)
        self._puts = self._again = 0

    async def run(self, commands: Sequence[Command[Any]], outstanding: int) -> Load:
        """Have the leader put all, so many at a time. Raises :class:`BenchError`."""
        leader = await self.leader()
        puts = [put_of(command) for command in commands]
        numbers: dict[int | str, int] = {}
        told = [(key, numbers.setdefault(value, len(numbers))) for key, value in puts]  # large values cross only once
        took = await self.ask(leader, ["run", told, list(numbers), outstanding], self.deadline_s)
        load = load_of(took)
        self.took(load, took["again"])
        return load

    def took(self, load: Load, again: int) -> None:
        """Remember what was acknowledged, and how often something had to be put again."""
        self._puts += len(load.acknowledged_s)
        self._again += again

    async def fill(self, keys: int) -> None:
        """In batches, at the leader, until all members have them. Raises :class:`BenchError`."""
        took = await self.ask(await self.leader(), ["fill", keys], self.deadline_s)
        self._again += took["again"]
        await self._until(["applied"], lambda applied: len(set(applied)) == 1)

    async def verify(self) -> dict[str, Any]:
        """All members have applied as many entries and hold the same dictionary. Raises :class:`BenchError`."""
        await self._until(["state"], lambda states: len({tuple(state) for state in states}) == 1)
        return {"members_agree": True, "acknowledged": self._puts, "put_again": self._again}

    @property
    def size(self) -> int:
        """How many members there are."""
        return len(self._members)

    async def leader(self) -> int:
        """The member that leads. Raises :class:`BenchError` if there is none in time."""
        answers = await self._until(["lead"], lambda leads: sum(leads) == 1)
        return answers.index(True)

    async def applied(self, node: int) -> int:
        """The last entry of the log that a member has applied. Raises :class:`BenchError`."""
        return int(await self.ask(node, ["applied"], READY_S))

    def kill(self, node: int) -> None:
        """``kill -9`` a member. Nobody may ask it, or who leads, until it is started again."""
        self.children.kill(_name(node))

    def restart(self, node: int) -> None:
        """Start a killed member again; it has nothing of what it held."""
        self._members[node] = self.children.restart(_name(node))

    async def _until(self, question: list[Any], right: Callable[[list[Any]], bool]) -> list[Any]:
        end_s = asyncio.get_running_loop().time() + READY_S
        while True:
            answers = [await self.ask(node, question, READY_S) for node in range(self.size)]
            if right(answers):
                return answers
            if asyncio.get_running_loop().time() > end_s:
                raise BenchError(
                    f"pysyncobj: no agreement within {READY_S:g} s; asked {question[0]!r}, members say {answers}"
                )
            await asyncio.sleep(POLL_S)

    def tell(self, node: int, message: list[Any]) -> None:
        """What a member waits for while it answers a question."""
        pipe = self._members[node].stdin
        assert pipe is not None
        pipe.write(json.dumps(message).encode() + b"\n")
        pipe.flush()

    async def ask(self, node: int, question: list[Any], timeout_s: float) -> Any:
        """One question over a member's pipe. One that does not answer is killed, which ends the wait for it.

        Raises :class:`BenchError`, also if it ended.
        """
        member = self._members[node]
        waiting = asyncio.create_task(asyncio.to_thread(_ask, member, json.dumps(question).encode() + b"\n"))
        done, _ = await asyncio.wait([waiting], timeout=timeout_s)
        if not done:
            member.kill()
            await waiting
            raise BenchError(f"pysyncobj: wedged: {question[0]!r} had no answer in {timeout_s:g} s")
        line = waiting.result()
        if not line:
            await asyncio.to_thread(member.wait)
            self.children.check()
        return json.loads(line)


def load_of(took: dict[str, Any]) -> Load:
    """What a member says of its closed loop."""
    return Load(took["started_s"], took["acknowledged_s"], took["latencies_s"])


def _ask(member: Process, question: bytes) -> bytes:
    assert member.stdin is not None
    assert member.stdout is not None
    try:
        member.stdin.write(question)
        member.stdin.flush()
    except BrokenPipeError:
        return b""
    return member.stdout.readline()


def _name(node: int) -> str:
    """The name of a member's process."""
    return f"member {node}"


def installed() -> bool:
    """Whether it is there to be measured."""
    return importlib.util.find_spec("pysyncobj") is not None


@asynccontextmanager
async def start(options: Options, *, tuned: bool = False) -> AsyncIterator[PySyncObj]:
    """As many members as there are replicas, one of them leading. Raises :class:`BenchError`."""
    if not installed():
        raise BenchError(MISSING)
    addresses = [f"127.0.0.1:{port}" for port in free_ports(options.replicas)]
    with data_directory(options.directory) as directory, Children(directory) as children:
        kind = "tuned" if tuned else "default"
        members = [
            children.start_python(_name(node), MEMBER, kind, str(node), *addresses, piped=True)
            for node in range(options.replicas)
        ]
        how = "tuned" if tuned else "its defaults"
        about = f"version {version('pysyncobj')}, in memory, {how}, over tcp; its client is in the leader's process"
        peer = PySyncObj(about, children, options.deadline_s, members)
        await peer.leader()
        yield peer
