from __future__ import annotations

import io

import pytest
from rich.console import Console

from genpaxos.core.ballot import Policy
from genpaxos.plan import recommend
from genpaxos.view.plan import PlanView
from tests.plan.wan import five


def drawn(width: int = 100, *, color: bool = False, policies: tuple[Policy, ...] = tuple(Policy)) -> str:
    console = Console(
        file=io.StringIO(), width=width, force_terminal=color, color_system="truecolor" if color else None
    )
    console.print(PlanView(recommend(five(), policies=policies).to_json(3)))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_regions_are_rows_and_the_best_plan_is_the_first_column() -> None:
    lines = [line.split() for line in drawn().splitlines()]
    assert lines[0][:5] == ["✓", "leader-ordered,", "coordinated", "by", "OR,"]
    table = {line[0]: line[1:] for line in lines if line and line[0] in ("VA", "CA", "OR", "JP", "EU", "mean", "worst")}
    assert table["VA"] == ["70", "·", "75", "75", "75", "·", "137.5", "75", "·", "152.5", "70"]
    assert table["mean"] == ["90.5", "·", "94.5", "93", "115", "·", "146.5", "115", "·", "160.5", "88"]
    assert table["EU"][:1] == ["137.5"], "one number where both are the same"


def test_the_best_plans_are_listed() -> None:
    text = drawn()
    assert "The best 3 of 50 plans, by their mean at 2 %:" in text
    assert [line.split() for line in text.splitlines() if "CA-OR-JP" in line] == [
        ["leader-ordered", "CA", "CA-OR-JP", "92", "93", "140"]
    ]


@pytest.mark.parametrize(("width", "policies"), [(100, 4), (72, 3), (40, 1), (20, 1)])
def test_a_narrow_console_compares_fewer_policies(width: int, policies: int) -> None:
    text = drawn(width)
    assert max(map(len, text.splitlines())) <= width
    [line] = [line for line in text.splitlines() if line.split()[:1] == ["JP"]]
    if width > 20:
        assert len(line.replace("150 · 160", "150").replace("150 · 165", "150").split()) == 2 + policies


def test_one_policy_alone_is_shown_alone() -> None:
    text = drawn(policies=(Policy.CLASSIC,))
    assert "✓ classic, coordinated by CA: 93 ms on average" in text
    assert "leader-ordered" not in text


def test_colour_is_only_where_it_is_wanted() -> None:
    assert "\x1b" not in drawn()
    assert "\x1b[1;32m✓ leader-ordered" in drawn(color=True)
