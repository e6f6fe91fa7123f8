"""A planted bug: its failing plans are shrunk to what it takes, and the smaller plan still fails by itself."""

from __future__ import annotations

import pytest

from genpaxos.simulation.plan import Plan
from genpaxos.simulation.run import Outcome, run
from genpaxos.simulation.shrink import flow_of, shrink
from genpaxos.simulation.swarm import Climate, draw_plan
from genpaxos.view.flow import FlowView
from tests.simulation import mutations
from tests.simulation.hunting import hunt


@pytest.fixture
def failed(monkeypatch: pytest.MonkeyPatch) -> Outcome:
    """Learners count one vote too few; the error stays in for the test."""
    outcome = hunt(mutations.the_fast_threshold_is_one_less, range(20))
    assert outcome is not None
    mutations.the_fast_threshold_is_one_less(monkeypatch)
    return outcome


def test_a_failure_is_shrunk_to_a_handful_of_commands_and_faults_and_fails_alike(failed: Outcome) -> None:
    shrunk = shrink(failed, runs_max=60)
    assert shrunk.outcome.violation is not None
    assert failed.violation is not None
    assert shrunk.outcome.violation.invariant is failed.violation.invariant
    assert len(shrunk.plan.submissions) <= len(failed.plan.submissions) / 4
    assert len(shrunk.plan.faults) <= 3
    assert shrunk.plan.chaos_ms < failed.plan.chaos_ms
    again = run(shrunk.plan)
    assert again.failure() == shrunk.outcome.failure()


def test_what_is_left_is_told_in_words_and_drawn_as_a_message_flow(failed: Outcome) -> None:
    told = shrink(failed, runs_max=10).to_json()
    assert told["runs"] <= 10
    assert len(told["faults"]) == sum(told["plan"]["faults"].values())
    assert len(told["commands"]) == told["plan"]["commands"]
    view = FlowView.from_json(told["flow"])
    assert view.arrows
    assert told["failure"]["what"] in view.title


def test_shrinking_stops_when_its_runs_are_used_up(failed: Outcome) -> None:
    runs: list[Plan] = []

    def again(plan: Plan) -> Outcome:
        runs.append(plan)
        return run(plan)

    assert shrink(failed, runs_max=3, again=again).runs == len(runs) == 3


def test_a_plan_that_fails_in_another_way_is_not_taken_for_the_same(failed: Outcome) -> None:
    """Without any fault left the bug cannot show, and no plan that merely passes is taken."""
    shrunk = shrink(failed, runs_max=10, again=lambda plan: Outcome(plan, None, {}, 0.0, 0))
    assert shrunk.plan == failed.plan


def test_the_flow_of_a_run_shows_its_end() -> None:
    plan = draw_plan(1, Climate.ORDINARY)
    flow = flow_of(plan, last=20)
    assert len(flow["messages"]) + len(flow["notes"]) == 20
    assert flow["title"] == "no violation"
