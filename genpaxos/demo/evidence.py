"""What the replicas say after a run: their logs, their states, their counts."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from genpaxos.errors import GenpaxosError
from genpaxos.runtime.config import ClusterConfig
from genpaxos.runtime.query import NoAnswer, ask, ask_each

CAUGHT_UP_S = 60.0


@dataclass(frozen=True, slots=True)
class ReplicaEvidence:
    """One replica's part: committed command ids in order, how often the machine was applied, and its state."""

    node: int
    ids: list[str]
    applied: int
    pending: int
    """Commands executed ahead of the log, or learned and not executed: none, once all is settled."""
    state: Any
    state_sha256: str


def collect(config: ClusterConfig, check: Callable[[], None] = lambda: None) -> list[ReplicaEvidence]:
    """Wait until all replicas have executed the same number of commands, then ask each for everything.

    Raises :class:`GenpaxosError` if one does not catch up within :data:`CAUGHT_UP_S`; ``check`` may raise it earlier.
    """
    addresses = [replica.address for replica in config.replicas]
    end_s = time.monotonic() + CAUGHT_UP_S
    before: list[Any] = []
    while True:
        check()
        rows = ask_each(addresses, "status")
        counts = [
            None if isinstance(row, NoAnswer) else (row["committed"], row["learned"], row["executed"]) for row in rows
        ]
        if None not in counts and len(set(counts)) == 1 and counts == before and counts[0][0] == counts[0][1]:  # type: ignore[index]
            return [_ask(node, address) for node, address in enumerate(addresses)]
        if time.monotonic() > end_s:
            raise GenpaxosError(f"the replicas did not reach the same state in {CAUGHT_UP_S:g} s: {counts}")
        before = counts
        time.sleep(0.05)


def _ask(node: int, address: str) -> ReplicaEvidence:
    ids: list[str] = []
    while True:
        log = ask(address, "log", len(ids) + 1, timeout_s=10.0)
        if log["first"] != len(ids) + 1:
            raise GenpaxosError(
                f"replica {node} has cut its log up to index {log['first'] - 1}, and the evidence is all of it: "
                "run the cluster with snapshot_commands = 0"
            )
        ids += log["ids"]
        if not log["ids"] or len(ids) >= log["committed"]:
            break
    state = ask(address, "state", timeout_s=10.0)
    return ReplicaEvidence(
        node=node,
        ids=ids,
        applied=log["applied"],
        pending=len(log["ahead"]) + log["waiting"],
        state=state["machine"],
        state_sha256=state["sha256"],
    )
