"""Hunting for deliberate errors: one is put into the code, and seeds are run until an invariant fails.

What is to be published about a simulator is how many seeds it takes to find each kind of bug.
"""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from genpaxos.core.ballot import Policy
from genpaxos.simulation.plan import Plan
from genpaxos.simulation.run import Outcome, run
from genpaxos.simulation.swarm import Climate, draw_plan
from tests.simulation.mutations import Mutation


def run_with(plan: Plan, mutation: Mutation | None = None) -> Outcome:
    """One run with an error put in; that commands get no answer is not enough to find it."""
    with pytest.MonkeyPatch.context() as patch:
        if mutation is not None:
            mutation(patch)
        return run(plan, live=mutation is None)


def hunt(
    mutation: Mutation, seeds: Iterable[int], *, climate: Climate | None = None, policy: Policy | None = None
) -> Outcome | None:
    """The first run in which an invariant fails; ``None`` if none of these seeds finds the error."""
    for seed in seeds:
        outcome = run_with(draw_plan(seed, climate, policy), mutation)
        if not outcome.ok:
            return outcome
    return None
