"""Each bug pattern is found from a seed that docs/bugs.md names, and that seed holds without the bug."""

from __future__ import annotations

from pathlib import Path

import pytest

from genpaxos.simulation.run import run
from genpaxos.simulation.swarm import draw_plan
from genpaxos.simulation.violations import Invariant
from tests.simulation import bug_table
from tests.simulation.bug_table import SEEDS_MAX, SERIES, Find, Row, publish, published
from tests.simulation.bugs import BUGS, Bug, caught

ROWS = published()


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.label)
def test_a_bug_is_found_and_its_seed_holds_without_it(bug: Bug) -> None:
    """A change of the protocol may lead a run past the bug, so any seed that found it will do."""
    plans = (draw_plan(seed) for seed in ROWS[bug.label].seeds)
    found = next((plan for plan in plans if caught(bug, plan)), None)
    assert found is not None, f"measure anew: python -m tests.simulation.bug_table {bug.label}"
    assert run(found).failure() is None


def test_the_page_names_all_twenty_and_each_is_found_within_two_thousand_seeds() -> None:
    assert [(row.label, row.pattern) for row in ROWS.values()] == [(bug.label, bug.pattern) for bug in BUGS]
    assert {int(bug.label.rstrip("ab")) for bug in BUGS} == set(range(1, 21))
    for row in ROWS.values():
        assert row.found == len(SERIES)
        assert 1 <= row.least <= row.median <= row.most <= SEEDS_MAX
        assert row.invariant in {invariant.name.lower() for invariant in Invariant}


def test_a_row_says_what_the_series_come_to() -> None:
    finds = [Find(20, 7, "quorum"), Find(0, 5, "learned"), Find(10, 3, "quorum"), Find(30, 2000, None)]
    row = Row.of(BUGS[0], finds)
    assert (row.median, row.least, row.most, row.found) == (7, 3, 2000, 3)
    assert (row.invariant, row.seeds) == ("quorum", (4, 12, 26))
    assert Row.parse(str(row)) == row


def test_a_hunt_that_finds_nothing_says_so() -> None:
    honest = Bug("1", "nothing at all", lambda _: None)
    assert bug_table.hunt(honest, 0, 2) == Find(0, 2, None)


def test_rows_are_put_into_the_page_and_the_others_stay(tmp_path: Path) -> None:
    page = tmp_path / "bugs.md"
    page.write_text(bug_table.PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    other = Row.of(BUGS[3], [Find(0, 9, "once")])
    publish({other.label: other}, page)
    assert published(page) == {**ROWS, other.label: other}
