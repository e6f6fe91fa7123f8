"""The acceptance run: two minutes of faults for each seed. Not collected by default: it takes minutes. Run it as

``python -m pytest tests/soak/two_minutes.py``; ``make soak`` is the same for an hour.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from genpaxos.core.ballot import Policy
from tests.soak.faults import Kind
from tests.soak.replica import MUTATION
from tests.soak.show import summary
from tests.soak.soak import Options, soak

RUNS = [
    Options(seed=1),
    Options(seed=2, policy=Policy.CLASSIC),
    Options(seed=3, policy=Policy.COORDINATED),
    Options(seed=4, policy=Policy.UNCOORDINATED),
    Options(seed=5, machine="register", interference=0.5),
    Options(seed=6, replicas=3),
]


@pytest.mark.cluster
@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    "options", RUNS, ids=lambda o: f"seed {o.seed}, {o.replicas} replicas, {o.machine}, {o.policy}"
)
def test_two_minutes_of_faults_leave_real_replicas_correct_and_equal(options: Options, tmp_path: Path) -> None:
    outcome = soak(options, tmp_path)
    print(summary(outcome))
    assert outcome.ok, f"{outcome.checks}\n{outcome.run.story()}"


@pytest.mark.cluster
@pytest.mark.timeout(400)
@pytest.mark.parametrize("seed", [31, 32])
def test_a_recovery_that_drops_what_only_tails_held_is_found(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Commands are answered, then forgotten: a verdict that never says no would say nothing."""
    monkeypatch.setenv(MUTATION, "recovery_drops_what_only_tails_held")
    outcome = soak(Options(seconds=45.0, seed=seed, kinds=(Kind.LAST_WORDS,)), tmp_path)
    assert outcome.checks["linearizable"][0] is False, outcome.checks
