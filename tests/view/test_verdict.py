"""The verdict: the overall answer, and every check with its sign."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genpaxos.view.verdict import VerdictView
from tests.view.snapshots import console, drawn, names, text_of

MIXED = VerdictView(
    {
        "every acknowledged command is in every history": (True, "1,000 of 1,000"),
        "replicas agree": (False, "replica 3 has another digest at index 812"),
        "money is conserved": (None, "no total was read"),
    }
)


def test_a_mixed_verdict() -> None:
    assert drawn(MIXED) == text_of(
        """
✓  every acknowledged command is in  1,000 of 1,000
   every history
✗  replicas agree                    replica 3 has another digest at index 812
?  money is conserved                no total was read
✗ 1 of 3 checks FAILED: replicas agree
"""
    )


@pytest.mark.parametrize(
    ("answers", "ok", "summary"),
    [
        ((True, True), True, "all 2 checks hold"),
        ((True, None), None, "undecided: 1 of 2 checks could not be decided: check 1"),
        ((None, False), False, "1 of 2 checks FAILED: check 1"),
        ((), None, "undecided: nothing was checked"),
    ],
)
def test_the_overall_answer(answers: tuple[bool | None, ...], ok: bool | None, summary: str) -> None:
    view = VerdictView({f"check {i}": (answer, "") for i, answer in enumerate(answers)})
    assert view.ok is ok
    assert view.summary == summary


@settings(deadline=None)
@given(
    st.dictionaries(names, st.tuples(st.none() | st.booleans(), st.text(max_size=80)), max_size=6),
    st.integers(40, 200),
    st.booleans(),
)
def test_any_verdict_is_drawn_within_the_console(
    checks: dict[str, tuple[bool | None, str]], width: int, plain: bool
) -> None:
    on = console(width)
    lines = on.render_lines(VerdictView(checks, ascii=plain), on.options, pad=False)
    assert all(sum(segment.cell_length for segment in line) <= width for line in lines)
    text = "".join(segment.text for line in lines for segment in line)
    assert "\x1b" not in text
    assert not plain or text.isascii()
