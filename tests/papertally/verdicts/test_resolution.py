"""What a test set resolves, against scipy's tests on drawn images."""

from __future__ import annotations

import pytest
from helpers import MICRONET
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from papertally.ledger.load import load_ledger
from papertally.statements.expressions import compile_expr
from papertally.verdicts.resolution import printed_orders, resolution, unresolved


@pytest.mark.parametrize(("gap", "disagree"), [(0.1, 1.3), (0.4, 20.8), (0.5, 32.5)])
def test_the_paired_bound_of_50000_images(gap, disagree):
    assert resolution(51.7, 51.7 - gap, 50_000).disagree == pytest.approx(disagree, abs=0.05)


@given(st.integers(1, 400), st.integers(0, 400), st.integers(1200, 50_000))
def test_the_bound_is_where_mcnemar_turns_significant(right, wrong, images):
    """right, wrong: images on which only the first, only the second network is right."""
    right += wrong
    share, gap = (right + wrong) / images, (right - wrong) / images
    z = gap / ((share - gap**2) / images) ** 0.5 if share > gap**2 else float("inf")
    found = resolution(50 + 100 * gap, 50.0, images)
    if abs(z - norm.ppf(0.975)) > 1e-6:
        assert (share * 100 <= found.disagree) == (z >= norm.ppf(0.975))


def test_the_papers_close_orders():
    ledger = load_ledger(MICRONET)
    for text, found in (
        ("t4b_l1.top1 > t4b_l0_5.top1", True), ("t5_dynamic_shift_max.top1 > t5_relu.top1", False),
        ("t9_micronet_m3.miou > t9_mobilenetv3.miou", False), ("t4b_l1.top1 > 50", False),
    ):  # fmt: skip
        assert bool(unresolved(ledger, compile_expr(text))) is found
    line = unresolved(ledger, compile_expr("t4b_l1.top1 > max(t4b_l0_5.top1, t4b_l4.top1)"))
    assert line == [
        "top1 51.7 against 51.6, 0.1 points: below the 0.62 that 50,000 images resolve unpaired; paired, only if the "
        "two disagree on at most 1.3 % of them"
    ]
    assert list(printed_orders(ledger, compile_expr("t4b_l1.madds > t4b_l0_5.madds"))) == []
