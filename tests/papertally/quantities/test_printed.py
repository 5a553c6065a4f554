"""A printed string is the interval of values that round to it."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from papertally.quantities.printed import parse_printed


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("2.4M", 2_350_000, 2_450_000),
        ("6M", 5_500_000, 6_500_000),
        ("0.81B", 805_000_000, 815_000_000),
        ("58.5", "58.45", "58.55"),
        ("33%", "32.5", "33.5"),
        ("57K", 56_500, 57_500),
    ],
)
def test_interval_is_half_a_unit_of_the_last_place(text, low, high):
    interval = parse_printed(text)
    assert (interval.low, interval.high) == (Decimal(str(low)), Decimal(str(high)))
    assert interval.low in interval
    assert interval.high not in interval


@given(st.decimals(0, 9999, places=6), st.integers(0, 3), st.sampled_from(["", "K", "M", "B"]))
def test_a_value_lies_in_the_interval_of_its_own_rounding(value, places, unit):
    printed = f"{value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP):f}{unit}"
    scale = parse_printed(f"1{unit}").value
    assert value * scale in parse_printed(printed)


@pytest.mark.parametrize(
    "text", ["", "2,4M", "2.M", "M", "–", "x", "<1", "75.0 (1.2)", "1,58M", "5-3", "12.3.4", "2.4m", "3-"]
)
def test_other_strings_are_refused(text):
    with pytest.raises(ValueError, match="no printed number"):
        parse_printed(text)
