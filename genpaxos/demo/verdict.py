"""The verdict on a run: computed from what the clients saw and what the replicas hold, never assumed."""

from collections.abc import Sequence
from typing import Any

from genpaxos.demo.evidence import ReplicaEvidence
from genpaxos.demo.run import Record
from genpaxos.linearizability import check_linearizable

Check = tuple[bool | None, str]


def judge(record: Record, evidence: Sequence[ReplicaEvidence]) -> dict[str, Check]:
    """Each check by name: it holds, does not, or could not be decided (which is no pass), and what was found."""
    return {
        "acknowledged": _acknowledged(record),
        "exactly once": _exactly_once(record, evidence),
        "replicas agree": _agree(evidence),
        "linearizable": _linearizable(record, evidence[0]),
        "conserved": _conserved(record, evidence[0]),
    }


def passed(checks: dict[str, Check]) -> bool:
    """Whether every check holds; a machine with nothing to conserve is not asked for it."""
    return all(answer is True or (name == "conserved" and answer is None) for name, (answer, _) in checks.items())


def summary(record: Record, checks: dict[str, Check]) -> dict[str, Any]:
    """The run as one JSON object."""
    options, latencies = record.options, record.latencies_ms()
    learned = max(record.status, key=lambda row: (row["fast"] + row["classic"], row["role"] == "coordinator"))
    pause_s = record.pause_s()
    return {
        "machine": options.machine,
        "policy": str(options.policy),
        "replicas": options.replicas,
        "clients": options.clients,
        "commands": options.commands,
        "interference": options.interference,
        "seed": options.seed,
        "acknowledged": sum(call.client != "opening" and call.returned_at is not None for call in record.calls),
        "fast": learned["fast"],
        "classic": learned["classic"],
        "seconds": round(record.seconds, 3),
        "commands_per_second": round(options.commands / record.seconds, 1),
        "latency_ms": {"p50": round(_quantile(latencies, 0.5), 3), "p99": round(_quantile(latencies, 0.99), 3)},
        "killed": record.killed,
        "paused_s": None if pause_s is None else round(pause_s, 3),
        "exactly_once": checks["exactly once"][0],
        "linearizable": checks["linearizable"][0],
        "replicas_agree": checks["replicas agree"][0],
        "conserved": checks["conserved"][0],
        "ok": passed(checks),
    }


def _quantile(values: Sequence[float], share: float) -> float:
    return values[min(len(values) - 1, int(len(values) * share))] if values else float("nan")


def _acknowledged(record: Record) -> Check:
    wanted = record.options.commands + len(record.workload.opening())
    return record.acknowledged == wanted, f"{record.acknowledged:,} of {wanted:,} commands were answered"


def _exactly_once(record: Record, evidence: Sequence[ReplicaEvidence]) -> Check:
    """Every acknowledged command is once in every replica's log, and the machine was applied once per entry."""
    acknowledged = {i for i, call in zip(record.ids, record.calls, strict=True) if call.returned_at is not None}
    for replica in evidence:
        logged = set(replica.ids)
        missing = acknowledged - logged
        if missing:
            return False, f"replica {replica.node} never executed {sorted(missing)[:3]}, which was acknowledged"
        if len(logged) != len(replica.ids):
            return False, f"replica {replica.node} has {len(replica.ids) - len(logged)} commands twice in its log"
        if replica.applied != len(replica.ids) or replica.pending:
            return False, (
                f"replica {replica.node} applied {replica.applied} commands for {len(replica.ids)} in its log, "
                f"{replica.pending} unsettled"
            )
    return True, f"{len(acknowledged):,} acknowledged commands, each once on each of {len(evidence)} replicas"


def _agree(evidence: Sequence[ReplicaEvidence]) -> Check:
    first, *others = evidence
    for replica in others:
        if replica.ids != first.ids:
            return False, f"the logs of replicas {first.node} and {replica.node} differ"
        if replica.state_sha256 != first.state_sha256:
            return False, f"the states of replicas {first.node} and {replica.node} differ"
    return True, f"{len(evidence)} logs and {len(evidence)} states are equal (sha256 {first.state_sha256[:12]}…)"


def _linearizable(record: Record, replica: ReplicaEvidence) -> Check:
    """The checker's own search; the replica's order only tells it where to look first."""
    number = {command: index for index, command in enumerate(record.ids)}
    hint = [number[command] for command in replica.ids if command in number]
    verdict = check_linearizable(record.workload.machine, record.calls, hint=hint)
    return verdict.linearizable, f"{len(record.calls):,} calls, {verdict.steps:,} steps: {verdict}".splitlines()[0]


def _conserved(record: Record, replica: ReplicaEvidence) -> Check:
    logged = set(replica.ids)
    executed = [command in logged for command in record.ids]
    return record.workload.conserved(record.calls, executed, replica.state)
