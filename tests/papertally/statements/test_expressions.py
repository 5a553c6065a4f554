"""The expression language computes exactly, refuses everything else, and names what is missing."""

from __future__ import annotations

from decimal import Decimal

import pytest

from papertally.statements.expressions import ExpressionError, MissingValue, compile_expr

CELLS = {("a", "top1"): Decimal("61.1"), ("b", "top1"): Decimal("49.8"), ("a", "madds"): Decimal(12_000_000)}


def holds(text: str, margin: str | None = None, **names: object) -> bool:
    expression = compile_expr(text)
    return expression.evaluate(lambda r, c: CELLS.get((r, c)), names, None if margin is None else Decimal(margin)).holds


@pytest.mark.parametrize(
    ("text", "truth"),
    [
        ("a.top1 - b.top1 == 11.3", True),  # exact: floats give 11.300000000000004
        ('agrees(a.top1 - b.top1, "11.3")', True),
        ('agrees(a.top1 - b.top1, "11.4")', False),
        ("min(a.top1, b.top1) < max(a.top1, b.top1) < 62", True),
        ("a.top1 > b.top1 and not a.top1 > 62", True),
        ("a.top1 < b.top1 or -a.top1 < 0", True),
        ("approx(a.madds / 1000000, 12.2, 0.25)", True),
        ("approx(abs(b.top1 - a.top1), 11, 0.2)", False),
        ('a.madds in printed("12M")', True),
    ],
)
def test_truth(text, truth):
    assert holds(text) is truth


def test_margin_widens_agrees_for_trained_cells_only():
    assert holds('agrees(a.top1, "60.9")', margin="0.5")
    assert not holds('agrees(a.top1, "60.5")', margin="0.5")
    assert not holds('agrees(a.madds, "13M")', margin="5000000")


def test_names_and_lists():
    assert holds("computed == [1, 2]", computed=[1, 2])
    assert holds("computed == True", computed=True)
    assert not holds("computed == [1]", computed=[2])
    with pytest.raises(MissingValue, match="computed"):
        holds("computed == 1")


def test_a_missing_cell_is_named_even_after_a_false_part():
    with pytest.raises(MissingValue, match=r"z\.top1"):
        holds("a.top1 < b.top1 and z.top1 > 1")


def test_outcome_points_at_the_part_that_fails():
    outcome = compile_expr("a.top1 > b.top1 and b.top1 > 50").evaluate(lambda r, c: CELLS[r, c])
    assert (outcome.holds, outcome.quantity, outcome.part) == (False, Decimal("49.8"), "b.top1 > 50")


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os')",
        "a.top1.real > 1",
        "open('x') == 1",
        "(lambda: 1)() == 1",
        "a.top1 ** 9 > 1",
        "[x for x in a] == 1",
        "'a' == 'b'",
        "a.top1 > ",
        "a.top1 + 1",
        'agrees(a.top1, "x")',
        "agrees(a.top1, 11.3)",
        "approx(a.top1, 1)",
    ],
)
def test_anything_else_is_refused(text):
    with pytest.raises(ExpressionError):
        compile_expr(text)


def test_refs_are_listed_in_order():
    assert compile_expr("b.top1 < a.top1 and b.top1 > 1").refs == (("b", "top1"), ("a", "top1"))


def test_division_by_zero_is_an_error_of_the_expression():
    with pytest.raises(ExpressionError, match="zero"):
        holds("a.top1 / 0 > 1")
