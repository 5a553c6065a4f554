"""The pooled spread against numpy and scipy, and Holm's correction against its definition."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import bartlett, t, ttest_ind

from papertally.verdicts.spread import Spread, holm, of_row, own, pooled, quantile, tail, welch

seeds = st.lists(st.floats(0, 100).map(lambda v: round(v, 3)), min_size=2, max_size=5)


@pytest.mark.slow
@given(st.lists(seeds, min_size=2, max_size=6))
def test_pooling_is_the_one_way_layouts_residual(groups):
    found = pooled([*groups, [50.0]])  # a lone seed says nothing
    residuals = np.concatenate([np.array(g) - np.mean(g) for g in groups])
    freedom = len(residuals) - len(groups)
    assert found.freedom == freedom
    assert found.rows == len(groups)
    assert found.sd == pytest.approx(math.sqrt(np.sum(residuals**2) / freedom), abs=1e-9)
    if min(np.std(g) for g in groups) > 1e-6:
        assert found.p == pytest.approx(bartlett(*groups).pvalue)


def test_unlike_rows_keep_their_own_spread():
    rng = np.random.default_rng(0)
    quiet = [rng.normal(50, 0.1, 5).tolist() for _ in range(8)]
    assert pooled(quiet).alike
    loud = rng.normal(50, 3.0, 5).tolist()
    both = pooled([*quiet, loud])
    assert not both.alike
    assert of_row(loud, both) == own(loud)
    assert of_row(quiet[0], both) == own(quiet[0])
    assert of_row(loud, pooled(quiet)) == pooled(quiet)
    # seeds that happen to be equal prove nothing: the others' spread counts
    assert of_row([50.0, 50.0], both) == both
    assert of_row([50.0], None) is None
    assert pooled([[1.0], [2.0]]) is None
    assert "unlike, " in both.told()


@given(seeds, seeds)
def test_welch_is_scipys(a, b):
    mine = [own(a), own(b)]
    error, freedom = welch([(s.sd**2 / len(v), s.freedom) for s, v in zip(mine, (a, b), strict=True)])
    if error > 1e-6:
        found = ttest_ind(a, b, equal_var=False)
        assert freedom == pytest.approx(found.df)
        gap = np.mean(a) - np.mean(b)
        assert 2 * tail(abs(gap) / error, freedom) == pytest.approx(found.pvalue, abs=1e-9)


def test_known_variances_have_no_limit_of_freedom():
    assert welch([(0.01, math.inf)]) == (0.1, math.inf)
    assert welch([]) == (0.0, math.inf)
    assert quantile(0.975, math.inf) == pytest.approx(1.959964, abs=1e-6)
    assert tail(1.959964, math.inf) == pytest.approx(0.025, abs=1e-6)
    assert quantile(0.95, 2) == pytest.approx(t.ppf(0.95, 2))


@given(st.dictionaries(st.text(max_size=3), st.floats(0, 1), max_size=8))
def test_holm_keeps_the_smallest_each_at_its_level(p_values):
    kept = holm(p_values, 0.05)
    order = sorted(p_values, key=p_values.get)
    expected = 0
    while expected < len(order) and p_values[order[expected]] <= 0.05 / (len(order) - expected):
        expected += 1
    assert sorted(p_values[k] for k in kept) == pytest.approx(sorted(p_values[k] for k in order[:expected]))


def test_holm_by_hand():
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03}, 0.05) == {"a"}  # 0.01 <= 0.05/3, 0.03 > 0.05/2
    assert holm({"a": 0.01, "b": 0.02, "c": 0.03}, 0.05) == {"a", "b", "c"}
    assert holm({}, 0.05) == frozenset()
    assert Spread(0.15, 4).alike
