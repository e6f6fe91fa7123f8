"""Carries out the faults of a plan on a cluster, and ends them."""

from collections.abc import Iterable
from functools import partial, singledispatchmethod
from typing import TYPE_CHECKING

from genpaxos.simulation.faults import (
    BitFlip,
    ClockJump,
    Clog,
    Crash,
    CrashPoint,
    Cut,
    DiskFull,
    Fault,
    Pause,
    Shape,
    SyncFailure,
    Wipe,
)
from genpaxos.simulation.marks import Mark
from genpaxos.simulation.process import Process

if TYPE_CHECKING:
    from genpaxos.simulation.cluster import SimulatedCluster

_SURVIVED = {
    Shape.ONE_WAY: Mark.ONE_WAY_SURVIVED,
    Shape.STAR: Mark.PARTIAL_SURVIVED,
    Shape.CHAIN: Mark.PARTIAL_SURVIVED,
}


class Injector:
    """Faults begin when their time comes, and end by themselves or when everything heals."""

    def __init__(self, cluster: "SimulatedCluster", faults: Iterable[Fault]) -> None:
        self._cluster = cluster
        self._active = True
        for fault in faults:
            cluster.scheduler.at(fault.at_ms, self._begin_if_active, fault)

    def end(self) -> None:
        """No fault begins any more, and what was to end one does nothing: the cluster is healed otherwise."""
        self._active = False

    def _begin_if_active(self, fault: Fault) -> None:
        if self._active:
            self._cluster.note(str(fault), getattr(fault, "node", None))
            self._begin(fault)

    def _later(self, after_ms: float, action: "object", *arguments: object) -> None:
        """End a fault, unless everything was healed before."""

        def end() -> None:
            if self._active:
                action(*arguments)  # type: ignore[operator]

        self._cluster.scheduler.at(self._cluster.now_ms + after_ms, end)

    def _process(self, node: int) -> Process:
        return self._cluster.processes[node]

    @singledispatchmethod
    def _begin(self, fault: Fault) -> None:
        raise TypeError(f"no such fault: {fault!r}")

    @_begin.register
    def _(self, fault: Crash) -> None:
        process = self._process(fault.node)
        if not process.running or process.doom is not None:
            return
        if fault.point is CrashPoint.IDLE:
            process.crash(CrashPoint.IDLE)
        else:
            process.doom = fault
        self._later(fault.down_ms, self._revive, process, fault)

    def _revive(self, process: Process, fault: Crash) -> None:
        if process.doom is fault:
            process.doom = None
        process.start()

    @_begin.register
    def _(self, fault: Pause) -> None:
        process = self._process(fault.node)
        if process.running and not process.paused:
            self._cluster.marks.hit(Mark.PAUSED)
            process.pause()
            self._later(fault.for_ms, process.resume)

    @_begin.register
    def _(self, fault: ClockJump) -> None:
        self._cluster.marks.hit(Mark.CLOCK_JUMPED)
        self._process(fault.node).jump(fault.by_ms)

    @_begin.register
    def _(self, fault: Cut) -> None:
        self._cluster.network.sever(fault.links)
        self._later(fault.for_ms, self._reconnect, fault, len(self._cluster.oracles.log))

    def _reconnect(self, fault: Cut, committed: int) -> None:
        if len(self._cluster.oracles.log) > committed:
            self._cluster.marks.hit(_SURVIVED.get(fault.shape, Mark.CUT_SURVIVED))
        self._cluster.network.reconnect(fault.links)

    @_begin.register
    def _(self, fault: Clog) -> None:
        self._cluster.network.clog(fault.links, fault.at_ms + fault.for_ms)

    @_begin.register
    def _(self, fault: SyncFailure) -> None:
        process = self._process(fault.node)
        process.disk.sync_fails = fault.share
        self._later(fault.down_ms, self._repair, process)

    def _repair(self, process: Process) -> None:
        process.disk.sync_fails = None
        process.start()

    @_begin.register
    def _(self, fault: DiskFull) -> None:
        process = self._process(fault.node)
        process.disk.full = True
        self._later(fault.for_ms, self._free, process)

    def _free(self, process: Process) -> None:
        process.disk.full = False
        process.start()

    @_begin.register
    def _(self, fault: BitFlip) -> None:
        process = self._process(fault.node)
        if self._may_lose(process):
            process.crash()
            process.disk.flip_bit(fault.place)
            self._lost(process, fault)

    @_begin.register
    def _(self, fault: Wipe) -> None:
        process = self._process(fault.node)
        if fault.at_promise:
            process.after_promise = partial(self._wipe, process, fault)
        else:
            self._wipe(process, fault)

    def _wipe(self, process: Process, fault: Wipe) -> None:
        if self._active and self._may_lose(process):
            process.crash()
            process.disk.wipe()
            self._lost(process, fault)

    def _may_lose(self, process: Process) -> bool:
        """At most a minority has lost what it promised at any time, those among it that have not rejoined yet."""
        lost = sum(not other.whole for other in self._cluster.processes if other is not process)
        return lost < (len(self._cluster.processes) - 1) // 2

    def _lost(self, process: Process, fault: BitFlip | Wipe) -> None:
        process.whole = False  # until a start finds that no harm was done
        self._later(fault.down_ms, self._tend, process, fault.rejoin_ms)

    def _tend(self, process: Process, rejoin_ms: float) -> None:
        """Start it; if its data is found lost, let it rejoin as soon as enough others are up."""
        process.start()
        if process.lost:
            self._later(rejoin_ms, self._rejoin, process, rejoin_ms)

    def _rejoin(self, process: Process, again_ms: float) -> None:
        if process.lost and not self._cluster.rejoin(process.node):
            self._later(again_ms, self._rejoin, process, again_ms)
