"""Verdicts follow the stated rules for every input."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paper.expressions import MissingValue, compile_expr
from report.judge.verdicts import (
    APART,
    FAILED,
    MAX_CORNERS,
    PASSED,
    UNCHECKED,
    VERDICTS,
    Estimate,
    Verdict,
    computed_claim,
    corners,
    estimate,
    relation,
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
    # n = 3, mean 58.6, sd 0.1: the 90 % interval's half width is 2.920 * 0.1 / sqrt(3) = 0.1686.
    values = [58.5, 58.6, 58.7]
    assert trained(Decimal("58.5"), values, 0.5, 0.05).name == "reproduced"
    assert trained(Decimal("58.5"), values, 0.27, 0.05).name == "reproduced"
    assert trained(Decimal("58.5"), values, 0.26, 0.05).name == "underpowered"
    # The 95 % interval's half width is 4.303 * 0.1 / sqrt(3) = 0.2484.
    assert trained(Decimal("58.0"), values, 0.34, 0.05).name == "not-reproduced"
    assert trained(Decimal("58.0"), values, 0.36, 0.05).name == "underpowered"


@pytest.mark.parametrize("values", [[], [float("nan")], [1.0, float("inf")]])
def test_no_verdict_on_nothing_or_on_nan(values):
    with pytest.raises(ValueError):
        trained(Decimal(50), values, 0.5, 0.05)


def test_every_verdict_is_in_one_class():
    classes = (FAILED, UNCHECKED, APART, PASSED)
    assert len({v for names in classes for v in names}) == len(VERDICTS) == sum(map(len, classes))
    with pytest.raises(ValueError, match="unknown verdict"):
        Verdict("fine")


class TestRelation:
    GAIN = compile_expr('agrees(a.top1 - b.top1, "6.8")')
    ORDER = compile_expr("a.top1 > b.top1")

    def judge(self, expression, cells, margin="0.5"):
        return relation(expression, lambda r, c: cells.get(r), Decimal(margin))

    def test_missing_cells_are_named(self):
        verdict, value = self.judge(self.ORDER, {"a": Estimate(Decimal(5))})
        assert (verdict.name, value) == ("not-run", None)
        assert "b.top1" in verdict.note

    def test_long_lists_of_missing_cells_are_cut(self):
        names = "abcd"
        for many, wanted in ((2, "needs a.top1, b.top1"), (3, "needs a.top1, b.top1, c.top1"),
                             (4, "needs a.top1, b.top1, c.top1 and 1 more")):  # fmt: skip
            expression = compile_expr(" and ".join(f"{n}.top1 > 10" for n in names[:many]))
            assert self.judge(expression, {}) == (Verdict("not-run", wanted), None)

    def test_notes_and_quantities(self):
        a, b = Decimal("58.5"), Decimal("51.7")
        assert self.judge(self.ORDER, {"a": Estimate(a), "b": Estimate(b)})[0] == Verdict("reproduced")
        verdict, _ = self.judge(self.ORDER, {"a": Estimate(b), "b": Estimate(a)})
        assert verdict == Verdict("differs", "fails at a.top1 > b.top1")
        wide = {"a": Estimate(b, Decimal(1), 3), "b": Estimate(a, Decimal(1), 3)}
        assert self.judge(self.ORDER, wide)[0] == Verdict("not-reproduced", "fails at a.top1 > b.top1")
        wide["a"] = Estimate(a, Decimal(1), 3)
        assert self.judge(self.ORDER, wide)[0] == Verdict("underpowered", "holds only in part of the intervals")
        lone = {"a": Estimate(a, n=1), "b": Estimate(b)}
        assert self.judge(self.ORDER, lone)[0] == Verdict("consistent (n = 1)", "one seed of a trained cell")
        assert self.judge(self.GAIN, lone)[1] == Decimal("6.8")

    def test_the_margin_widens_a_gain(self):
        cells = {"a": Estimate(Decimal("58.9")), "b": Estimate(Decimal("51.7"))}
        assert self.judge(self.GAIN, cells, margin="0.5")[0].name == "reproduced"
        assert self.judge(self.GAIN, cells, margin="0.1")[0].name == "differs"

    def test_exact_values(self):
        cells = {"a": Estimate(Decimal("58.5")), "b": Estimate(Decimal("51.7"))}
        assert self.judge(self.GAIN, cells)[0].name == "reproduced"
        assert self.judge(self.ORDER, dict(zip("ba", cells.values(), strict=True)))[0].name == "differs"

    def test_one_seed(self):
        cells = {"a": Estimate(Decimal("58.5"), n=1), "b": Estimate(Decimal("51.7"), n=1)}
        assert self.judge(self.ORDER, cells)[0].name == "consistent (n = 1)"
        assert self.judge(self.ORDER, {"a": cells["b"], "b": cells["a"]})[0].name == "inconsistent (n = 1)"

    def test_many_uncertain_cells_are_still_judged(self):
        names = [f"r{i}" for i in range(12)]
        expression = compile_expr(" and ".join(f"{n}.top1 > 10" for n in names))
        cells = {n: Estimate(Decimal(20), Decimal(1), 3) for n in names}
        assert self.judge(expression, cells)[0].name == "reproduced"
        cells["r7"] = Estimate(Decimal(10), Decimal(1), 3)
        assert self.judge(expression, cells)[0].name == "underpowered"


@given(finite, finite, st.floats(0.01, 3), st.floats(0.01, 3))
def test_ordering_is_decided_only_outside_the_intervals(a, b, wa, wb):
    cells = {
        "a": Estimate(Decimal(str(a)), Decimal(str(wa)), 3),
        "b": Estimate(Decimal(str(b)), Decimal(str(wb)), 3),
    }
    name = TestRelation().judge(TestRelation.ORDER, cells)[0].name
    low, high = (Decimal(str(a)) - Decimal(str(b)) + s * (Decimal(str(wa)) + Decimal(str(wb))) for s in (-1, 1))
    assert name == ("reproduced" if low > 0 else "not-reproduced" if high <= 0 else "underpowered")


@given(st.integers(0, 6))
def test_few_cells_are_moved_in_every_combination(n):
    assert len(corners(n)) == 2**n
    assert all(len(sign) == n and set(sign) <= {-1, 1} for sign in corners(n))


def test_many_cells_are_moved_together_and_each_alone_against_the_others():
    assert len(corners(MAX_CORNERS)) == 2**MAX_CORNERS
    n = MAX_CORNERS + 1
    found = corners(n)
    assert {sum(sign) for sign in found} == {n, n - 2, 2 - n, -n}
    assert len(found) == 2 * (n + 1)
    assert all(set(sign) <= {-1, 1} for sign in found)
    for j in range(n):
        for own in (-1, 1):
            assert tuple(own if i == j else -own for i in range(n)) in found


def test_estimate_of_one_and_of_three_seeds():
    assert estimate([50.0], 0.05) == Estimate(Decimal("50.0"), Decimal("0.0"), 1)
    three = estimate([58.5, 58.6, 58.7], 0.05)
    assert float(three.half_width) == pytest.approx(0.2484, abs=1e-4)


def test_computed_claims():
    expression = compile_expr("computed == [2]")
    assert computed_claim(expression, lambda r, c: None, [2]).name == "reproduced"
    assert computed_claim(expression, lambda r, c: None, [1]).name == "differs"


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
        """Equal seeds have intervals of no width: on the margin they lie neither inside nor outside."""
        verdict = trained(Decimal(50), [50 + gap] * 2, 0.5, 0.05)
        assert verdict == Verdict("underpowered", f"{gap:+.2f} ± 0.00 points (2 seeds, margin 0.5)")

    @pytest.mark.parametrize("gap", [-0.75, 0.75])
    def test_beyond_the_margin_it_fails(self, gap):
        verdict = trained(Decimal(50), [50 + gap] * 2, 0.5, 0.05)
        assert verdict == Verdict("not-reproduced", f"{gap:+.2f} ± 0.00 points (2 seeds, margin 0.5)")

    def test_a_wide_interval_around_the_margin_decides_nothing(self):
        # mean 49.4, half width of the 95 % interval 4.303 * 0.2 / sqrt(3) = 0.497
        verdict = trained(Decimal(50), [49.2, 49.4, 49.6], 0.5, 0.05)
        assert verdict == Verdict("underpowered", "-0.60 ± 0.50 points (3 seeds, margin 0.5)")
        assert trained(Decimal(50), [50.4, 50.6, 50.8], 0.5, 0.05).name == "underpowered"

    def test_two_seeds_suffice_unless_more_are_asked_for(self):
        assert trained(Decimal(50), [50.0, 50.0], 0.5, 0.05) == Verdict(
            "reproduced", "+0.00 ± 0.00 points (2 seeds, margin 0.5)"
        )
        assert trained(Decimal(50), [50.0, 50.0], 0.5, 0.05, 3) == Verdict(
            "underpowered", "+0.00 ± 0.00 points (2 seeds, margin 0.5); 2 of 3 seeds"
        )

    def test_two_seeds_have_an_interval(self):
        # t(0.975, 1) = 12.706; sd / sqrt(2) = 0.1
        assert float(estimate([50.0, 50.2], 0.05).half_width) == pytest.approx(1.2706, abs=1e-4)
