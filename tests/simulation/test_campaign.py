"""Many seeds: the report is the same on one process and on several, and failures are told."""

from __future__ import annotations

import pytest

from genpaxos.core.ballot import Policy
from genpaxos.simulation.campaign import Report, Selection, campaign
from genpaxos.simulation.marks import Mark
from genpaxos.simulation.swarm import Climate
from tests.simulation import mutations

CLASSIC = Selection(Climate.ORDINARY, Policy.CLASSIC)


def test_several_processes_find_what_one_finds() -> None:
    told: list[tuple[str, int, int]] = []
    alone = campaign(range(3, 15), CLASSIC, workers=1).to_json()
    shared = campaign(range(3, 15), CLASSIC, workers=2, progress=lambda *progress: told.append(progress)).to_json()
    assert (alone["workers"], shared["workers"]) == (1, 2)
    assert shared["simulated_seconds"] == pytest.approx(alone["simulated_seconds"])  # added up in another order
    same = alone.keys() - {"seconds", "ratio", "seeds_per_hour", "workers", "simulated_seconds"}
    assert {key: shared[key] for key in same} == {key: alone[key] for key in same}
    assert told[-1] == ("seeds", 12, 12)


def test_a_report_has_every_mark_reached_or_not_and_the_speed() -> None:
    report = campaign(range(2), CLASSIC, workers=1).to_json()
    assert list(report["marks"]) == [mark.name.lower() for mark in Mark]
    assert (report["seeds"], report["from"], report["violations"], report["failures"]) == (2, 0, 0, [])
    assert report["ratio"] == pytest.approx(report["simulated_seconds"] / report["seconds"], rel=0.05)
    assert report["committed"] > 0
    assert 0 < report["recovery_worst"] < 1


def test_failures_are_told_by_their_seeds_and_the_first_is_shrunk(monkeypatch: pytest.MonkeyPatch) -> None:
    mutations.commands_run_twice(monkeypatch)
    fast = Selection(Climate.ORDINARY, Policy.LEADER_ORDERED)
    failures = campaign(range(1, 3), fast, workers=1, shrunk_max=1).to_json()["failures"]
    assert [failure["seed"] for failure in failures] == [1, 2]
    assert all(failure["invariant"] and failure["what"] for failure in failures)
    assert failures[0]["shrunk"]["failure"]["invariant"] == failures[0]["invariant"]
    assert "shrunk" not in failures[1]


def test_reports_add_up() -> None:
    total = Report()
    total.add(Report(seeds=2, committed=3, recovery_worst=0.5, marks={"entered": 1}))
    total.add(Report(seeds=1, committed=4, recovery_worst=0.2, marks={"entered": 2}))
    assert (total.seeds, total.committed, total.recovery_worst, total.marks["entered"]) == (3, 7, 0.5, 3)
