"""Real replicas in regions: every message takes exactly half a round trip, and nothing else takes time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from commutativity import Command
from genpaxos.core.messages import Phase2b
from genpaxos.core.settings import Settings
from genpaxos.examples.bank import Bank
from genpaxos.plan import RoundTrips, parse_rtt
from genpaxos.simulation.clients import Submission
from genpaxos.simulation.clock import Scheduler
from genpaxos.simulation.cluster import SimulatedCluster
from genpaxos.simulation.network import Network

FIVE = """
VA-CA 60
VA-OR 70
VA-JP 150
VA-EU 75
CA-OR 20
CA-JP 110
CA-EU 140
OR-JP 100
OR-EU 130
JP-EU 220
"""


def five() -> RoundTrips:
    return parse_rtt(FIVE, "five.txt")


class Regions(Network):
    """Replica ``i`` and client ``i`` are in region ``i``."""

    def __init__(self, scheduler: Scheduler, trips: RoundTrips, *, votes: bool) -> None:
        super().__init__(scheduler, 0)
        self._clock = scheduler
        self._trips = trips
        self._votes = votes

    def send(self, sender: int, receiver: int, arrive: Callable[[int, Any], None], message: Any) -> None:
        if isinstance(message, Phase2b) and not self._votes:
            message = replace(message, ids=[], digests=[])
        regions = len(self._trips.regions)
        delay_ms = self._trips.ms[sender % regions][receiver % regions] / 2
        self._clock.at(self._clock.now_ms + delay_ms, arrive, sender, message)


class Wan:
    """A cluster with a replica and a client in each region."""

    def __init__(self, trips: RoundTrips, settings: Settings, *, votes: bool = True) -> None:
        self.cluster = SimulatedCluster(Bank, settings, seed=1, retry_ms=60_000)
        self.cluster.network = Regions(self.cluster.scheduler, trips, votes=votes)
        self.regions = range(len(trips.regions))

    def elect(self) -> Wan:
        self.cluster.run_for(4_000)
        return self

    def led_by(self, coordinator: int) -> Wan:
        """Elected at once: what its replicas prefer is not asked."""
        self.cluster.run_for(1_000)
        self.cluster.campaign(coordinator)
        self.cluster.run_for(4_000)
        assert self.coordinator == coordinator
        return self

    @property
    def coordinator(self) -> int:
        [leader] = [replica.node for replica in self.cluster.alive() if replica.coordinator.leading]
        return leader

    @property
    def pinned(self) -> tuple[int, ...]:
        return self.cluster.alive()[self.coordinator].acceptor.kind.pinned

    def waits_ms(self) -> Sequence[float]:
        """Per region: how long its client waits for the answer of the replica beside it."""
        return [self._waits_ms(Bank.deposit("alice", 1), region)[0] for region in self.regions]

    def collision_ms(self, one: int, other: int) -> Sequence[float]:
        """What the clients of two regions wait that send interfering commands at the same moment."""
        return self._waits_ms(Bank.withdraw("alice", 1), one, other)

    def _waits_ms(self, command: Command[Any], *regions: int) -> list[float]:
        start_ms = self.cluster.now_ms
        sent = [self.cluster.client(r).submit(Submission(start_ms, r, command, home=r)) for r in regions]
        self.cluster.run_for(3_000)
        return [round(pending.answered_ms - start_ms, 3) for pending in sent if pending.answered_ms is not None]
