"""Verdicts follow the stated rules for every input."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from papertally.statements.expressions import MissingValue, compile_expr
from papertally.verdicts.spread import Spread
from papertally.verdicts.verdicts import (
    APART,
    FAILED,
    PASSED,
    SHOWN,
    UNCHECKED,
    VERDICTS,
    Estimate,
    Verdict,
    as_reported,
    computed_claim,
    equivalence,
    estimate,
    trained,
)

finite = st.floats(0, 100, allow_nan=False)


@given(finite, st.lists(finite, min_size=2, max_size=8), st.floats(0.05, 5), st.sampled_from([0.01, 0.05, 0.1]))
def test_trained_never_passes_and_fails_at_once(printed, values, margin, alpha):
    verdict = trained(Decimal(str(printed)), values, margin, alpha)
    gap = abs(sum(values) / len(values) - printed)
    assert verdict.name in ("reproduced", "not-reproduced", "underpowered")
    if verdict.name == "reproduced":
        assert gap < margin + 1e-9
    if verdict.name == "not-reproduced":
        assert gap > margin - 1e-9


@given(finite, finite, st.floats(0.05, 5))
def test_one_seed_is_never_more_than_consistent(printed, value, margin):
    verdict = trained(Decimal(str(printed)), [value], margin, 0.05)
    assert verdict.name in ("consistent (n = 1)", "inconsistent (n = 1)")


def test_trained_against_a_worked_example():
    # n = 3, sd 0.1 (two degrees of freedom), the printed run's spread 0.1 too: se = 0.1 sqrt(1/3 + 1) = 0.11547.
    # Inside: the margin must exceed the gap by t(0.95, 2) se = 2.920 * 0.11547 = 0.3372.
    values = [58.5, 58.6, 58.7]
    assert trained(Decimal("58.6"), values, 0.34, 0.05).name == "reproduced"
    assert trained(Decimal("58.6"), values, 0.33, 0.05).name == "underpowered"
    assert trained(Decimal("58.5"), values, 0.44, 0.05).name == "reproduced"
    assert trained(Decimal("58.5"), values, 0.43, 0.05).name == "underpowered"
    # Outside: the gap must exceed the margin by t(0.975, 2) se = 4.303 * 0.11547 = 0.4968.
    assert trained(Decimal("58.0"), values, 0.10, 0.05).name == "not-reproduced"
    assert trained(Decimal("58.0"), values, 0.11, 0.05).name == "underpowered"


def test_a_pooled_spread_and_the_authors_decide_instead_of_three_values():
    # pooled sd 0.16 (100 degrees of freedom), the authors' no larger: se = 0.16 sqrt(4/3) = 0.18475; t(0.95, 100) is
    # 1.66023, so that a margin of 0.30673 is the edge
    pool = Spread(0.16, 100)
    values = [58.5, 58.6, 58.7]
    assert trained(Decimal("58.6"), values, 0.3068, 0.05, 3, pool, 0.15).name == "reproduced"
    assert trained(Decimal("58.6"), values, 0.3066, 0.05, 3, pool, 0.15).name == "underpowered"
    # theirs stated larger than ours: Welch's degrees of freedom of 0.16^2/3 (100) and 0.3^2 (known)
    found = equivalence(0.0, 3, pool, 0.3, 0.5)
    assert found.error == pytest.approx((0.16**2 / 3 + 0.09) ** 0.5)
    assert found.freedom == pytest.approx((0.16**2 / 3 + 0.09) ** 2 / ((0.16**2 / 3) ** 2 / 100))
    assert found.gap == 0.0
    far = equivalence(0.5, 3, pool, 0.15, 0.5)
    assert (far.gap, far.inside, far.outside) == (0.5, 0.5, 1.0)  # on the margin: a half on either side, twice
    assert equivalence(0.0, 3, pool, 0.15, 0.5).outside == 1.0
    # theirs stated smaller: ours counts for both
    assert equivalence(0.0, 3, pool, 0.1, 0.5) == equivalence(0.0, 3, pool, 0.15, 0.5)
    # a spread of nothing in these three takes the others'
    assert trained(Decimal("58.6"), [58.6] * 3, 0.3068, 0.05, 3, pool, 0.15).name == "reproduced"
    assert trained(Decimal("58.6"), [58.6] * 3, 0.3066, 0.05, 3, pool, 0.15).name == "underpowered"


def test_the_prediction_interval_stands_beside_and_decides_nothing():
    # t(0.975, 2) * 0.1 * sqrt(4/3) = 0.4968
    values = [58.5, 58.6, 58.7]
    assert equivalence(0.0, 3, Spread(0.1, 2), 0.1, 0.5).draw == pytest.approx(0.4968, abs=1e-4)
    near, far = (trained(Decimal(p), values, 5.0, 0.05) for p in ("58.11", "58.10"))
    assert near.name == far.name == "reproduced"
    assert near.note.endswith("; further runs within 0.50 of the mean, the printed number among them")
    assert far.note.endswith("; further runs within 0.50 of the mean, the printed number beyond them")


def test_a_correction_over_all_cells_overrules_a_failure_and_nothing_else():
    far, near = [50.0, 50.01, 50.02], [58.5, 58.51, 58.52]
    assert trained(Decimal("58.5"), far, 0.5, 0.05).name == "not-reproduced"
    assert trained(Decimal("58.5"), far, 0.5, 0.05, failed=False).name == "underpowered"
    assert trained(Decimal("58.5"), far, 0.5, 0.05, failed=True).name == "not-reproduced"
    assert trained(Decimal("58.5"), near, 0.5, 0.05, failed=True).name == "reproduced"


@pytest.mark.parametrize("values", [[], [float("nan")], [1.0, float("inf")]])
def test_no_verdict_on_nothing_or_on_nan(values):
    with pytest.raises(ValueError):
        trained(Decimal(50), values, 0.5, 0.05)


def test_every_verdict_is_in_one_class():
    classes = (FAILED, UNCHECKED, APART, PASSED)
    assert len({name for names in classes for name in names}) == len(VERDICTS) == sum(map(len, classes))
    with pytest.raises(ValueError, match="unknown verdict"):
        Verdict("fine")


def test_estimate_of_one_and_of_three_seeds():
    assert estimate([50.0], 0.05) == Estimate(Decimal("50.0"), Decimal("0.0"), 1)
    three = estimate([58.5, 58.6, 58.7], 0.05)
    assert float(three.half_width) == pytest.approx(0.2484, abs=1e-4)
    assert float(three.value) == pytest.approx(58.6)


def test_computed_claims():
    expression = compile_expr("computed == [2]")
    assert computed_claim(expression, lambda r, c: None, [2]).name == "reproduced"
    assert computed_claim(expression, lambda r, c: None, [1]).name == "differs"
    for shows, (passed, failed) in SHOWN.items():
        assert computed_claim(expression, lambda r, c: None, [2], shows) == Verdict(passed)
        assert computed_claim(expression, lambda r, c: None, [1], shows) == Verdict(failed)
        assert passed in PASSED
        assert failed in FAILED


def test_computed_claims_read_printed_cells_and_name_missing_ones():
    expression = compile_expr("computed == a.params")
    assert computed_claim(expression, lambda row, column: {"a.params": 3}[f"{row}.{column}"], 3).name == "reproduced"

    def missing(row, column):
        raise MissingValue(f"{row}.{column}")

    assert computed_claim(expression, missing, 3) == Verdict("not-run", "needs a.params")


class TestEdges:
    """Values on the edge of a rule, and the words of every note."""

    def test_messages(self):
        with pytest.raises(ValueError, match="^no values$"):
            trained(Decimal(50), [], 0.5, 0.05)
        with pytest.raises(ValueError, match="^a value is not finite$"):
            trained(Decimal(50), [50.0, float("nan")], 0.5, 0.05)

    def test_one_seed_on_and_beyond_the_margin(self):
        for value, note in ((50.5, "+0.50"), (49.5, "-0.50"), (50.0, "+0.00")):
            verdict = trained(Decimal(50), [value], 0.5, 0.05)
            assert verdict == Verdict("consistent (n = 1)", f"{note} points, one seed")
        assert trained(Decimal(50), [50.75], 0.5, 0.05) == Verdict("inconsistent (n = 1)", "+0.75 points, one seed")

    @pytest.mark.parametrize("gap", [-0.5, 0.5])
    def test_on_the_margin_nothing_is_decided(self, gap):
        """Equal seeds alone have intervals of no width: on the margin they lie neither inside nor outside."""
        verdict = trained(Decimal(50), [50 + gap] * 2, 0.5, 0.05)
        assert verdict == Verdict("underpowered", f"{gap:+.2f} ± 0.00 points (2 seeds, margin 0.5){self.BEYOND}")

    @pytest.mark.parametrize("gap", [-0.75, 0.75])
    def test_beyond_the_margin_it_fails(self, gap):
        verdict = trained(Decimal(50), [50 + gap] * 2, 0.5, 0.05)
        assert verdict == Verdict("not-reproduced", f"{gap:+.2f} ± 0.00 points (2 seeds, margin 0.5){self.BEYOND}")

    BEYOND = "; further runs within 0.00 of the mean, the printed number beyond them"
    AMONG = "; further runs within 0.00 of the mean, the printed number among them"

    def test_a_wide_interval_around_the_margin_decides_nothing(self):
        # mean 49.4, sd 0.2, half width of the 95 % interval 4.303 * 0.2 * sqrt(1/3 + 1) = 0.994
        verdict = trained(Decimal(50), [49.2, 49.4, 49.6], 0.5, 0.05)
        assert verdict.name == "underpowered"
        assert verdict.note.startswith("-0.60 ± 0.99 points (3 seeds, margin 0.5)")
        assert trained(Decimal(50), [50.4, 50.6, 50.8], 0.5, 0.05).name == "underpowered"

    def test_two_seeds_suffice_unless_more_are_asked_for(self):
        assert trained(Decimal(50), [50.0, 50.0], 0.5, 0.05) == Verdict(
            "reproduced", f"+0.00 ± 0.00 points (2 seeds, margin 0.5){self.AMONG}"
        )
        assert trained(Decimal(50), [50.0, 50.0], 0.5, 0.05, 3) == Verdict(
            "underpowered", f"+0.00 ± 0.00 points (2 seeds, margin 0.5){self.AMONG}; 2 of 3 seeds"
        )

    def test_two_seeds_have_an_interval(self):
        # t(0.975, 1) = 12.706; sd / sqrt(2) = 0.1
        assert float(estimate([50.0, 50.2], 0.05).half_width) == pytest.approx(1.2706, abs=1e-4)

    def test_a_pooled_spread_widens_or_narrows_a_mean(self):
        # t(0.975, 100) = 1.98397
        half = estimate([50.0, 50.2], 0.05, Spread(0.15, 100)).half_width
        assert float(half) == pytest.approx(1.98397 * 0.15 / 2**0.5, abs=1e-5)


@given(st.floats(0.05, 2), st.integers(2, 9), st.integers(1, 40), st.floats(0.01, 3), st.floats(-3, 3))
def test_the_papers_own_error_stands_in_place_of_its_authors_spread(sd, n, freedom, error, gap):
    """The two variances add; the degrees of freedom are Welch and Satterthwaite's, of which the print's have no end."""
    spread = Spread(sd, freedom)
    found = equivalence(gap, n, spread, 0.7, 1.0, error)
    ours = sd**2 / n
    assert found.error == pytest.approx((ours + error**2) ** 0.5)
    assert found.freedom == pytest.approx((ours + error**2) ** 2 / (ours**2 / freedom))
    assert found == equivalence(gap, n, spread, 0.1, 1.0, error)  # whatever spread is stated


def test_a_wide_error_of_the_papers_decides_less_and_is_said():
    close = ([70.0, 70.1, 69.9], 0.5, 0.05, 3, Spread(0.1, 20))
    exact = trained(Decimal("70.0"), *close)
    wide = trained(Decimal("70.0"), *close, printed_error=2.0)
    assert (exact.name, wide.name) == ("reproduced", "underpowered")
    assert "the paper's own error 2" in wide.note
    assert "own error" not in exact.note
    off = trained(Decimal("80.0"), *close, printed_error=0.01)
    assert off.name == "not-reproduced"


@pytest.mark.parametrize(
    ("value", "name"), [("70.69", "consistent"), ("70.71", "inconsistent"), ("69.31", "consistent")]
)
def test_one_seed_is_consistent_within_the_margin_and_twice_the_papers_error(value, name):
    found = trained(Decimal("70"), [float(value)], 0.5, 0.05, printed_error=0.1)
    assert found.name == f"{name} (n = 1)"
    assert "the paper's own error 0.1" in found.note


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("reproduced", "reported"),
        ("consistent (n = 1)", "reported"),
        ("not-reproduced", "reported-otherwise"),
        ("differs", "reported-otherwise"),
        ("inconsistent (n = 1)", "reported-otherwise"),
        ("not-run", "not-run"),
        ("underpowered", "underpowered"),
    ],
)
def test_what_nobody_here_saw_reads_as_reported(name, read):
    reason = "as reported: no stage of this project wrote the evidence"
    assert as_reported(Verdict(name, "two seeds")) == Verdict(read, f"two seeds; {reason}")
    assert as_reported(Verdict(name)) == Verdict(read, reason)
