"""Breaks what the plan says, heals it, and writes down both."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from genpaxos.demo.run import Record
from tests.soak.cluster import SoakCluster
from tests.soak.faults import FINAL_CALM_S, Fault, Kind, Round
from tests.soak.network import CLIENTS, Condition, Link

CUT = Condition(cut=True)
SILENT = Condition(stalled=True)
POLL_S = 0.02
AGAIN = 5.0
"""A second kill comes so many of a fault's delays after the start, 0.1 to 1.5 s: before, in or after the replay."""
SILENT_BOTH_WAYS = Condition(stalled=True, stalled_back=True)


@dataclass(frozen=True, slots=True)
class Episode:
    """A fault as it happened; times on the record's clock."""

    fault: Fault
    began_s: float
    healed_s: float
    """When whatever was broken was whole again: processes that were killed answer questions."""


class Injector:
    """Carries out a plan on a running cluster."""

    def __init__(self, cluster: SoakCluster, record: Record) -> None:
        self.episodes: list[Episode] = []
        self.down: set[int] = set()
        """Replicas whose processes were killed, or are about to be."""
        self.now: list[Fault] = []
        """What is broken at the moment."""
        self.started_s: list[float] = []
        """How long processes took from their start until they answered: Python, and the replay of the journal."""
        self._cluster = cluster
        self._record = record

    @property
    def counts(self) -> dict[str, int]:
        """How often each kind happened."""
        found = Counter(episode.fault.kind for episode in self.episodes)
        return {str(kind): found[kind] for kind in Kind if found[kind]}

    async def run(self, rounds: Sequence[Round], end_s: float) -> None:
        """Carry out the plan, but begin no round that would not be over in time: processes take their time to start.

        Everything is healed when it returns.
        """
        for planned in rounds:
            if time.monotonic() + planned.lasts_s + FINAL_CALM_S > end_s:
                return
            faults = await self._aimed(planned)
            await asyncio.gather(*(self._carry_out(fault) for fault in faults))
            await asyncio.sleep(planned.calm_s)

    async def _aimed(self, planned: Round) -> list[Fault]:
        """The round's faults; if it aims at the coordinator, that and the first victim change places."""
        coordinator = await asyncio.to_thread(self._cluster.coordinator)
        first = planned.faults[0].victim
        places = {}
        if planned.at_coordinator and coordinator is not None:
            places = {first: coordinator, coordinator: first}
        moved = [
            replace(fault, victim=places.get(fault.victim, fault.victim), peer=places.get(fault.peer, fault.peer))
            for fault in planned.faults
        ]
        return [replace(fault, coordinates=fault.victim == coordinator) for fault in moved]

    async def _carry_out(self, fault: Fault) -> None:
        await asyncio.sleep(fault.after_s)
        began_s = time.monotonic()
        self._record.note("fault", str(fault))
        self.now.append(fault)
        break_, heal = self._actions(fault)
        try:
            await break_()
            await asyncio.sleep(fault.lasts_s)
        finally:
            await heal()
            self.now.remove(fault)
        self.episodes.append(Episode(fault, began_s, time.monotonic()))
        self._record.note("repair", f"over: {fault}{', lost what it held' if self._loses(fault) else ''}")

    @staticmethod
    def _loses(fault: Fault) -> bool:
        return fault.lose and fault.kind in (Kind.MUTE, Kind.DEAF, Kind.ONE_WAY)

    def _actions(self, fault: Fault) -> tuple[Callable[[], Awaitable[None]], Callable[[], Awaitable[None]]]:
        match fault.kind:
            case Kind.KILL_AGAIN:
                return lambda: self._kill([fault.victim]), lambda: self._start_twice(fault.victim, fault.delay_s)
            case Kind.LAST_WORDS:
                return lambda: self._kill_unheard(fault), lambda: self._start([fault.victim])
            case Kind.KILL | Kind.BLACKOUT:
                return lambda: self._kill(self._victims(fault)), lambda: self._start(self._victims(fault))
            case Kind.DISK:
                return lambda: self._fill_disk(fault.victim), lambda: self._replace_disk(fault.victim)
            case Kind.PAUSE:
                return (
                    lambda: self._signal(fault.victim, signal.SIGSTOP),
                    lambda: self._signal(fault.victim, signal.SIGCONT),
                )
        return lambda: self._impose(fault), lambda: self._lift(fault)

    # Processes ------------------------------------------------------------------------------------------------------

    def _victims(self, fault: Fault) -> list[int]:
        return list(range(len(self._cluster.config.replicas))) if fault.kind is Kind.BLACKOUT else [fault.victim]

    async def _kill(self, nodes: Sequence[int]) -> None:
        self.down.update(nodes)
        for node in nodes:
            self._cluster.processes.signal(node, signal.SIGKILL)
        for node in nodes:
            await asyncio.to_thread(self._cluster.processes.kill, node)

    async def _kill_unheard(self, fault: Fault) -> None:
        """For its last moments a replica hears, learns and answers clients, while none of its peers hears of it."""
        links = self._cluster.network.out_of(fault.victim)
        for link in links:
            link.impose(fault, SILENT)
        await asyncio.sleep(fault.delay_s)
        await self._kill([fault.victim])
        for link in links:
            link.lift(fault, lose=True)

    async def _start(self, nodes: Sequence[int]) -> None:
        """Start replicas, and wait until each answers or ends (which the watch will tell)."""
        began_s = time.monotonic()
        for node in nodes:
            await asyncio.to_thread(self._cluster.processes.start, node)
        waiting = set(nodes)
        while waiting:
            rows = await asyncio.to_thread(self._cluster.status)
            waiting -= {node for node in nodes if node in rows or not self._cluster.processes.running(node)}
            await asyncio.sleep(POLL_S)
        self.started_s.append(time.monotonic() - began_s)
        self.down.difference_update(nodes)

    async def _start_twice(self, node: int, delay_s: float) -> None:
        await asyncio.to_thread(self._cluster.processes.start, node)
        await asyncio.sleep(AGAIN * delay_s)
        await self._kill([node])
        await self._start([node])

    async def _signal(self, node: int, number: signal.Signals) -> None:
        self._cluster.processes.signal(node, number)

    async def _fill_disk(self, node: int) -> None:
        self.down.add(node)
        self._cluster.processes.fill_disk(node)

    async def _replace_disk(self, node: int) -> None:
        """It answers questions still, and says what is wrong; only a restart lets it vote again."""
        row = (await asyncio.to_thread(self._cluster.status)).get(node)
        self._record.note("note", f"replica {node} says: {row and row['error']}")
        await self._kill([node])
        await self._start([node])

    # Links ----------------------------------------------------------------------------------------------------------

    async def _impose(self, fault: Fault) -> None:
        if fault.kind is Kind.HALF_OPEN:
            for link in self._cluster.network.out_of(fault.victim):
                link.break_at_source()
            return
        condition, links = self._links(fault)
        for link in links:
            link.impose(fault, condition)

    async def _lift(self, fault: Fault) -> None:
        if fault.kind is Kind.HALF_OPEN:
            return  # the victim may have dialled anew at once
        for link in self._links(fault)[1]:
            link.lift(fault, lose=self._loses(fault))

    def _links(self, fault: Fault) -> tuple[Condition, list[Link]]:
        network, victim, peer = self._cluster.network, fault.victim, fault.peer
        clients = network.link(CLIENTS, victim)
        around = [*network.into(victim), *network.out_of(victim)]
        match fault.kind:
            case Kind.ISOLATE:
                return CUT, [*around, clients]
            case Kind.CUT:
                return CUT, [network.link(victim, peer), network.link(peer, victim)]
            case Kind.CLIENTS:
                return (SILENT_BOTH_WAYS if fault.lose else CUT), [clients]
            case Kind.MUTE:
                return SILENT, network.out_of(victim)
            case Kind.DEAF:
                return SILENT, [*network.into(victim), clients]
            case Kind.ONE_WAY:
                return SILENT, [network.link(victim, peer)]
            case Kind.SLOW:
                return Condition(delay_s=fault.delay_s), [*around, clients]
        raise ValueError(f"{fault.kind} is no fault of links")
