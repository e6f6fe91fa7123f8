"""A plan: everything a run is made of, as data. Whatever is deleted from it leaves a plan."""

from dataclasses import dataclass, field
from typing import Any

from genpaxos.core.ballot import FastQuorums, Policy
from genpaxos.core.election import Timing
from genpaxos.core.settings import Settings
from genpaxos.simulation.clients import Departure, Resumption, Submission
from genpaxos.simulation.faults import Fault
from genpaxos.simulation.network import CALM, Link, Weather
from genpaxos.simulation.snapshots import NO_SNAPSHOTS, SnapshotRules


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One run: a cluster, a world, what its clients do, and what goes wrong."""

    seed: int = 0
    """The seed of what is drawn while the plan runs: the fate of messages, and what makes up a batch."""
    replicas: int = 3
    policy: Policy = Policy.LEADER_ORDERED
    fast: FastQuorums = FastQuorums.PINNED
    timing: Timing = field(default_factory=Timing)
    acceptors: tuple[int, ...] = ()
    distinguished: int | None = None
    settle_commands: int = 8
    saturated_commands: int = 384
    checksum_ms: float = 0.0
    workload: str = "bank"
    weather: Weather = CALM
    calm: Weather = CALM
    """What happens to messages once a command was committed after the faults."""
    batch_ms: float = 0.0
    """Messages for one replica are kept back up to so long, and then handled in one step."""
    clock_rates: tuple[float, ...] = ()
    """How fast each process's clock runs, 1 if empty."""
    retry_ms: float = 400.0
    """How long a client waits before it asks again."""
    thrifty: bool = False
    """Whether clients send commands only to those that may vote for them, once they know who does."""
    snapshots: SnapshotRules = NO_SNAPSHOTS
    chaos_ms: float = 4000.0
    """When all faults end."""
    core: tuple[int, ...] = ()
    """If it is not empty, first a majority of these, in this order, is healed and must recover without the others."""
    lasting: tuple[Link, ...] = ()
    """Links that stay cut when everything else heals: the replicas must get along without them for a while."""
    submissions: tuple[Submission, ...] = ()
    resumptions: tuple[Resumption, ...] = ()
    departures: tuple[Departure, ...] = ()
    session_ms: float = 3_600_000.0
    farewell_ms: float = 10_000.0
    faults: tuple[Fault, ...] = ()

    @property
    def settings(self) -> Settings:
        """What the replicas are told."""
        return Settings(
            self.replicas,
            self.policy,
            self.fast,
            self.timing,
            acceptors=self.acceptors,
            distinguished=self.distinguished,
            settle_commands=self.settle_commands,
            saturated_commands=self.saturated_commands,
            checksum_ms=self.checksum_ms,
            session_ms=self.session_ms,
            farewell_ms=self.farewell_ms,
        )

    @property
    def clients(self) -> int:
        """How many there are."""
        return max([1, *(s.client + 1 for s in self.submissions), *(r.client + 1 for r in self.resumptions)])

    @property
    def fault_kinds(self) -> dict[str, int]:
        """How many faults there are of each kind."""
        kinds: dict[str, int] = {}
        for fault in self.faults:
            kinds[fault.kind] = kinds.get(fault.kind, 0) + 1
        return kinds

    def to_json(self) -> dict[str, Any]:
        """For people and for ``--json``: what kind of run it is."""
        return {
            "seed": self.seed,
            "replicas": self.replicas,
            "policy": str(self.policy),
            "fast_quorums": str(self.fast),
            "workload": self.workload,
            "clients": self.clients,
            "thrifty": self.thrifty,
            "commands": len(self.submissions),
            "chaos_ms": round(self.chaos_ms, 1),
            "loss": self.weather.loss,
            "duplication": self.weather.duplication,
            "delay_ms": list(self.weather.delay_ms),
            "batch_ms": self.batch_ms,
            "clock_rates": [round(rate, 4) for rate in self.clock_rates],
            "snapshot_commands": self.snapshots.every_commands,
            "snapshot_writing_ms": list(self.snapshots.writing_ms),
            "chunk_bytes": self.snapshots.chunk_bytes,
            "settle_commands": self.settle_commands,
            "saturated_commands": self.saturated_commands,
            "checksum_ms": self.checksum_ms,
            "departures": len(self.departures),
            "session_ms": round(self.session_ms, 1),
            "farewell_ms": round(self.farewell_ms, 1),
            "core": list(self.core),
            "lasting": [list(link) for link in self.lasting],
            "faults": self.fault_kinds,
        }
