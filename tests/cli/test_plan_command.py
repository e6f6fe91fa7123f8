from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path

import pytest

from genpaxos.cli import main
from tests.cli.running import answer, command, complaint, environment, genpaxos
from tests.plan.wan import FIVE


@pytest.fixture
def five(tmp_path: Path) -> Path:
    (tmp_path / "rtt.txt").write_text(FIVE)
    return tmp_path


def test_the_recommendation_for_five_regions(five: Path) -> None:
    found = answer("plan", "rtt.txt", cwd=five)
    best = found["recommended"]
    assert (best["coordinator"], best["pinned"]) == ("OR", ["VA", "CA", "OR"])
    assert (best["mean_ms"]["0"], best["mean_ms"]["100"]) == (90.5, 94.5)
    assert found["plans"][0] == best
    assert len(found["plans"]) == 6
    assert found["lower_bound"]["mean_ms"] == 88
    assert found["interference_percent"] == 2


def test_people_get_a_table_and_lines_to_copy_however_narrow_the_terminal(five: Path) -> None:
    done = genpaxos("plan", "rtt.txt", cwd=five, COLUMNS="30")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    lines = tomllib.loads(done.stdout.partition("For the cluster file:\n")[2])
    assert lines["cluster"]["preference"] == [2, 1, 0, 3, 4]
    assert lines["cluster"]["pinned"] == [0, 1, 2]
    assert lines["timing"] == {"watermark_ms": 0, "retry_ms": 220, "stagger_ms": 440}


def test_the_options_say_what_is_planned_for(five: Path) -> None:
    found = answer("plan", "rtt.txt", "--interference", 100, "--limit", 2, cwd=five)
    assert (found["recommended"]["coordinator"], len(found["plans"])) == ("CA", 2)
    found = answer("plan", "rtt.txt", "--policy", "classic", "--policy", "coordinated", cwd=five)
    assert [plan["policy"] for plan in found["by_policy"]] == ["classic", "coordinated"]


def test_round_trips_come_through_a_pipe_too() -> None:
    done = subprocess.run(
        command("plan", "-", "--json"), input=FIVE, capture_output=True, text=True, env=environment(), check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_what_cannot_be_planned_is_one_line(five: Path) -> None:
    (five / "wrong.txt").write_text("VA-CA 60\nVA-OR minus\n")
    assert complaint("plan", "wrong.txt", cwd=five) == (
        "genpaxos: wrong.txt, line 2: 'minus' is no number of milliseconds\n"
    )
    assert "No such file" in complaint("plan", "nothing.txt", cwd=five)


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        ([], "RTT-FILE"),
        (["x", "--interference", "101"], "101 is not between 0 and 100"),
        (["x", "--interference", "nan"], "nan is not between 0 and 100"),
        (["x", "--limit", "0"], "0 is not 1 or more"),
        (["x", "--policy", "fast"], "invalid choice: 'fast'"),
    ],
)
def test_wrong_usage_says_what_is_right(arguments: list[str], hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["plan", *arguments])
    assert end.value.code == 2
    assert hint in capsys.readouterr().err
