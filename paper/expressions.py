"""Expressions over cells: a small, safe language for the paper's statements (arithmetic, comparison, and, or, not).

`t2_micronet_m1.top1` is a cell, a bare name a given quantity; numbers are exact decimals. Functions: min, max, abs,
approx(x, target, tolerance), agrees(x, "11.3"), printed("1.5M"), prints_same(cell, cell ...). `evaluate` takes numbers,
`truth` takes spans of them and says what holds of every value in these.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, DivisionByZero, InvalidOperation
from fractions import Fraction
from typing import Any

from paper.printed import Interval, bounds, parse_printed
from paper.spans import COMPARE, Span, Truth, every, greatest, least, point, some, span, within

Ref = tuple[str, str]
Lookup = Callable[[str, str], Decimal | None]

_BINARY: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
}  # fmt: skip
_COMPARE: dict[type, Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge,
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.In: lambda a, b: a in b,
}  # fmt: skip
_ARITY = {"min": (2, 99), "max": (2, 99), "abs": (1, 1), "approx": (3, 3), "agrees": (2, 2), "printed": (1, 1),
          "prints_same": (2, 99)}  # fmt: skip


#: Of an expression's tree; the deepest of ours has 8.
MAX_DEPTH = 50


class ExpressionError(ValueError):
    """Say what is wrong with an expression."""


class MissingValue(LookupError):
    """Name the cell or the quantity that has no value."""


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
        undecided though it is not. rounding: of the printed numbers in the expression itself (paper.printed.ROUNDINGS).
        prints_same is decided by `lookup`'s spans: the same values print the same. Raises MissingValue.
        """
        return _Spans(lookup, names or {}, margin, rounding).run(self.tree)

    @property
    def parts(self) -> list[Expression]:
        """Return the comparisons that a conjunction joins, each an expression of its own."""
        return [compile_expr(ast.unparse(part)) for part in _conjuncts(self.tree)]

    @property
    def about_print(self) -> bool:
        """Tell whether the expression only compares printed strings, so that no achieved value bears on it."""
        return all(_is_call(part, "prints_same") for part in _conjuncts(self.tree))


def compile_expr(text: str) -> Expression:
    """Compile an expression. Raises ExpressionError naming what is not allowed."""
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError as error:
        raise ExpressionError(f"cannot be parsed: {error.msg}: {text[:80]!r}") from None
    except (ValueError, RecursionError, MemoryError):  # a null character; nested beyond what Python's parser holds
        raise ExpressionError(f"cannot be parsed: {text[:80]!r}") from None
    if _depth(tree) > MAX_DEPTH:
        raise ExpressionError(f"is nested more than {MAX_DEPTH} deep; split it: {text[:80]!r}")
    refs: dict[Ref, None] = {}
    names: dict[str, None] = {}
    _check(tree, refs, names)
    if not isinstance(tree, (ast.Compare, ast.BoolOp, ast.UnaryOp)) and not _is_call(
        tree, "approx", "agrees", "prints_same"
    ):
        raise ExpressionError(f"states nothing that can be true or false: {text!r}")
    return Expression(text, tree, tuple(refs), tuple(names))


def _conjuncts(tree: ast.expr) -> list[ast.expr]:
    if isinstance(tree, ast.BoolOp) and isinstance(tree.op, ast.And):
        return [part for value in tree.values for part in _conjuncts(value)]
    return [tree]


def _depth(tree: ast.AST) -> int:
    """Return how deep a tree is, without recursion."""
    level, depth = [tree], 0
    while level:
        depth += 1
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    return depth


def _is_call(node: ast.AST, *names: str) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names


def _check(node: ast.AST, refs: dict[Ref, None], names: dict[str, None]) -> None:
    match node:
        case ast.Attribute(value=ast.Name(id=row), attr=column):
            refs[(row, column)] = None
            return
        case ast.Name(id=name):
            names[name] = None
        case ast.Constant(value=bool() | int() | float()):
            pass
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in _ARITY:
            low, high = _ARITY[name]
            if not low <= len(args) <= high:
                raise ExpressionError(f"{name}() takes {low} to {high} arguments, not {len(args)}")
            if name in ("printed", "agrees"):
                _printed_argument(args[-1])
                args = args[:-1]
            if name == "prints_same" and not all(isinstance(arg, ast.Attribute) for arg in args):
                raise ExpressionError("prints_same() takes cells")
            for arg in args:
                _check(arg, refs, names)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            _check(left, refs, names)
            _check(right, refs, names)
        case ast.UnaryOp(op=ast.USub() | ast.Not(), operand=operand):
            _check(operand, refs, names)
        case ast.BoolOp(values=values):
            for value in values:
                _check(value, refs, names)
        case ast.Compare(left=left, ops=ops, comparators=others) if all(type(op) in _COMPARE for op in ops):
            for value in (left, *others):
                _check(value, refs, names)
        case ast.List(elts=elts):
            for value in elts:
                _check(value, refs, names)
        case _:
            raise ExpressionError(f"{ast.unparse(node) if hasattr(node, '_fields') else node!r} is not allowed")


def _printed_argument(node: ast.AST) -> Interval:
    if not (isinstance(node, ast.Constant) and isinstance(node.value, str)):
        raise ExpressionError("printed() and agrees() take a printed number in quotes last")
    try:
        return parse_printed(node.value)
    except ValueError as error:
        raise ExpressionError(str(error)) from None


