"""What an expression may say: its operators, functions and errors, and the check of a parsed tree."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from papertally.quantities.columns import is_cost
from papertally.quantities.printed import Interval, parse_printed

Ref = tuple[str, str]
BINARY: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
}  # fmt: skip
COMPARE: dict[type, Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge,
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.In: lambda a, b: a in b,
}  # fmt: skip
ARITY = {"min": (2, 99), "max": (2, 99), "abs": (1, 1), "approx": (3, 3), "agrees": (2, 2), "printed": (1, 1),
          "prints_same": (2, 99)}  # fmt: skip


#: Far above any count; infinity, which Python reads 1e999 as, is none of an expression's numbers.
LARGEST = 10**30
#: Of an expression's tree; the deepest of ours has 8.
MAX_DEPTH = 50


class ExpressionError(ValueError):
    """Say what is wrong with an expression."""


class MissingValue(LookupError):
    """Name the cell or the quantity that has no value."""


def conjuncts(tree: ast.expr) -> list[ast.expr]:
    if isinstance(tree, ast.BoolOp) and isinstance(tree.op, ast.And):
        return [part for value in tree.values for part in conjuncts(value)]
    return [tree]


def depth(tree: ast.AST) -> int:
    """Return how deep a tree is, without recursion."""
    level, depth = [tree], 0
    while level:
        depth += 1
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    return depth


def is_call(node: ast.AST, *names: str) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names


def check(node: ast.AST, refs: dict[Ref, None], names: dict[str, None]) -> None:
    match node:
        case ast.Attribute(value=ast.Name(id=row), attr=column):
            refs[(row, column)] = None
            return
        case ast.Name(id=name):
            names[name] = None
        case ast.Constant(value=bool() | int() | float() as constant):
            if not -LARGEST < constant < LARGEST:
                raise ExpressionError(f"{str(constant)[:40]} is too large a number")
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in ARITY:
            low, high = ARITY[name]
            if not low <= len(args) <= high:
                raise ExpressionError(f"{name}() takes {low} to {high} arguments, not {len(args)}")
            if name in ("printed", "agrees"):
                printed_argument(args[-1])
                args = args[:-1]
            if name == "prints_same" and not all(isinstance(arg, ast.Attribute) for arg in args):
                raise ExpressionError("prints_same() takes cells")
            for arg in args:
                check(arg, refs, names)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in BINARY:
            check(left, refs, names)
            check(right, refs, names)
        case ast.UnaryOp(op=ast.USub() | ast.Not(), operand=operand):
            check(operand, refs, names)
        case ast.BoolOp(values=values):
            for value in values:
                check(value, refs, names)
        case ast.Compare(left=left, ops=ops, comparators=others) if all(type(op) in COMPARE for op in ops):
            for value in (left, *others):
                check(value, refs, names)
        case ast.List(elts=elts):
            for value in elts:
                check(value, refs, names)
        case _:
            raise ExpressionError(f"{ast.unparse(node) if hasattr(node, '_fields') else node!r} is not allowed")


def printed_text(node: ast.AST) -> str:
    """Return a printed number as it stands in quotes. Raises ExpressionError for anything else."""
    if not (isinstance(node, ast.Constant) and isinstance(node.value, str)):
        raise ExpressionError("printed() and agrees() take a printed number in quotes last")
    return node.value


def printed_argument(node: ast.AST) -> Interval:
    text = printed_text(node)
    try:
        return parse_printed(text)
    except ValueError as error:
        raise ExpressionError(str(error)) from None


def reads_trained(node: ast.AST) -> bool:
    """Tell whether a node reads a cell that training decides: a margin has no sense for costs."""
    return any(isinstance(n, ast.Attribute) and not is_cost(n.attr) for n in ast.walk(node))


class Walker:
    """Walk a checked tree: what it reads and computes. Subclasses say what comparisons are, and what a number is."""

    def __init__(self, lookup: Callable[[str, str], Any], names: Mapping[str, Any]) -> None:
        self.lookup, self.names = lookup, names

    def number(self, value: Any) -> Any:
        """Return a constant or a given quantity as the walk computes with it."""
        return value

    def value(self, node: ast.AST) -> Any:
        """Return what a node is. Raises MissingValue for a cell or name without a value."""
        match node:
            case ast.Attribute(value=ast.Name(id=row), attr=column):
                found = self.lookup(row, column)
                if found is None:
                    raise MissingValue(f"{row}.{column}")
                return found
            case ast.Name(id=name):
                if self.names.get(name) is None:
                    raise MissingValue(name)
                return self.number(exact(self.names[name]))
            case ast.Constant(value=value):
                return self.number(exact(value))
            case ast.BinOp(left=left, op=op, right=right):
                return BINARY[type(op)](self.value(left), self.value(right))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return self.negation(operand)
            case ast.UnaryOp(operand=operand):
                return -self.value(operand)
            case ast.BoolOp(op=op, values=values):
                return self.junction(op, values)
            case ast.List(elts=elts):
                return [self.value(e) for e in elts]
            case ast.Compare(left=left, ops=ops, comparators=others):
                return self.comparison(node, ops, [self.value(left), *map(self.value, others)])
            case ast.Call(func=ast.Name(id=name), args=args):
                return self.call(node, name, args)
        raise AssertionError(ast.dump(node))

    def negation(self, operand: ast.expr) -> Any:
        """Return `not operand`."""
        raise NotImplementedError

    def junction(self, op: ast.boolop, parts: list[ast.expr]) -> Any:
        """Return a conjunction or disjunction."""
        raise NotImplementedError

    def comparison(self, node: ast.AST, ops: list[ast.cmpop], values: list[Any]) -> Any:
        """Return a chain of comparisons."""
        raise NotImplementedError

    def call(self, node: ast.AST, name: str, args: list[ast.expr]) -> Any:
        """Return a function's result."""
        raise NotImplementedError


def exact(value: Any) -> Any:
    """Return numbers as Decimal, lists element by element, booleans as they are."""
    if isinstance(value, bool):
        return value
    if isinstance(value, (int, float)):
        return Decimal(repr(value))
    if isinstance(value, (list, tuple)):
        return [exact(v) for v in value]
    return value
