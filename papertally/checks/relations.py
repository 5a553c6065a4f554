"""Statements against the printed numbers they speak of, as intervals: what rounding cannot save is impossible."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

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
from papertally.ledger.load import Claim, Ledger
from papertally.quantities.interval import Truth
from papertally.quantities.printed import parse_printed
from papertally.statements.expressions import ExpressionError, MissingValue
from papertally.statements.grammar import conjuncts
from papertally.statements.printed_truth import on_printed_numbers


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


@register("statements", "relations that the text states between printed numbers, as intervals")
def statements(ledger: Ledger) -> Iterator[Finding]:
    """Judge every relation; of one that does not pass, the parts that do not speak for it."""
    for claim in ledger.claims:
        if claim.kind != "relation":
            continue
        whole = _judged(ledger, claim, claim.expression.tree)
        parts = [] if whole.severity == PASSED else conjuncts(claim.expression.tree)
        found = [f for part in parts if (f := _judged(ledger, claim, part)).severity != PASSED]
        # Parts that different roundings rescue are impossible together alone.
        yield from found if any(f.severity == whole.severity for f in found) else [whole]


def _judged(ledger: Ledger, claim: Claim, tree: ast.expr) -> Finding:
    subject, cells, text = f"statement {claim.id}", _cells(tree), filled(ledger, tree)
    if len(text) > 160:
        text = f"{len(conjuncts(tree))} comparisons"
    try:
        found = on_printed_numbers(replace(claim.expression, tree=tree), ledger.printed_number)
    except MissingValue as missing:
        return Finding("statements", SUSPICIOUS, subject, cells, f"{text}: no number is printed at {missing}")
    except ExpressionError as error:
        return Finding("statements", NOT_APPLICABLE, subject, cells, f"{text}: {error}")
    if found.truth is Truth.CANNOT:
        # What the ledger's author read into loose words, or measured "about" by, accuses nobody.
        about = any(isinstance(n, ast.Name) and n.id == "approx" for n in ast.walk(tree))
        read = " as the words were read" if claim.reading else ""
        end = "outside the tolerance chosen for it" if about else f"fails under every usual rounding{read}"
        severity = SUSPICIOUS if about or claim.reading else IMPOSSIBLE
        return Finding("statements", severity, subject, cells, f"{text}: {end}")
    if found.as_printed:
        end = "whatever was rounded" if found.truth is Truth.HOLDS else "as printed"
        return Finding("statements", PASSED, subject, cells, f"{text}: {end}")
    how = "" if "nearest" in found.rescued else f", by {found.rescued[0]}"
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
        for part in conjuncts(claim.expression.tree):
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
        row
        for row in numeric(table, column)
        if row.id in scope
        and ledger.canonical(row.id) not in named
        and (row.cells[column].value >= value if up else row.cells[column].value <= value)
    ]
    subject = f"statement {claim.id}"
    if missed:
        text = ", ".join(f"{row.id} prints {row.cells[column].printed}" for row in missed)
        cells = (*best, *(key(row, column) for row in missed))
        return Finding("superlatives", SUSPICIOUS, subject, cells, f"not compared with: {text}")
    return Finding("superlatives", PASSED, subject, best, f"no row of the {'blocks' if blocks else 'table'} is better")