def _reads_trained(node: ast.AST) -> bool:
    """Tell whether a node reads a cell that training decides: a margin has no sense for params and MAdds."""
    return any(isinstance(n, ast.Attribute) and n.attr not in ("params", "madds") for n in ast.walk(node))


class _Evaluation:
    """Walk one checked tree."""

    def __init__(self, lookup: Lookup, names: Mapping[str, Any], margin: Decimal | None) -> None:
        self.lookup, self.names, self.margin = lookup, names, margin
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
        return Outcome(bool(holds), quantity, "" if part is None else ast.unparse(part))

    def note(self, node: ast.AST, holds: bool, quantity: Any) -> bool:
        """Remember one comparison and return its truth."""
        self.parts.append((bool(holds), quantity, node))
        return holds

    def value(self, node: ast.AST) -> Any:
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
                return _BINARY[type(op)](self.value(left), self.value(right))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return not self.value(operand)
            case ast.UnaryOp(operand=operand):
                return -self.value(operand)
            case ast.BoolOp(op=op, values=values):
                results = [self.value(v) for v in values]  # no short cut: every cell must be there
                return all(results) if isinstance(op, ast.And) else any(results)
            case ast.List(elts=elts):
                return [self.value(e) for e in elts]
            case ast.Compare(left=left, ops=ops, comparators=others):
                values = [self.value(left), *map(self.value, others)]
                holds = all(_COMPARE[type(op)](a, b) for op, a, b in zip(ops, values, values[1:], strict=False))
                return self.note(node, holds, values[0])
            case ast.Call(func=ast.Name(id=name), args=args):
                return self.call(node, name, args)
        raise AssertionError(ast.dump(node))

    def call(self, node: ast.AST, name: str, args: list[ast.expr]) -> Any:
        if name == "printed":
            return _printed_argument(args[0])
        if name == "agrees":
            x, target = self.value(args[0]), _printed_argument(args[1])
            if self.margin is None or not _reads_trained(args[0]):
                return self.note(node, x in target, x)
            return self.note(node, abs(x - target.value) <= self.margin, x)
        values = [self.value(arg) for arg in args]
        if name == "prints_same":
            return self.note(node, len(set(values)) == 1, values[0])
        if name == "approx":
            return self.note(node, abs(values[0] - values[1]) <= values[2], values[0])
        return {"min": min, "max": max, "abs": abs}[name](*values)


class _Spans:
    """Walk one checked tree with spans for numbers and truths for comparisons."""

    def __init__(
        self, lookup: Callable[[str, str], Span | None], names: Mapping[str, Any], margin: Decimal | None, rounding: str
    ) -> None:
        self.lookup, self.names, self.margin, self.rounding = lookup, names, margin, rounding

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

    def value(self, node: ast.AST) -> Any:
        match node:
            case ast.Attribute(value=ast.Name(id=row), attr=column):
                found = self.lookup(row, column)
                if found is None:
                    raise MissingValue(f"{row}.{column}")
                return found
            case ast.Name(id=name):
                if self.names.get(name) is None:
                    raise MissingValue(name)
                return _spanned(exact(self.names[name]))
            case ast.Constant(value=value):
                return _spanned(exact(value))
            case ast.BinOp(left=left, op=op, right=right):
                return _BINARY[type(op)](self.value(left), self.value(right))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return ~self.truth_of(operand)
            case ast.UnaryOp(operand=operand):
                return -self.value(operand)
            case ast.BoolOp(op=op, values=values):
                truths = [self.truth_of(v) for v in values]
                return every(truths) if isinstance(op, ast.And) else some(truths)
            case ast.List(elts=elts):
                return [self.value(e) for e in elts]
            case ast.Compare(left=left, ops=ops, comparators=others):
                values = [self.value(left), *map(self.value, others)]
                return every([self.compare(op, a, b) for op, a, b in zip(ops, values, values[1:], strict=False)])
            case ast.Call(func=ast.Name(id=name), args=args):
                return self.call(name, args)
        raise AssertionError(ast.dump(node))

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
        return Truth.HOLDS if _COMPARE[type(op)](a, b) else Truth.CANNOT

    def call(self, name: str, args: list[ast.expr]) -> Any:
        if name == "printed":
            return self.printed(args[0])
        if name == "agrees":
            x = self.value(args[0])
            if self.margin is None or not _reads_trained(args[0]):
                return within(x, self.printed(args[1]))
            gap = abs(x - point(Fraction(_printed_argument(args[1]).value)))
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
        _printed_argument(node)
        assert isinstance(node, ast.Constant)
        return span(bounds(node.value, self.rounding))


def _spanned(value: Any) -> Any:
    """Return numbers as spans of one value, lists element by element, truths as they are."""
    if isinstance(value, list):
        return [_spanned(v) for v in value]
    return point(Fraction(value)) if isinstance(value, Decimal) else value


def exact(value: Any) -> Any:
    """Return numbers as Decimal, lists element by element, booleans as they are."""
    if isinstance(value, bool):
        return value
    if isinstance(value, (int, float)):
        return Decimal(repr(value))
    if isinstance(value, (list, tuple)):
        return [exact(v) for v in value]
    return value
