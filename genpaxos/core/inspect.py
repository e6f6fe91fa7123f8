"""What a replica tells of itself: plain JSON snapshots for the views, the command line and the checkers."""

import hashlib
import json
from itertools import accumulate
from typing import Any

from commutativity import InvalidCommand
from genpaxos.core.ballot import ZERO
from genpaxos.core.commands import Body, footprints_of
from genpaxos.core.ids import operation_count, operation_ids, parted, split_id
from genpaxos.core.policies import rules_of
from genpaxos.core.quorum import members_of
from genpaxos.core.replica import Replica
from genpaxos.core.runs import pairs_of

GRAPH_COMMANDS_MAX = 2_000
LOG_COMMANDS_MAX = 5_000


def status(replica: Replica, now_ms: float) -> dict[str, Any]:
    """One replica's row of the status table (see :mod:`genpaxos.view.status`)."""
    acceptor, election, learner = replica.acceptor, replica.election, replica.learner
    total = replica.settings.replicas
    connected = members_of(election.connected_mask(now_ms))
    needed = total // 2 + 1
    furthest = max([replica.history.committed, *(beat.committed for beat in election.beats if beat is not None)])
    leads = replica.coordinator.leading
    coordinator = replica.node if leads else election.highest.coordinator
    return {
        "node": replica.node,
        "role": "coordinator" if leads else "rejoining" if replica.incarnations.rejoining else "acceptor",
        "promised": list(acceptor.promised),
        "ballot": list(acceptor.accepted) if acceptor.accepted != ZERO else None,
        "kind": str(acceptor.kind.policy) if acceptor.accepted != ZERO else None,
        "pinned": list(acceptor.kind.pinned) or None,
        "quorum": election.has_quorum(now_ms),
        "quorum_reason": f"connected with {len(connected)} of {total} (itself included), needs {needed}",
        "coordinator": coordinator if leads or election.hears_coordinator(now_ms) else None,
        "committed": replica.history.committed,
        "learned": replica.history.committed + len(replica.executor.ahead) + len(replica.executor.waiting),
        "executed": replica.executor.applied,
        "failed": replica.executor.failures.count,
        "last_failure": _last_failure(replica),
        "cut": replica.history.base,
        "sessions": len(replica.proposals.sessions),
        "results_bytes": replica.proposals.sessions.bytes,
        "ended": len(replica.proposals.sessions.ended),
        "incarnations": replica.incarnations.known,
        "fast": learner.fast_count,
        "classic": learner.classic_count,
        "lag": furthest - replica.history.committed,
        "last_seen_ms": {
            str(peer): round(now_ms - heard)
            for peer, heard in enumerate(election.heard_ms)
            if heard is not None and peer != replica.node
        },
    }


def voters(replica: Replica) -> list[int]:
    """The replicas that need commands from clients in the highest ballot: a pinned quorum. Empty if it is not known
    here, if there is none, and where it is pinned for a while only, since the next ballot needs all votes again."""
    acceptor = replica.acceptor
    known = acceptor.accepted == replica.election.highest
    return list(acceptor.kind.pinned) if known and rules_of(replica.settings.policy).pins else []


def _last_failure(replica: Replica) -> str | None:
    last = replica.executor.failures.last
    return None if last is None else f"{last.operation} (command {last.command}) at {last.place}: {last.text}"


def graph(replica: Replica, limit: int) -> dict[str, Any]:
    """The newest operations this replica knows, in an order that respects the history (:mod:`genpaxos.view.graph`): so
    many or a few more, as a run is shown whole. ``total`` and ``first`` count commands: a run is one."""
    history = replica.history
    limit = max(1, min(limit, GRAPH_COMMANDS_MAX))
    waiting = _oldest([*history.tail, *replica.pool.waiting()], limit)
    left = limit - sum(map(operation_count, waiting))
    first = history.length + 1
    while first > history.base + 1 and left > 0:
        first -= 1
        left -= operation_count(history.ids[first - 1 - history.base])
    listed, _ = history.decrees(first)
    placed = enumerate(zip(listed, history.bodies(first, history.length), strict=True), first)
    commands = [node for index, (command, body) in placed for node in _nodes(replica, command, body, index)]
    bodies = replica.proposals.bodies(waiting)
    for command, body in zip(waiting, bodies, strict=True):
        commands += _nodes(replica, command, body, None)
    return {
        "table": type(replica.executor.machine).table.text(),
        "first": first,
        "total": history.length + len(waiting),
        "commands": commands,
    }


def _oldest(commands: list[str], limit: int) -> list[str]:
    """The first of these that hold so many operations."""
    counts = accumulate(map(operation_count, commands), initial=0)
    return [command for command, before in zip(commands, counts, strict=False) if before < limit]


def log(replica: Replica, first: int) -> dict[str, Any]:
    """The committed decrees from index ``first`` on, and what became of them: evidence for the demo's verdict."""
    history, executor = replica.history, replica.executor
    first = max(first, history.base + 1)
    last = min(history.committed, first - 1 + LOG_COMMANDS_MAX)
    return {
        "first": first,
        "ids": history.decrees(first, last)[0],
        "committed": history.committed,
        "applied": executor.applied,
        "ahead": sorted(executor.ahead),
        "waiting": len(executor.waiting),
    }


def state(replica: Replica) -> dict[str, Any]:
    """The machine's and the session table's state, with a digest to compare replicas by."""
    machine = replica.executor.machine.snapshot()
    sessions = replica.executor.sessions.to_json()
    canonical = json.dumps([machine, sessions], sort_keys=True, ensure_ascii=False)
    return {
        "machine": machine,
        "sha256": hashlib.sha256(canonical.encode()).hexdigest(),
        "applied": replica.executor.applied,
    }


def ran(replica: Replica, name: str) -> dict[str, Any]:
    """Whether a command, or an operation of a run (``id#number``), has run here, at which index it is committed, and
    what it gave as far as that is kept."""
    history, executor = replica.history, replica.executor
    try:
        command, number = parted(name)
        client, first, last = split_id(command)
    except InvalidCommand:
        return {"ran": False, "index": None, "result": None}
    has_run = executor.has_run(command) or replica.proposals.settled(command)
    result = executor.sessions.result(command, client, first, last) if has_run else None
    listed = history.decrees(history.base + 1, executor.executed)[0]
    return {
        "ran": has_run,
        "index": history.base + 1 + listed.index(command) if command in listed else None,
        "result": result if result is None or number is None else result[number - first],
    }


def _nodes(replica: Replica, command: str, body: Body, index: int | None) -> list[dict[str, Any]]:
    """A command's operations: those of a run one by one, as people see them."""
    machine = type(replica.executor.machine)
    modes = machine.table.modes
    state = _state(replica, command, index)
    return [
        {
            "id": name,
            "operation": operation,
            "arguments": arguments,
            "footprint": [[resource, modes[mode] if mode < len(modes) else None] for resource, mode in footprint],
            "state": state,
            "index": index,
        }
        for name, (operation, arguments), footprint in zip(
            operation_ids(command), pairs_of(body), footprints_of(machine, command, body), strict=True
        )
    ]


def _state(replica: Replica, command: str, index: int | None) -> str:
    if replica.learner.learned_fast(command):
        return "fast"
    if index is None:
        return "accepted" if command in replica.history.tail else "proposed"
    if index > replica.history.committed:
        return "accepted"
    how = replica.learner.recent.get(command)
    return "executed" if how is None else "fast" if how else "classic"
