"""What an expression may say: its operators, functions and errors, and the check of a parsed tree."""

from __future__ import annotations

import ast

from papertally.quantities.columns import is_cost
from papertally.quantities.printed import PrintedNumber, parse_printed

Ref = tuple[str, str]
BINARY = (ast.Add, ast.Sub, ast.Mult, ast.Div)
COMPARE = (ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq, ast.In)
ARITY = {
    "min": (2, 99),
    "max": (2, 99),
    "abs": (1, 1),
    "approx": (3, 3),
    "agrees": (2, 2),
    "printed": (1, 1),
    "prints_same": (2, 99),
}


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
        case ast.BinOp(left=left, op=op, right=right) if isinstance(op, BINARY):
            check(left, refs, names)
            check(right, refs, names)
        case ast.UnaryOp(op=ast.USub() | ast.Not(), operand=operand):
            check(operand, refs, names)
        case ast.BoolOp(values=values):
            for value in values:
                check(value, refs, names)
        case ast.Compare(left=left, ops=ops, comparators=others) if all(isinstance(op, COMPARE) for op in ops):
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


def printed_argument(node: ast.AST) -> PrintedNumber:
    text = printed_text(node)
    try:
        return parse_printed(text)
    except ValueError as error:
        raise ExpressionError(str(error)) from None


def reads_trained(node: ast.AST) -> bool:
    """Tell whether a node reads a cell that training decides: a margin has no sense for costs."""
    return any(isinstance(n, ast.Attribute) and not is_cost(n.attr) for n in ast.walk(node))
