"""Text of users: nothing moves the cursor, nothing is markup, and widths are those of the terminal."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from genpaxos.view.label import describe, pad, printable, shorten


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07name", "name"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("a\nb\tc\r", "a b c "),
        ("bell\x07\x00\x7f\x9b2J", "bell2J"),
        ("\u202egnp.exe", "gnp.exe"),
        ("zero\u200bwidth", "zerowidth"),
        ("\ud800half", "half"),
        ("[bold]x[/]", "[bold]x[/]"),
        ("漢字", "漢字"),
    ],
)
def test_what_moves_or_hides_is_taken_out(raw: str, shown: str) -> None:
    assert printable(raw) == shown


def test_ascii_terminals_see_escapes_instead_of_losing_letters() -> None:
    assert printable("caf\xe9", ascii_only=True) == "caf\\xe9"


@given(st.text())
def test_printable_text_has_no_control_or_format_characters(text: str) -> None:
    shown = printable(text)
    assert not [c for c in shown if unicodedata.category(c) in ("Cc", "Cf", "Cs")]
    assert printable(text, ascii_only=True).isascii()


@given(st.text().map(printable), st.integers(0, 30))
def test_shortened_text_fits_and_says_that_it_was_cut(text: str, width: int) -> None:
    short = shorten(text, width)
    assert cell_len(short) <= width
    assert short == text or width <= 1 or short.endswith("…")


@given(st.text().map(printable), st.integers(0, 30), st.sampled_from("<>^"))
def test_padded_text_has_exactly_the_width(text: str, width: int, align: str) -> None:
    assert cell_len(pad(shorten(text, width), width, align)) == width


def test_arguments_read_as_a_person_would_write_them() -> None:
    assert describe("set", ["k", 1, None, True, {"a": [1.5, "b"]}]) == 'set k 1 null true {"a":[1.5,"b"]}'
