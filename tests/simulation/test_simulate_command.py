"""``genpaxos simulate`` as a user runs it."""

from __future__ import annotations

import pytest

from tests.cli.running import answer, complaint, genpaxos


def test_many_seeds_are_told_as_one_json_value() -> None:
    found = answer("simulate", "--seeds", 3, "--from", 5, "--workers", 1)
    assert {"seeds", "violations", "marks", "simulated_seconds", "seconds", "failures"} <= found.keys()
    assert (found["seeds"], found["from"], found["violations"], found["failures"]) == (3, 5, 0, [])


def test_many_seeds_are_told_to_people_with_every_mark() -> None:
    done = genpaxos("simulate", "--seeds", 2, "--workers", 1, COLUMNS="120")
    assert (done.returncode, done.stderr) == (0, "")
    assert "2 seeds from 0, no violations" in done.stdout
    assert "never" in done.stdout
    assert "× real time" in done.stdout
    assert "\x1b" not in done.stdout


def test_one_seed_is_replayed_with_its_trace() -> None:
    done = genpaxos("simulate", "--seed", 7, "--trace", COLUMNS="120")
    assert (done.returncode, done.stderr) == (0, "")
    assert "phase2a(" in done.stdout
    assert "every invariant held" in done.stdout
    assert answer("simulate", "--seed", 7)["violations"] == 0


@pytest.mark.parametrize("arguments", [("--seed", 1, "--seeds", 2), ("--seeds", 0), ("--policy", "none")])
def test_wrong_usage_is_said_so(arguments: tuple[object, ...]) -> None:
    assert "usage: genpaxos simulate" in complaint("simulate", *arguments, status=2)
