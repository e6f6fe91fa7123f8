"""Looks at the replicas while they run: how far each has come, who coordinates, and whether one fails by itself."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from tests.soak.cluster import SoakCluster
from tests.soak.injector import Injector

INTERVAL_S = 0.25


@dataclass(frozen=True, slots=True)
class Sample:
    """What the replicas that answered had committed."""

    at_s: float
    committed: dict[int, int]


class Watch:
    """Takes samples until told to stop."""

    def __init__(self, cluster: SoakCluster, injector: Injector) -> None:
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
        """Look, and look again."""
        while not self._stopped:
            await self.look()
            await asyncio.sleep(INTERVAL_S)

    async def look(self) -> None:
        """Take one sample."""
        down_before = set(self._injector.down)
        rows = await asyncio.to_thread(self._cluster.status)
        spared = down_before | self._injector.down
        self.samples.append(Sample(time.monotonic(), {node: row["committed"] for node, row in rows.items()}))
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
