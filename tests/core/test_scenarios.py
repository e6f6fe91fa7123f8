"""The scenario files: readable histories of small clusters, compared line by line.

After a change that is meant, ``pytest tests/core/test_scenarios.py --rewrite-scenarios`` writes them anew; read the
difference before committing it.
"""

from pathlib import Path

import pytest

from tests.core.script import play

SCENARIOS = sorted((Path(__file__).parent / "scenarios").glob("*.txt"))


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_a_scenario_runs_as_it_is_written(path: Path, request: pytest.FixtureRequest) -> None:
    expected = path.read_text(encoding="utf-8")
    played = play(expected)
    if request.config.getoption("--rewrite-scenarios"):
        path.write_text(played, encoding="utf-8")
    else:
        assert played == expected


def test_there_are_scenarios() -> None:
    assert len(SCENARIOS) >= 10


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_a_scenario_says_what_it_shows(path: Path) -> None:
    assert path.read_text(encoding="utf-8").startswith("# ")
