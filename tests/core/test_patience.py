"""When what was asked for is asked for again."""

from __future__ import annotations

from itertools import pairwise

from genpaxos.core.patience import REPETITIONS_MAX, Patience


def asks(patience: Patience, what: object, until_ms: int, start_ms: int = 0) -> list[int]:
    """When a clock that ticks every 10 ms makes it ask."""
    return [at for at in range(start_ms, until_ms, 10) if patience.due(what, at)]


def test_a_question_is_repeated_less_and_less_often_but_never_given_up() -> None:
    times = asks(Patience(100), "a", 5_000)
    gaps = [after - before for before, after in pairwise(times)]
    assert times[:2] == [0, 90]
    assert gaps == sorted(gaps)
    assert gaps[-1] == gaps[-2] == REPETITIONS_MAX * 90


def test_something_new_is_asked_for_at_once() -> None:
    patience = Patience(100)
    assert patience.due("a", 0)
    assert not patience.due("a", 1)
    assert patience.due("b", 1)
    assert patience.due("a", 2)


def test_what_an_answer_took_is_waited_for_from_then_on_whichever_repetition_it_answered() -> None:
    patience = Patience(100)
    assert asks(patience, "a", 400) == [0, 90, 270]
    patience.answered(400)
    assert asks(patience, "b", 1_300, 400) == [400, 1_200]


def test_another_may_be_asked_at_once_when_the_first_is_gone() -> None:
    patience = Patience(100)
    assert patience.due("a", 0)
    patience.answered(180)
    assert patience.due("b", 200)
    assert not patience.due("b", 300)
    patience.forget()
    assert patience.due("b", 300)
    assert patience.due("b", 390)


def test_what_comes_long_after_a_question_was_given_up_says_nothing_about_answers() -> None:
    patience = Patience(100)
    assert patience.due("a", 0)
    patience.answered(5_000)
    assert asks(patience, "b", 5_100, 5_000) == [5_000, 5_090]


def test_only_the_first_answer_to_a_question_counts() -> None:
    patience = Patience(100)
    assert patience.due("a", 0)
    patience.answered(10)
    patience.answered(150)
    assert asks(patience, "b", 400, 200) == [200, 290]


def test_losses_are_not_taken_for_slowness_but_slowness_is_learned() -> None:
    lossy = Patience(100)
    assert asks(lossy, "a", 2_000)[-1] > 1_000
    lossy.answered(2_000)
    assert asks(lossy, "b", 3_000, 2_000)[1] - 2_000 <= REPETITIONS_MAX * 100
    slow = Patience(100)
    gaps, now_ms = [], 0
    for question in range(5):
        times = asks(slow, question, now_ms + 2_500, now_ms)
        gaps.append(len(times))
        now_ms += 2_500
        slow.answered(now_ms)
    assert gaps[0] > 2
    assert gaps[-1] == 1, "an answer takes so long, and is asked for once"
