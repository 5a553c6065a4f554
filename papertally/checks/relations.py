"""Statements against the printed numbers they speak of, as intervals: what rounding cannot save is impossible."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from fractions import Fraction

from papertally.checks import rounding
from papertally.checks.findings import (
    IMPOSSIBLE,
    NOT_APPLICABLE,
    PASSED,
    SUSPICIOUS,
    UNDECIDED,
    Finding,
    key,
    numeric,
    register,
)
from papertally.checks.rounding import Bounds, Convention, Truth
from papertally.ledger.load import Claim, Ledger
from papertally.quantities.printed import parse_printed
from papertally.statements.expressions import ExpressionError, MissingValue
from papertally.statements.grammar import printed_argument

_COMPARE: dict[type, Callable[[Bounds, Bounds], Truth]] = {
    ast.Lt: rounding.below,
    ast.LtE: rounding.at_most,
    ast.Gt: lambda a, b: rounding.below(b, a),
    ast.GtE: lambda a, b: rounding.at_most(b, a),
    ast.Eq: rounding.equal,
    ast.NotEq: lambda a, b: ~rounding.equal(a, b),
    ast.In: rounding.within,
}
Lookup = Callable[[str, str], Bounds]


class _Judge:
    """Walk one compiled expression; every quantity is an interval, every comparison three-valued."""

    def __init__(self, lookup: Lookup, text: Convention, same: Callable[[ast.expr, ast.expr], Truth | None]) -> None:
        self.lookup, self.text, self.same = lookup, text, same

    def truth(self, node: ast.AST) -> Truth:
        match node:
            case ast.BoolOp(op=ast.And(), values=values):
                return rounding.every([self.truth(v) for v in values])
            case ast.BoolOp(values=values):
                return rounding.some([self.truth(v) for v in values])
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return ~self.truth(operand)
            case ast.Compare(left=left, ops=ops, comparators=others):
                sides = [left, *others]
                return rounding.every([self.compare(op, a, b) for op, a, b in zip(ops, sides, sides[1:], strict=False)])
            case ast.Call(func=ast.Name(id="agrees"), args=[x, target]):
                return rounding.within(self.bounds(x), self.printed(target))
            case ast.Call(func=ast.Name(id="approx"), args=[x, target, tolerance]):
                off = abs(self.bounds(x) - self.bounds(target))
                return rounding.at_most(off, self.bounds(tolerance))
        raise ExpressionError(f"is neither true nor false: {ast.unparse(node)}")

    def compare(self, op: ast.cmpop, a: ast.expr, b: ast.expr) -> Truth:
        if isinstance(op, (ast.Eq, ast.NotEq)) and (printed := self.same(a, b)) is not None:
            return printed if isinstance(op, ast.Eq) else ~printed
        return _COMPARE[type(op)](self.bounds(a), self.bounds(b))

    def printed(self, node: ast.AST) -> Bounds:
        return self.text(printed_argument(node))

    def bounds(self, node: ast.AST) -> Bounds:
        match node:
            case ast.Attribute(value=ast.Name(id=row), attr=column):
                return self.lookup(row, column)
            case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
                return Bounds.point(Fraction(repr(value)))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self.bounds(operand)
            case ast.BinOp(left=left, op=op, right=right):
                a, b = self.bounds(left), self.bounds(right)
                match op:
                    case ast.Add():
                        return a + b
                    case ast.Sub():
                        return a - b
                    case ast.Mult():
                        return a * b
                    case _:
                        return a / b
            case ast.Call(func=ast.Name(id="printed"), args=[target]):
                return self.printed(target)
            case ast.Call(func=ast.Name(id=name), args=args) if name in ("min", "max", "abs"):
                parts = [self.bounds(arg) for arg in args]
                if name == "abs":
                    return abs(parts[0])
                return rounding.smallest(parts) if name == "min" else rounding.largest(parts)
        raise ExpressionError(f"is no quantity: {ast.unparse(node)}")


def judge(ledger: Ledger, tree: ast.AST, table: Convention, text: Convention) -> Truth:
    """Return whether an expression over printed cells holds, under one convention a place of print.

    Two cells set equal "print the same" where their strings do. Raises MissingValue, ExpressionError,
    ZeroDivisionError.
    """

    def lookup(row: str, column: str) -> Bounds:
        cell = ledger.cell(row, column)
        if not cell.numeric:
            raise MissingValue(key(row, column))
        return table(cell.interval)

    def same(a: ast.expr, b: ast.expr) -> Truth | None:
        match a, b:
            case ast.Attribute(value=ast.Name(id=r1), attr=c1), ast.Attribute(value=ast.Name(id=r2), attr=c2):
                one, two = ledger.cell(r1, c1).printed, ledger.cell(r2, c2).printed
                return Truth.HOLDS if one == two else rounding.equal(lookup(r1, c1), lookup(r2, c2))
        return None

    return _Judge(lookup, text, same).truth(tree)


def parts(tree: ast.expr) -> Iterator[ast.expr]:
    """Yield the conjuncts of an expression."""
    if isinstance(tree, ast.BoolOp) and isinstance(tree.op, ast.And):
        for value in tree.values:
            yield from parts(value)
    else:
        yield tree


def _cells(node: ast.AST) -> tuple[str, ...]:
    found = {
        key(n.value.id, n.attr): None
        for n in ast.walk(node)
        if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name)
    }
    return tuple(found)


def filled(ledger: Ledger, node: ast.AST) -> str:
    """Return an expression with what is printed in the place of each cell: "61.1 - 49.8 agrees with 11.3"."""
    text = ast.unparse(node)
    for name in sorted(_cells(node), key=len, reverse=True):
        row, column = name.split(".")
        text = re.sub(rf"\b{re.escape(name)}\b", ledger.cell(row, column).printed, text)
    return text.replace("'", "")


def _holds(ledger: Ledger, part: ast.expr, claim: Claim) -> bool:
    from papertally.statements.expressions import Expression

    return Expression(claim.expression.text, part, (), ()).evaluate(ledger.printed_value).holds


@register("statements", "relations that the text states between printed numbers, as intervals")
def statements(ledger: Ledger) -> Iterator[Finding]:
    """Judge every relation, part by part; the worst part speaks for it."""
    for claim in ledger.claims:
        if claim.kind != "relation":
            continue
        found = [_part(ledger, claim, part) for part in parts(claim.expression.tree)]
        worst = [f for f in found if f.severity != PASSED]
        if worst:
            yield from worst
            continue
        whole = all(f.arithmetic.endswith("whatever was rounded") for f in found)
        text = filled(ledger, claim.expression.tree)
        text = text if len(text) <= 160 else f"{len(found)} comparisons"
        end = "whatever was rounded" if whole else "as printed"
        yield Finding("statements", PASSED, f"statement {claim.id}", _cells(claim.expression.tree), f"{text}: {end}")


def _part(ledger: Ledger, claim: Claim, part: ast.expr) -> Finding:
    subject, cells, text = f"statement {claim.id}", _cells(part), filled(ledger, part)
    try:
        truth, rescued = rounding.verdict(lambda table, prose: judge(ledger, part, table, prose))
        holds = _holds(ledger, part, claim)
    except MissingValue as missing:
        return Finding("statements", SUSPICIOUS, subject, cells, f"{text}: no number is printed at {missing}")
    except ExpressionError as error:
        return Finding("statements", NOT_APPLICABLE, subject, cells, f"{text}: {error}")
    except ZeroDivisionError:
        return Finding("statements", UNDECIDED, subject, cells, f"{text}: the divisor may be zero before rounding")
    if truth is Truth.CANNOT:
        # What the ledger's author read into loose words, or measured "about" by, accuses nobody.
        about = any(isinstance(n, ast.Name) and n.id == "approx" for n in ast.walk(part))
        read = " as the words were read" if claim.reading else ""
        end = "outside the tolerance chosen for it" if about else f"fails under every usual rounding{read}"
        severity = SUSPICIOUS if about or claim.reading else IMPOSSIBLE
        return Finding("statements", severity, subject, cells, f"{text}: {end}")
    if holds:
        end = "whatever was rounded" if truth is Truth.HOLDS else "as printed"
        return Finding("statements", PASSED, subject, cells, f"{text}: {end}")
    how = "" if "nearest" in rescued else f", by {rescued[0]}"
    return Finding("statements", UNDECIDED, subject, cells, f"{text}: fails as printed, may hold before rounding{how}")


_QUANTITY = re.compile(r"(?<![\w.×])(\d[\d,]*\.\d+|\d[\d,]*(?=\s?[KMB]\b))\s?([KMB]\b|%)?")


def quantities(text: str) -> list[str]:
    """Return the decimal numbers and those with a unit (12M, 9.6, 2.5B) of a sentence, as printed strings."""
    return [m.group(1).replace(",", "") + (m.group(2) or "").replace("%", "") for m in _QUANTITY.finditer(text)]


@register("statement numbers", "numbers of a statement's words that its expression or its rows do not have")
def statement_numbers(ledger: Ledger) -> Iterator[Finding]:
    """Compare each relation's words with what its expression reads."""
    for claim in ledger.claims:
        if claim.kind != "relation":
            continue
        known = {Fraction(n) for n in re.findall(r"(?<![\w.])\d+(?:\.\d+)?(?![\w.])", claim.expression.text)}
        for literal in re.findall(r'"([\d.]+[KMB%]?)"', claim.expression.text):
            known.add(Fraction(parse_printed(literal).value))
        rows = {ledger.row(row).id for row, _ in claim.expression.refs}
        known |= {Fraction(c.value) for row in rows for c in ledger.row(row).cells.values() if c.numeric}
        labels = " ".join(" ".join(ledger.row(row).labels) for row in rows)
        found = [q for q in quantities(claim.statement) if q not in labels]
        missing = [q for q in found if Fraction(parse_printed(q).value) not in known]
        subject, cells = f"statement {claim.id}", _cells(claim.expression.tree)
        if missing:
            text = f"the words say {', '.join(missing)}; neither the expression nor its rows do"
            yield Finding("statement numbers", SUSPICIOUS, subject, cells, text)
        elif found:
            yield Finding("statement numbers", PASSED, subject, cells, f"{', '.join(found)} stand in both")


