"""A statement as a tree of contrasts: `a.top1 > max(b.top1, c.top1)` is a - b > 0 and a - c > 0.

Each leaf compares one weighted sum of experiments with 0, so that a t test judges it directly. The tree is exact: a
statement with max, min and abs over sums is a conjunction and disjunction of such leaves.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from papertally.quantities.columns import is_cost
from papertally.quantities.printed import parse_printed
from papertally.statements.expressions import Expression, ExpressionError

#: An experiment: the canonical row and the column. However often it is printed, it is one.
Key = tuple[str, str]


@dataclass(frozen=True)
class Contrast:
    """Say that constant + sum of weights times means is above 0 (strict), or not below it."""

    weights: tuple[tuple[Key, Decimal], ...]
    constant: Decimal
    strict: bool
    text: str


@dataclass(frozen=True)
class Fact:
    """Hold a comparison of exact numbers."""

    holds: bool
    text: str


@dataclass(frozen=True)
class Every:
    """Say that all parts hold."""

    parts: tuple[Node, ...]


@dataclass(frozen=True)
class Some:
    """Say that at least one part holds."""

    parts: tuple[Node, ...]


Node = Contrast | Fact | Every | Some
#: The exact value of a row's column, None where there is none.
Lookup = Callable[[str, str], Decimal | None]


def contrasts(
    expression: Expression,
    key: Callable[[str], str],
    cost: Lookup,
    margins: Mapping[str, float],
) -> Node:
    """Return a relation as a tree of contrasts.

    key: row id to the row whose experiment it is; cost: exact values; margins: what agrees() tolerates by column, in
    points. Raises ExpressionError where a part is not linear in trained cells, MissingValue for a missing cost.
    """
    return _Reader(expression, key, cost, margins).node(expression.tree)


class _Reader:
    """Walk one checked expression."""

    def __init__(
        self, expression: Expression, key: Callable[[str], str], cost: Lookup, margins: Mapping[str, float]
    ) -> None:
        self.expression, self.key, self.cost, self.margins = expression, key, cost, margins

    def node(self, tree: ast.expr) -> Node:
        if not trained(tree):
            bare = Expression(self.expression.text, tree, (), ())
            return Fact(bare.evaluate(self.cost).holds, ast.unparse(tree))
        match tree:
            case ast.BoolOp(op=op, values=values):
                parts = tuple(self.node(v) for v in values)
                return Every(parts) if isinstance(op, ast.And) else Some(parts)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return negated(self.node(operand))
            case ast.Compare(left=left, ops=ops, comparators=others):
                pairs = zip([left, *others], ops, others, strict=False)
                parts = tuple(self.compare(a, op, b, ast.unparse(tree)) for a, op, b in pairs)
                return parts[0] if len(parts) == 1 else Every(parts)
            case ast.Call(func=ast.Name(id="agrees"), args=[x, ast.Constant(value=str(target))]):
                value, margin = parse_printed(target).value, self.margin(x)
                return self.band(x, _exact(value), _exact(margin), ast.unparse(tree))
            case ast.Call(func=ast.Name(id="approx"), args=[x, target, tolerance]):
                return self.band(x, target, tolerance, ast.unparse(tree))
        raise ExpressionError(f"states nothing about trained cells that can be tested: {ast.unparse(tree)}")

    def margin(self, tree: ast.expr) -> Decimal:
        """Return what agrees() tolerates for the columns that a term reads."""
        return max(Decimal(str(self.margins[c])) for c in trained(tree))

    def compare(self, a: ast.expr, op: ast.cmpop, b: ast.expr, text: str) -> Node:
        match op:
            case ast.Gt() | ast.GtE():
                return self.above(_minus(a, b), isinstance(op, ast.Gt), text)
            case ast.Lt() | ast.LtE():
                return self.above(_minus(b, a), isinstance(op, ast.Lt), text)
            case ast.Eq():  # two means are never equal: read as equivalence within the margin
                return self.band(_minus(a, b), ast.Constant(0), _exact(self.margin(_minus(a, b))), text)
        raise ExpressionError(f"compares trained cells by what no test decides: {text}; use agrees()")

    def band(self, x: ast.expr, target: ast.expr, tolerance: ast.expr, text: str) -> Node:
        """Return target - tolerance <= x <= target + tolerance."""
        return Every(
            (
                self.above(_minus(x, _minus(target, tolerance)), False, text),
                self.above(_minus(_plus(target, tolerance), x), False, text),
            )
        )

    def above(self, tree: ast.expr, strict: bool, text: str) -> Node:
        """Return "tree is above 0" with every max, min and abs over trained cells spelled out."""
        found = _choice(tree, 1)
        if found is None:
            weights, constant = self.linear(tree)
            known = tuple((k, w) for k, w in weights.items() if w)
            if not known:
                return Fact(constant > 0 or (not strict and constant == 0), text)
            return Contrast(known, constant, strict, text)
        call, sign = found
        assert isinstance(call.func, ast.Name)
        name = call.func.id
        args = [*call.args, ast.UnaryOp(ast.USub(), call.args[0])] if name == "abs" else call.args
        parts = tuple(self.above(_put(tree, call, arg), strict, text) for arg in args)
        return Every(parts) if (name == "min") == (sign > 0) else Some(parts)

    def linear(self, tree: ast.expr) -> tuple[dict[Key, Decimal], Decimal]:
        """Return (weight by experiment, constant)."""
        if not trained(tree):
            return {}, self.number(tree)
        match tree:
            case ast.Attribute(value=ast.Name(id=row), attr=column):
                return {(self.key(row), column): Decimal(1)}, Decimal(0)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return _scaled(self.linear(operand), Decimal(-1))
            case ast.BinOp(left=left, op=ast.Add() | ast.Sub() as op, right=right):
                sign = Decimal(1 if isinstance(op, ast.Add) else -1)
                (mine, here), (theirs, there) = self.linear(left), _scaled(self.linear(right), sign)
                keys = dict.fromkeys([*mine, *theirs])
                zero = Decimal(0)
                return {k: mine.get(k, zero) + theirs.get(k, zero) for k in keys}, here + there
            case ast.BinOp(left=left, op=ast.Mult(), right=right) if not (trained(left) and trained(right)):
                term, factor = (left, right) if trained(left) else (right, left)
                return _scaled(self.linear(term), self.number(factor))
            case ast.BinOp(left=left, op=ast.Div(), right=right) if not trained(right):
                if not (divisor := self.number(right)):
                    raise ExpressionError("divides by zero")
                return _scaled(self.linear(left), 1 / divisor)
        raise ExpressionError(f"is not linear in trained cells: {ast.unparse(tree)}; write it with differences")

    def number(self, tree: ast.expr) -> Decimal:
        """Return the exact value of a term without trained cells."""
        always = ast.Compare(tree, [ast.Eq()], [tree])
        quantity: Decimal = Expression(self.expression.text, always, (), ()).evaluate(self.cost).quantity
        return quantity


def trained(tree: ast.AST) -> set[str]:
    """Return the trained columns that a term reads."""
    return {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute) and not is_cost(n.attr)}


def negated(node: Node) -> Node:
    """Return what is true where a node is false."""
    match node:
        case Contrast():
            weights = tuple((k, -w) for k, w in node.weights)
            return Contrast(weights, -node.constant, not node.strict, f"not ({node.text})")
        case Fact():
            return Fact(not node.holds, f"not ({node.text})")
        case Every():
            return Some(tuple(negated(p) for p in node.parts))
    return Every(tuple(negated(p) for p in node.parts))


def leaves(node: Node) -> list[Contrast | Fact]:
    """Return a tree's comparisons from left to right."""
    return [leaf for part in node.parts for leaf in leaves(part)] if isinstance(node, Every | Some) else [node]


