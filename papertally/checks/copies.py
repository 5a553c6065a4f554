"""Columns that are copies of each other or a constant apart, and rows of one name that print several numbers."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from itertools import combinations

from papertally.checks.findings import SUSPICIOUS, Finding, key, register, shown
from papertally.ledger.load import Cell, Ledger, Row, Table
from papertally.quantities.columns import is_cost

LEAST = 4
#: Decimals make a chance agreement of all rows unlikely; whole numbers (settings, places) do not.
DISTINCT = 4
#: Costs of one name further apart are of another network or input, which the name does not tell.
MOST_APART = Decimal("1.08")


def _trained(table: Table, column: str) -> list[tuple[Row, Cell]]:
    cells = [(r, r.cells[column]) for r in table.rows if r.cells[column].numeric]
    return cells if all("." in c.printed for _, c in cells) else []


@register("copied columns", "two columns of a table that print the same in every row, or a constant apart")
def copied(ledger: Ledger) -> Iterator[Finding]:
    """Compare every two columns of one table that print decimals in the same rows."""
    for table in ledger.tables.values():
        printed = {c: _trained(table, c) for c in table.columns}
        for one, two in combinations(table.columns, 2):
            a, b = printed[one], printed[two]
            if len(a) < LEAST or [r.id for r, _ in a] != [r.id for r, _ in b]:
                continue
            values = [(x.value, y.value) for (_, x), (_, y) in zip(a, b, strict=True)]
            if len({x for x, _ in values}) < DISTINCT or table.column(one).kind != table.column(two).kind:
                continue
            gaps = {y - x for x, y in values}
            if len(gaps) == 1:
                gap = gaps.pop()
                how = "the same" if not gap else f"{abs(gap):f} apart"
                text = f"{one} and {two} are {how} in all {len(values)} rows; harmless if one follows from the other"
                cells = tuple(key(r, c) for r, _ in a for c in (one, two))
                yield Finding("copied columns", SUSPICIOUS, f"Table {table.id}", cells, text)


def _named(row: Row) -> str:
    return " ".join(" ".join((*row.labels, *row.marks)).lower().split())  # a sign ("+", "*") tells rows apart


@register("one name", "rows of one name that print several numbers of an exact cost, or twice in one table")
def one_name(ledger: Ledger) -> Iterator[Finding]:
    """Gather rows by their labels: costs of one name and input across tables, any number within one table."""
    across: dict[tuple[str, str], list[tuple[Row, Cell]]] = defaultdict(list)
    for table in ledger.tables.values():
        within: dict[str, list[Row]] = defaultdict(list)
        for row in table.rows:
            if _named(row) and row.same_as is None:
                within[_named(row)].append(row)
        repeated = sum(len(rows) > 1 for rows in within.values())
        for rows in within.values():
            if 2 <= len(rows) <= len(table.rows) / 3:
                shared = [c for c in rows[0].cells if len({r.cells[c].printed for r in rows if r.cells[c].numeric}) > 1]
                same = [c for c in rows[0].cells if c not in shared and rows[0].cells[c].numeric]
                if shared and same and repeated == 1:
                    text = "; ".join(f"{c} {' and '.join(r.cells[c].printed for r in rows)}" for c in shared)
                    cells = tuple(key(r, c) for r in rows for c in shared)
                    text += "; harmless if they differ in what no column tells"
                    subject = f"Table {table.id}, {shown(rows[0])}"
                    yield Finding("one name", SUSPICIOUS, subject, cells, text)
        for name, rows in within.items():
            if len(rows) == 1 and re.search(r"\d", name) and len(name) > 4:
                for cell in rows[0].cells.values():
                    if cell.numeric and is_cost(cell.column) and cell.column in ("params", "madds"):
                        across[name, cell.column].append((rows[0], cell))
    for (_, column), found in across.items():
        values = [(c.value - c.interval.place, c.value + c.interval.place) for _, c in found]
        if len({r.table for r, _ in found}) < 2 or max(v[0] for v in values) <= min(v[1] for v in values):
            continue
        # Another input or another head changes a cost by much; a slip of the pen or of rounding by little.
        least, most = min(c.value for _, c in found), max(c.value for _, c in found)
        if least > 0 and most / least < MOST_APART:
            text = ", ".join(f"{c.printed} (Table {r.table})" for r, c in found)
            cells = tuple(key(r, column) for r, _ in found)
            text = f"{column} is {text}; harmless if the input or the head differs"
            yield Finding("one name", SUSPICIOUS, shown(found[0][0]), cells, text)
