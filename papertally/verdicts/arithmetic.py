"""Show a claim's expression worked out: every comparison with the numbers put in, its result and its truth."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from papertally.statements.expressions import Expression, ExpressionError, MissingValue
from papertally.statements.grammar import conjuncts, reads_trained
from papertally.verdicts.names import quantity

#: What stands for a value that nobody has.
MISSING = "…"
#: From here on a number in an expression is shown with its unit.
LARGE = 10_000
_SIGNS = {
    ast.Lt: "<",
    ast.LtE: "≤",
    ast.Gt: ">",
    ast.GtE: "≥",
    ast.Eq: "=",
    ast.NotEq: "≠",
    ast.In: "within",
}


@dataclass(frozen=True)
class Line:
    """Hold one comparison in words and numbers; holds: None where a value is missing."""

    text: str
    holds: bool | None


class _Filled(ast.NodeTransformer):
    """Put shown values in the place of cells and names."""

    def __init__(self, shown: Callable[[str, str], str | None], names: Mapping[str, Any]) -> None:
        self.shown, self.names = shown, names

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        assert isinstance(node.value, ast.Name)
        return ast.Name(self.shown(node.value.id, node.attr) or MISSING)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id not in self.names:
            return node  # a function
        value = self.names[node.id]
        return ast.Name(MISSING if value is None else quantity(value))

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        value = node.value
        if isinstance(value, bool):
            return ast.Name(quantity(value))
        if not isinstance(value, int | float) or value < LARGE:
            return node
        return ast.Name(quantity(value) if float(f"{value:.4g}") == value else f"{value:,}")


def _call(node: ast.expr) -> str:
    return node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""


def _text(node: ast.expr) -> str:
    """Return an operand for a reader, printed("2.7M") as what it stands for."""
    if isinstance(node, ast.Call) and _call(node) == "printed":
        return f"what prints as {ast.literal_eval(node.args[0])}"
    text = ast.unparse(node)
    for plain, sign in ((" * ", " × "), (" / ", " ÷ "), (" - ", " − "), ("'", "")):
        text = text.replace(plain, sign)
    return text


def worked(
    expression: Expression,
    lookup: Callable[[str, str], Decimal | None],
    shown: Callable[[str, str], str | None],
    names: Mapping[str, Any] | None = None,
    margin: Decimal | None = None,
) -> list[Line]:
    """Return a line for each comparison of an expression.

    lookup, names, margin: as for Expression.evaluate; shown: how a cell's value reads, None where there is none.
    """
    names = dict.fromkeys(expression.names) | dict(names or {})
    out = []
    for part in conjuncts(expression.tree):
        filled = _Filled(shown, names).visit(ast.parse(ast.unparse(part), mode="eval").body)
        holds, value = None, ""
        try:
            outcome = Expression(expression.text, part, expression.refs, expression.names).evaluate(
                lookup, names, margin
            )
            holds, value = outcome.holds, quantity(outcome.quantity)
        except (MissingValue, ExpressionError):
            pass
        of_computed = isinstance(part, ast.Compare) and isinstance(part.left, ast.Name)
        text = _computed(filled) if of_computed else _line(filled, value, margin if reads_trained(part) else None)
        out.append(Line(text, holds))
    return out


def _computed(node: ast.Compare) -> str:
    """Return a comparison of a computed quantity with what is wanted."""
    wanted = []
    for op, other in zip(node.ops, node.comparators, strict=True):
        sign = "" if isinstance(op, ast.Eq) or _call(other) == "printed" else f"{_SIGNS[type(op)]} "
        wanted.append(sign + _text(other))
    return f"computed {_text(node.left)}; wanted {', '.join(wanted)}"


def _line(node: ast.expr, value: str, margin: Decimal | None) -> str:
    """Return one comparison in words; value: of its left side, told where that side is a term."""
    name = _call(node)
    if isinstance(node, ast.Compare):
        first, others, ops = node.left, node.comparators, node.ops
    elif isinstance(node, ast.Call) and name in ("agrees", "approx"):
        first, *others = node.args
        ops = []
    else:
        return _text(node).replace(" == ", " = ")
    told = bool(value) and isinstance(first, ast.BinOp | ast.Call)
    left = f"{_text(first)} = {value}" if told else _text(first)
    if name == "approx":
        return f"{left}; wanted {_text(others[0])} ± {_text(others[1])}"
    if name == "agrees":
        target = ast.literal_eval(others[0])
        return f"{left}; wanted {target} ± {margin:g}" if margin else f"{left}; wanted what rounds to {target}"
    rest = " ".join(f"{_SIGNS[type(op)]} {_text(other)}" for op, other in zip(ops, others, strict=True))
    return f"{left}; wanted {rest}" if told else f"{left} {rest}"
