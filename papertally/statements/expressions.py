"""Expressions over cells: a small, safe language for the paper's statements (arithmetic, comparison, and, or, not).

`t2_small.top1` is a cell, a bare name a given quantity; numbers are exact decimals. Functions: min, max, abs,
approx(x, target, tolerance), agrees(x, "11.3"), printed("1.5M"), prints_same(cell, cell ...). `evaluate` takes numbers,
`truth` takes intervals of them and says what holds of every value in these.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from papertally.quantities.interval import Interval, Truth, point
from papertally.statements.evaluate import Evaluator, Outcome
from papertally.statements.grammar import (
    MAX_DEPTH,
    ExpressionError,
    MissingValue,
    Ref,
    check,
    conjuncts,
    depth,
    is_call,
)

__all__ = ["Expression", "ExpressionError", "Lookup", "MissingValue", "Outcome", "Ref", "compile_expr"]

Lookup = Callable[[str, str], Decimal | None]


@dataclass(frozen=True)
class Expression:
    """Hold a compiled expression with the cells (`refs`) and the names that it reads, in order of appearance."""

    text: str
    tree: ast.expr
    refs: tuple[Ref, ...]
    names: tuple[str, ...]

    def evaluate(
        self, lookup: Lookup, names: Mapping[str, Any] | None = None, margin: Decimal | None = None
    ) -> Outcome:
        """Return whether the expression holds.

        lookup maps (row id, column) to a value or None. margin: what agrees() tolerates where trained cells are read;
        elsewhere, and with None, x must round to the printed string. Raises MissingValue.
        """

        def of_one_value(row: str, column: str) -> Interval | None:
            value = lookup(row, column)
            return None if value is None else point(value)

        return Evaluator(of_one_value, names or {}, margin).run(self.tree)

    def truth(
        self,
        lookup: Callable[[str, str], Interval | None],
        names: Mapping[str, Any] | None = None,
        margin: Decimal | None = None,
        rounding: str = "nearest",
    ) -> Truth:
        """Return what the expression is for all values within the cells' intervals.

        Each cell is taken on its own wherever it stands, so that an expression which reads one twice may stay
        undecided though it is not. rounding: of the printed numbers in the expression itself (printed.ROUNDINGS).
        prints_same is decided by `lookup`'s intervals: the same values print the same. Raises MissingValue.
        """
        return Evaluator(lookup, names or {}, margin, rounding).run(self.tree).truth

    @property
    def parts(self) -> list[Expression]:
        """Return the comparisons that a conjunction joins, each an expression of its own."""
        return [compile_expr(ast.unparse(part)) for part in conjuncts(self.tree)]

    @property
    def about_print(self) -> bool:
        """Tell whether the expression only compares printed strings, so that no achieved value bears on it."""
        return all(is_call(part, "prints_same") for part in conjuncts(self.tree))


def compile_expr(text: str) -> Expression:
    """Compile an expression. Raises ExpressionError naming what is not allowed."""
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError as error:
        raise ExpressionError(f"cannot be parsed: {error.msg}: {text[:80]!r}") from None
    except (ValueError, RecursionError, MemoryError):  # a null character; nested beyond what Python's parser holds
        raise ExpressionError(f"cannot be parsed: {text[:80]!r}") from None
    if depth(tree) > MAX_DEPTH:
        raise ExpressionError(f"is nested more than {MAX_DEPTH} deep; split it: {text[:80]!r}")
    refs: dict[Ref, None] = {}
    names: dict[str, None] = {}
    check(tree, refs, names)
    if not isinstance(tree, (ast.Compare, ast.BoolOp, ast.UnaryOp)) and not is_call(
        tree, "approx", "agrees", "prints_same"
    ):
        raise ExpressionError(f"states nothing that can be true or false: {text!r}")
    return Expression(text, tree, tuple(refs), tuple(names))
