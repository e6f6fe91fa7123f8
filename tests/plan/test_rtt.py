"""Files of round trips: every form that people write, and every mistake with its line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genpaxos.plan import RoundTrips, RttError, parse_rtt, read_rtt
from tests.plan.wan import FIVE, five

THREE = RoundTrips(("VA", "CA", "OR"), ((0.0, 60.0, 70.5), (60.0, 0.0, 20.0), (70.5, 20.0, 0.0)))


@pytest.mark.parametrize(
    "text",
    [
        "VA-CA 60\nVA-OR 70.5\nCA-OR 20",
        "# measured on a Monday\n\nVA CA 60\nOR VA 70.5   # from the other end\nCA OR 20 ms\n",
        "VA,CA,60ms\nVA, OR, 70.5\nCA,OR,20\nCA,OR,20.0\nOR,OR,0",
        "VA-CA,60\nVA-OR,70.5\nCA-OR,20",
        "VA CA OR\nVA 0 60 70.5\nCA 60 0 20\nOR 70.5 20 0",
        "rtt VA CA OR\nVA 0 60 70.5\nCA 60 0 20\nOR 70.5 20 0",
        ",VA,CA,OR\nVA,0,60,70.5\nCA,,,20\nOR,,,",
        "VA CA OR\nVA\nCA 60\nOR 70.5 20",
        "VA CA OR\nCA 60\nOR 70.5 20",
        "VA CA OR\nVA - 60 70.5\nCA - - 20",
        "VA\tCA\tOR\r\nVA\t0\t60\t70.5\r\nOR\t70.5\t20\t0\r\n",
    ],
)
def test_a_matrix_and_lines_of_pairs_say_the_same(text: str) -> None:
    assert parse_rtt(text, "x") == THREE


def test_the_regions_stand_in_the_order_in_which_they_appear() -> None:
    assert five().regions == ("VA", "CA", "OR", "JP", "EU")
    assert five().longest_ms == 220


def test_names_with_dashes_are_written_apart() -> None:
    assert parse_rtt("us-east-1 eu-west-1 75", "x").regions == ("us-east-1", "eu-west-1")


@pytest.mark.parametrize(
    ("text", "line", "hint"),
    [
        ("", None, "nothing is in it: expected a matrix under a heading of regions, or lines like 'VA-CA 60'"),
        ("# 60\n\n", None, "nothing is in it"),
        ("VA-CA 60\nVA-OR sixty", 2, "'sixty' is no number of milliseconds"),
        ("VA-CA 60\nVA-OR nan", 2, "'nan' is no number of milliseconds"),
        ("VA-CA 60\nVA-OR -5", 2, "a round trip of -5 ms: expected 0 to 60000"),
        ("VA-CA 60001", 1, "a round trip of 60001 ms: expected 0 to 60000"),
        ("VA-CA 60\nVA-OR 70", None, "1 of the 3 round trips between 3 regions are missing: CA-OR"),
        ("VA-CA 60\nCA-VA 61", 2, "CA-VA is 61 ms here and 60 on line 1: a round trip takes the same from both ends"),
        ("VA-CA 60\nVA-VA 1", 2, "VA is 1 ms away from itself: expected 0"),
        ("VA-CA 60\nVA 60", 2, "'VA 60' is no pair of regions with a number: expected 'VA-CA 60'"),
        ("VA CA OR 60", 1, "'VA CA OR 60' is no pair of regions with a number"),
        ("60", 1, "'60' is no pair of regions"),
        ("us-east-eu-west 75", 1, "'us-east-eu-west' has several dashes: write the two regions apart"),
        ("V*-CA 60", 1, "'V*' is no name of a region"),
        ("VA-CA-60", 1, "'VA-CA-60' is a heading without rows; in a file of pairs a line is like 'VA-CA 60'"),
        ("VA-CA sixty\nVA-OR 70", 2, "in a file of pairs, every line is like 'VA-CA 60'"),
        ("VA CA\nVA 0 60\nJP 60 0", 3, "'JP' is no region of the heading (VA, CA)"),
        ("VA CA\nVA 0 60\nVA 0 60", 3, "a second row for VA"),
        ("VA CA\nVA 0 60 70", 2, "3 numbers in the row of VA, but 2 regions in the heading"),
        ("VA CA VA\nVA 0 60", 1, "the heading names VA twice"),
        ("VA CA\nVA 0 60\nCA 61 0", 3, "CA-VA is 61 ms here and 60 on line 2"),
        ("VA CA\nVA 5 60", 2, "VA is 5 ms away from itself"),
        ("VA CA\nVA 0 x", 2, "'x' is no number of milliseconds"),
        ("VA CA OR\nVA 0 60 70\nCA 60 0", None, "are missing: CA-OR"),
        ("\n".join(f"A B{n} 1" for n in range(13)), None, "14 regions: expected 2 to 13, one replica in each"),
        ("A A 0", None, "1 regions: expected 2 to 13"),
        ("\n".join(f"A B{n} 1" for n in range(5)), None, "B0-B1, B0-B2, B0-B3, B0-B4, B1-B2 and 5 more"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_what_belongs_there(text: str, line: int | None, hint: str) -> None:
    place = "rtt.txt: " if line is None else f"rtt.txt, line {line}: "
    with pytest.raises(RttError, match=re.escape(place) + ".*" + re.escape(hint)):
        parse_rtt(text, "rtt.txt")


@given(st.one_of(st.text(max_size=60), st.text("VACOR-, .\n0123#", max_size=60)))
def test_any_text_is_round_trips_or_a_complaint(text: str) -> None:
    try:
        found = parse_rtt(text, "x")
    except RttError:
        return
    assert len(found.regions) >= 2
    assert found.ms == tuple(zip(*found.ms, strict=True))


def test_a_file_is_read_and_one_that_is_no_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "rtt.txt"
    file.write_text("\ufeff" + FIVE, encoding="utf-8")
    assert read_rtt(str(file)) == five()
    file.write_bytes(b"VA-CA 60 \xff")
    with pytest.raises(RttError, match=r"rtt\.txt is no text in UTF-8"):
        read_rtt(str(file))
    with pytest.raises(FileNotFoundError):
        read_rtt(str(tmp_path / "nothing"))
