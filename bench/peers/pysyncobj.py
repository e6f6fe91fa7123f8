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

from bench.cluster import data_directory, free_ports
from bench.contender import Load
from bench.errors import BenchError
from bench.options import Options
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
        self._members = members
        self._puts = self._again = 0

    async def run(self, commands: Sequence[Command[Any]], outstanding: int) -> Load:
        """Have the leader put all, so many at a time. Raises :class:`BenchError`."""
        leader = await self.leader()
        puts = [put_of(command) for command in commands]
        took = await self._ask(leader, ["run", puts, outstanding], self.deadline_s)
        self._again += took["again"]
        self._puts += len(puts)
        return Load(took["seconds"], took["latencies_s"])

    async def verify(self) -> dict[str, Any]:
        """All members have applied as many entries and hold the same dictionary. Raises :class:`BenchError`."""
        await self._until(["state"], lambda states: len({tuple(state) for state in states}) == 1)
        return {"members_agree": True, "acknowledged": self._puts, "put_again": self._again}

    async def leader(self) -> Process:
        """The member that leads. Raises :class:`BenchError` if there is none in time."""
        answers = await self._until(["lead"], lambda leads: sum(leads) == 1)
        return self._members[answers.index(True)]

    async def _until(self, question: list[Any], right: Callable[[list[Any]], bool]) -> list[Any]:
        end_s = asyncio.get_running_loop().time() + READY_S
        while True:
            answers = [await self._ask(member, question, READY_S) for member in self._members]
            if right(answers):
                return answers
            if asyncio.get_running_loop().time() > end_s:
                raise BenchError(
                    f"pysyncobj: no agreement within {READY_S:g} s; asked {question[0]!r}, members say {answers}"
                )
            await asyncio.sleep(POLL_S)

    async def _ask(self, member: Process, question: list[Any], timeout_s: float) -> Any:
        """One question over a member's pipe. One that does not answer is killed, which ends the wait for it."""
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


def _ask(member: Process, question: bytes) -> bytes:
    assert member.stdin is not None
    assert member.stdout is not None
    try:
        member.stdin.write(question)
        member.stdin.flush()
    except BrokenPipeError:
        return b""
    return member.stdout.readline()


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
            children.start_python(f"member {node}", MEMBER, kind, str(node), *addresses, piped=True)
            for node in range(options.replicas)
        ]
        how = "tuned" if tuned else "its defaults"
        about = f"version {version('pysyncobj')}, in memory, {how}, over tcp; its client is in the leader's process"
        peer = PySyncObj(about, children, options.deadline_s, members)
        await peer.leader()
        yield peer
