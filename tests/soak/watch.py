"""Looks at the replicas while they run: how far each has come, who coordinates, and whether one fails by itself.

It also reads their logs as they grow: in the end the greater part of them is cut off.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from genpaxos.demo.evidence import Archive
from tests.soak.cluster import SoakCluster, takes_part
from tests.soak.growth import Growth
from tests.soak.injector import Injector

INTERVAL_S = 0.25
READ_S = 0.2
"""Between two readings of the logs. What is committed stays in them for another snapshot's worth of commands."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What the replicas that answered and took part had committed."""

    at_s: float
    committed: dict[int, int]


class Watch:
    """Takes samples until told to stop."""

    def __init__(self, cluster: SoakCluster, injector: Injector, growth: Growth) -> None:
        self.archive = Archive()
        self.growth = growth
        self.samples: list[Sample] = []
        self.ballots: set[tuple[int, int]] = set()
        """Those that a coordinator was seen to lead."""
        self.failures: list[str] = []
        """What befell a replica that no fault had been aimed at."""
        self._cluster = cluster
        self._injector = injector
        self._stopped = False

    def stop(self) -> None:
        """Take no more samples."""
        self._stopped = True

    async def run(self) -> None:
        """Look and read, again and again."""
        await asyncio.gather(self._look_on(), self._read_on())

    async def _look_on(self) -> None:
        while not self._stopped:
            await self.look()
            await asyncio.sleep(INTERVAL_S)

    async def _read_on(self) -> None:
        while not self._stopped:
            await asyncio.to_thread(self.archive.read, self._cluster.config)
            await asyncio.sleep(READ_S)

    async def look(self) -> None:
        """Take one sample."""
        down_before = set(self._injector.down)
        rows = await asyncio.to_thread(self._cluster.status)
        spared = down_before | self._injector.down
        committed = {node: row["committed"] for node, row in rows.items() if takes_part(row)}
        self.samples.append(Sample(time.monotonic(), committed))
        processes, replicas = self._cluster.processes, self._cluster.config.replicas
        self.growth.look(rows, [replica.directory for replica in replicas])
        memory = max(processes.memory_bytes(node) for node in range(len(replicas)))
        self.growth.memory_max_bytes = max(self.growth.memory_max_bytes, memory)
        self.ballots |= {tuple(row["promised"]) for row in rows.values() if row["role"] == "coordinator"}
        for node in range(len(self._cluster.config.replicas)):
            if node in spared:
                continue
            if not self._cluster.processes.running(node):
                self._fail(f"replica {node} ended by itself: {self._cluster.processes.log_file(node)}")
            elif node in rows and rows[node]["error"] is not None:
                self._fail(f"replica {node} stopped by itself: {rows[node]['error']}")

    def _fail(self, what: str) -> None:
        if what not in self.failures:
            self.failures.append(what)
