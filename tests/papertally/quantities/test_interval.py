"""Intervals are sound: what they decide holds for every value in them, and wider ones never decide more."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from papertally.quantities.interval import WHOLE, Interval, Truth, point
from papertally.quantities.printed import ROUNDINGS, parse_printed, values_printed_as
from papertally.statements.expressions import ExpressionError, MissingValue, compile_expr

CELLS = ("a.x", "b.x", "c.x")
numbers = st.integers(-6, 6).map(str)
printed = st.sampled_from(['"1"', '"2.0"', '"0.5"', '"3"'])


def _terms(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from(["+", "-", "*", "/"]), inner),
        st.builds("(-{})".format, inner),
        st.builds("abs({})".format, inner),
        st.builds("{}({}, {})".format, st.sampled_from(["min", "max"]), inner, inner),
    )


terms = st.recursive(st.one_of(st.sampled_from(CELLS), numbers), _terms, max_leaves=6)
comparisons = st.one_of(
    st.builds("({} {} {})".format, terms, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), terms),
    st.builds("({} < {} <= {})".format, terms, terms, terms),
    st.builds("agrees({}, {})".format, terms, printed),
    st.builds("({} in printed({}))".format, terms, printed),
    st.builds("approx({}, {}, {})".format, terms, terms, st.sampled_from(["0", "1", "2"])),
)


def _statements(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds("(not {})".format, inner),
        st.builds("({} {} {})".format, inner, st.sampled_from(["and", "or"]), inner),
    )


statements = st.recursive(comparisons, _statements, max_leaves=3)


@st.composite
def spans(draw: st.DrawFn) -> Interval:
    low = Fraction(draw(st.integers(-8, 8)), draw(st.sampled_from([1, 2])))
    width = Fraction(draw(st.integers(0, 6)), 2)
    if not width:
        return point(low)
    return Interval(low, low + width, draw(st.booleans()), draw(st.booleans()))


def values(of: Interval) -> list[Decimal]:
    """Return values all over a span: ends that belong, points next to those that do not, the middle."""
    assert of.finite
    width = of.high - of.low
    found = {of.low + width * Fraction(i, 256) for i in (0, 1, 64, 128, 255, 256)}
    return [Decimal(x.numerator) / Decimal(x.denominator) for x in sorted(found) if x in of]


def truths(text: str, over: dict[str, Interval]) -> set[bool]:
    """Return what the expression is at many points, by the evaluation of plain numbers."""
    expression, found = compile_expr(text), set()
    for at in product(*(values(s) for s in over.values())):
        point_of = dict(zip(over, at, strict=True))
        try:
            found.add(expression.evaluate(lambda r, c: point_of[f"{r}.{c}"]).holds)  # noqa: B023
        except ExpressionError:  # divides by zero there
            continue
    return found


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(statements, spans(), spans(), spans())
def test_what_is_decided_holds_at_every_value(text, a, b, c):
    over = dict(zip(CELLS, (a, b, c), strict=True))
    try:
        found = compile_expr(text).truth(lambda r, k: over[f"{r}.{k}"])
    except ExpressionError:
        return
    if found is not Truth.UNDECIDED:
        assert truths(text, over) <= {found is Truth.HOLDS}


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(statements, st.lists(st.tuples(spans(), st.integers(0, 4), st.integers(0, 4)), min_size=3, max_size=3))
def test_a_wider_interval_never_decides(text, drawn):
    narrow = dict(zip(CELLS, (s for s, _, _ in drawn), strict=True))
    wide = {
        name: Interval(
            s.low - Fraction(down, 3), s.high + Fraction(up, 3), s.low_open and not down, s.high_open and not up
        )
        for name, (s, down, up) in zip(CELLS, drawn, strict=True)
    }
    expression = compile_expr(text)
    try:
        before, after = (expression.truth(lambda r, k, w=w: w[f"{r}.{k}"]) for w in (narrow, wide))
    except ExpressionError:
        return
    assert after in (before, Truth.UNDECIDED)


def printed_as(text: str, rounding: str = "nearest") -> Interval:
    return values_printed_as(parse_printed(text), rounding)


@pytest.mark.parametrize(
    ("text", "cells", "truth"),
    [
        # 71.2 - 66.2 lies in (4.9, 5.1): neither more than 5 nor not
        ("a.x - b.x > 5", {"a.x": "71.2", "b.x": "66.2"}, Truth.UNDECIDED),
        ("a.x - b.x > 4.9", {"a.x": "71.2", "b.x": "66.2"}, Truth.HOLDS),  # an open end: 4.9 itself is never reached
        ("a.x - b.x > 5.1", {"a.x": "71.2", "b.x": "66.2"}, Truth.CANNOT),
        ("a.x / b.x < 0.335", {"a.x": "263.2M", "b.x": "716.2M"}, Truth.CANNOT),
        ('agrees(a.x, "61.1")', {"a.x": "61.1"}, Truth.HOLDS),
        ("a.x == b.x", {"a.x": "2.4M", "b.x": "2.4M"}, Truth.UNDECIDED),
        ("prints_same(a.x, b.x)", {"a.x": "2.4M", "b.x": "2.4M"}, Truth.HOLDS),
        ("prints_same(a.x, b.x)", {"a.x": "2.4M", "b.x": "2.40M"}, Truth.CANNOT),
        # a band between two corners of the box: the gap's interval holds 11.3
        ("approx(a.x - b.x, 11.3, 0.5)", {"a.x": "62", "b.x": "50"}, Truth.UNDECIDED),
        ("a.x - a.x == 0", {"a.x": "62"}, Truth.UNDECIDED),  # sound, not complete
    ],
)
def test_printed_numbers(text, cells, truth):
    assert compile_expr(text).truth(lambda r, c: printed_as(cells[f"{r}.{c}"])) is truth


def test_cut_digits_rescue_what_rounding_does_not():
    expression = compile_expr('agrees(a.x, "77M")')
    found = [expression.truth(lambda r, c, w=w: printed_as("77.7M", w), rounding=w) for w in ROUNDINGS]
    assert dict(zip(ROUNDINGS, found, strict=True)) == {
        "nearest": Truth.CANNOT,
        "half to even": Truth.CANNOT,
        "cut": Truth.HOLDS,
    }


@pytest.mark.parametrize("text", ["2.4M", "2.5M", "58.5", "6M", "0.28M", "77.7M", "33%"])
@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_bounds_are_what_the_rounding_gives(text, rounding):
    """The oracle is decimal's own rounding."""
    import decimal

    mode = {"nearest": "ROUND_HALF_UP", "cut": "ROUND_DOWN", "half to even": "ROUND_HALF_EVEN"}[rounding]
    found, place = printed_as(text, rounding), parse_printed(text).place
    value = parse_printed(text).value
    for steps in range(-150, 151):
        x = value + place * steps / 100
        rounded = (x / place).quantize(Decimal(1), getattr(decimal, mode)) * place
        assert (Fraction(x) in found) == (rounded == value), x


def test_what_is_missing_or_impossible_is_said():
    with pytest.raises(MissingValue, match="a.x"):
        compile_expr("a.x > 1").truth(lambda r, c: None)
    with pytest.raises(ExpressionError, match="divides by zero"):
        compile_expr("a.x / 0 > 1").truth(lambda r, c: point(1))
    with pytest.raises(ExpressionError, match="takes cells"):
        compile_expr("prints_same(a.x, 3)")
    assert compile_expr("1 / a.x > 1").truth(lambda r, c: Interval(Fraction(-1), Fraction(1))) is Truth.UNDECIDED
    assert WHOLE * point(2) == WHOLE - point(1) == WHOLE
    assert compile_expr("computed == [1, 2]").truth(lambda r, c: None, {"computed": [1, 2]}) is Truth.HOLDS
    assert compile_expr("computed == True").truth(lambda r, c: None, {"computed": False}) is Truth.CANNOT
    assert compile_expr("computed == [1]").truth(lambda r, c: None, {"computed": 3}) is Truth.CANNOT
