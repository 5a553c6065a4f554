"""Orderings on small data: intervals, what counts as an order, and no figure without evidence."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau, ttest_ind

from paper import load_ledger
from paper.expressions import compile_expr
from report.judge.orderings import gap, is_relational, judge, orderings, relational_claims
from report.judge.spread import pooled

values = st.lists(st.floats(0, 100).map(lambda v: round(v, 3)), min_size=2, max_size=5)


@given(values, values)
def test_without_a_pooled_spread_intervals_are_welchs(a, b):
    difference, half, p = gap(a, b, 0.05)
    assert gap(b, a, 0.05) == (pytest.approx(-difference), pytest.approx(half), pytest.approx(p))
    if half > 1e-6:
        found = ttest_ind(a, b, equal_var=False)
        interval = found.confidence_interval(0.95)
        assert (difference - half, difference + half) == (pytest.approx(interval.low), pytest.approx(interval.high))
        assert p == pytest.approx(found.pvalue, abs=1e-9)


@given(values, values)
def test_with_two_rows_alone_the_pooled_spread_is_students(a, b):
    spread = pooled([a, b])
    if spread.alike and spread.sd > 1e-6:
        difference, half, p = gap(a, b, 0.05, spread)
        found = ttest_ind(a, b, equal_var=True)
        assert p == pytest.approx(found.pvalue, abs=1e-9)
        interval = found.confidence_interval(0.95)
        assert (difference - half, difference + half) == (pytest.approx(interval.low), pytest.approx(interval.high))


def test_one_seed_never_decides():
    assert gap([60.0], [10.0], 0.05) == (50.0, math.inf, 1.0)
    assert [judge(1, True), judge(-1, True), judge(1, False)] == ["holds", "fails", "underpowered"]


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
        row: [SimpleNamespace(values={"top1": v}, data=data, epochs=2, recipe="") for v in values]
        for row, values in top1.items()
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
    assert all(p.resolution for p in table.pairs)


def test_one_experiment_is_one_row_however_often_it_is_printed():
    """Table 7 prints (2, 2) twice; tau has an exact p."""
    tops = {"t7_j1_k1": 40.0, "t7_j2_k1": 41.0, "t5_dynamic_shift_max": 43.0, "t7_j1_k2": 42.0}
    found = runs(**{row: [v, v + 0.1, v + 0.2] for row, v in tops.items()})
    table = next(o for o in orderings(load_ledger(), found, 0.05) if o.table == "7")
    assert len(table.rows) == 4
    assert len(table.pairs) == 6
    expected = kendalltau([54.4, 55.9, 58.5, 55.5], [40.1, 41.1, 43.1, 42.1], method="exact")
    assert (table.tau, table.p) == (pytest.approx(expected.statistic), pytest.approx(expected.pvalue))


def test_statements_about_orders_are_corrected_over_their_family():
    ledger = load_ledger()
    found = runs(t6_a1=[50.0, 50.1, 50.2], t6_a2=[40.0, 40.1, 40.2], t6_a3=[41.0, 41.1, 41.2])
    claims = {c.id: c.verdict for c in relational_claims(ledger, found, 0.05)}
    assert claims == {"one_layer_after_depthwise": "holds"}
