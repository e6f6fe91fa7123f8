"""Whether a measured cluster did what it said: a fast wrong run is no result."""

import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from bench.errors import BenchError
from bench.harness.cluster import Bench
from commutativity import Machine, OperationError
from genpaxos.demo import evidence
from genpaxos.demo.evidence import CAUGHT_UP_S, ReplicaEvidence
from genpaxos.runtime.query import ask_all


def verify(bench: Bench) -> dict[str, Any]:
    """Ask all replicas for everything and :func:`judge` it; gives the counts. Raises :class:`BenchError`.

    What was submitted in bulk has no ids here: the number applied and the state it makes are judged instead.
    """
    judge(evidence.collect(bench.cluster.config), bench.acknowledged)
    if bench.submitted:
        return verify_outcome(bench, model_of(bench), len(bench.submitted))
    return {"replicas_agree": True, "acknowledged": len(bench.acknowledged)}


def model_of(bench: Bench) -> Machine:
    """A machine that took what was submitted in bulk."""
    model = bench.machine()
    for command in bench.submitted:
        with suppress(OperationError):
            model.apply(command.operation, list(command.arguments))
    return model


def judge(replicas: Sequence[ReplicaEvidence], acknowledged: Sequence[str]) -> None:
    """Raise :class:`BenchError` unless all replicas hold the same log and state, each acknowledged command once."""
    first = replicas[0]
    for replica in replicas:
        if replica.ids != first.ids:
            raise BenchError(f"the logs of replicas {first.node} and {replica.node} differ")
        if replica.state_sha256 != first.state_sha256:
            raise BenchError(f"the states of replicas {first.node} and {replica.node} differ")
        if replica.applied != len(replica.ids) or replica.pending:
            raise BenchError(
                f"replica {replica.node} applied {replica.applied} commands for {len(replica.ids)} in its log, "
                f"{replica.pending} unsettled"
            )
    logged = set(first.ids)
    if len(logged) != len(first.ids):
        raise BenchError(f"{len(first.ids) - len(logged)} commands are in the log twice")
    lost = set(acknowledged) - logged
    if lost:
        raise BenchError(f"{len(lost)} acknowledged commands were never executed, such as {min(lost)}")


def verify_outcome(bench: Bench, model: Machine, commands: int) -> dict[str, Any]:
    """The same where the log is cut: ask all replicas for their states and :func:`judge_outcome`.

    ``model`` is a machine that took the same commands. Raises :class:`BenchError`.
    """
    _wait_settled(bench)
    addresses = [replica.address for replica in bench.cluster.config.replicas]
    judge_outcome(ask_all(addresses, "state", timeout_s=10.0), model.snapshot(), commands)
    return {"replicas_agree": True, "acknowledged": commands}


def judge_outcome(states: Sequence[dict[str, Any]], expected: Any, commands: int) -> None:
    """Raise :class:`BenchError` unless all replicas applied so many commands and hold the expected state, and the same
    session table."""
    for node, state in enumerate(states):
        if state["applied"] != commands:
            raise BenchError(f"replica {node} applied {state['applied']:,} commands; {commands:,} were acknowledged")
        if state["machine"] != expected:
            raise BenchError(f"the state of replica {node} is not what the acknowledged commands make")
        if state["sha256"] != states[0]["sha256"]:
            raise BenchError(f"the session tables of replicas 0 and {node} differ")


def _wait_settled(bench: Bench) -> None:
    """Until every replica has committed and executed all it knows of, and as many commands as the others."""
    end_s = time.monotonic() + CAUGHT_UP_S
    while True:
        rows = bench.status()
        counts = {count for row in rows for count in (row["committed"], row["learned"])}
        executed = {row["executed"] for row in rows}
        if len(rows) == len(bench.cluster.config.replicas) and len(counts) == len(executed) == 1:
            return
        if time.monotonic() > end_s:
            raise BenchError(f"the replicas did not reach the same state in {CAUGHT_UP_S:g} s: {rows}")
        time.sleep(0.05)
