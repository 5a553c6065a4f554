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


#: Rows times sets of columns that are compared at most; beyond it rows of the same columns only.
MOST_COMPARED = 2_000_000
#: So many rows of a group are named in its subject.
NAMED = 6


def _compared(ledger: Ledger) -> tuple[dict[tuple[str, tuple[str, ...]], list[Row]], bool]:
    """Return the rows that repeat no other by task and printed columns; and whether all of these can be compared."""
    by: dict[tuple[str, tuple[str, ...]], list[Row]] = {}
    for row in ledger.rows.values():
        if row.same_as is None:
            columns = tuple(c for c, cell in row.cells.items() if cell.numeric)
            by.setdefault((ledger.tables[row.table].task, columns), []).append(row)
    return by, len(by) * sum(map(len, by.values())) <= MOST_COMPARED


def _groups(one: list[Row], two: list[Row], columns: list[str]) -> Iterator[tuple[list[Row], list[str]]]:
    """Yield the rows that print the same in some columns, or in at least three trained ones; with these columns."""
    trained = [c for c in columns if not is_cost(c)]
    keyed = trained if len(trained) >= 3 else columns
    buckets: dict[tuple[str, ...], tuple[list[Row], list[Row]]] = {}
    for side, rows in enumerate((one, two) if one is not two else (one,)):
        for row in rows:
            buckets.setdefault(tuple(row.cells[c].printed for c in keyed), ([], []))[side].append(row)
    for first, second in buckets.values():
        rows = first + second
        if len(rows) > 1 and (one is two or (first and second)):
            yield rows, [c for c in columns if len({row.cells[c].printed for row in rows}) == 1]


def _joined(rows: list[Row], equated: set[frozenset[str]]) -> bool:
    """Tell whether statements set all of some rows equal, one to the other."""
    ids = {row.id for row in rows}
    pairs = [pair for pair in equated if pair <= ids]
    reached = {rows[0].id}
    for _ in pairs:
        reached |= {row for pair in pairs if pair & reached for row in pair}
    return reached == ids


@register("distinct rows", "experiments that are not one print different numbers")
def distinct(ledger: Ledger) -> Iterator[Finding]:
    """Look for experiments that print the same in every column they share, trained ones among them.

    A ledger without statements was read from a document, and nobody said which rows repeat others: one experiment in
    several tables, as an ablation's baseline is, is then what is expected; only rows of one table are asked about.
    """
    by, all_ = _compared(ledger)
    equated, order = _equated(ledger), {row: i for i, row in enumerate(ledger.rows)}
    kinds = list(by)
    count, across = 0, 0
    found: list[tuple[int, Finding]] = []
    for i, a in enumerate(kinds):
        for b in kinds[i:] if all_ else [a]:
            shared = [c for c in a[1] if c in b[1]]
            if a[0] != b[0] or len(shared) < 3 or all(map(is_cost, shared)):
                continue
            count += len(by[a]) * (len(by[a]) - 1) // 2 if a is b else len(by[a]) * len(by[b])
            for rows, same in _groups(by[a], by[b], shared):
                rows.sort(key=lambda row: order[row.id])
                if not ledger.claims and len({row.table for row in rows}) == len(rows):
                    across += 1
                    continue
                text = f"{'both' if len(rows) == 2 else f'all {len(rows)}'} print "
                text += ", ".join(f"{c} {rows[0].cells[c].printed}" for c in same)
                stated = _joined(rows, equated)
                text += "; a statement says so" if stated else ", though nothing says that they are one experiment"
                subject = ", ".join(row.id for row in rows[:NAMED])
                subject += f" and {len(rows) - NAMED} more" if len(rows) > NAMED else ""
                cells = tuple(key(row, c) for row in rows for c in same)
                severity = PASSED if stated else SUSPICIOUS
                found.append((order[rows[0].id], Finding("distinct rows", severity, subject, cells, text)))
    yield from (finding for _, finding in sorted(found, key=lambda pair: pair[0]))
    rest = "" if all_ else "; rows that print other columns were not compared, for there are too many kinds of rows"
    rest += f"; {across} print the same in several tables: taken for one experiment each" if across else ""
    yield Finding("distinct rows", PASSED, "all tables", (), f"{count} pairs of experiments compared{rest}")


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
