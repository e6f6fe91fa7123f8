"""Medians, ranges and quantiles."""

from __future__ import annotations

import pytest

from bench.harness.stats import Spread, quantile


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([7.0], 0.5, 7.0),
        ([7.0], 0.99, 7.0),
        ([4.0, 1.0, 3.0, 2.0], 0.5, 2.0),
        ([4.0, 1.0, 3.0, 2.0], 0.51, 3.0),
        ([4.0, 1.0, 3.0, 2.0], 0.0, 1.0),
        ([4.0, 1.0, 3.0, 2.0], 1.0, 4.0),
        ([float(n) for n in range(1, 101)], 0.5, 50.0),
        ([float(n) for n in range(1, 101)], 0.99, 99.0),
    ],
)
def test_a_quantile_is_the_smallest_value_that_so_many_do_not_exceed(
    values: list[float], share: float, expected: float
) -> None:
    assert quantile(values, share) == expected


def test_there_is_no_quantile_of_nothing() -> None:
    with pytest.raises(ValueError, match="no values"):
        quantile([], 0.5)


def test_the_median_of_an_even_number_lies_between_the_middle_ones() -> None:
    spread = Spread.of([4.0, 1.0, 10.0, 2.0])
    assert (spread.median, spread.low, spread.high) == (3.0, 1.0, 10.0)


def test_a_spread_as_json_and_as_text() -> None:
    spread = Spread.of([1234.5678, 1000.0, 2000.0])
    assert spread.to_json(1) == {"median": 1234.6, "low": 1000.0, "high": 2000.0}
    assert spread.text() == "1,235 (1,000–2,000)"
