"""``python -m bench wan``: its table, what is expected of etcd, and tiny real runs."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from bench import cli
from bench.errors import BenchError
from bench.publish import report
from bench.publish.report_wan import WanTable
from bench.wan import echo, measure
from bench.wan.engine import cluster_text
from bench.wan.etcd import best_leader, through_leader_ms
from bench.wan.options import WanOptions
from genpaxos.core.ballot import Policy
from genpaxos.plan import recommend
from genpaxos.runtime.config import ClusterConfig

NEAR = "A-B 4\nA-C 6\nB-C 10\n"


@pytest.fixture
def near(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three regions near each other, and no more preparation than a test needs."""
    monkeypatch.setattr(measure, "WARM_UP_S", 0.2)
    monkeypatch.setattr(echo, "CALIBRATION_ECHOES", 3)
    file = tmp_path / "rtt.txt"
    file.write_text(NEAR, encoding="utf-8")
    return file


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert cli.main(["wan", "--rounds", "1", "--seconds", "0.3", *arguments, "--json"]) == 0
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


@pytest.mark.cluster
def test_the_engine_waits_no_less_than_delays_make_it(near: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = run(capsys, "--rtt", str(near), "--against", "nobody", "--shares", "0,100")
    assert result["regions"] == ["A", "B", "C"]
    assert result["emulation"]["echoes"] >= 3
    assert result["ratios"] == {}
    assert result["options"] == {
        "rtt": str(near), "interference": [0, 1], "planned_for": 0.02, "against": [], "rounds": 1, "seconds": 0.3,
        "outstanding": 1, "seed": 1,
    }  # fmt: skip
    engine = result["contenders"]["genpaxos"]
    best = recommend(WanOptions(trips=measure_trips(near)).trips, policies=[Policy.LEADER_ORDERED]).best
    assert engine["coordinator"] == "ABC"[best.coordinator]
    assert engine["pinned"] == ["ABC"[node] for node in best.pinned]
    assert [share["interference"] for share in engine["shares"]] == [0, 1]
    for share in engine["shares"]:
        for region, figures in share["per_region"].items():
            least_ms = result["lower_bound"]["per_region"][region]
            assert figures["p50_ms"]["median"] > least_ms - 2 * echo.LEAD_MS_MAX
            assert figures["p50_ms"]["median"] <= figures["p99_ms"]
            assert figures["commands"] > 0
    ran = sum(f["commands"] for share in engine["shares"] for f in share["per_region"].values())
    assert engine["verified"]["replicas_agree"]
    assert engine["verified"]["acknowledged"] > ran  # and what warmed it up


def measure_trips(file: Path) -> Any:
    from genpaxos.plan import read_rtt

    return read_rtt(str(file))


@pytest.mark.cluster
@pytest.mark.skipif(shutil.which("etcd") is None, reason="etcd is not installed")
def test_etcd_is_led_from_the_best_region_behind_the_same_delays(
    near: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = run(capsys, "--rtt", str(near), "--against", "etcd", "--shares", "0")
    peer = result["contenders"]["etcd"]
    assert peer["coordinator"] == "A"
    assert "heartbeat 100 ms and election 1000 ms" in peer["about"]
    assert list(result["ratios"]) == ["etcd at 0"]
    [share] = peer["shares"]
    planned_ms = {region: figures["planned_ms"] for region, figures in share["per_region"].items()}
    assert planned_ms == {"A": 4, "B": 8, "C": 10}
    for figures in share["per_region"].values():
        assert figures["p50_ms"]["median"] > figures["planned_ms"] - 4 * echo.LEAD_MS_MAX
    assert peer["verified"]["members_agree"]
    report.console().print(report.render(result))
    assert "verified" in capsys.readouterr().out


# Without processes --------------------------------------------------------------------------------------------------


def test_etcd_costs_the_way_to_its_leader_and_the_leaders_to_its_nearest_majority() -> None:
    trips = WanOptions().trips
    assert trips.regions[best_leader(trips)] == "CA"
    assert through_leader_ms(trips, best_leader(trips)) == [120, 60, 80, 170, 200]


@pytest.mark.parametrize("policy", list(Policy))
def test_the_cluster_file_has_the_plans_lines(policy: Policy, tmp_path: Path) -> None:
    found = recommend(WanOptions().trips, policies=[policy])
    file = tmp_path / "cluster.toml"
    file.write_text(cluster_text(found, range(7000, 7005)), encoding="utf-8")
    config = ClusterConfig.load(file)
    assert (config.policy, config.preference, config.pinned) == (policy, found.preference, found.best.pinned)
    assert (config.timing.watermark_ms, config.timing.retry_ms, config.snapshot_commands) == (0, 220, 0)
    assert [replica.address for replica in config.replicas] == [f"tcp://127.0.0.1:{port}" for port in range(7000, 7005)]


def figures(median: float, planned: float) -> dict[str, Any]:
    return {"p50_ms": {"median": median, "low": median - 1, "high": median + 1}, "planned_ms": planned}


def result(*names: str) -> dict[str, Any]:
    share = {
        "interference": 0.02,
        "mean_ms": {"median": 106.0, "low": 105.0, "high": 107.0},
        "planned_mean_ms": 102.5,
        "per_region": {"VA": figures(74.0, 70), "EU": figures(138.0, 135)},
        "cpu_cores": {"replica 0": 0.1, "replica 1": 0.12, "client": 0.05, "proxy": 0.2, "others": 0.01},
    }
    contender = {
        "about": "as it is", "coordinator": "VA", "pinned": ["VA", "EU"], "verified": {"acknowledged": 1234},
        "shares": [share, {**share, "interference": 1.0}],
    }  # fmt: skip
    return {
        "options": {"rtt": "two", "interference": [0.02, 1.0], "outstanding": 1, "rounds": 3, "seconds": 4.0},
        "regions": ["VA", "EU"],
        "lower_bound": {"mean_ms": 100.0, "per_region": {"VA": 70.0, "EU": 130.0}},
        "tolerance_ms": 5.0,
        "emulation": {"echoes": 99, "late_ms": {"p1": -0.1, "p50": 0.25, "p99": 1.5, "most": 9.0}},
        "ratios": {"classic at 0.02": 1.25},
        "contenders": dict.fromkeys(names, contender),
    }


def shown(width: int, *names: str, **settings: Any) -> str:
    out = io.StringIO()
    Console(file=out, width=width, no_color=False, **settings).print(WanTable(result(*names)))
    return out.getvalue()


def test_the_table_puts_regions_in_rows_and_shares_in_columns_with_the_mean_last() -> None:
    text = shown(120, "genpaxos", "classic")
    lines = text.splitlines()
    assert any(line.split() == ["region", "bound", "2%", "100%", "2%", "100%"] for line in lines)
    assert any(line.split()[:6] == ["VA", "70", "74.0", "(70)", "74.0", "(70)"] for line in lines)
    assert any(line.split()[:4] == ["mean", "100", "106.0", "(102.5)"] for line in lines)
    assert "73.0–75.0" in text
    assert "0.25 ms later than the matrix says (p99 1.50, at most 9.00)" in " ".join(text.split())
    assert "mean wait with classic, as a ratio to that with genpaxos: 1.25 at 2%" in text
    assert "led by VA, pinning VA-EU; cores: replicas 0.22, clients 0.05, proxy 0.20, others 0.01" in text
    assert "\x1b" not in text


@pytest.mark.parametrize("width", [34, 50, 80])
def test_on_a_narrow_console_contenders_stand_beneath_each_other_and_no_line_is_broken(width: int) -> None:
    text = shown(width, "genpaxos", "classic")
    assert text.count("region") >= 2
    assert max(map(len, text.splitlines())) <= width
    rows = [line for line in text.splitlines() if line.strip().startswith("VA ")]
    assert len(rows) == 2
    assert all("74.0" in row for row in rows)
    assert any("(70)" in row for row in rows) == (width > 34)


def test_colour_says_how_near_the_bound_and_the_plan_a_figure_is() -> None:
    text = shown(120, "genpaxos", force_terminal=True, color_system="standard")
    green, yellow = "\x1b[1;32m", "\x1b[1;33m"
    assert f"{green}74.0" in text
    assert f"{yellow}138.0" in text
    found = result("genpaxos")
    found["contenders"]["genpaxos"]["shares"][0]["per_region"]["EU"] = figures(141.0, 135)
    out = io.StringIO()
    Console(file=out, width=120, no_color=False, force_terminal=True, color_system="standard").print(WanTable(found))
    assert "\x1b[1;31m141.0" in out.getvalue()


def test_round_trips_that_cannot_be_read_and_shares_that_are_none_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["wan", "--rtt", str(tmp_path / "none.txt")]) == 1
    assert "cannot read the round trips" in capsys.readouterr().err
    file = tmp_path / "rtt.txt"
    file.write_text("VA CA sixty", encoding="utf-8")
    assert cli.main(["wan", "--rtt", str(file)]) == 1
    assert "rtt.txt" in capsys.readouterr().err
    for arguments, why in ((["--shares", "0,101"], "101 is not between 0 and 100"), (["--seconds", "0"], "0 is not")):
        with pytest.raises(SystemExit):
            cli.main(["wan", *arguments])
        assert why in capsys.readouterr().err


def test_whoever_else_coordinates_or_is_pinned_ends_the_run() -> None:
    from bench.wan.engine import unlike_plan

    best = recommend(WanOptions().trips).best
    rows = [{"node": node, "coordinator": 2, "pinned": [0, 1, 2]} for node in range(5)]
    assert unlike_plan(best, rows) == ""
    assert "replica 2 should coordinate" in unlike_plan(best, [{**row, "coordinator": 1} for row in rows])
    assert "should be pinned" in unlike_plan(best, [{**row, "pinned": [1, 2, 3]} for row in rows])
    assert unlike_plan(best, [BenchError("no answer"), *rows[1:]]) == "no answer"
