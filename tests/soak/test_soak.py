"""A short soak: the same code as ``make soak``, for some seconds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.soak.faults import LOSSES
from tests.soak.soak import Options, soak


@pytest.mark.cluster
def test_some_seconds_of_faults_leave_real_replicas_correct_and_equal(tmp_path: Path) -> None:
    outcome = soak(Options(seconds=12.0, seed=112, replicas=3, rate=200.0, snapshot_commands=250), tmp_path)
    kinds = {episode.fault.kind for episode in outcome.run.injector.episodes}
    assert kinds & LOSSES, "a replica lost its data"
    assert min(outcome.run.watch.growth.cuts.values()) > 0, "every log was cut"
    assert outcome.ok, f"{outcome.checks}\n{outcome.run.story()}"
