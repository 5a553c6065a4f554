"""Orderings on small data: intervals, what counts as an order, and no figure without evidence."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_ind

from paper import load_ledger
from paper.expressions import compile_expr
from report.judge.orderings import gap, is_relational, judge, orderings, relational_claims

values = st.lists(st.floats(0, 100).map(lambda v: round(v, 3)), min_size=2, max_size=5)


@given(values, values)
def test_intervals_are_welchs(a, b):
    difference, half = gap(a, b, 0.05)
    assert gap(b, a, 0.05) == (pytest.approx(-difference), pytest.approx(half))
    if half > 1e-6:
        interval = ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
        assert (difference - half, difference + half) == (pytest.approx(interval.low), pytest.approx(interval.high))


def test_one_seed_never_decides():
    assert gap([60.0], [10.0], 0.05) == (50.0, math.inf)
    assert judge(50.0, math.inf) == "underpowered"
    assert [judge(1, 0.5), judge(-1, 0.5), judge(1, 2)] == ["holds", "fails", "underpowered"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("t5_relu.top1 < t5_se_relu.top1", True),
        ("t6_a1.top1 > max(t6_a2.top1, t6_a3.top1)", True),
        ("t5_relu.top1 > 50", False),
        ("t5_relu.params < t5_se_relu.params", False),
        ('agrees(t5_relu.top1, "51.7")', False),
        ("t5_relu.top1 - t5_se_relu.top1 > t6_a1.top1", False),
    ],
)
def test_only_orders_of_trained_cells_are_relational(text, expected):
    assert is_relational(compile_expr(text)) is expected


def runs(**top1):
    data = SimpleNamespace(name="cifar10")
    return {
        row: [SimpleNamespace(values={"top1": v}, data=data, epochs=2) for v in values] for row, values in top1.items()
    }


def test_orders_are_judged_with_their_uncertainty():
    found = runs(
        t5_relu=[40.0, 40.1, 40.2], t5_se_relu=[41.0, 41.1, 41.2], t5_dynamic_relu=[40.9, 41.3, 41.0],
        t5_dynamic_shift_max=[39.0, 39.1, 39.2],
    )  # fmt: skip
    table = next(o for o in orderings(load_ledger(), found, 0.05) if o.table == "5")
    verdicts = {(p.higher, p.lower): p.verdict for p in table.pairs}
    assert len(verdicts) == 6
    assert set(verdicts.values()) == {"holds", "fails", "underpowered"}
    assert -1 < table.tau < 1
    assert orderings(load_ledger(), runs(t5_relu=[40.0, 41.0]), 0.05) == []
    assert relational_claims(load_ledger(), {}, 0.05) == []