def _exact(value: Decimal) -> ast.Constant:
    return ast.Constant(value)  # type: ignore[arg-type]  # read by `linear` alone, which computes in decimals


def _minus(a: ast.expr, b: ast.expr) -> ast.expr:
    return ast.BinOp(a, ast.Sub(), b)


def _plus(a: ast.expr, b: ast.expr) -> ast.expr:
    return ast.BinOp(a, ast.Add(), b)


def _scaled(form: tuple[dict[Key, Decimal], Decimal], factor: Decimal) -> tuple[dict[Key, Decimal], Decimal]:
    return {k: w * factor for k, w in form[0].items()}, form[1] * factor


def _choice(tree: ast.expr, sign: int) -> tuple[ast.Call, int] | None:
    """Return the first max, min or abs over trained cells of a sum, and the sign that it stands with."""
    match tree:
        case ast.Call() if trained(tree):
            return tree, sign
        case ast.UnaryOp(operand=operand):
            return _choice(operand, -sign)
        case ast.BinOp(left=left, op=op, right=right):
            if (
                isinstance(op, ast.Mult | ast.Div)
                and _choice(left, 1)
                or isinstance(op, ast.Mult)
                and _choice(right, 1)
            ):
                raise ExpressionError(
                    f"multiplies a maximum or minimum: {ast.unparse(tree)}; write it with differences"
                )
            return _choice(left, sign) or _choice(right, -sign if isinstance(op, ast.Sub) else sign)
    return None


def _put(tree: ast.expr, old: ast.expr, new: ast.expr) -> ast.expr:
    """Return a copy of a sum with one term replaced."""
    if tree is old:
        return new
    if isinstance(tree, ast.BinOp):
        return ast.BinOp(_put(tree.left, old, new), tree.op, _put(tree.right, old, new))
    if isinstance(tree, ast.UnaryOp):
        return ast.UnaryOp(tree.op, _put(tree.operand, old, new))
    return tree
