"""Intervals of printed numbers, their arithmetic and three-valued comparisons, against brute force."""

from __future__ import annotations

import itertools
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from papertally.quantities import interval
from papertally.quantities.interval import Interval, Truth, point
from papertally.quantities.printed import parse_printed, values_printed_as
from papertally.quantities.rounding import CONVENTIONS
from papertally.statements.expressions import ExpressionError, compile_expr
from papertally.statements.printed_truth import PrintedTruth, on_printed_numbers

MODES = {"nearest": ROUND_HALF_UP, "half to even": ROUND_HALF_EVEN, "cut": ROUND_DOWN}


@given(st.integers(0, 40_000), st.integers(0, 2), st.sampled_from(["", "M"]), st.sampled_from(list(MODES)))
def test_a_convention_holds_exactly_what_prints_so(thousandths, places, unit, name):
    """Every thousandth near a printed number lies in its interval if and only if it prints as that number."""
    value = Decimal(thousandths).scaleb(-3)
    step = Decimal(1).scaleb(-places)
    printed = value.quantize(step, MODES[name])
    bounds = CONVENTIONS[name](parse_printed(f"{printed:f}{unit}"))
    scale = 10**6 if unit else 1
    for near in range(-1200, 1201, 25):
        other = value + Decimal(near) * step / 1000
        if other >= 0:
            exact = Fraction(other) * scale
            low = exact > bounds.low or (exact == bounds.low and not bounds.low_open)
            high = exact < bounds.high or (exact == bounds.high and not bounds.high_open)
            assert (low and high) == (other.quantize(step, MODES[name]) == printed)


@st.composite
def intervals(draw):
    low = Fraction(draw(st.integers(-6, 6)), 2)
    width = Fraction(draw(st.integers(0, 4)), 2)
    if not width:
        return point(low)
    return Interval(low, low + width, draw(st.booleans()), draw(st.booleans()))


def members(b: Interval) -> list[Fraction]:
    """Return both ends where they belong, points as good as at the ends where they do not, and some between."""
    if b.is_point:
        return [b.low]
    near = (b.high - b.low) / 1000
    low = b.low + near if b.low_open else b.low
    high = b.high - near if b.high_open else b.high
    inner = {low, high, (low + high) / 2}
    if b.low < 0 < b.high:
        inner.add(Fraction(0))
    return sorted(inner)


def within(x: Fraction, b: Interval) -> bool:
    return (b.low < x or (b.low == x and not b.low_open)) and (x < b.high or (x == b.high and not b.high_open))


OPERATIONS = {
    "+": (lambda a, b: a + b, lambda x, y: x + y),
    "-": (lambda a, b: a - b, lambda x, y: x - y),
    "*": (lambda a, b: a * b, lambda x, y: x * y),
    "min": (lambda a, b: interval.least(a, b), min),
    "max": (lambda a, b: interval.greatest(a, b), max),
}


@given(intervals(), intervals(), st.sampled_from(list(OPERATIONS)))
def test_arithmetic_holds_every_result_and_no_end_too_many(a, b, name):
    of_bounds, of_numbers = OPERATIONS[name]
    result = of_bounds(a, b)
    values = [of_numbers(x, y) for x, y in itertools.product(members(a), members(b))]
    assert all(within(v, result) for v in values)
    slack = Fraction(1, 50)  # members come within a thousandth of an open end
    assert min(values) - result.low <= slack
    assert result.high - max(values) <= slack
    if not result.low_open:
        assert min(values) == result.low
    if not result.high_open:
        assert max(values) == result.high


@given(intervals(), intervals())
def test_division_holds_every_quotient_and_refuses_zero_alone(a, b):
    if b == point(0):
        with pytest.raises(ZeroDivisionError):
            a / b
        return
    result = a / b
    assert all(within(x / y, result) for x in members(a) for y in members(b) if y)


@given(intervals())
def test_an_absolute_value_holds_those_of_all_members(a):
    result = abs(a)
    values = [abs(x) for x in members(a)]
    assert all(within(v, result) for v in values)
    assert min(values) - result.low <= Fraction(1, 50)


COMPARISONS = {
    "<": (interval.below, lambda x, y: x < y),
    "<=": (interval.at_most, lambda x, y: x <= y),
    "==": (interval.equal, lambda x, y: x == y),
}


@given(intervals(), intervals(), st.sampled_from(list(COMPARISONS)))
def test_a_comparison_is_decided_exactly_when_all_members_agree(a, b, name):
    truth, test = COMPARISONS[name][0](a, b), COMPARISONS[name][1]
    points = members(a), members(b)
    shared = [x for x in (*members(a), *members(b)) if within(x, a) and within(x, b)]
    overlap = max(a.low, b.low), min(a.high, b.high)
    if overlap[0] < overlap[1]:
        shared.append(sum(overlap) / 2)
    found = {test(x, y) for x, y in itertools.product(*points)} | {test(x, x) for x in shared}
    assert truth is {(True,): Truth.HOLDS, (False,): Truth.CANNOT}.get(tuple(found), Truth.UNDECIDED)


