"""One experiment printed in several places, several experiments that print one thing, and numbers of other works."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from papertally.checks.findings import (
    IMPOSSIBLE,
    NOT_APPLICABLE,
    PASSED,
    SUSPICIOUS,
    UNDECIDED,
    Finding,
    key,
    register,
)
from papertally.ledger.load import Ledger, Row
from papertally.quantities import rounding
from papertally.quantities.columns import is_cost
from papertally.quantities.interval import Truth, equal
from papertally.quantities.printed import parse_printed, values_printed_as


@register("repeats", "one experiment prints the same wherever it stands")
def repeats(ledger: Ledger) -> Iterator[Finding]:
    """Compare every repeat with the row whose experiment it is; fewer places may be printed, not another number."""
    for row in ledger.rows.values():
        if row.same_as is None:
            continue
        first = ledger.row(row.same_as)
        shared = [c for c in row.cells if c in first.cells and row.cells[c].numeric and first.cells[c].numeric]
        found = [f for column in shared if (f := _repeat(row, first, column)) is not None]
        yield from found
        if shared and not found:
            text = ", ".join(f"{c} {row.cells[c].printed}" for c in shared)
            yield Finding("repeats", PASSED, f"{row.id} = {first.id}", tuple(key(row, c) for c in shared), text)


def _repeat(row: Row, first: Row, column: str) -> Finding | None:
    a, b = row.cells[column], first.cells[column]
    if a.printed == b.printed:
        return None
    truth, rescued = rounding.verdict(
        rounding.under_all(lambda x, y: equal(values_printed_as(a.interval, x), values_printed_as(b.interval, y)))
    )
    cells = (key(row, column), key(first, column))
    text = f"one experiment, printed {a.printed} (Table {row.table}) and {b.printed} (Table {first.table})"
    same_places = a.interval.place == b.interval.place
    if truth is Truth.CANNOT:
        return Finding("repeats", IMPOSSIBLE, f"{row.id} = {first.id}", cells, text)
    if "nearest" in rescued and not same_places:
        return None  # the same number to fewer places
    how = f"; one number prints so by {rescued[0]}"
    return Finding("repeats", UNDECIDED, f"{row.id} = {first.id}", cells, text + how)


def _equated(ledger: Ledger) -> set[frozenset[str]]:
    """Return the pairs of rows that some statement sets equal."""
    found = set()
    for claim in ledger.claims:
        for node in ast.walk(claim.expression.tree):
            match node:
                case ast.Compare(
                    left=ast.Attribute(value=ast.Name(id=a)),
                    ops=[ast.Eq()],
                    comparators=[ast.Attribute(value=ast.Name(id=b))],
                ):
                    found.add(frozenset((a, b)))
                case ast.Call(
                    func=ast.Name(id="prints_same"),
                    args=[ast.Attribute(value=ast.Name(id=a)), ast.Attribute(value=ast.Name(id=b))],
                ):
                    found.add(frozenset((a, b)))
                case ast.Call(
                    func=ast.Name(id="agrees"),
                    args=[
                        ast.BinOp(
                            left=ast.Attribute(value=ast.Name(id=a)),
                            op=ast.Sub(),
                            right=ast.Attribute(value=ast.Name(id=b)),
                        ),
                        ast.Constant(value=str(zero)),
                    ],
                ) if not zero.strip("0."):
                    found.add(frozenset((a, b)))
    return found


def _candidates(ledger: Ledger) -> Iterator[tuple[Row, Row]]:
    """Yield the pairs of experiments of one task that print one trained number alike: no others can be the same."""
    alike: dict[tuple[str, str, str], list[Row]] = {}
    for row in ledger.rows.values():
        if row.same_as is None:
            for column, cell in row.cells.items():
                if cell.numeric and not is_cost(column):
                    alike.setdefault((ledger.tables[row.table].task, column, cell.printed), []).append(row)
    seen: set[tuple[str, str]] = set()
    for rows in alike.values():
        for i, a in enumerate(rows[:MANY]):
            for b in rows[i + 1 : MANY]:
                if (a.id, b.id) not in seen:
                    seen.add((a.id, b.id))
                    yield a, b


#: Rows that print one trained number alike are compared with each other up to here; more are a column of few values.
MANY = 50


@register("distinct rows", "experiments that are not one print different numbers")
def distinct(ledger: Ledger) -> Iterator[Finding]:
    """Look for two experiments that print the same in every column they share, trained ones among them.

    A ledger without statements was read from a document, and nobody said which rows repeat others: one experiment in
    several tables, as an ablation's baseline is, is then what is expected; only the rows of one table are asked about.
    """
    equated = _equated(ledger)
    declared = bool(ledger.claims)
    count, across = 0, 0
    for a, b in _candidates(ledger):
        shared = [c for c in a.cells if c in b.cells and a.cells[c].numeric and b.cells[c].numeric]
        trained = [c for c in shared if not is_cost(c)]
        if len(shared) < 3 or not trained:
            continue
        count += 1
        same = [c for c in shared if a.cells[c].printed == b.cells[c].printed]
        metrics = [c for c in same if not is_cost(c)]
        if len(same) == len(shared) or (len(metrics) == len(trained) and len(metrics) >= 3):
            if not declared and a.table != b.table:
                across += 1
                continue
            text = f"both print {', '.join(f'{c} {a.cells[c].printed}' for c in same)}"
            cells = tuple(key(row, c) for row in (a, b) for c in same)
            stated = frozenset((a.id, b.id)) in equated
            severity = PASSED if stated else SUSPICIOUS
            text += "; a statement says so" if stated else ", though nothing says that they are one experiment"
            yield Finding("distinct rows", severity, f"{a.id}, {b.id}", cells, text)
    told = f"{count} pairs of experiments with a number alike compared"
    told += (
        f"; {across} of different tables print the same: taken for one experiment in several tables" if across else ""
    )
    yield Finding("distinct rows", PASSED, "all tables", (), told)


@register("quoted cells", "numbers of other works print what their sources print")
def quoted(ledger: Ledger) -> Iterator[Finding]:
    """Compare every quotation with what paper.yaml gives of its source."""
    for spec in ledger.checks.quoted:
        row = ledger.row(spec.row)
        if not spec.cells:
            yield Finding("quoted cells", NOT_APPLICABLE, row.id, (), f"source not seen: {spec.source}")
            continue
        found = []
        for column, printed in spec.cells.items():
            cell = row.cells[column]
            theirs = values_printed_as(parse_printed(printed, row.cells[column].unit))
            if not cell.numeric:
                text = f"prints no {column}; {spec.source} prints {printed}"
            elif equal(values_printed_as(cell.interval), theirs) is Truth.CANNOT:
                text = f"prints {column} {cell.printed}; {spec.source} prints {printed}"
            else:
                continue
            # A source has editions and later trainings: another number is a question, not an impossibility.
            found.append(Finding("quoted cells", SUSPICIOUS, row.id, (key(row, column),), text))
        yield from found
        if len(found) < len(spec.cells):
            rest = [f"{c} {row.cells[c].printed}" for c in spec.cells if not any(key(row, c) in f.cells for f in found)]
            text = f"{', '.join(rest)} as in {spec.source}"
            yield Finding("quoted cells", PASSED, row.id, (), text)
