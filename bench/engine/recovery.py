"""``kill -9`` of a replica under load: how long nothing is acknowledged, and how long it takes to catch up.

Timeouts and snapshots are the engine's defaults, and the peers' theirs. Peers are up in the same run; one process of
one contender is killed at a time, in turn. The log is cut behind snapshots, so the run is verified by its outcome.
"""

import asyncio
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from itertools import islice
from typing import Any

from bench.errors import BenchError
from bench.harness import workload
from bench.harness.client_check import client_check
from bench.harness.cluster import Bench, running
from bench.harness.contender import ENGINE, Contender, Progress, in_turn
from bench.harness.load import ClosedLoop
from bench.harness.options import Options
from bench.harness.outage import POLL_S, SETTLED_S, Back, Interrupted, Outage, Outages, interrupted
from bench.harness.sample import measure
from bench.harness.stats import Spread
from bench.harness.verify import verify_outcome
from bench.peers.against import started
from bench.peers.etcd_outages import EtcdOutages
from bench.peers.peer import Peer
from bench.peers.pysyncobj_outages import PySyncObjOutages
from commutativity import Command, Machine
from genpaxos.runtime.query import NoAnswer, ask

ASK_S = 0.1
REPLICAS_MIN = 3
KILLABLE: Mapping[str, Callable[[Any, float], Outages]] = {
    "etcd": EtcdOutages,
    "pysyncobj": PySyncObjOutages,
}
"""Those that go on when one of their processes is killed; made of the peer and a deadline in seconds."""
_ALONE = "it is one server, and when that is killed nothing is left that could go on: only replicated peers recover"
REFUSED = {
    "unreplicated": _ALONE,
    "unreplicated-nosync": _ALONE,
    "pysyncobj-tuned": "it is tuned for a client in the leader's process, which would be killed with it, and its "
    "elections are slow so that load causes none: take pysyncobj, which has its defaults",
}
"""Why the others are."""


class ClusterOutages:
    """The engine's cluster, and a machine that takes the same commands."""

    how = "the engine's client finds who coordinates, and sends again what was not answered"

    def __init__(self, bench: Bench, options: Options) -> None:
        self.bench = bench
        self.model: Machine = workload.MACHINE()
        self._options = options

    async def roles(self) -> dict[str, int]:
        """The coordinator and one follower of each kind there is."""
        return choose(self.bench.roles(), self._options.replicas)

    async def interrupt(self, node: int, seed: str, outstanding: int) -> Interrupted:
        """By the engine's client, which finds the next coordinator."""
        bench = self.bench
        loop = ClosedLoop(bench.client, workload.commands(seed), outstanding)
        found = await interrupted(loop, lambda: bench.cluster.kill(node), bench.deadline_s, bench.pids())
        bench.acknowledged += loop.ids
        self.take(islice(workload.commands(seed), len(loop.latencies_s)))
        return found

    def take(self, commands: Iterable[Command[Any]]) -> None:
        """What was started was acknowledged in the end, so it is the first so many of a stream."""
        for command in commands:
            self.model.apply(command.operation, list(command.arguments))

    async def restart(self, node: int) -> Back:
        """Once all follow one coordinator again. Raises :class:`BenchError` if that takes longer than ``SETTLED_S``."""
        return await asyncio.to_thread(_restart, self.bench, node)

    def verify(self) -> dict[str, Any]:
        """All replicas hold what the model holds. Raises :class:`BenchError`."""
        return verify_outcome(self.bench, self.model, len(self.bench.acknowledged))


def choose(roles: dict[str, Any], replicas: int) -> dict[str, int]:
    """Whom to kill: the coordinator and one follower of each kind there is."""
    coordinator, pinned = roles["coordinator"], roles["pinned"]
    if coordinator is None:
        raise BenchError("there is no coordinator to kill")
    followers = [node for node in range(replicas) if node != coordinator]
    groups = {
        "follower": [node for node in followers if pinned is None],
        "pinned follower": [node for node in followers if pinned is not None and node in pinned],
        "other follower": [node for node in followers if pinned is not None and node not in pinned],
    }
    return {"coordinator": int(coordinator), **{role: nodes[0] for role, nodes in groups.items() if nodes}}


