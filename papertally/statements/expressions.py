"""Expressions over cells: a small, safe language for the paper's statements (arithmetic, comparison, and, or, not).

`t2_small.top1` is a cell, a bare name a given quantity; numbers are exact decimals. Functions: min, max, abs,
approx(x, target, tolerance), agrees(x, "11.3"), printed("1.5M"), prints_same(cell, cell ...). `evaluate` takes numbers,
`truth` takes spans of them and says what holds of every value in these.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, DivisionByZero, InvalidOperation
from functools import lru_cache
from typing import Any

from papertally.quantities.interval import Span, Truth
from papertally.statements.grammar import (
    COMPARE,
    MAX_DEPTH,
    ExpressionError,
    MissingValue,
    Ref,
    Walker,
    check,
    conjuncts,
    depth,
    is_call,
    printed_argument,
    reads_trained,
)
from papertally.statements.interval_evaluator import Spans

__all__ = ["Expression", "ExpressionError", "Lookup", "MissingValue", "Outcome", "Ref", "compile_expr"]

Lookup = Callable[[str, str], Decimal | None]


@dataclass(frozen=True)
class Outcome:
    """Hold an expression's truth and, for the reader, what decided it.

    `part` is the first comparison that fails, or the first of all, and `quantity` its left side (a Decimal or list).
    """

    holds: bool
    quantity: Any
    part: str


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
        return _Evaluation(lookup, names or {}, margin).run(self.tree)

    def truth(
        self, lookup: Callable[[str, str], Span | None], names: Mapping[str, Any] | None = None,
        margin: Decimal | None = None, rounding: str = "nearest",
    ) -> Truth:  # fmt: skip
        """Return what the expression is for all values within the cells' spans.

        Each cell is taken on its own wherever it stands, so that an expression which reads one twice may stay
        undecided though it is not. rounding: of the printed numbers in the expression itself (printed.ROUNDINGS).
        prints_same is decided by `lookup`'s spans: the same values print the same. Raises MissingValue.
        """
        return Spans(lookup, names or {}, margin, rounding).run(self.tree)

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


#: A statement is evaluated for many combinations of conventions; its parts are written once.
_written = lru_cache(maxsize=4096)(ast.unparse)


class _Evaluation(Walker):
    """Walk one checked tree with numbers."""

    def __init__(self, lookup: Lookup, names: Mapping[str, Any], margin: Decimal | None) -> None:
        super().__init__(lookup, names)
        self.margin = margin
        self.parts: list[tuple[bool, Any, ast.AST | None]] = []

    def run(self, tree: ast.expr) -> Outcome:
        try:
            holds = self.value(tree)
        except (DivisionByZero, InvalidOperation):
            raise ExpressionError("divides by zero") from None
        except ArithmeticError as error:
            raise ExpressionError(f"computes a number that is too large ({type(error).__name__})") from None
        except TypeError as error:
            raise ExpressionError(f"compares what cannot be compared ({error})") from None
        first = self.parts[0] if self.parts else (holds, None, None)
        _, quantity, part = first if holds else next((p for p in self.parts if not p[0]), first)
        return Outcome(bool(holds), quantity, "" if part is None else _written(part))

    def note(self, node: ast.AST, holds: bool, quantity: Any) -> bool:
        """Remember one comparison and return its truth."""
        self.parts.append((bool(holds), quantity, node))
        return holds

    def negation(self, operand: ast.expr) -> bool:
        return not self.value(operand)

    def junction(self, op: ast.boolop, parts: list[ast.expr]) -> bool:
        results = [self.value(v) for v in parts]  # no short cut: every cell must be there
        return all(results) if isinstance(op, ast.And) else any(results)

    def comparison(self, node: ast.AST, ops: list[ast.cmpop], values: list[Any]) -> bool:
        holds = all(COMPARE[type(op)](a, b) for op, a, b in zip(ops, values, values[1:], strict=False))
        return self.note(node, holds, values[0])

    def call(self, node: ast.AST, name: str, args: list[ast.expr]) -> Any:
        if name == "printed":
            return printed_argument(args[0])
        if name == "agrees":
            x, target = self.value(args[0]), printed_argument(args[1])
            if self.margin is None or not reads_trained(args[0]):
                return self.note(node, x in target, x)
            return self.note(node, abs(x - target.value) <= self.margin, x)
        values = [self.value(arg) for arg in args]
        if name == "prints_same":
            return self.note(node, len(set(values)) == 1, values[0])
        if name == "approx":
            return self.note(node, abs(values[0] - values[1]) <= values[2], values[0])
        return abs(values[0]) if name == "abs" else (min if name == "min" else max)(values)
