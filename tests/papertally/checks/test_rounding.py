"""Intervals of printed numbers, their arithmetic and three-valued comparisons, against brute force."""

from __future__ import annotations

import itertools
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from papertally.checks import rounding
from papertally.checks.relations import judge
from papertally.checks.rounding import CONVENTIONS, Bounds, Truth
from papertally.ledger.load import Cell, Ledger, Row, Table
from papertally.quantities.printed import parse_printed
from papertally.statements.expressions import compile_expr

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
        return Bounds.point(low)
    return Bounds(low, low + width, draw(st.booleans()), draw(st.booleans()))


def members(b: Bounds) -> list[Fraction]:
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


def within(x: Fraction, b: Bounds) -> bool:
    return (b.low < x or (b.low == x and not b.low_open)) and (x < b.high or (x == b.high and not b.high_open))


OPERATIONS = {
    "+": (lambda a, b: a + b, lambda x, y: x + y),
    "-": (lambda a, b: a - b, lambda x, y: x - y),
    "*": (lambda a, b: a * b, lambda x, y: x * y),
    "min": (lambda a, b: rounding.smallest([a, b]), min),
    "max": (lambda a, b: rounding.largest([a, b]), max),
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
def test_division_holds_every_quotient_and_refuses_what_may_be_zero(a, b):
    if b.low <= 0 <= b.high:
        with pytest.raises(ZeroDivisionError):
            a / b
        return
    result = a / b
    assert all(within(x / y, result) for x in members(a) for y in members(b))


@given(intervals())
def test_an_absolute_value_holds_those_of_all_members(a):
    result = abs(a)
    values = [abs(x) for x in members(a)]
    assert all(within(v, result) for v in values)
    assert min(values) - result.low <= Fraction(1, 50)


COMPARISONS = {
    "<": (rounding.below, lambda x, y: x < y),
    "<=": (rounding.at_most, lambda x, y: x <= y),
    "==": (rounding.equal, lambda x, y: x == y),
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
    truth = rounding.within(a, b)
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
    for combine, test in ((rounding.every, all), (rounding.some, any)):
        found = {test(choice) for choice in itertools.product(*options)}
        expected = {(True,): Truth.HOLDS, (False,): Truth.CANNOT}.get(tuple(found), Truth.UNDECIDED)
        assert combine(truths) is expected


def ledger(cells: dict[str, str]) -> Ledger:
    row = Row("r", "1", 1, ("R",), (), {c: Cell(c, text, False) for c, text in cells.items()}, None, None)
    table = Table("1", "T", "task", ("Name",), tuple(cells), (row,), None)
    return Ledger("2001.00001v1", "A", (), {"1": table}, (), {}, (), None, ())


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
    book = ledger(dict(zip("abc", printed, strict=True)))
    try:
        truth = judge(book, expression.tree, rounding.nearest, rounding.nearest)
    except ZeroDivisionError:
        return
    intervals = {c: book.cell("r", c).interval for c in "abc"}
    for sample in samples:
        values = {
            c: intervals[c].low + (intervals[c].high - intervals[c].low) * Decimal(n) / Decimal("8.001")
            for c, n in zip("abc", sample, strict=True)
        }
        holds = expression.evaluate(lambda _, column, values=values: values[column]).holds
        assert truth is Truth.UNDECIDED or holds == (truth is Truth.HOLDS)


@pytest.mark.slow
def test_what_the_paper_prints():
    def truth(text: str, **cells: str) -> tuple[Truth, list[str]]:
        tree = compile_expr(text).tree
        return rounding.verdict(lambda a, b: judge(ledger(cells), tree, a, b))

    assert truth("r.a - r.b > 5", a="71.2", b="66.2")[0] is Truth.UNDECIDED
    assert truth("r.a / r.b < 0.335", a="263.2M", b="716.2M")[0] is Truth.CANNOT
    cut, how = truth('agrees(r.a, "77M")', a="77.7M")
    assert (cut, how[0]) == (Truth.UNDECIDED, "cut")
    assert truth("r.a > r.b", a="51.7", b="51.6")[0] is Truth.HOLDS  # rounding keeps an order
    assert truth("r.a > r.b", a="51.6", b="51.6")[0] is Truth.UNDECIDED


@pytest.mark.parametrize(
    ("value", "text"),
    [(Fraction(12_150_000), "12.15M"), (Fraction(226, 10), "22.6"), (Fraction(1, 3), "1/3"), (Fraction(-5, 2), "-2.5"),
     (Fraction(10**9), "1B"), (Fraction(0), "0")],
)  # fmt: skip
def test_numbers_read_as_tables_print_them(value, text):
    assert rounding.large(value) == text