#: A condition narrows what is compared to rows that only a reader can tell.
_CONDITION = re.compile(r"\b(if|when|at|fixed|fixing|alone|with|without|among)\b", re.IGNORECASE)
_SUPERLATIVE = re.compile(
    r"\b(best|highest|lowest|most|every|all|outperforms|largest|smallest|fewest)\b", re.IGNORECASE
)


@register("superlatives", "rows that a superlative leaves out although they print as much")
def superlatives(ledger: Ledger) -> Iterator[Finding]:
    """Look for rows of the compared block that a `x > max(...)` does not name and that print no less."""
    for claim in ledger.claims:
        if claim.kind != "relation" or not _SUPERLATIVE.search(claim.statement):
            continue
        for part in parts(claim.expression.tree):
            match part:
                case ast.Compare(
                    left=left, ops=[ast.Gt() | ast.Lt() as op], comparators=[ast.Call(func=ast.Name(id=against))]
                ) if against == ("max" if isinstance(op, ast.Gt) else "min"):
                    refs = [name.split(".") for name in _cells(part)]
                    columns, tables = {c for _, c in refs}, {ledger.row(r).table for r, _ in refs}
                    if len(columns) == 1 and len(tables) == 1:
                        up, rows = isinstance(op, ast.Gt), [r for r, _ in refs]
                        blocks = [
                            b for s in ledger.checks.bold if s.table in tables for b in s.blocks if set(rows) & set(b)
                        ]
                        if blocks or not _CONDITION.search(claim.statement):
                            yield _left_out(ledger, claim, rows, _cells(left), columns.pop(), up, blocks)


def _left_out(
    ledger: Ledger, claim: Claim, rows: list[str], best: tuple[str, ...], column: str, up: bool, blocks: list[list[str]]
) -> Finding:
    table = ledger.tables[ledger.row(rows[0]).table]
    scope = {row for block in blocks for row in block} or {row.id for row in table.rows}
    named = {ledger.canonical(row) for row in rows}
    values = [ledger.cell(*name.split(".")).value for name in best]
    value = min(values) if up else max(values)
    missed = [
        row for row in numeric(table, column)
        if row.id in scope and ledger.canonical(row.id) not in named
        and (row.cells[column].value >= value if up else row.cells[column].value <= value)
    ]  # fmt: skip
    subject = f"statement {claim.id}"
    if missed:
        text = ", ".join(f"{row.id} prints {row.cells[column].printed}" for row in missed)
        cells = (*best, *(key(row, column) for row in missed))
        return Finding("superlatives", SUSPICIOUS, subject, cells, f"not compared with: {text}")
    return Finding("superlatives", PASSED, subject, best, f"no row of the {'blocks' if blocks else 'table'} is better")
