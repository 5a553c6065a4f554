"""Simulated experiments: how often the rule for trained cells is right, at the numbers that params.yaml states.

The printed number is one run of its authors wherever the text says `noisy`; both sides have the same spread.
"""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from helpers import ROOT
from hypothesis import given
from hypothesis import settings as steady
from hypothesis import strategies as st

from papertally.verdicts.spread import Spread
from papertally.verdicts.verdicts import trained
from report.settings import load_settings

SETTINGS = load_settings(ROOT)[0]
MARGIN, STATED = SETTINGS.margins["top1"], SETTINGS.printed_spread["top1"]
RUNS = 1500
#: What a profile of 54 rows with three seeds each leaves.
FREEDOM = 108
#: Of a share p of RUNS experiments: four standard errors.
SLACK = 4 * (0.05 * 0.95 / RUNS) ** 0.5


def shares(difference, spread, seeds=SETTINGS.seeds, generator=0, noisy=True, pooled=True):
    """Return how often each verdict is given when the procedures' means differ by `difference`."""
    rng = np.random.default_rng(generator)
    values = rng.normal(60 + difference, spread, (RUNS, seeds))
    printed = rng.normal(60, spread, RUNS) if noisy else np.full(RUNS, 60.0)
    seen = spread * np.sqrt(rng.chisquare(FREEDOM, RUNS) / FREEDOM)
    names = []
    for row, number, sd in zip(values, printed, seen, strict=True):
        pool = Spread(float(sd), FREEDOM) if pooled else None
        number = Decimal(f"{number:.1f}")
        names.append(trained(number, row.tolist(), MARGIN, SETTINGS.alpha, seeds, pool, STATED).name)
    return {name: names.count(name) / RUNS for name in ("reproduced", "not-reproduced", "underpowered")}


@pytest.mark.slow
def test_power_where_nothing_differs():
    """Three seeds: 78 % if the printed number is one run, 98 % if it is the authors' mean; five: above 80 %."""
    assert (SETTINGS.seeds, MARGIN, SETTINGS.seed_spread, STATED) == (3, 0.5, 0.15, 0.15)
    assert 0.74 <= shares(0, 0.15)["reproduced"] <= 0.82
    assert shares(0, 0.15, noisy=False)["reproduced"] >= 0.95
    assert shares(0, 0.15, seeds=5)["reproduced"] >= 0.8
    # the promise ends where it should, and three values alone, without the other rows, decide less
    assert shares(0, 0.3)["reproduced"] < 0.2
    assert shares(0, 0.15, pooled=False)["reproduced"] < 0.6


@steady(max_examples=12)
@given(st.sampled_from([-1, 1]), st.floats(0, 1.5), st.floats(0.02, 1.0), st.integers(0, 99), st.booleans())
@pytest.mark.slow
def test_a_false_reproduced_is_at_most_5_percent(sign, beyond, spread, generator, pooled):
    """The truth lies on the margin or beyond it, at any spread between seeds, and the printed number is one run."""
    found = shares(sign * (MARGIN + beyond), spread, generator=generator, pooled=pooled)
    assert found["reproduced"] <= SETTINGS.alpha + SLACK


@steady(max_examples=12)
@given(st.floats(-MARGIN, MARGIN), st.floats(0.02, 1.0), st.integers(0, 99), st.booleans())
@pytest.mark.slow
def test_a_false_failure_is_at_most_5_percent(difference, spread, generator, pooled):
    """The truth lies within the margin."""
    found = shares(difference, spread, generator=generator, pooled=pooled)
    assert found["not-reproduced"] <= SETTINGS.alpha + SLACK


@pytest.mark.parametrize("seeds", [2, 3])
def test_missing_seeds_never_pass(seeds):
    values = [60.0, 60.001, 59.999][:seeds]
    verdict = trained(Decimal(60), values, MARGIN, SETTINGS.alpha, SETTINGS.seeds)
    assert (verdict.name == "reproduced") == (seeds == SETTINGS.seeds)
    assert ("2 of 3 seeds" in verdict.note) == (seeds == 2)
    # far off, two seeds are enough to say so
    far = [v + 5 for v in values]
    assert trained(Decimal(60), far, MARGIN, SETTINGS.alpha, SETTINGS.seeds).name == "not-reproduced"
