"""Columns that print the mean of others, what a reader of tables left unread, and orders within the paper's own ±."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from fractions import Fraction
from math import sqrt

from papertally.checks.findings import (
    IMPOSSIBLE,
    PASSED,
    SUSPICIOUS,
    UNDECIDED,
    Finding,
    key,
    register,
    shown,
)
from papertally.ledger.load import Cell, Ledger, Row, Table
from papertally.quantities import rounding
from papertally.quantities.interval import Interval, Truth, equal, point
from papertally.quantities.printed import ROUNDINGS, values_printed_as
from papertally.statements.grammar import conjuncts


def mean(cells: list[Cell], convention: str) -> Interval:
    """Return where the mean of printed numbers lies."""
    return sum((values_printed_as(c.interval, convention) for c in cells), point(0)) / point(len(cells))


@register("averages", "columns that print the mean of others of their row")
def averages(ledger: Ledger) -> Iterator[Finding]:
    """Judge every row that prints the mean and all that it is of; each number's interval counts."""
    for table in ledger.tables.values():
        for name, about in table.about.items():
            rows = [row for row in table.rows if all(row.cells[c].numeric for c in (name, *about.mean_of))]
            if about.mean_of and rows:
                found = [f for row in rows if (f := _off(table, row, name, about.mean_of)) is not None]
                yield from found or [
                    Finding("averages", PASSED, f"Table {table.id}, {name}", (), f"{len(rows)} rows print their mean")
                ]


def _off(table: Table, row: Row, name: str, of: tuple[str, ...]) -> Finding | None:
    cells, cell = [row.cells[c] for c in of], row.cells[name]
    truth, rescued = rounding.verdict(
        rounding.under_all(lambda a, b: equal(mean(cells, a), values_printed_as(cell.interval, b)))
    )
    if truth is not Truth.CANNOT and ("nearest" in rescued or set(rescued) - set(ROUNDINGS)):
        return None  # a mean taken before or after rounding prints so
    value = sum((Fraction(c.value) for c in cells), Fraction(0)) / len(cells)
    text = f"{shown(row)} prints {cell.printed}; the mean of {len(cells)} numbers is {rounding.short(value, 3)}"
    severity = IMPOSSIBLE if truth is Truth.CANNOT else UNDECIDED
    names = tuple(key(row, c) for c in (name, *of))
    return Finding("averages", severity, f"Table {table.id}, {name}", names, text)


@register("unread", "what a reader of printed tables could not read")
def unread(ledger: Ledger) -> Iterator[Finding]:
    """List every entry that waits to be mended, with its file and line."""
    for where, entries in (
        ("paper.yaml", ledger.unread),
        *((f"Table {t.id}", t.unread) for t in ledger.tables.values()),
    ):
        for entry in entries:
            names = (key(entry.row, entry.column),) if entry.row and entry.column else ()
            text = f"{entry.at}: {entry.text!r}: {entry.why}"
            yield Finding("unread", SUSPICIOUS, where, names, text)


def _cell(ledger: Ledger, node: ast.AST) -> tuple[str, Cell] | None:
    match node:
        case ast.Attribute(value=ast.Name(id=row), attr=column):
            return key(row, column), ledger.cell(row, column)
    return None


@register("own uncertainty", "stated orders whose gap lies within the ± that the paper prints")
def uncertainty(ledger: Ledger) -> Iterator[Finding]:
    """Set each stated order of two cells beside their ±: 1.96 standard errors of the difference."""
    for claim in ledger.claims:
        for part in conjuncts(claim.expression.tree):
            if not (isinstance(part, ast.Compare) and all(isinstance(op, ast.Lt | ast.Gt) for op in part.ops)):
                continue
            sides = [_cell(ledger, node) for node in (part.left, *part.comparators)]
            for one, two in zip(sides, sides[1:], strict=False):
                if one is None or two is None or not (one[1].numeric and two[1].numeric):
                    continue
                errors = [c.error for _, c in (one, two)]
                if errors[0] is None or errors[1] is None:
                    continue
                gap, least = abs(one[1].value - two[1].value), 1.96 * sqrt(float(errors[0] ** 2 + errors[1] ** 2))
                if gap < least:
                    text = f"{one[1].printed} and {two[1].printed} differ by {gap:f}, within {least:.2g} of their own ±"
                    yield Finding("own uncertainty", SUSPICIOUS, f"statement {claim.id}", (one[0], two[0]), text)
