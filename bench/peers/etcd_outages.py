"""etcd under load while its members are killed: a client that goes to whoever leads, and members that come back."""

import asyncio
import time
from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import Any

from bench.errors import BenchError
from bench.harness import workload
from bench.harness.load import ClosedLoop
from bench.harness.outage import POLL_S, SETTLED_S, Back, Interrupted, interrupted
from bench.peers.etcd import Etcd, PutClient
from commutativity import Command
from genpaxos.runtime.client import Submission

LEADER, FOLLOWER = "leader", "follower"
ASK_LEADER_S = 0.01
HOW = (
    "when its connection is lost the client asks the members that are left every "
    f"{ASK_LEADER_S * 1000:.0f} ms who leads, and puts again there what was not answered"
)


@dataclass(frozen=True, slots=True)
class _Put:
    command: Command[Any]
    answered: "asyncio.Future[Any]"


class FailoverPuts:
    """Puts at the member that leads. What got no answer is put again: it puts the same under the same key."""

    def __init__(self, etcd: Etcd) -> None:
        self.again = 0
        """Puts whose first outcome is unknown: they may have been executed twice."""
        self._etcd = etcd
        self._client: PutClient | None = None
        self._waiting: deque[_Put] = deque()
        self._moving: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        """To the member that leads. Raises :class:`BenchError` if there is none in time."""
        self._client = await PutClient.connect(await self._etcd.leader_port(poll_s=ASK_LEADER_S))

    def close(self) -> None:
        """Close the connection."""
        if self._moving is not None:
            self._moving.cancel()
        if self._client is not None:
            self._client.close()

    def start(self, command: Command[Any]) -> Submission[Any]:
        """Submit a put without waiting."""
        put = _Put(command, asyncio.get_running_loop().create_future())
        self._send(put)
        return Submission(str(command), command, put.answered)

    def _send(self, put: _Put) -> None:
        if self._client is None:
            self._waiting.append(put)
            return
        try:
            call = self._client.start(put.command).future
        except BenchError:  # closed, and those that were under way say so in a moment
            self._lost(put)
        else:
            call.add_done_callback(partial(self._on_answer, put))

    def _on_answer(self, put: _Put, call: "asyncio.Future[Any]") -> None:
        if put.answered.done():
            return
        if call.exception() is None:
            put.answered.set_result(None)
            return
        self.again += 1
        self._lost(put)

    def _lost(self, put: _Put) -> None:
        self._waiting.append(put)
        if self._moving is None:
            self._moving = asyncio.create_task(self._move())

    async def _move(self) -> None:
        """To whoever leads now, with all that waits; if nobody does in time, all of that fails."""
        if self._client is not None:
            self._client.close()
            self._client = None
        try:
            await self._connect_again()
        except BenchError as error:
            for put in self._waiting:
                put.answered.set_exception(error)
            return
        self._moving = None
        for _ in range(len(self._waiting)):
            self._send(self._waiting.popleft())

    async def _connect_again(self) -> None:
        while True:
            try:
                return await self.connect()
            except OSError:
                await asyncio.sleep(ASK_LEADER_S)


class EtcdOutages:
    """Members of etcd that are killed and come back."""

    how = HOW

    def __init__(self, etcd: Etcd, deadline_s: float) -> None:
        self._etcd = etcd
        self._deadline_s = deadline_s

    async def roles(self) -> dict[str, int]:
        """The leader and a follower."""
        leader = await self._etcd.leader()
        return {LEADER: leader, FOLLOWER: next(node for node in range(len(self._etcd.ports)) if node != leader)}

    async def interrupt(self, node: int, seed: str, outstanding: int) -> Interrupted:
        """By a client that is connected to the leader."""
        etcd, client = self._etcd, FailoverPuts(self._etcd)
        await client.connect()
        loop = ClosedLoop(client, workload.commands(seed), outstanding)
        try:
            return await interrupted(loop, partial(etcd.kill, node), self._deadline_s, etcd.pids())
        finally:
            client.close()
            etcd.puts += len(loop.latencies_s)
            etcd.again += client.again

    async def restart(self, node: int) -> Back:
        """A member has caught up when its revision is the one that the others had when it was started."""
        etcd = self._etcd
        target = max([status.revision for status in await etcd.statuses()])
        started_s = time.monotonic()
        etcd.restart(node)
        answered_s = None
        while (revision := await etcd.revision(node)) is None or revision < target:
            if revision is not None and answered_s is None:
                answered_s = time.monotonic() - started_s
            etcd.children.check()
            if time.monotonic() > started_s + SETTLED_S:
                raise BenchError(f"etcd's member {node} did not catch up in {SETTLED_S:g} s: it is at {revision}")
            await asyncio.sleep(POLL_S)
        caught_up_s = time.monotonic() - started_s
        await etcd.leader()
        return Back(caught_up_s if answered_s is None else answered_s, caught_up_s)
