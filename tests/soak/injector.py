"""Breaks what the plan says, heals it, and writes down both."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from genpaxos.demo.run import Record
from genpaxos.runtime.rejoin import prepare_rejoin
from tests.soak.cluster import SoakCluster, takes_part
from tests.soak.faults import FINAL_CALM_S, LOSSES, Fault, Kind, Round
from tests.soak.losses import UndetectedRotError, rot, wipe
from tests.soak.network import CLIENTS, Condition, Link

CUT = Condition(cut=True)
SILENT = Condition(stalled=True)
POLL_S = 0.02
AGAIN = 5.0
"""A second kill comes so many of a fault's delays after the start, 0.1 to 1.5 s: before, in or after the replay."""
REFUSED_S = 20.0
"""A replica must have refused damaged data by then."""
WHOLE_S = 20.0
"""All replicas must take part by then after a round: before another one may lose its data."""
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
        self.failures: list[str] = []
        """What a replica did with lost or damaged data that it must not do."""
        self.harmless = 0
        """How often the bit that flipped meant nothing, and the replica started as it was."""
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
            if any(fault.kind in LOSSES for fault in planned.faults) and not await self._whole():
                self._fail(f"not all replicas took part {WHOLE_S:g} s after the last fault was over")
                return
            faults = await self._aimed(planned)
            await asyncio.gather(*(self._carry_out(fault) for fault in faults))
            await asyncio.sleep(planned.calm_s)

    async def _whole(self) -> bool:
        """Whether all replicas take part, soon: only then may one lose its data."""
        end_s = time.monotonic() + WHOLE_S
        while time.monotonic() < end_s:
            rows = await asyncio.to_thread(self._cluster.status)
            if len(rows) == len(self._cluster.config.replicas) and all(map(takes_part, rows.values())):
                return True
            await asyncio.sleep(POLL_S)
        return False

    def _fail(self, what: str) -> None:
        self.failures.append(what)
        self._record.note("note", what)

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
            case Kind.WIPE:
                return lambda: self._wipe(fault.victim), lambda: self._rejoin(fault.victim)
            case Kind.ROT:
                return lambda: self._kill([fault.victim]), lambda: self._rot_and_start(fault)
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

    # Data -----------------------------------------------------------------------------------------------------------

    async def _wipe(self, node: int) -> None:
        await self._kill([node])
        wipe(self._cluster.config.replica(node).directory)

    async def _rot_and_start(self, fault: Fault) -> None:
        directory = self._cluster.config.replica(fault.victim).directory
        try:
            rotten = await asyncio.to_thread(rot, directory, fault.where)
        except UndetectedRotError as error:
            self._fail(str(error))
            await self._rejoin(fault.victim, refuses=False)
            return
        self._record.note("note", f"replica {fault.victim}: {rotten}")
        if rotten.damage is None:
            self.harmless += 1
            await self._start([fault.victim])
        else:
            await self._rejoin(fault.victim)

    async def _rejoin(self, node: int, *, refuses: bool = True) -> None:
        """The replica must refuse what is left of its data; then it comes back as a new incarnation."""
        if refuses:
            await self._refused(node)
        incarnation, aside = await asyncio.to_thread(prepare_rejoin, self._cluster.config, node)
        if aside is not None and not self.failures:
            wipe(aside)  # an hour's worth would fill the disk
        self._record.note("note", f"replica {node} rejoins as incarnation {incarnation}")
        await self._start([node])

    async def _refused(self, node: int) -> None:
        processes, log = self._cluster.processes, self._cluster.processes.log_file(node)
        said_before = log.stat().st_size
        await asyncio.to_thread(processes.start, node)
        end_s = time.monotonic() + REFUSED_S
        while processes.running(node) and time.monotonic() < end_s:
            await asyncio.sleep(POLL_S)
        said = log.read_bytes()[said_before:].decode()
        if processes.running(node):
            self._fail(f"replica {node} runs from lost or damaged data")
            await self._kill([node])
        elif "Traceback" in said or "genpaxos rejoin" not in said:
            self._fail(f"replica {node} ended without naming the damage and the way back: {said}")
        else:
            log.write_bytes(log.read_bytes()[:said_before])  # as it should: nothing to wonder at in the end

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
