"""The one evaluator of statements: three-valued, over intervals; an exact number is an interval of one value."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache, reduce
from typing import Any

from papertally.quantities.interval import (
    COMPARE,
    Interval,
    Truth,
    at_most,
    every,
    greatest,
    least,
    point,
    some,
    within,
)
from papertally.quantities.printed import values_printed_as
from papertally.statements.grammar import ExpressionError, MissingValue, printed_argument, reads_trained

ARITHMETIC: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
#: A statement is evaluated for many combinations of conventions; its parts are written once.
_written = lru_cache(maxsize=4096)(ast.unparse)


@dataclass(frozen=True)
class Outcome:
    """Hold an expression's truth and, for the reader, what decided it.

    `part` is the first comparison that does not hold, or the first of all, and `quantity` its left side: a Decimal, a
    list of them, what else was given, or an Interval of several values.
    """

    truth: Truth
    quantity: Any
    part: str

    @property
    def holds(self) -> bool:
        """Tell whether the expression holds for every value of its cells."""
        return self.truth is Truth.HOLDS


class Evaluator:
    """Walk one checked tree with intervals for numbers and truths for comparisons.

    Args:
        lookup: maps (row id, column) to the values that the cell may have, or to None.
        names: the given quantities.
        margin: what agrees() tolerates where trained cells are read; None: x must print as the string.
        rounding: of the printed numbers in the expression itself, one of printed.ROUNDINGS.
    """

    def __init__(
        self,
        lookup: Callable[[str, str], Interval | None],
        names: Mapping[str, Any],
        margin: Decimal | None = None,
        rounding: str = "nearest",
    ) -> None:
        self.lookup, self.names = lookup, names
        self.margin, self.rounding = margin, rounding
        self.parts: list[tuple[Truth, Any, ast.AST]] = []

    def run(self, tree: ast.expr) -> Outcome:
        """Return what a statement is. Raises MissingValue, ExpressionError."""
        try:
            truth = self.truth(tree)
        except ZeroDivisionError:
            raise ExpressionError("divides by zero") from None
        except OverflowError:
            raise ExpressionError("computes a number that is too large") from None
        except (TypeError, AttributeError) as error:
            raise ExpressionError(f"compares what cannot be compared ({error})") from None
        failed = () if truth is Truth.HOLDS else (p for p in self.parts if p[0] is not Truth.HOLDS)
        _, quantity, part = next(iter(failed), self.parts[0])
        return Outcome(truth, _plain(quantity), _written(part))

    def truth(self, node: ast.expr) -> Truth:
        """Return what a part is that can be true or false; every cell that it reads must be there."""
        match node:
            case ast.BoolOp(op=op, values=values):
                return (every if isinstance(op, ast.And) else some)([self.truth(v) for v in values])
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return ~self.truth(operand)
            case ast.Compare(left=left, ops=ops, comparators=others):
                values = [self.value(left), *map(self.value, others)]
                found = every(self.compare(op, a, b) for op, a, b in zip(ops, values, values[1:], strict=False))
                return self.note(node, found, values[0])
            case ast.Call(func=ast.Name(id="agrees"), args=[x, target]):
                value, printed = self.value(x), printed_argument(target)
                if self.margin is None or not reads_trained(x):
                    return self.note(node, within(value, values_printed_as(printed, self.rounding)), value)
                return self.note(node, at_most(abs(value - point(printed.value)), point(self.margin)), value)
            case ast.Call(func=ast.Name(id="approx"), args=[x, target, tolerance]):
                value = self.value(x)
                return self.note(node, at_most(abs(value - self.value(target)), self.value(tolerance)), value)
            case ast.Call(func=ast.Name(id="prints_same"), args=args):
                cells = [self.value(arg) for arg in args]
                return self.note(node, Truth.HOLDS if len(set(cells)) == 1 else Truth.CANNOT, cells[0])
            case ast.Name() | ast.Constant():
                value = self.value(node)
                if isinstance(value, bool):
                    return self.note(node, Truth.HOLDS if value else Truth.CANNOT, value)
        raise TypeError("a number stands where a comparison is wanted")

    def note(self, node: ast.AST, truth: Truth, quantity: Any) -> Truth:
        """Remember one comparison and return its truth."""
        self.parts.append((truth, quantity, node))
        return truth

    def compare(self, op: ast.cmpop, a: Any, b: Any) -> Truth:
        if isinstance(op, ast.NotEq):
            return ~self.compare(ast.Eq(), a, b)
        if isinstance(a, Interval) and isinstance(b, Interval):
            return COMPARE[type(op).__name__](a, b)
        if isinstance(op, ast.In) and isinstance(b, list):
            return some(self.compare(ast.Eq(), a, x) for x in b)
        if not isinstance(op, ast.Eq):
            raise TypeError("unlike kinds")
        if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
            return every(self.compare(op, x, y) for x, y in zip(a, b, strict=True))
        if isinstance(a, Interval | bool) and isinstance(b, Interval | bool) and type(a) is not type(b):
            raise TypeError("a number and a truth")
        return Truth.HOLDS if type(a) is type(b) and a == b else Truth.CANNOT

    def value(self, node: ast.AST) -> Any:
        """Return what a term is. Raises MissingValue for a cell or name without a value."""
        match node:
            case ast.Attribute(value=ast.Name(id=row), attr=column):
                found = self.lookup(row, column)
                if found is None:
                    raise MissingValue(f"{row}.{column}")
                return found
            case ast.Name(id=name):
                if self.names.get(name) is None:
                    raise MissingValue(name)
                return exact(self.names[name])
            case ast.Constant(value=value):
                return exact(value)
            case ast.BinOp(left=left, op=op, right=right):
                return ARITHMETIC[type(op)](self.value(left), self.value(right))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self.value(operand)
            case ast.List(elts=elts):
                return [self.value(e) for e in elts]
            case ast.Call(func=ast.Name(id="printed"), args=[text]):
                return values_printed_as(printed_argument(text), self.rounding)
            case ast.Call(func=ast.Name(id="abs"), args=[x]):
                return abs(self.value(x))
            case ast.Call(func=ast.Name(id="min" | "max" as name), args=args):
                return reduce(least if name == "min" else greatest, [self.value(arg) for arg in args])
        raise TypeError(f"is no quantity: {ast.unparse(node)}")


def exact(value: Any) -> Any:
    """Return numbers as intervals of one value, lists element by element, anything else as it is."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return point(Fraction(repr(value)))
    if isinstance(value, Decimal):
        return point(value)
    return [exact(v) for v in value] if isinstance(value, (list, tuple)) else value


def _plain(value: Any) -> Any:
    """Return intervals of one value as decimals, lists element by element, anything else as it is."""
    if isinstance(value, Interval) and value.is_point:
        return Decimal(value.low.numerator) / Decimal(value.low.denominator)
    return [_plain(v) for v in value] if isinstance(value, list) else value
