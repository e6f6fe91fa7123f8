"""What the replicas say after a run: their logs, their states, their counts."""

import time
from collections.abc import Callable, Mapping
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
    """What is cut off its log comes from the archive."""
    applied: int
    pending: int
    """Commands executed ahead of the log, or learned and not executed: none, once all is settled."""
    state: Any
    state_sha256: str


class Archive:
    """The log as the replicas told it piece by piece while they ran: they cut off what a snapshot stands for.

    An index is committed once and for all (protocol §3), so whoever tells it must tell the same command.
    """

    def __init__(self) -> None:
        self.contradictions: list[str] = []
        """Where a replica told another command than one before it."""
        self._ids: list[str | None] = []
        self._read: dict[int, int] = {}
        """Up to which index each replica was heard."""

    def __len__(self) -> int:
        """The last index anybody told."""
        return len(self._ids)

    def wanted(self, node: int) -> int:
        """The first index not heard from a replica yet."""
        return self._read.get(node, 0) + 1

    def read(self, config: ClusterConfig, *, timeout_s: float = 0.3) -> None:
        """Ask every replica for the next page of its log; whoever does not answer is asked the next time."""
        for node, replica in enumerate(config.replicas):
            try:
                self.take(node, ask(replica.address, "log", self.wanted(node), timeout_s=timeout_s))
            except NoAnswer:
                continue

    def take(self, node: int, log: Mapping[str, Any]) -> None:
        """Record a replica's answer to ``log``, and compare it with what others told of these indices."""
        first, ids, known = log["first"], log["ids"], self._ids
        if log["committed"] < self._read.get(node, 0):  # it came back with less, or with nothing
            self._read[node] = 0
            return
        self._read[node] = max(self._read.get(node, 0), first + len(ids) - 1)
        known += [None] * (first + len(ids) - 1 - len(known))
        for index, command in enumerate(ids, first):
            other = known[index - 1]
            if other is None:
                known[index - 1] = command
            elif other != command:
                self.contradictions.append(f"replica {node} has {command} at index {index}, where {other} was told")

    def between(self, first: int, last: int) -> list[str]:
        """The commands from one index to another. Raises :class:`GenpaxosError` if nobody told one of them."""
        found = [command for command in self._ids[first - 1 : max(last, first - 1)] if command is not None]
        if len(found) < last - first + 1:
            raise GenpaxosError(
                f"V[{first}..{last}] is cut off the log, and {last - first + 1 - len(found)} of these commands were "
                "read by nobody before. Read the log more often while the cluster runs, or keep it all: "
                "[storage] snapshot_commands = 0"
            )
        return found


def collect(
    config: ClusterConfig, check: Callable[[], None] = lambda: None, archive: Archive | None = None
) -> list[ReplicaEvidence]:
    """Wait until all replicas have executed the same number of commands, then ask each for everything.

    ``archive`` has what they may have cut off by now, and is told the rest. Raises :class:`GenpaxosError` if one does
    not catch up within :data:`CAUGHT_UP_S`, or nobody has what is cut off; ``check`` may raise it earlier.
    """
    addresses = [replica.address for replica in config.replicas]
    archive = Archive() if archive is None else archive
    end_s = time.monotonic() + CAUGHT_UP_S
    before: list[Any] = []
    while True:
        check()
        rows = ask_each(addresses, "status")
        counts = [
            None if isinstance(row, NoAnswer) else (row["committed"], row["learned"], row["executed"]) for row in rows
        ]
        if None not in counts and len(set(counts)) == 1 and counts == before and counts[0][0] == counts[0][1]:  # type: ignore[index]
            return [_ask(node, address, archive) for node, address in enumerate(addresses)]
        if time.monotonic() > end_s:
            raise GenpaxosError(f"the replicas did not reach the same state in {CAUGHT_UP_S:g} s: {counts}")
        before = counts
        time.sleep(0.05)


def _ask(node: int, address: str, archive: Archive) -> ReplicaEvidence:
    ids: list[str] = []
    while True:
        log = ask(address, "log", len(ids) + 1, timeout_s=10.0)
        archive.take(node, log)
        ids += archive.between(len(ids) + 1, log["first"] - 1)
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
