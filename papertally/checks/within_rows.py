"""Columns of one row that are bound to each other: a rate and its error, a difference and what it is of, a total."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from itertools import permutations

from papertally.checks.findings import IMPOSSIBLE, PASSED, SUSPICIOUS, Finding, key, register, shown
from papertally.ledger.load import Cell, Ledger, Row, Table
from papertally.quantities.columns import stem

#: (rate, its error): they add to 100 on one data set.
COMPLEMENTS = (("top1", "err1"), ("top5", "err5"), ("acc", "err"), ("top1", "err"))
#: Heads of columns that print how two others differ.
DIFFERENCE = re.compile(r"^(?:Δ|delta\b|diff(?:erence)?\b|gain\b|improvement\b|∆|\\Delta)", re.I)
MEAN = re.compile(r"^(?:avg|average|mean|macro)\b", re.I)
TOTAL = re.compile(r"^(?:total|sum)\b", re.I)
#: In at least this share of the rows that print all of them, columns must fit before the others are wrong.
MOST = Fraction(3, 5)
LEAST_ROWS = 3


def slack(*cells: Cell) -> Fraction:
    """Return how far numbers may be off together under any convention of rounding: a unit of each last place."""
    return sum((Fraction(cell.interval.place) for cell in cells), Fraction(0))


def printing(table: Table, columns: tuple[str, ...]) -> list[Row]:
    """Return the rows that print a number in all of some columns."""
    return [row for row in table.rows if all(c in row.cells and row.cells[c].numeric for c in columns)]


@register("complements", "a rate and its error rate add to 100")
def complements(ledger: Ledger) -> Iterator[Finding]:
    """Judge every row that prints both; where most rows of a table do not add, the columns are not each other's."""
    for table in ledger.tables.values():
        for rate, error in COMPLEMENTS:
            for one in (c for c in table.columns if stem(c) == rate):
                two = error + one.removeprefix(rate)
                rows = printing(table, (one, two)) if two in table.columns else []
                off = [r for r in rows if abs(_sum(r, (one, two)) - 100) > slack(r.cells[one], r.cells[two])]
                if not rows or len(rows) - len(off) < max(MOST * len(rows), Fraction(2)):
                    continue
                for row in off:
                    a, b = row.cells[one], row.cells[two]
                    text = f"{a.printed} + {b.printed} = {float(_sum(row, (one, two))):g}, not 100"
                    cells = (key(row, one), key(row, two))
                    yield Finding("complements", IMPOSSIBLE, f"Table {table.id}, {shown(row)}", cells, text)
                if not off:
                    text = f"{len(rows)} rows add to 100"
                    yield Finding("complements", PASSED, f"Table {table.id}, {one}", (), text)


def _sum(row: Row, columns: tuple[str, ...]) -> Fraction:
    return sum((Fraction(row.cells[c].value) for c in columns), Fraction(0))


@register("differences", "columns of differences, means and totals against the columns that they are of")
def differences(ledger: Ledger) -> Iterator[Finding]:
    """Find the two columns (or all others) that give most rows of such a column, and judge the rest by them."""
    for table in ledger.tables.values():
        for column in table.columns:
            title = re.sub(r"[*$_\\{}]", "", table.column(column).title or column).strip()
            others = tuple(c for c in table.columns if c != column)
            if DIFFERENCE.match(title):
                yield from _judge(table, column, list(permutations(others, 2)), "−")
            elif MEAN.match(title) and not table.column(column).mean_of and len(others) >= 2:
                yield from _judge(table, column, [others], "mean")
            elif TOTAL.match(title) and len(others) >= 2:
                yield from _judge(table, column, [others], "+")


def _judge(table: Table, column: str, candidates: list[tuple[str, ...]], sign: str) -> Iterator[Finding]:
    best: tuple[int, list[Row], list[Row], tuple[str, ...]] | None = None
    for of in candidates:
        rows = printing(table, (column, *of))
        off = [
            r for r in rows if abs(_said(r, of, sign) - Fraction(r.cells[column].value)) >= _room(r, column, of, sign)
        ]
        fit = len(rows) - len(off)
        if len(rows) >= LEAST_ROWS and fit >= MOST * len(rows) and (best is None or fit > best[0]):
            best = fit, rows, off, of
    if best is None:
        return
    _, rows, off, of = best
    for row in off:
        printed = [row.cells[c].printed for c in of]
        worked = f" {sign} ".join(printed) if sign != "mean" else f"the mean of {', '.join(printed)}"
        text = f"prints {row.cells[column].printed}; {worked} = {float(_said(row, of, sign)):g}"
        text += f", as {len(rows) - len(off)} other rows print it; harmless if it was taken before rounding"
        cells = tuple(key(row, c) for c in (column, *of))
        yield Finding("differences", SUSPICIOUS, f"Table {table.id}, {shown(row)}", cells, text)
    if not off:
        yield Finding("differences", PASSED, f"Table {table.id}, {column}", (), f"{len(rows)} rows, of {', '.join(of)}")


def _room(row: Row, column: str, of: tuple[str, ...], sign: str) -> Fraction:
    """Return from where on a number cannot be what others give; all cells of a row are shortened in one way."""
    own, places = Fraction(row.cells[column].interval.place), [Fraction(row.cells[c].interval.place) for c in of]
    return own + (sum(places, Fraction(0)) if sign == "+" else max(places))


def _said(row: Row, of: tuple[str, ...], sign: str) -> Fraction:
    values = [Fraction(row.cells[c].value) for c in of]
    if sign == "−":
        return values[0] - values[1]
    return sum(values, Fraction(0)) / (len(values) if sign == "mean" else 1)


@register("spread", "a ± that is larger than its number's distance from 0 and 100, or far from the column's others")
def spread(ledger: Ledger) -> Iterator[Finding]:
    """Judge the ± of shares: none exceeds half the range, and a tenfold of its column's median is a slip."""
    for table in ledger.tables.values():
        for column in table.columns:
            cells = [(r, r.cells[column]) for r in table.rows if r.cells[column].numeric]
            plus = [(r, c, c.interval.spread) for r, c in cells if c.interval.spread is not None]
            if not table.column(column).share or len(plus) < LEAST_ROWS:
                continue
            usual = sorted(s for _, _, s in plus)[len(plus) // 2]
            for row, cell, width in plus:
                if width > cell.value or (usual > 0 and width > 9 * usual and width > 5):
                    text = f"{cell.printed}: ± {width:f} where the column's usual is {usual:f}"
                    yield Finding("spread", SUSPICIOUS, f"Table {table.id}, {shown(row)}", (key(row, column),), text)
