"""The verdict is computed: falsify what it rests on, and the check that should notice fails, by name."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from commutativity import OperationError
from genpaxos.demo import run
from genpaxos.demo.evidence import ReplicaEvidence
from genpaxos.demo.run import Options, Record
from genpaxos.demo.verdict import Check, judge, passed, summary
from genpaxos.linearizability import Call, Failed

Run = tuple[Record, list[ReplicaEvidence]]


def true_run(machine: str = "bank", commands: int = 60, clients: int = 3) -> Run:
    """A run of the demo's own commands as an honest cluster would have had it: one after another."""
    record = run.make(Options(machine=machine, replicas=3, clients=clients, commands=commands, interference=0.5))
    state = record.workload.machine()
    streams = [iter(record.workload.commands(number, commands // clients)) for number in range(clients)]
    calls = [("opening", command) for command in record.workload.opening()]
    calls += [(f"client-{n % clients}", next(streams[n % clients])) for n in range(commands)]
    for number, (client, command) in enumerate(calls):
        result: Any
        try:
            result = state.apply(command.operation, command.arguments)
        except OperationError as error:
            result = Failed(error.code, error.message)
        at = number / 100
        record.calls.append(Call(client, command.operation, command.arguments, at, at + 0.005, result))
        record.ids.append(f"{client}:{number + 1}")
    record.acknowledged = len(calls)
    record.started_s, record.ended_s = 0.0, len(calls) / 100
    row = {"fast": 50, "classic": 11, "role": "acceptor"}
    record.status = [row, {**row, "role": "coordinator"}, row]
    snapshot = state.snapshot()
    sha256 = hashlib.sha256(json.dumps(snapshot, sort_keys=True).encode()).hexdigest()
    return record, [
        ReplicaEvidence(node, list(record.ids), len(calls), 0, json.loads(json.dumps(snapshot)), sha256)
        for node in range(3)
    ]


def failed(found: dict[str, Check]) -> set[str]:
    return {name for name, (answer, _) in found.items() if answer is False}


def replaced(record: Record, index: int, **changed: Any) -> None:
    record.calls[index] = replace(record.calls[index], **changed)


def find(record: Record, operation: str, result: Any) -> int:
    return next(i for i, call in enumerate(record.calls) if (call.operation, call.result) == (operation, result))


@pytest.mark.parametrize("machine", ["bank", "register"])
def test_an_honest_run_passes_every_check(machine: str) -> None:
    record, evidence = true_run(machine)
    found = judge(record, evidence)
    assert passed(found), found
    assert failed(found) == set()
    assert found["conserved"][0] is (True if machine == "bank" else None)
    assert summary(record, found)["ok"] is True


def test_a_lost_acknowledged_command_is_noticed() -> None:
    record, evidence = true_run()
    lost = record.ids[17]
    for replica in evidence:
        replica.ids.remove(lost)
    found = judge(record, [replace(replica, applied=replica.applied - 1) for replica in evidence])
    assert "exactly once" in failed(found)
    assert lost in found["exactly once"][1]
    assert not passed(found)


def test_a_command_lost_by_one_replica_alone_is_noticed() -> None:
    record, evidence = true_run()
    evidence[2].ids.remove(record.ids[17])
    found = judge(record, [*evidence[:2], replace(evidence[2], applied=60)])
    assert failed(found) >= {"exactly once", "replicas agree"}
    assert "replica 2 never executed" in found["exactly once"][1]


def test_a_command_twice_in_the_log_is_noticed() -> None:
    record, evidence = true_run()
    for replica in evidence:
        replica.ids.append(record.ids[5])
    found = judge(record, [replace(replica, applied=len(replica.ids)) for replica in evidence])
    assert failed(found) == {"exactly once"}
    assert "1 commands twice in its log" in found["exactly once"][1]


def test_a_command_applied_twice_for_one_entry_is_noticed() -> None:
    record, evidence = true_run()
    found = judge(record, [evidence[0], replace(evidence[1], applied=62), evidence[2]])
    assert failed(found) == {"exactly once"}
    assert "replica 1 applied 62 commands for 61 in its log" in found["exactly once"][1]


def test_a_replica_that_is_not_settled_is_no_evidence() -> None:
    record, evidence = true_run()
    found = judge(record, [evidence[0], evidence[1], replace(evidence[2], pending=1)])
    assert failed(found) == {"exactly once"}


def test_states_that_differ_are_noticed() -> None:
    record, evidence = true_run()
    found = judge(record, [evidence[0], replace(evidence[1], state_sha256="0" * 64), evidence[2]])
    assert failed(found) == {"replicas agree"}
    assert "the states of replicas 0 and 1 differ" in found["replicas agree"][1]


def test_logs_that_differ_in_order_are_noticed() -> None:
    record, evidence = true_run()
    evidence[2].ids.reverse()
    found = judge(record, evidence)
    assert failed(found) == {"replicas agree"}
    assert "the logs of replicas 0 and 2 differ" in found["replicas agree"][1]


@pytest.mark.parametrize(
    "falsify",
    [
        lambda record: replaced(record, find(record, "withdraw", True), result=False),
        lambda record: replaced(record, find(record, "transfer", True), result=False),
        lambda record: replaced(record, find(record, "deposit", None), result=Failed("InvalidAmount", "no")),
        lambda record: replaced(
            record, next(i for i, c in enumerate(record.calls) if c.operation == "balance"), result=7
        ),
    ],
)
def test_a_result_no_order_explains_is_noticed(falsify: Callable[[Record], None]) -> None:
    record, evidence = true_run()
    falsify(record)
    found = judge(record, evidence)
    assert "linearizable" in failed(found)
    assert not passed(found)
    assert summary(record, found)["linearizable"] is False
    assert summary(record, found)["ok"] is False


def test_a_stale_read_is_noticed_though_every_value_was_once_there() -> None:
    record, evidence = true_run("register", commands=0)
    for number, (operation, arguments, result) in enumerate(
        [("write", ("A", "1"), None), ("write", ("A", "2"), None), ("read", ("A",), "1")]
    ):
        at = 10.0 + number
        record.calls.append(Call("client-0", operation, arguments, at, at + 0.5, result))
        record.ids.append(f"client-0:{number + 1}")
    ids = list(record.ids)
    found = judge(record, [replace(replica, ids=ids, applied=len(ids)) for replica in evidence])
    assert "linearizable" in failed(found)


def test_money_that_came_from_nowhere_is_noticed() -> None:
    record, evidence = true_run()
    for replica in evidence:
        replica.state["cents"]["alice"] += 1
    found = judge(record, evidence)
    assert failed(found) == {"conserved"}
    assert summary(record, found)["conserved"] is False


def test_an_unanswered_command_is_noticed() -> None:
    record, evidence = true_run()
    replaced(record, find(record, "balance", 0), returned_at=None, result=None)
    record.acknowledged -= 1
    found = judge(record, evidence)
    assert failed(found) == {"acknowledged"}
    assert "60 of 61" in found["acknowledged"][1]
    assert summary(record, found)["acknowledged"] == 59
    assert not passed(found)


def test_undecided_is_no_pass() -> None:
    record, evidence = true_run()
    found = judge(record, evidence)
    assert not passed({**found, "linearizable": (None, "the steps ran out")})
    assert not passed({**found, "exactly once": (None, "?")})


def test_the_pause_is_the_longest_gap_after_the_kill() -> None:
    record, _ = true_run()
    assert record.pause_s() is None
    record.killed_s = 0.3
    assert record.pause_s() == pytest.approx(0.01)
    record.calls = [call for call in record.calls if not 0.2 <= call.invoked_at < 0.4]
    assert record.pause_s() == pytest.approx(0.21)


def test_the_summary_has_what_the_issue_asks_for() -> None:
    record, evidence = true_run()
    row = summary(record, judge(record, evidence))
    assert row.keys() >= {
        "replicas", "commands", "acknowledged", "fast", "classic", "seconds", "commands_per_second", "latency_ms",
        "linearizable", "replicas_agree", "conserved",
    }  # fmt: skip
    assert row["latency_ms"] == {"p50": 5.0, "p99": 5.0}
    assert (row["commands"], row["acknowledged"], row["fast"], row["classic"]) == (60, 60, 50, 11)


def test_a_killing_that_finds_nobody_answering_does_not_wait_for_ever() -> None:
    """All calls have ended without enough answers: there is nothing left to kill anybody for."""
    record, _ = true_run()
    record.acknowledged = 0
    asyncio.run(asyncio.wait_for(run._faults(None, record), 5))  # type: ignore[arg-type]
    assert record.killed is None
