"""Three-valued evaluation of an expression over spans: what holds of every value that its cells may have."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

from papertally.quantities.interval import COMPARE, Span, Truth, every, greatest, least, point, some, span, within
from papertally.quantities.printed import bounds
from papertally.statements.grammar import COMPARE as PLAIN
from papertally.statements.grammar import ExpressionError, Walker, printed_argument, printed_text, reads_trained


class Spans(Walker):
    """Walk one checked tree with spans for numbers and truths for comparisons."""

    def __init__(
        self, lookup: Callable[[str, str], Span | None], names: Mapping[str, Any], margin: Decimal | None, rounding: str
    ) -> None:
        super().__init__(lookup, names)
        self.margin, self.rounding = margin, rounding

    def run(self, tree: ast.expr) -> Truth:
        try:
            found = self.value(tree)
        except ZeroDivisionError:
            raise ExpressionError("divides by zero") from None
        except (TypeError, AttributeError) as error:
            raise ExpressionError(f"compares what cannot be compared ({error})") from None
        if not isinstance(found, Truth):
            raise ExpressionError("states nothing that can be true or false")
        return found

    def number(self, value: Any) -> Any:
        """Return numbers as spans of one value, lists element by element, truths as they are."""
        if isinstance(value, list):
            return [self.number(v) for v in value]
        return point(Fraction(value)) if isinstance(value, Decimal) else value

    def negation(self, operand: ast.expr) -> Truth:
        return ~self.truth_of(operand)

    def junction(self, op: ast.boolop, parts: list[ast.expr]) -> Truth:
        truths = [self.truth_of(v) for v in parts]
        return every(truths) if isinstance(op, ast.And) else some(truths)

    def comparison(self, node: ast.AST, ops: list[ast.cmpop], values: list[Any]) -> Truth:
        return every([self.compare(op, a, b) for op, a, b in zip(ops, values, values[1:], strict=False)])

    def truth_of(self, node: ast.AST) -> Truth:
        found = self.value(node)
        if isinstance(found, bool):
            return Truth.HOLDS if found else Truth.CANNOT
        if not isinstance(found, Truth):
            raise TypeError("a number stands where a comparison is wanted")
        return found

    def compare(self, op: ast.cmpop, a: Any, b: Any) -> Truth:
        if isinstance(op, ast.In) and isinstance(b, list):
            return some([self.compare(ast.Eq(), a, x) for x in b])
        if isinstance(a, Span) and isinstance(b, Span):
            return COMPARE[type(op).__name__](a, b)
        if isinstance(a, list) and isinstance(b, list) and isinstance(op, ast.Eq | ast.NotEq):
            same = Truth.CANNOT
            if len(a) == len(b):
                same = every([self.compare(ast.Eq(), x, y) for x, y in zip(a, b, strict=True)])
            return same if isinstance(op, ast.Eq) else ~same
        if isinstance(a, Span) or isinstance(b, Span) or isinstance(a, list) != isinstance(b, list):
            if isinstance(op, ast.Eq | ast.NotEq):
                return Truth.CANNOT if isinstance(op, ast.Eq) else Truth.HOLDS
            raise TypeError("unlike kinds")
        return Truth.HOLDS if PLAIN[type(op)](a, b) else Truth.CANNOT

    def call(self, node: ast.AST, name: str, args: list[ast.expr]) -> Any:
        if name == "printed":
            return self.printed(args[0])
        if name == "agrees":
            x = self.value(args[0])
            if self.margin is None or not reads_trained(args[0]):
                return within(x, self.printed(args[1]))
            gap = abs(x - point(Fraction(printed_argument(args[1]).value)))
            return COMPARE["LtE"](gap, point(Fraction(self.margin)))
        values = [self.value(arg) for arg in args]
        if name == "prints_same":
            return Truth.HOLDS if len(set(values)) == 1 else Truth.CANNOT
        if name == "approx":
            return COMPARE["LtE"](abs(values[0] - values[1]), values[2])
        if name == "abs":
            return abs(values[0])
        out = values[0]
        for other in values[1:]:
            out = greatest(out, other) if name == "max" else least(out, other)
        return out

    def printed(self, node: ast.AST) -> Span:
        printed_argument(node)
        return span(bounds(printed_text(node), self.rounding))
