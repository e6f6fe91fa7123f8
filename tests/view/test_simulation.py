"""What simulated runs found, as people read it."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console, RenderableType

from genpaxos.core.ballot import Policy
from genpaxos.simulation.campaign import Selection, run_seeds
from genpaxos.simulation.marks import Mark
from genpaxos.simulation.run import run
from genpaxos.simulation.shrink import shrink
from genpaxos.simulation.swarm import Climate, draw_plan
from genpaxos.simulation.violations import Invariant
from genpaxos.view.simulation import CampaignView, RunView
from tests.simulation import mutations

MARKS = {mark.name.lower(): str(mark) for mark in Mark}
INVARIANTS = {invariant.name.lower(): str(invariant) for invariant in Invariant}


def drawn(view: RenderableType, width: int = 120, *, color: bool = False) -> str:
    console = Console(
        file=io.StringIO(), width=width, force_terminal=color, color_system="truecolor" if color else None
    )
    console.print(view)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def campaign(**changed: Any) -> dict[str, Any]:
    found = {
        "seeds": 500,
        "from": 0,
        "violations": 0,
        "marks": {name: 0 if name == "torn_cut" else 1_234 for name in MARKS},
        "simulated_seconds": 5_000.0,
        "seconds": 25.0,
        "ratio": 200.0,
        "seeds_per_hour": 72_000,
        "workers": 2,
        "events": 1_000_000,
        "committed": 20_000,
        "recovery_worst": 0.31,
        "failures": [],
    }
    return {**found, **changed}


@pytest.mark.parametrize("width", [60, 120, 200])
def test_every_mark_stands_with_its_count_and_what_it_means(width: int) -> None:
    text = drawn(CampaignView(campaign(), MARKS, INVARIANTS), width)
    words = " ".join(text.split())
    assert words.count("1,234") == len(MARKS) - 1
    assert max(map(len, text.splitlines())) <= width
    if width == 200:
        assert "never a torn write is cut off at the start" in words
    assert "500 seeds from 0, no violations" in words
    assert "200 × real time, 72,000 seeds per hour" in words
    assert "slowest recovery 31% of its bound" in words


def test_what_was_never_reached_stands_out_in_colour() -> None:
    text = drawn(CampaignView(campaign(), MARKS, INVARIANTS), color=True)
    (line,) = [line for line in text.splitlines() if "a torn write is cut off" in line]
    assert "\x1b[1;33mnever" in line


def test_a_failure_says_what_is_broken_how_to_see_it_again_and_what_little_it_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mutations.commands_run_twice(monkeypatch)
    outcomes = (run(draw_plan(seed)) for seed in range(20))
    outcome, failure = next((outcome, failure) for outcome in outcomes if (failure := outcome.failure()) is not None)
    failure["shrunk"] = shrink(outcome, runs_max=3).to_json()
    text = drawn(CampaignView(campaign(violations=1, failures=[failure]), MARKS, INVARIANTS))
    assert "500 seeds from 0, 1 violation" in text
    assert f"seed {outcome.plan.seed}: " in text
    assert f"broken: {INVARIANTS[failure['invariant']]}" in text
    assert f"genpaxos simulate --seed {outcome.plan.seed} --trace" in text
    assert "shrunk, in 3 runs, to:" in text
    assert "the last events; milliseconds since" in text


def test_one_run_tells_its_world_and_its_end() -> None:
    outcome = run(draw_plan(3, Climate.DUEL, Policy.CLASSIC))
    text = drawn(RunView(outcome.to_json(), MARKS, INVARIANTS))
    assert f"{outcome.plan.replicas} replicas, classic" in text
    assert "every invariant held" in text
    assert f"{len(outcome.log)} commands committed" in text
    assert "never" not in text, "of one run only the marks it reached are shown"


def test_the_json_that_is_drawn_is_the_json_that_is_printed() -> None:
    report = run_seeds(range(1), Selection())
    report.seconds = 1.0
    assert "1 seed from 0" in drawn(CampaignView(report.to_json(), MARKS, INVARIANTS))
