"""A long run's points, what is computed from them, and one tiny run with snapshots on real replicas."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from itertools import islice
from typing import Any

import orjson
import pytest

from bench import cli
from bench.engine.dimensions import DIMENSIONS, ENVELOPE_BYTES, Setting, measured
from bench.engine.growth_points import Point, flat, median_microseconds, points_of, settled
from bench.errors import BenchError
from bench.harness import tally
from bench.harness.contender import Progress
from bench.harness.options import Options
from bench.harness.verify import judge_outcome
from bench.publish import report, report_cells
from genpaxos.runtime.config import SNAPSHOT_COMMANDS
from genpaxos.runtime.wire import COMMAND_BYTES_MAX


def point(commands: int, us: float, memory: list[float | None], disk: list[float], snapshots: list[int]) -> Point:
    return Point(
        commands=commands,
        microseconds=us,
        mean_microseconds=us,
        cpu_us=us,
        rss_mib=memory,
        disk_mib=[*disk],
        writer_peak_mib=[None] * len(disk),
        snapshots=snapshots,
        cut=[0] * len(disk),
    )


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
    assert settled(points) == (1, 3)
    assert flat(points, settled(points)) == {"time": 1.1, "memory": 1.25, "disk": 1.5}


def test_without_two_points_after_a_snapshot_or_without_figures_there_is_no_ratio() -> None:
    early = point(1, 50.0, [None], [1.0], [0])
    late = point(2, 50.0, [None], [2.0], [1])
    assert settled([early, late]) is None
    assert flat([early, late], None) == {"time": None, "memory": None, "disk": None}
    assert flat([late, late], (0, 1)) == {"time": 1.0, "memory": None, "disk": 1.0}


def test_a_sparkline_begins_at_zero_so_that_what_is_flat_looks_flat() -> None:
    assert report_cells.sparkline([98.0, 100.0, None, 99.0]) == "██ █"
    assert report_cells.sparkline([0.0, 50.0, 100.0]) == "▁▅█"
    assert report_cells.sparkline([None, 0.0]) == " ▁"


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


def test_a_bar_is_as_long_as_its_value_is_in_proportion() -> None:
    assert report.bar(10, 10) == "█" * 20
    assert report.bar(1.25, 10) == "██▌"
    assert report.bar(0, 0) == ""


def test_defaults_depend_on_what_growth_is_over() -> None:
    def options(*words: str) -> Options:
        return cli._options(cli._parser().parse_args(["growth", *words]))

    long, short = options(), options("--over", "size", "--rounds", "7")
    assert (long.over, long.rounds, long.commands, long.snapshot_commands) == (
        "commands",
        1,
        1_000_000,
        SNAPSHOT_COMMANDS,
    )
    assert (short.over, short.rounds, short.commands, short.snapshot_commands) == ("size", 7, 20_000, 0)


def test_of_large_commands_there_are_fewer_so_that_a_round_and_a_flight_stay_bounded() -> None:
    options = Options(rounds=1, commands=20_000, outstanding=256, warmup=5_000)
    sizes = DIMENSIONS["size"](options)
    assert [setting.value for setting in sizes] == [16, 256, 1024, 4096, 16384, 64 * 1024 - 64]
    assert (sizes[0].options.commands, sizes[0].options.outstanding) == (20_000, 256)
    assert (sizes[-1].options.commands, sizes[-1].options.outstanding) == (256, 64)
    assert [setting.options.warmup_commands for setting in sizes] == [5_000, 5_000, 5_000, 4_096, 1_024, 256]
    assert [setting.options.replicas for setting in DIMENSIONS["replicas"](options)] == [3, 5, 7]
    assert [setting.options.resources for setting in DIMENSIONS["resources"](options)] == [10**n for n in range(1, 7)]


def test_the_largest_value_fits_into_a_command() -> None:
    (largest,) = islice(tally.commands(1, 10**6, COMMAND_BYTES_MAX - ENVELOPE_BYTES), 1)
    body = orjson.dumps([largest.operation, largest.arguments, 10**9])
    assert COMMAND_BYTES_MAX - ENVELOPE_BYTES < len(body) <= COMMAND_BYTES_MAX


def test_snapshots_would_cut_the_log_that_other_dimensions_are_verified_by(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["growth", "--over", "size", "--snapshot-commands", "10"]) == 1
    assert "leave --snapshot-commands out" in capsys.readouterr().err


def test_keys_are_made_in_commands_that_a_footprint_has_room_for() -> None:
    assert [list(command.arguments) for command in tally.opening(2_500)] == [[0, 1000], [1000, 1000], [2000, 500]]
    (touches,) = [tally.Tally.make.footprint(tally.opening(3)[0].arguments)]
    assert [resource for resource, _ in touches] == ["key-0", "key-1", "key-2"]


@pytest.mark.cluster
@pytest.mark.parametrize(("over", "chosen"), [("resources", [100, 10**5]), ("size", [64 * 1024 - 64])])
def test_growth_over_something_else(
    over: str, chosen: list[int], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def some(options: Options) -> list[Setting]:
        return [setting for setting in DIMENSIONS[over](options) if setting.value in chosen]

    monkeypatch.setattr(cli, "dimension", partial(_measured, some))
    tiny = ["--rounds", "1", "--commands", "40", "--warmup", "20", "--outstanding", "8", "--resources", "5"]
    assert cli.main(["growth", "--over", over, *tiny, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["options"]["over"] == over
    assert [row[over] for row in result["points"]] == chosen
    for row in result["points"]:
        assert row["commands_per_second"] > 0
        assert row["cpu_us_per_command"] >= 0
    assert result["commands_per_second"] == result["points"][0]["commands_per_second"]
    assert list(result["ratios"]) in ([], [str(value) for value in chosen])  # [] where it was too short to be counted
    opening = {"resources": 1 + 100, "size": 1}[over]
    assert result["verified"]["acknowledged"] == opening + len(chosen) * (20 + 40)
    report.console().print(report.render(result))
    printed = capsys.readouterr().out
    assert "each point on fresh clusters" in printed


async def _measured(settings: Callable[[Options], list[Setting]], options: Options, progress: Progress) -> Any:
    return await measured(settings(options), options, progress)


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
        assert row["cpu_us_per_command"] >= 0
        assert [len(row[name]) for name in ("rss_mib", "disk_mib", "snapshots", "cut")] == [3, 3, 3, 3]
        assert all(disk > 0 for disk in row["disk_mib"])
    assert all(result["points"][-1]["snapshots"])
    assert max(result["points"][-1]["cut"]) > 0
    assert result["commands_per_second"] > 0
    assert result["ratios"].keys() == {"time", "memory", "disk"}
    assert result["verified"] == {"replicas_agree": True, "acknowledged": 1 + 600}
    report.console().print(report.render(result))
    printed = capsys.readouterr().out
    assert "\x1b" not in printed
    assert "log cut" in printed
    assert "since the first snapshot" in printed