async def recovery(options: Options, progress: Progress) -> dict[str, Any]:
    """Kill every kind of process of every contender once per round. Raises :class:`BenchError`."""
    if options.replicas < REPLICAS_MIN:
        raise BenchError(f"with fewer than {REPLICAS_MIN} replicas nothing goes on while one is down")
    async with AsyncExitStack() as stack:
        progress("starting the replicas", 0, options.rounds)
        ours = ClusterOutages(await stack.enter_async_context(running(options, options.policy)), options)
        ours.take(workload.opening())
        peers = await started(options, stack, progress)
        contenders: list[Contender] = [ours.bench, *peers.values()]
        for contender in contenders:
            await measure(contender, workload.commands("warm-up"), options.warmup_commands, options.outstanding)
        ours.take(islice(workload.commands("warm-up"), options.warmup_commands))
        killed: dict[str, Outages] = {ENGINE: ours}
        killed |= {name: KILLABLE[name](peer, options.deadline_s) for name, peer in peers.items()}
        outages = await _rounds(options, killed, progress)
        progress("verifying", options.rounds, options.rounds)
        verified = await asyncio.to_thread(ours.verify)
        beside = {
            name: {**_peer(peer, killed[name].how, outages[ENGINE], outages[name]), "verified": await peer.verify()}
            for name, peer in peers.items()
        }
    return {
        **_summary(outages[ENGINE]),
        "ratios": {name: peer["ratio"]["median"] for name, peer in beside.items()},
        "client": client_check(outages[ENGINE], inside=False),
        "peers": beside,
        "verified": verified,
    }


async def _rounds(options: Options, killed: Mapping[str, Outages], progress: Progress) -> dict[str, list[Outage]]:
    """The first role of every contender, then the second, and so on, as long as they have so many."""
    roles = {name: list(await contender.roles()) for name, contender in killed.items()}
    outages: dict[str, list[Outage]] = {name: [] for name in killed}
    total, most = options.rounds * sum(map(len, roles.values())), max(map(len, roles.values()))
    for number in range(options.rounds):
        for index in range(most):
            for name, contender in in_turn(list(killed.items()), number + index):
                if index < len(roles[name]):
                    role = roles[name][index]
                    progress(f"kill -9 {role} of {name}", sum(map(len, outages.values())), total)
                    outages[name].append(await _outage(contender, role, f"{number}/{role}", options.outstanding))
    return outages


async def _outage(contender: Outages, role: str, seed: str, outstanding: int) -> Outage:
    node = (await contender.roles())[role]
    load = await contender.interrupt(node, seed, outstanding)
    return Outage.of(role, node, load, await contender.restart(node))


def _restart(bench: Bench, node: int) -> Back:
    target = max(row["executed"] for row in bench.status())
    address = bench.cluster.config.replicas[node].address
    started_s = time.monotonic()
    bench.cluster.restart(node)
    answered_s = None
    while (executed := _executed(address)) < target:
        if executed >= 0 and answered_s is None:
            answered_s = time.monotonic() - started_s
        bench.cluster.processes.check()
        if time.monotonic() > started_s + SETTLED_S:
            raise BenchError(f"replica {node} did not catch up in {SETTLED_S:g} s: {bench.status()}")
        time.sleep(POLL_S)
    caught_up_s = time.monotonic() - started_s
    bench.cluster.processes.wait_ready(SETTLED_S)
    return Back(caught_up_s if answered_s is None else answered_s, caught_up_s)


def _executed(address: str) -> int:
    """How many commands a replica says it has executed; -1 while it says nothing."""
    try:
        return int(ask(address, "status", timeout_s=ASK_S)["executed"])
    except NoAnswer:
        return -1


def _peer(peer: Peer, how: str, ours: Sequence[Outage], theirs: Sequence[Outage]) -> dict[str, Any]:
    """A peer's figures, and its pauses when the process that leads is killed over ours, round by round."""
    pairs = zip(_of_role(ours, ours[0].role), _of_role(theirs, theirs[0].role), strict=True)
    ratio = Spread.of([other.pause_ms / one.pause_ms for one, other in pairs])
    return {
        "about": f"{peer.about}; {how}",
        "ratio": ratio.to_json(),
        "client": client_check(theirs, inside=peer.client_inside),
        **_summary(theirs),
    }


def _of_role(outages: Sequence[Outage], role: str) -> list[Outage]:
    return [outage for outage in outages if outage.role == role]


def _summary(outages: Sequence[Outage]) -> dict[str, Any]:
    rates = Spread.of([outage.per_second for outage in outages])
    by_role = {role: _of_role(outages, role) for role in dict.fromkeys(outage.role for outage in outages)}
    return {
        "commands_per_second": round(rates.median, 1),
        "commands_per_second_range": [round(rates.low, 1), round(rates.high, 1)],
        "latency_ms": {
            "p50": round(Spread.of([outage.p50_ms for outage in outages]).median, 3),
            "p99": round(Spread.of([outage.p99_ms for outage in outages]).median, 3),
        },
        **{name: _spreads(by_role, name) for name in _FIGURES},
        "missed": {role: round(statistics.median(o.missed for o in found)) for role, found in by_role.items()},
        "rounds": [outage.to_json() for outage in outages],
    }


_FIGURES = ("calm_pause_ms", "pause_ms", "slowest_ms", "answered_ms", "caught_up_ms")


def _spreads(by_role: Mapping[str, Sequence[Outage]], name: str) -> dict[str, dict[str, float]]:
    return {
        role: Spread.of([getattr(outage, name) for outage in outages]).to_json(1) for role, outages in by_role.items()
    }
