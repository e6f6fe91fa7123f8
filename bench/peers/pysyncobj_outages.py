"""PySyncObj under load while its members are killed.

Its client is in a member, so it is in one that is not killed: in the leader when a follower is, and when the leader is,
in a follower, which sends to the leader all it gets.
"""

import asyncio
import time

from bench.errors import BenchError
from bench.harness import outage
from bench.harness.cpu import read_cpu
from bench.harness.outage import POLL_S, SETTLED_S, Back, Interrupted
from bench.peers.pysyncobj import PySyncObj, load_of

LEADER, FOLLOWER = "leader", "follower"
HOW = (
    "in a follower's, which passes commands on, when the leader is killed; a member that comes back has lost its "
    "memory and gets all of it from the others"
)


class PySyncObjOutages:
    """Members that are killed and come back, without what they held in memory."""

    how = HOW

    def __init__(self, peer: PySyncObj, deadline_s: float) -> None:
        self._peer = peer
        self._deadline_s = deadline_s

    async def roles(self) -> dict[str, int]:
        """The leader and a follower."""
        leader = await self._peer.leader()
        return {LEADER: leader, FOLLOWER: self._other(leader)}

    async def interrupt(self, node: int, seed: str, outstanding: int) -> Interrupted:
        """The loop's member is told to stop by a line, and stops once results flow."""
        peer, leader = self._peer, await self._peer.leader()
        client = leader if leader != node else self._other(leader)
        flow = asyncio.create_task(peer.ask(client, ["flow", seed, outstanding], self._deadline_s))
        try:
            before, began_s = read_cpu(peer.pids()), time.perf_counter()
            await asyncio.sleep(outage.STEADY_S)
            cores = read_cpu(peer.pids()).cores_since(before, time.perf_counter() - began_s)
            killed_s = time.perf_counter()
            await asyncio.to_thread(peer.kill, node)
            await asyncio.sleep(outage.DOWN_S)
            peer.tell(client, ["stop"])
            took = await flow
        finally:
            flow.cancel()
        load = load_of(took)
        peer.took(load, took["again"])
        return Interrupted(load.started_s, killed_s, took["stopped_s"], load.acknowledged_s, load.latencies_s, cores)

    async def restart(self, node: int) -> Back:
        """A member has caught up when it has applied the entry that the others had when it was started."""
        peer = self._peer
        survivors = [other for other in range(peer.size) if other != node]
        target = max([await peer.applied(other) for other in survivors])
        started_s = time.monotonic()
        peer.restart(node)
        applied = await peer.applied(node)
        answered_s = time.monotonic() - started_s
        while applied < target:
            if time.monotonic() > started_s + SETTLED_S:
                raise BenchError(f"pysyncobj's member {node} did not catch up in {SETTLED_S:g} s: it is at {applied}")
            await asyncio.sleep(POLL_S)
            applied = await peer.applied(node)
        caught_up_s = time.monotonic() - started_s
        await peer.leader()
        return Back(answered_s, caught_up_s)

    def _other(self, node: int) -> int:
        return next(other for other in range(self._peer.size) if other != node)
