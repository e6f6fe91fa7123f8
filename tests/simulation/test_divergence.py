"""A machine that computes something else on one replica is found in the worst of worlds.

That none is found where there is none is an invariant of every run (``AGREED``).
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from commutativity import JSON
from genpaxos.core.ballot import Policy
from genpaxos.core.replica import Replica
from genpaxos.core.sessions import Result
from genpaxos.examples.bank import Bank
from genpaxos.simulation import run as runs
from genpaxos.simulation.clients import Client, Pending
from genpaxos.simulation.cluster import SimulatedCluster
from genpaxos.simulation.disk import Found
from genpaxos.simulation.oracles import Oracles
from genpaxos.simulation.swarm import draw_plan
from genpaxos.simulation.violations import Invariant

WRONG = 1


class Generous(Bank):
    """Says that there is a cent more."""

    lied = 0

    def apply(self, operation: str, arguments: Any) -> JSON:
        result = super().apply(operation, arguments)
        if operation != "balance":
            return result
        Generous.lied += 1
        assert isinstance(result, int)
        return result + 1


class Divergent(SimulatedCluster):
    """Other code on one replica."""

    def build(self, node: int, now_ms: float, found: Found) -> Replica:
        if node != WRONG:
            return super().build(node, now_ms, found)
        honest, self.machine = self.machine, Generous
        try:
            return super().build(node, now_ms, found)
        finally:
            self.machine = honest


def _believe(self: Oracles, node: int, command: str, result: Result) -> None:
    """The simulator's own comparison of results would be first."""


def _take_first(self: Client, pending: Pending, result: Result) -> None:
    """A client that asks several replicas hears several results."""
    if pending.result is None:
        pending.result, pending.answered_ms, pending.waits = result, self._scheduler.now_ms, False


@pytest.mark.parametrize("policy", list(Policy))
def test_one_replica_that_computes_something_else_is_found(policy: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "SimulatedCluster", Divergent)
    monkeypatch.setattr(Oracles, "ran", _believe)
    monkeypatch.setattr(Client, "_answered", _take_first)
    found: Counter[str] = Counter()
    for seed in range(30):
        plan = draw_plan(seed, None, policy)
        if plan.workload != "bank":
            continue
        Generous.lied = 0
        outcome = runs.run(plan)
        if not Generous.lied:
            found["nobody asked"] += 1
        else:
            found[outcome.violation.invariant.name if outcome.violation is not None else "none"] += 1
    assert found["none"] == 0, found
    assert found[Invariant.AGREED.name] >= 10, found
    assert set(found) <= {"nobody asked", "none", Invariant.AGREED.name, Invariant.IDENTICAL.name}, found
