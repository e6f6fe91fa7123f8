from __future__ import annotations

import json

from tests.cli.running import genpaxos


def test_a_small_scope_is_explored_to_its_end() -> None:
    done = genpaxos("explore", "--policy", "classic", "--ballots", 1, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert (found["complete"], found["violation"]) == (True, None)
    assert found["states"] > 100


def test_a_scope_that_is_not_finished_says_so_and_is_no_pass() -> None:
    done = genpaxos("explore", "--states-max", 1_000)
    assert (done.returncode, done.stderr) == (1, "")
    assert "no violation in what was visited; ended by: 1000 states" in done.stdout
    assert "\x1b" not in done.stdout
