"""Orderings on small data: intervals, what counts as an order, and no figure without evidence."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
from helpers import MICRONET
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau, ttest_ind

from papertally.evidence.examples import read_examples, write_examples
from papertally.evidence.schema import DataPin
from papertally.ledger.load import load_ledger
from papertally.statements.expressions import compile_expr
from papertally.verdicts.orderings import gap, is_relational, judge, orderings, relational_claims
from papertally.verdicts.spread import pooled

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
        row: [
            SimpleNamespace(values={"top1": v}, data=data, epochs=2, recipe="", params={}, environment={})
            for v in values
        ]
        for row, values in top1.items()
    }


def test_orders_are_judged_with_their_uncertainty():
    found = runs(
        t5_relu=[40.0, 40.1, 40.2], t5_se_relu=[41.0, 41.1, 41.2], t5_dynamic_relu=[40.9, 41.3, 41.0],
        t5_dynamic_shift_max=[39.0, 39.1, 39.2],
    )  # fmt: skip
    table = next(o for o in orderings(load_ledger(MICRONET), found, 0.05) if o.table == "5")
    verdicts = {(p.higher, p.lower): p.verdict for p in table.pairs}
    assert len(verdicts) == 6
    assert set(verdicts.values()) == {"holds", "fails", "underpowered"}
    assert -1 < table.tau < 1
    assert orderings(load_ledger(MICRONET), runs(t5_relu=[40.0, 41.0]), 0.05) == []
    assert relational_claims(load_ledger(MICRONET), {}, 0.05) == []
    assert all(p.resolution for p in table.pairs)


def test_one_experiment_is_one_row_however_often_it_is_printed():
    """Table 7 prints (2, 2) twice; tau has an exact p."""
    tops = {"t7_j1_k1": 40.0, "t7_j2_k1": 41.0, "t5_dynamic_shift_max": 43.0, "t7_j1_k2": 42.0}
    found = runs(**{row: [v, v + 0.1, v + 0.2] for row, v in tops.items()})
    table = next(o for o in orderings(load_ledger(MICRONET), found, 0.05) if o.table == "7")
    assert len(table.rows) == 4
    assert len(table.pairs) == 6
    expected = kendalltau([54.4, 55.9, 58.5, 55.5], [40.1, 41.1, 43.1, 42.1], method="exact")
    assert (table.tau, table.p) == (pytest.approx(expected.statistic), pytest.approx(expected.pvalue))


def test_statements_about_orders_are_corrected_over_their_family():
    ledger = load_ledger(MICRONET)
    found = runs(t6_a1=[50.0, 50.1, 50.2], t6_a2=[40.0, 40.1, 40.2], t6_a3=[41.0, 41.1, 41.2])
    claims = {c.id: c.verdict for c in relational_claims(ledger, found, 0.05)}
    assert claims == {"one_layer_after_depthwise": "holds"}


def test_networks_that_this_project_drew_order_nothing():
    ledger = load_ledger(MICRONET)
    tops = {"t3_mobile": 30.0, "t3_dw": 31.0, "t3_dw_pw": 32.0, "t5_relu": 40.0, "t3_static": 41.0, "t4a_g1": 35.0}
    found = runs(**{row: [v, v + 0.1, v + 0.2] for row, v in tops.items()})
    tables = {o.table: o for o in orderings(ledger, found, 0.05)}
    assert len(tables["3"].rows) == 5  # shown
    assert [(p.higher, p.lower) for p in tables["3"].pairs] == [("Micro, DW, PW, Lite, static", "Micro, DW, PW, Lite")]
    assert (tables["4a"].tau, tables["4a"].pairs) == (None, [])
    claims = {c.id for c in relational_claims(ledger, found, 0.05)}
    for claim in ledger.claims:
        if any(ledger.ground(*ref).constructed for ref in claim.expression.refs):
            assert claim.id not in claims


def test_bits_stand_beside_an_order_and_decide_none(tmp_path):
    def filed(row, flags):
        named = write_examples(
            tmp_path, flags, profile="proxy", row=row, seed=0, column="top1", data=DataPin(name="x", pin="y")
        )  # fmt: skip
        return read_examples(tmp_path / named.file)

    kept = {"t5_relu": filed("t5_relu", [1] * 40 + [0] * 60), "t5_se_relu": filed("t5_se_relu", [0] * 9 + [1] * 91)}

    def bits(row, column):
        return [kept[row]] if row in kept and column == "top1" else []

    ledger, found = (
        load_ledger(MICRONET),
        runs(t5_relu=[40.0, 40.1], t5_se_relu=[91.0, 91.1], t5_dynamic_shift_max=[95.0, 96]),
    )
    with_bits, without = (
        next(o for o in orderings(ledger, found, 0.05, of) if o.table == "5") for of in (bits, lambda *_: [])
    )
    said = {(p.higher, p.lower): p.images for p in with_bits.pairs}
    assert "(one run each): 60 of 100 images for it, 9 against, +51.00 points" in said["SE+ReLU", "ReLU"]
    assert said["Dynamic Shift-Max", "ReLU"] == ""
    assert [p.verdict for p in with_bits.pairs] == [p.verdict for p in without.pairs]
    p, q = 0.544, 0.517  # as printed, on two independent sets of 50,000 images
    assert with_bits.pairs[0].z == pytest.approx((p - q) / math.sqrt((p * (1 - p) + q * (1 - q)) / 50_000))
