"""Linear programming over printed intervals: a proof exactly where there is no solution, and it is a proof."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from helpers import MICRONET
from hypothesis import given, settings
from hypothesis import strategies as st

from papertally.checks import run
from papertally.checks.benchmark.synthetic import right_ledger
from papertally.checks.linear import Certificate, Line, refute
from papertally.checks.typos import with_cell
from papertally.ledger.load import load_ledger
from papertally.quantities.interval import Interval


def solvable(lines: list[Line]) -> bool:
    """Decide by Fourier and Motzkin's elimination, exactly; a row (coefficients, constant, strict): sum < constant."""
    rows = []
    for line in lines:
        rows.append((list(line.terms), line.bounds.high, line.bounds.high_open))
        rows.append(([-t for t in line.terms], -line.bounds.low, line.bounds.low_open))
    for j in range(len(lines[0].terms)):
        up = [r for r in rows if r[0][j] > 0]
        down = [r for r in rows if r[0][j] < 0]
        kept = [r for r in rows if r[0][j] == 0]
        for a, ca, sa in up:
            for b, cb, sb in down:
                p, q = 1 / a[j], -1 / b[j]
                kept.append(([x * p + y * q for x, y in zip(a, b, strict=True)], ca * p + cb * q, sa or sb))
        rows = kept
    return all(c > 0 or (c == 0 and not strict) for _, c, strict in rows)


@st.composite
def systems(draw):
    width = draw(st.integers(1, 3))
    lines = []
    for i in range(draw(st.integers(2, 5))):
        terms = [Fraction(1), *(Fraction(draw(st.integers(0, 3))) for _ in range(width - 1))]
        low = Fraction(draw(st.integers(0, 20)), 2)
        open_ = draw(st.booleans()), draw(st.booleans())
        lines.append(Line(f"x{i}", tuple(terms), Interval(low, low + draw(st.sampled_from([1, 1, 2])), *open_)))
    return lines


@pytest.mark.slow
@settings(max_examples=150)
@given(systems())
def test_there_is_a_proof_exactly_where_exact_elimination_finds_no_solution(lines):
    proof = refute(tuple(lines))
    assert (proof is None) == solvable(lines)
    assert proof is None or proof.proves()


def test_a_proof_of_what_can_be_is_none():
    lines = (
        Line("a", (Fraction(1),), Interval(Fraction(0), Fraction(2))),
        Line("b", (Fraction(1),), Interval(Fraction(1), Fraction(3))),
    )
    assert not Certificate(lines, (Fraction(1), Fraction(-1))).proves()
    assert not Certificate(lines, (Fraction(0), Fraction(0))).proves()
    assert not Certificate(lines, (Fraction(1), Fraction(1))).proves()


def finding(ledger, subject):
    return next(f for f in run(ledger, ("linear costs",), explain=False) if f.subject == subject)


SIX, SEVEN = "Table 6, madds = constant + A1 + A2 + A3", "Table 7, madds at K = 2 = constant + J"


def test_table_6_is_not_additive_and_table_7_not_affine():
    ledger = load_ledger(MICRONET)
    six, seven = finding(ledger, SIX), finding(ledger, SEVEN)
    assert {six.severity, seven.severity} == {"impossible"}
    assert "(t6_a1 + t6_a3) < 22.6M, but (t6_relu + t6_a1_a3) ≥ 22.6M" in six.arithmetic
    assert "(2 × t7_j2_k2) < 24.9M, but (t7_j1_k2 + t7_j3_k2) ≥ 25.3M" in seven.arithmetic
    for name in ("params = constant + A1 + A2 + A3", "params = constant + J*K"):
        assert finding(ledger, f"Table {'6' if 'A1' in name else '7'}, {name}").severity == "passed"


def test_without_its_relu_row_table_6_is_additive():
    ledger = load_ledger(MICRONET)
    table = ledger.tables["6"]
    less = replace(table, rows=tuple(r for r in table.rows if r.id != "t6_relu"))
    assert finding(replace(ledger, tables={**ledger.tables, "6": less}), SIX).severity == "passed"


def test_a_label_that_is_no_number_is_not_applicable():
    ledger = load_ledger(MICRONET)
    table = ledger.tables["7"]
    odd = replace(table, rows=(replace(table.rows[0], labels=("one", "1")), *table.rows[1:]))
    found = finding(replace(ledger, tables={**ledger.tables, "7": odd}), "Table 7, params = constant + J*K")
    assert (found.severity, found.arithmetic) == ("not applicable", "J of t7_j1_k1 is no number")


@pytest.mark.parametrize(("cell", "printed"), [("grid_j1_k1.madds", "99.9M"), ("grid_j3_k1.params", "0.10M")])
def test_a_cost_that_falls_along_its_axis_is_impossible(cell, printed):
    ledger = with_cell(right_ledger(3), cell, printed)
    found = [f for f in run(ledger, ("monotone costs",), explain=False) if f.severity == "impossible"]
    assert found
    assert all(cell in f.cells for f in found)


def test_a_misprint_that_explains_an_impossibility_is_named():
    right = right_ledger(3)
    was = right.cell("grid_j2_k1", "madds").printed
    wrong = ("7" if was[0] != "7" else "3") + was[1:]
    found = run(with_cell(right, "grid_j2_k1.madds", wrong))
    assert any(f.check == "linear costs" and f.severity == "impossible" for f in found)
    said = [f.arithmetic for f in found if f.check == "misprints"]
    assert any(f"grid_j2_k1.madds {was} for {wrong} (one digit)" in text for text in said)