@given(intervals(), intervals())
def test_lying_inside_is_decided_soundly(a, b):
    truth = interval.within(a, b)
    found = {within(x, b) for x in members(a)}
    if truth is Truth.HOLDS:
        assert found == {True}
    if truth is Truth.CANNOT:
        assert found == {False}
    if found == {True} and not a.is_point:
        assert truth is not Truth.CANNOT


@given(st.lists(st.sampled_from(list(Truth)), min_size=1, max_size=4))
def test_and_and_or_are_decided_exactly_when_every_completion_agrees(truths):
    options = [{Truth.HOLDS: [True], Truth.CANNOT: [False]}.get(t, [True, False]) for t in truths]
    for combine, test in ((interval.every, all), (interval.some, any)):
        found = {test(choice) for choice in itertools.product(*options)}
        expected = {(True,): Truth.HOLDS, (False,): Truth.CANNOT}.get(tuple(found), Truth.UNDECIDED)
        assert combine(truths) is expected


def judged(text: str, **cells: str) -> PrintedTruth:
    return on_printed_numbers(compile_expr(text), lambda _, column: parse_printed(cells[column]))


def quantities():
    leaf = st.sampled_from(["r.a", "r.b", "r.c", "1.5", "2"])
    return st.recursive(
        leaf,
        lambda inner: st.one_of(
            st.builds("({} {} {})".format, inner, st.sampled_from("+-*/"), inner),
            st.builds("{}({}, {})".format, st.sampled_from(["min", "max"]), inner, inner),
            st.builds("abs({})".format, inner),
        ),
        max_leaves=4,
    )


def statements():
    plain = st.one_of(
        st.builds("{} {} {}".format, quantities(), st.sampled_from(["<", "<=", ">", ">="]), quantities()),
        st.builds('agrees({}, "{}")'.format, quantities(), st.sampled_from(["1.0", "2", "0.5"])),
        st.builds("approx({}, {}, 0.25)".format, quantities(), quantities()),
    )
    return st.recursive(
        plain,
        lambda inner: st.one_of(
            st.builds("({} and {})".format, inner, inner),
            st.builds("({} or {})".format, inner, inner),
            st.builds("not ({})".format, inner),
        ),
        max_leaves=3,
    )


@pytest.mark.slow
@given(
    statements(),
    st.tuples(*[st.sampled_from(["0.9", "1.0", "1.1", "2", "3.0"])] * 3),
    st.lists(st.tuples(*[st.integers(0, 8)] * 3), min_size=12, max_size=12),
)
def test_no_values_that_print_so_contradict_what_is_decided(text, printed, samples):
    """Soundness over random expressions: the exact evaluation of sampled values is the oracle."""
    expression = compile_expr(text)
    intervals = {c: parse_printed(text) for c, text in zip("abc", printed, strict=True)}
    try:
        truth = expression.truth(lambda _, column: values_printed_as(intervals[column]))
    except ExpressionError:  # divides by zero, whatever the cells are
        return
    for sample in samples:
        values = {
            c: intervals[c].low + (intervals[c].high - intervals[c].low) * Decimal(n) / Decimal("8.001")
            for c, n in zip("abc", sample, strict=True)
        }
        try:
            holds = expression.evaluate(lambda _, column, values=values: values[column]).holds
        except ExpressionError:  # divides by zero there
            continue
        assert truth is Truth.UNDECIDED or holds == (truth is Truth.HOLDS)


def test_what_the_paper_prints():
    assert judged("r.a - r.b > 5", a="71.2", b="66.2").word == "undecided"
    assert judged("r.a / r.b < 0.335", a="263.2M", b="716.2M").word == "cannot"
    cut = judged('agrees(r.a, "77M")', a="77.7M")
    assert (cut.word, cut.rescued[0], cut.holds_if_cut) == ("undecided", "cut", True)
    assert judged("r.a > r.b", a="51.7", b="51.6").word == "holds"  # rounding keeps an order
    assert judged("r.a > r.b", a="51.6", b="51.6").word == "undecided"
    assert judged('agrees(r.a - r.b, "11.3")', a="61.1", b="49.8").word == "as-printed"
    assert judged('agrees(r.a, "12M")', a="12M").word == "holds"


@pytest.mark.parametrize(
    "text",
    ["prints_same(r.a, r.b)", "[r.a, r.b] == [1.0, 1.0]", "r.a in [r.b, 2]", 'r.a in printed("1.0")', "not r.a != r.b"],
)
def test_every_form_is_judged_and_by_one_meaning(text):
    alike, unlike = judged(text, a="1.0", b="1.0"), judged(text, a="1.5", b="1.6")
    assert alike.as_printed
    assert alike.word in ("holds", "as-printed")
    assert unlike.word == "cannot"


@pytest.mark.parametrize(
    ("value", "text"),
    [(Fraction(12_150_000), "12.15M"), (Fraction(226, 10), "22.6"), (Fraction(1, 3), "1/3"), (Fraction(-5, 2), "-2.5"),
     (Fraction(10**9), "1B"), (Fraction(0), "0")],
)  # fmt: skip
def test_numbers_read_as_tables_print_them(value, text):
    assert interval.large(value) == text
