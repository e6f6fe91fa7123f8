"""What the measurements have in common."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.harness.workload import ACCOUNTS, MACHINE
from commutativity import Machine
from genpaxos.core.ballot import Policy


@dataclass(frozen=True, slots=True)
class Options:
    """One measurement's parameters. ``commands`` is per round."""

    rounds: int
    commands: int
    outstanding: int
    replicas: int = 3
    policy: Policy = Policy.LEADER_ORDERED
    home: int | None = None
    """The replica asked for results; ``None``: the coordinator."""
    tcp: bool = False
    warmup: int | None = None
    """Commands before the first round; ``None``: as many as one round has."""
    deadline_s: float = 120.0
    """No run takes longer, or it ends as an error."""
    seed: int = 1
    directory: Path | None = None
    """Where the replicas keep their data; ``None``: where temporary files go."""
    snapshot_commands: int = 0
    """Commands between snapshots. 0, never: then the whole log is there to verify a run by."""
    resources: int = ACCOUNTS
    """Accounts that the commands are spread over."""
    many: bool = False
    """Whether commands are handed over in bulk, through ``submit_many``, where a contender's client can."""
    over: str = ""
    """What growth is measured over; empty for all other measurements."""
    machine: type[Machine] = MACHINE
    """What is replicated."""
    against: tuple[str, ...] = ()
    """Peers to measure in the same run, by the names of :data:`bench.peers.against.PEERS`."""

    @property
    def warmup_commands(self) -> int:
        """Commands before the first round."""
        return self.commands if self.warmup is None else self.warmup

    def to_json(self) -> dict[str, Any]:
        """What a result needs to be repeated."""
        return {
            "replicas": self.replicas,
            "rounds": self.rounds,
            "commands": self.commands,
            "outstanding": self.outstanding,
            "policy": str(self.policy),
            "home": self.home,
            "transport": "tcp" if self.tcp else "ipc",
            "warmup": self.warmup_commands,
            "seed": self.seed,
            "against": list(self.against),
            "snapshot_commands": self.snapshot_commands,
            "resources": self.resources,
            "many": self.many,
            **({"over": self.over} if self.over else {}),
        }
