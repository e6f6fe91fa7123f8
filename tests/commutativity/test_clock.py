"""The time of a check is shared out: a part that is slow leaves some to the others, and what was found is told."""

from __future__ import annotations

import math
import types
from typing import Any

import pytest

from commutativity import CommutativityTable, Machine, operation
from commutativity.check import CheckReport, Conclusion, Scope, check
from commutativity.checking import clock, survey
from commutativity.checking.clock import Clock, OutOfTime

NOW_S = [0.0]


@pytest.fixture(autouse=True)
def time_that_operations_take(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only operations take time, so that a check goes the same way on every machine."""
    NOW_S[0] = 0.0
    monkeypatch.setattr(clock, "time", types.SimpleNamespace(monotonic=lambda: NOW_S[0]))


def spend(seconds: float) -> None:
    NOW_S[0] += seconds


class Slow(Machine):
    """A scope that takes minutes, and names that are folded only beyond it."""

    table = CommutativityTable({"put": ["put"]})

    def __init__(self) -> None:
        self.values: dict[str, int] = {}

    @operation(name="put")
    def put(self, name: str, value: int, other: int) -> None:
        spend(0.001)
        self.values[name] = value + other


class SlowAndFolding(Slow):
    @operation(name="put")
    def put(self, name: str, value: int, other: int) -> None:
        spend(0.001)
        self.values[name.lower()] = value + other


def test_a_part_of_the_time_is_over_before_the_whole() -> None:
    measured = Clock(1_000)
    spend(1)
    with measured.until(0.0), pytest.raises(OutOfTime):
        measured.check()
    measured.check()
    with measured.until(0.0), measured.stopped():
        measured.check()
    assert 0 < measured.left_s() <= 1_000
    assert Clock(math.inf).left_s() == math.inf


def test_a_slow_scope_leaves_time_to_the_other_parts() -> None:
    report = check(SlowAndFolding, scope=Scope(depth=3, seconds_max=30), examples=0, hash_seeds=False)
    assert report.conclusion is Conclusion.REFUTED, str(report)
    assert report.counterexample is not None
    assert report.beyond.spelling_pairs
    assert NOW_S[0] < 30


def test_what_was_not_finished_for_lack_of_time_is_said() -> None:
    report = check(Slow, scope=Scope(depth=3, seconds_max=2), examples=0, hash_seeds=False)
    assert report.conclusion is Conclusion.UNDECIDED, str(report)
    assert "time: of 2 s" in report.unfinished[0]
    assert NOW_S[0] < 2.1


def test_a_part_beyond_the_scope_that_was_cut_off_is_said() -> None:
    report = check(Slow, scope=Scope(depth=0, seconds_max=2), beyond=False, examples=100_000)
    assert report.conclusion is Conclusion.PROVED, str(report)
    assert any("the part 'examples' was not finished" in line for line in report.warnings())


def test_a_depth_that_was_not_given_is_what_the_time_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    def checked(seconds: float) -> CheckReport:
        NOW_S[0] = 0.0
        return check(Slow, scope=Scope(seconds_max=seconds), beyond=False, examples=0)

    shallow, deep = checked(9), checked(10_000)
    assert shallow.conclusion is deep.conclusion is Conclusion.PROVED, str(shallow)
    assert shallow.depth < deep.depth
    assert any("were not all found" in line for line in shallow.warnings())
    monkeypatch.setattr(survey, "REACHING", 0.9)
    between = checked(9)
    assert between.depth == shallow.depth
    assert between.states == shallow.states
    assert any("more states were tried in part" in line for line in between.warnings())


def test_a_counterexample_is_told_though_the_time_is_over_while_it_is_shrunk() -> None:
    class Rare(Machine):
        table = CommutativityTable({"add": []})

        def __init__(self) -> None:
            self.last: Any = 0

        @operation(everything="add")
        def add(self, amount: int) -> None:
            if amount > 20:
                spend(0.02)
                self.last = amount

    report = check(Rare, scope=Scope(seconds_max=3), beyond=False, examples=1_000)
    assert report.counterexample is not None, str(report)
