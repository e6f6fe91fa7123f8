"""The replicas of a cluster: what each one reports, whether there is a quorum, and who coordinates.

The status snapshot is collected from the replicas by whoever asks; one that does not answer is `"reachable":
false`::

    {
        "cluster": "bank",
        "machine": "genpaxos.examples.bank:Bank",
        "policy": "leader-ordered",
        "replicas": [
            {
                "node": 0,
                "address": "tcp://10.0.0.1:7000",
                "reachable": true,
                "role": "acceptor",
                "promised": [3, 1],
                "ballot": [3, 1],
                "kind": "leader-ordered",
                "pinned": [0, 1, 2],
                "quorum": true,
                "quorum_reason": "hears 5 of 5, needs 3",
                "coordinator": 1,
                "committed": 120,
                "learned": 124,
                "executed": 124,
                "fast": 96,
                "classic": 28,
                "lag": 0,
                "last_seen_ms": {"1": 12.5, "2": 9.1},
                "error": null,
                "failed": 0,
                "last_failure": null,
            },
            ...,
        ],
    }
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from genpaxos.faults import by_fault
from genpaxos.view.snapshot import SnapshotError, expect, integers, natural, optional, required

Ballot = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaStatus:
    """What one replica says of itself; only `node` is known of one that cannot be reached."""

    node: int
    reachable: bool
    address: str = ""
    role: str = ""
    promised: Ballot | None = None
    ballot: Ballot | None = None
    kind: str = ""
    pinned: tuple[int, ...] | None = None
    quorum: bool = False
    quorum_reason: str = ""
    coordinator: int | None = None
    committed: int = 0
    learned: int = 0
    executed: int = 0
    fast: int = 0
    classic: int = 0
    lag: int = 0
    last_seen_ms: Mapping[int, float | None] = field(default_factory=dict)
    error: str = ""
    failed: int = 0
    """Commands that raised what they had not declared, since the replica started."""
    last_failure: str = ""

    @classmethod
    def from_json(cls, data: Mapping[str, object], where: str = "replica") -> ReplicaStatus:
        node = required(data, "node", int, where)
        where = f"replica {node}"
        reachable = required(data, "reachable", bool, where)
        absent = None if reachable else 0  # what an answering replica must count, a silent one may leave out
        pinned = data.get("pinned")
        return cls(
            node=node,
            reachable=reachable,
            address=optional(data, "address", str, where) or "",
            role=required(data, "role", str, where) if reachable else "",
            promised=_ballot(data.get("promised"), f"{where}.promised"),
            ballot=_ballot(data.get("ballot"), f"{where}.ballot"),
            kind=optional(data, "kind", str, where) or "",
            pinned=None if pinned is None else integers(pinned, f"{where}.pinned"),
            quorum=bool(optional(data, "quorum", bool, where)),
            quorum_reason=optional(data, "quorum_reason", str, where) or "",
            coordinator=optional(data, "coordinator", int, where),
            committed=natural(data, "committed", where, absent),
            learned=natural(data, "learned", where, absent),
            executed=natural(data, "executed", where, absent),
            fast=natural(data, "fast", where, absent),
            classic=natural(data, "classic", where, absent),
            lag=natural(data, "lag", where, 0),
            last_seen_ms=_last_seen(optional(data, "last_seen_ms", dict, where) or {}, where),
            error=optional(data, "error", str, where) or "",
            failed=natural(data, "failed", where, 0),
            last_failure=optional(data, "last_failure", str, where) or "",
        )

    @property
    def fast_share(self) -> float | None:
        """The part of what this replica learned that it learned fast; None before it has learned anything."""
        return _share(self.fast, self.classic)

    @property
    def silence_ms(self) -> float | None:
        """How long the peer it has heard least recently has been silent; None when it knows of none."""
        return max((ms for ms in self.last_seen_ms.values() if ms is not None), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterStatus:
    """The status of every replica in the configuration, by node."""

    cluster: str
    machine: str = ""
    policy: str = ""
    replicas: tuple[ReplicaStatus, ...] = ()

    @classmethod
    def from_json(cls, data: Mapping[str, object]) -> ClusterStatus:
        """Read a snapshot; anything else than the documented shape is a `SnapshotError` that says what to correct."""
        data = expect(data, dict, "the status snapshot")
        replicas = [
            ReplicaStatus.from_json(expect(item, dict, f"replicas[{i}]"), f"replicas[{i}]")
            for i, item in enumerate(required(data, "replicas", list, "status"))
        ]
        return cls(
            cluster=required(data, "cluster", str, "status"),
            machine=optional(data, "machine", str, "status") or "",
            policy=optional(data, "policy", str, "status") or "",
            replicas=tuple(sorted(replicas, key=lambda replica: replica.node)),
        )

    @property
    def reachable(self) -> tuple[ReplicaStatus, ...]:
        return tuple(replica for replica in self.replicas if replica.reachable)

    @property
    def leading(self) -> ReplicaStatus | None:
        """The replica that knows best: of the highest ballot, the one coordinating it if it answers."""
        return max(
            self.reachable,
            key=lambda r: (r.ballot or (-1, -1), r.coordinator == r.node, r.quorum, r.executed),
            default=None,
        )

    @property
    def coordinator(self) -> int | None:
        return None if self.leading is None else self.leading.coordinator

    @property
    def quorum(self) -> tuple[bool, str]:
        """Whether some replica that answers hears a quorum, and why (not)."""
        if not self.replicas:
            return False, "the cluster has no replicas"
        if self.leading is None:
            return False, f"none of {len(self.replicas)} replicas answers"
        best = max(self.reachable, key=lambda r: (r.quorum, r is self.leading))
        return best.quorum, best.quorum_reason

    @property
    def fast_share(self) -> float | None:
        """Over all replicas that answer, the part of what was learned that was learned fast."""
        return _share(sum(r.fast for r in self.reachable), sum(r.classic for r in self.reachable))

    @property
    def doubts(self) -> tuple[str, ...]:
        """What an operator should look at, one sentence each."""
        found = []
        for replica in self.reachable:
            if replica.coordinator is not None and replica.coordinator != self.coordinator:
                found.append(f"replica {replica.node} still follows coordinator {replica.coordinator}")
            if self.quorum[0] and not replica.quorum and not replica.error:
                found.append(f"replica {replica.node} hears no quorum: {replica.quorum_reason or 'no reason given'}")
        found += by_fault({r.node: r.error for r in self.reachable if r.error})
        failing = [r for r in self.reachable if r.failed]
        found += [f"replica {r.node}: failed commands: {r.failed}, last: {r.last_failure}" for r in failing]
        return tuple(found)


def _share(fast: int, classic: int) -> float | None:
    return fast / (fast + classic) if fast + classic else None


def _ballot(value: object, where: str) -> Ballot | None:
    if value is None:
        return None
    numbers = integers(value, where)
    if len(numbers) != 2:
        raise SnapshotError(f"{where} must be a ballot [number, coordinator], not {list(numbers)}")
    return numbers[0], numbers[1]


def _last_seen(data: Mapping[object, object], where: str) -> dict[int, float | None]:
    seen: dict[int, float | None] = {}
    for node, ms in data.items():
        place = f"{where}.last_seen_ms[{node!r}]"
        if not str(node).isdecimal():
            raise SnapshotError(f"{place}: the keys are nodes, for example '0'")
        seen[int(str(node))] = None if ms is None else expect(ms, float, place)
    return seen
