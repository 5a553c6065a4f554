"""Simulated experiments: how often the rule for trained cells is right, at the numbers that params.yaml states."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from helpers import ROOT
from hypothesis import given
from hypothesis import settings as steady
from hypothesis import strategies as st

from evidence.settings import load_settings
from report.judge.verdicts import trained

SETTINGS = load_settings(ROOT)[0]
MARGIN = SETTINGS.margins["top1"]
RUNS = 1500
#: Of a share p of RUNS experiments: four standard errors.
SLACK = 4 * (0.05 * 0.95 / RUNS) ** 0.5


def shares(difference: float, spread: float, seeds: int = SETTINGS.seeds, generator: int = 0) -> dict[str, float]:
    """Return how often each verdict is given when the truth lies `difference` from the printed number."""
    values = np.random.default_rng(generator).normal(60 + difference, spread, (RUNS, seeds))
    names = [trained(Decimal(60), row.tolist(), MARGIN, SETTINGS.alpha, SETTINGS.seeds).name for row in values]
    return {name: names.count(name) / RUNS for name in ("reproduced", "not-reproduced", "underpowered")}


def test_power_is_80_percent_where_nothing_differs():
    assert (SETTINGS.seeds, MARGIN) == (3, 0.5)
    assert shares(0, SETTINGS.seed_spread)["reproduced"] >= 0.8
    # and the promise ends where it should: a wider spread needs more seeds
    assert shares(0, 3 * SETTINGS.seed_spread)["reproduced"] < 0.8


@steady(max_examples=12)
@given(st.sampled_from([-1, 1]), st.floats(0, 1.5), st.floats(0.02, 1.0), st.integers(0, 99))
@pytest.mark.slow
def test_a_false_reproduced_is_at_most_5_percent(sign, beyond, spread, generator):
    """The truth lies on the margin or beyond it, at any spread between seeds."""
    found = shares(sign * (MARGIN + beyond), spread, generator=generator)
    assert found["reproduced"] <= SETTINGS.alpha + SLACK


@steady(max_examples=12)
@given(st.floats(-MARGIN, MARGIN), st.floats(0.02, 1.0), st.integers(0, 99))
@pytest.mark.slow
def test_a_false_failure_is_at_most_5_percent(difference, spread, generator):
    """The truth lies within the margin."""
    assert shares(difference, spread, generator=generator)["not-reproduced"] <= SETTINGS.alpha + SLACK


@pytest.mark.parametrize("seeds", [2, 3])
def test_missing_seeds_never_pass(seeds):
    values = [60.0, 60.001, 59.999][:seeds]
    verdict = trained(Decimal(60), values, MARGIN, SETTINGS.alpha, SETTINGS.seeds)
    assert (verdict.name == "reproduced") == (seeds == SETTINGS.seeds)
    assert ("2 of 3 seeds" in verdict.note) == (seeds == 2)
    # far off, two seeds are enough to say so
    far = [v + 5 for v in values]
    assert trained(Decimal(60), far, MARGIN, SETTINGS.alpha, SETTINGS.seeds).name == "not-reproduced"
