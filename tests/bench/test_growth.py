"""A long run's points, what is computed from them, and one tiny run with snapshots on real replicas."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bench import cli, report
from bench.errors import BenchError
from bench.growth import Point, flat, median_microseconds, points_of
from bench.verify import judge_outcome


def point(commands: int, us: float, memory: list[float | None], disk: list[float], snapshots: list[int]) -> Point:
    return Point(commands, us, us, memory, [None] * len(disk), disk, snapshots, [0] * len(disk))


def test_points_are_powers_of_ten_and_then_tenths() -> None:
    million = [1_000, 10_000, *range(100_000, 1_000_001, 100_000)]
    assert points_of(1_000_000) == million
    assert points_of(25_000) == [1_000, *range(2_500, 25_001, 2_500)]
    assert points_of(7) == [1, 2, 3, 4, 5, 6, 7]


def test_the_time_per_command_is_the_median_of_windows_so_that_one_pause_does_not_move_it() -> None:
    steady = [index * 1e-5 for index in range(2_001)]
    paused = [time_s + (1.0 if index > 700 else 0.0) for index, time_s in enumerate(steady)]
    assert median_microseconds(paused, shortest=100) == pytest.approx(10)


def test_windows_are_long_enough_for_batches_of_results() -> None:
    batches = [0.0] + [batch * 1e-3 for batch in range(1, 11) for _ in range(100)]
    assert median_microseconds(batches, shortest=400) == pytest.approx(10)
    assert median_microseconds(batches, shortest=5_000) == pytest.approx(10)  # one window of all


def test_flat_compares_with_the_first_point_after_every_replicas_first_snapshot() -> None:
    points = [
        point(1, 50.0, [10.0, 10.0], [1.0, 1.0], [0, 1]),
        point(2, 10.0, [20.0, 40.0], [2.0, 8.0], [1, 1]),
        point(3, 99.0, [90.0, 90.0], [9.0, 9.0], [2, 2]),
        point(4, 11.0, [25.0, 42.0], [3.0, 8.0], [3, 2]),
    ]
    assert flat(points) == {"time": 1.1, "memory": 1.25, "disk": 1.5}


def test_without_two_points_after_a_snapshot_or_without_figures_there_is_no_ratio() -> None:
    early = point(1, 50.0, [None], [1.0], [0])
    late = point(2, 50.0, [None], [2.0], [1])
    assert flat([early, late]) == {"time": None, "memory": None, "disk": None}
    assert flat([late, late]) == {"time": 1.0, "memory": None, "disk": 1.0}


def test_a_sparkline_begins_at_zero_so_that_what_is_flat_looks_flat() -> None:
    assert report.sparkline([98.0, 100.0, None, 99.0]) == "██ █"
    assert report.sparkline([0.0, 50.0, 100.0]) == "▁▅█"
    assert report.sparkline([None, 0.0]) == " ▁"


GOOD = {"machine": {"cents": {"a": 3}}, "sha256": "0", "applied": 2}


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({"applied": 3}, "replica 1 applied 3 commands; 2 were acknowledged"),
        ({"machine": {"cents": {"a": 4}}}, "the state of replica 1 is not what"),
        ({"sha256": "1"}, "the session tables of replicas 0 and 1 differ"),
    ],
)
def test_an_outcome_that_is_wrong_is_no_result(other: dict[str, Any], why: str) -> None:
    judge_outcome([GOOD, GOOD], GOOD["machine"], 2)
    with pytest.raises(BenchError, match=why):
        judge_outcome([GOOD, {**GOOD, **other}], GOOD["machine"], 2)


@pytest.mark.cluster
def test_growth_over_snapshots(capsys: pytest.CaptureFixture[str]) -> None:
    tiny = ["--commands", "600", "--snapshot-commands", "40", "--resources", "5", "--outstanding", "2"]
    assert cli.main(["growth", *tiny, "--json"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    result = json.loads(line)
    assert (result["options"]["snapshot_commands"], result["options"]["resources"]) == (40, 5)
    assert [row["commands"] for row in result["points"]] == list(range(60, 601, 60))
    for row in result["points"]:
        assert row["microseconds_per_command"] > 0
        assert [len(row[name]) for name in ("rss_mib", "disk_mib", "snapshots", "cut")] == [3, 3, 3, 3]
        assert all(disk > 0 for disk in row["disk_mib"])
    assert all(result["points"][-1]["snapshots"])
    assert max(result["points"][-1]["cut"]) > 0
    assert result["flat"].keys() == {"time", "memory", "disk"}
    assert result["verified"] == {"replicas_agree": True, "acknowledged": 1 + 600}
    report.console().print(report.render(result))
    printed = capsys.readouterr().out
    assert "\x1b" not in printed
    assert "log cut" in printed
    assert "since the first snapshot" in printed
