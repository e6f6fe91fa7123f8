"""The acceptance run: two minutes of faults for each seed. Not collected by default: it takes minutes. Run it as

``python -m pytest tests/soak/two_minutes.py``; ``make soak`` is the same for an hour.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from genpaxos.core.ballot import Policy
from genpaxos.errors import GenpaxosError
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
def test_replicas_that_run_commands_twice_do_not_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that could not fail would say nothing. (Finer errors are the simulator's to find: they need its luck.)"""
    monkeypatch.setenv(MUTATION, "commands_run_twice")
    with pytest.raises(GenpaxosError, match="did not reach the same state"):
        soak(Options(seconds=10.0), tmp_path)


@pytest.mark.cluster
@pytest.mark.timeout(400)
def test_replicas_that_cut_nothing_do_not_pass(tmp_path: Path) -> None:
    outcome = soak(Options(seconds=40.0, rate=200.0, snapshot_commands=0), tmp_path)
    assert [name for name, (answer, _) in outcome.checks.items() if not answer] == ["flat"]
