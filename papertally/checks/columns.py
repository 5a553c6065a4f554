"""Columns as they stand in print: bold, places after the point, units."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import groupby

from papertally.checks.findings import IMPOSSIBLE, NOT_APPLICABLE, PASSED, SUSPICIOUS, Finding, key, numeric, register
from papertally.ledger.load import Cell, Ledger, Row, Table
from papertally.ledger.schema import RawBold
from papertally.quantities.columns import is_cost
from papertally.quantities.printed import plain, split_printed
from papertally.quantities.rounding import short

#: A printed number that is so many times above or below every other one of its column is taken for a slip ...
SLIP_RATIO = Fraction(3)
#: ... if moving the point puts it back among them, to within this factor.
SLIP_SLACK = Fraction(3, 2)
UNIT_RATIO = Fraction(30)
#: A column goes along with a cost where at least so many pairs of rows stand in the same order in both.
CONCORDANT = Fraction(4, 5)
CLEARLY = Fraction(5, 4)
#: Where so many tables of a task mark the best of a column, a table that marks none has forgotten it.
USUALLY_BOLD = 2


def better(a: Cell, b: Cell) -> bool:
    """Tell whether a prints better than b, the way that their column says."""
    return a.value * a.about.sign > b.value * a.about.sign


def _spec(ledger: Ledger, table: Table, column: str) -> RawBold:
    for spec in ledger.checks.bold:
        if spec.table == table.id and column in spec.columns:
            return spec
    return RawBold(table=table.id, columns=[column])


def _blocks(table: Table, spec: RawBold, column: str) -> list[list[Row]]:
    rows = {row.id: row for row in numeric(table, column)}
    if not spec.blocks:
        return [list(rows.values())]
    named = [[rows[row] for row in block if row in rows] for block in spec.blocks]
    return [block for block in named if block]


@register("bold", "bold marks the best of its column or block, or a group that beats every other row")
def bold(ledger: Ledger) -> Iterator[Finding]:
    """Compare what is bold with what is best; as printed, for that is what a typesetter sees."""
    plain_columns: list[tuple[Table, str]] = []
    bold_columns: Counter[tuple[str, str]] = Counter()
    for table in ledger.tables.values():
        for column in table.columns:
            spec = _spec(ledger, table, column)
            blocks = _blocks(table, spec, column)
            if not table.column(column).sign:
                continue  # nobody knows which way is better
            marked = {row.cells[column].value for block in blocks for row in block if row.cells[column].bold}
            if len(marked) > 1 and not any(s.table == table.id and column in s.columns for s in ledger.checks.bold):
                text = f"{len(marked)} different numbers are bold; say in checks.bold which rows are compared"
                yield Finding("bold", NOT_APPLICABLE, f"Table {table.id}, {column}", (), text)
            elif marked:
                bold_columns[table.task, column] += 1
                yield from _bold(table, spec, column, blocks)
            elif sum(map(len, blocks)) > 1:
                plain_columns.append((table, column))
    for table, column in plain_columns:
        if (others := bold_columns[table.task, column]) >= USUALLY_BOLD:
            names = tuple(key(row, column) for row in numeric(table, column))
            text = f"none of {len(names)} rows is bold; {others} other tables mark their best {column}"
            yield Finding("bold", SUSPICIOUS, f"Table {table.id}, {column}", names, text)


def _bold(table: Table, spec: RawBold, column: str, blocks: Sequence[list[Row]]) -> Iterator[Finding]:
    subject = f"Table {table.id}, {column}"
    severity = IMPOSSIBLE if spec.stated else SUSPICIOUS  # what bold means is a habit, unless the paper says it
    for block in blocks:
        marked = [row for row in block if row.cells[column].bold]
        others = [row for row in block if not row.cells[column].bold]
        names = tuple(key(row, column) for row in block)
        if not marked:
            text = f"none of {len(block)} rows is bold; other blocks of the column have one"
            yield Finding("bold", severity, subject, names, text)
            continue
        fault = _fault(spec, column, marked, others)
        if fault is None:
            text = f"{', '.join(row.cells[column].printed for row in marked)} of {len(block)} rows"
            yield Finding("bold", PASSED, subject, tuple(key(row, column) for row in marked), text)
        else:
            rows, text = fault
            yield Finding("bold", severity, subject, tuple(key(row, column) for row in rows), text)


def _fault(spec: RawBold, column: str, marked: list[Row], others: list[Row]) -> tuple[list[Row], str] | None:
    def printed(row: Row) -> str:
        return row.cells[column].printed

    worst = marked[0]
    for row in marked[1:]:
        if better(worst.cells[column], row.cells[column]):
            worst = row
    for row in others:
        if better(row.cells[column], worst.cells[column]):
            return [worst, row], f"bold {printed(worst)} ({worst.id}) is not the best: {row.id} prints {printed(row)}"
        if row.cells[column].value == worst.cells[column].value:
            return [worst, row], f"{row.id} prints {printed(row)} too and is not bold"
    if spec.marks == "best":
        for row in marked:
            if row.cells[column].value != worst.cells[column].value:
                return [worst, row], f"bold {printed(worst)} ({worst.id}) is not the best: {printed(row)} is bold too"
    return None


def _places(cell: Cell) -> int:
    return len(split_printed(cell.printed)["digits"].partition(".")[2])


@register("places", "numbers of a column print as many places after the point")
def places(ledger: Ledger) -> Iterator[Finding]:
    """Look for cells with other places than all the rest of their column with the same unit."""
    for table in ledger.tables.values():
        for column in table.columns:
            rows = list(numeric(table, column))
            subject = f"Table {table.id}, {column}"
            counts = Counter(_places(row.cells[column]) for row in rows)
            if len(rows) < 3:
                continue
            usual, many = counts.most_common(1)[0]
            if len(counts) == 1:
                yield Finding("places", PASSED, subject, (), f"{len(rows)} numbers with {usual} places")
            elif 2 * (len(rows) - many) < many:
                for row in rows:
                    if _places(row.cells[column]) != usual:
                        text = f"{row.cells[column].printed}: the others print {usual} places"
                        yield Finding("places", SUSPICIOUS, subject, (key(row, column),), text)
            else:
                yield Finding("places", NOT_APPLICABLE, subject, (), "the column has no usual number of places")


@register("units", "numbers of a cost column lie within reach of each other: no slipped unit or point")
def units(ledger: Ledger) -> Iterator[Finding]:
    """Look for a cost that stands apart from its whole column, and name the unit or point that would put it back."""
    for table in ledger.tables.values():
        for column in (c for c in table.columns if is_cost(c)):
            rows = list(numeric(table, column))
            subject = f"Table {table.id}, {column}"
            for row in (row for row in rows if row.cells[column].value < 0):
                text = f"{row.cells[column].printed}: a cost below nothing"
                yield Finding("units", SUSPICIOUS, subject, (key(row, column),), text)
            if len({ledger.canonical(row.id) for row in rows}) < 4:
                yield Finding("units", NOT_APPLICABLE, subject, (), f"{len(rows)} rows are too few")
                continue
            values = sorted(row.cells[column].value for row in rows)
            found = [f for row in rows if (f := _slip(subject, table, column, row, values)) is not None]
            yield from found or [Finding("units", PASSED, subject, (), f"{len(rows)} numbers of one order")]


def _rising(table: Table, name: str) -> Decimal:
    """Return 1 for a column that grows with a cost, a cost itself or a gain, and -1 for a loss; 0: nobody knows."""
    return Decimal(1 if is_cost(name) else table.column(name).sign)


def _borne_out(table: Table, column: str, row: Row, moved: Fraction) -> bool:
    """Tell whether a row that is the least or most of a cost is so in every column that goes along with that cost.

    Then the network is small or large indeed, if the cost with its point moved lies clearly beyond two others.
    """
    others = [r for r in numeric(table, column) if r.id != row.id]
    low = all(row.cells[column].value <= other.cells[column].value for other in others)
    known = [Fraction(other.cells[column].value) for other in others]
    if sum(v * CLEARLY < moved if low else v > moved * CLEARLY for v in known) < 2:
        return False
    ends: list[bool] = []
    for name in table.columns:
        sign = _rising(table, name)
        if name == column or not sign or not row.cells[name].numeric:
            continue
        points = [(r.cells[column].value, sign * r.cells[name].value) for r in others if r.cells[name].numeric]
        pairs, along = _concordant(points)
        if pairs < 3 or along < CONCORDANT * pairs:
            continue
        own = sign * row.cells[name].value
        ends.append(all(own < value if low else own > value for _, value in points))
    return bool(ends) and all(ends)


def _concordant(points: Sequence[tuple[Decimal, Decimal]]) -> tuple[int, int]:
    """Return how many pairs of points differ in both numbers, and how many of these stand in one order in both."""
    seen: list[Decimal] = []
    pairs = along = 0
    for _, same in groupby(sorted(points), key=lambda point: point[0]):
        values = [value for _, value in same]
        for value in values:
            below, up_to = bisect_left(seen, value), bisect_right(seen, value)
            along += below
            pairs += below + len(seen) - up_to
        for value in values:
            insort(seen, value)
    return pairs, along


def _slip(subject: str, table: Table, column: str, row: Row, values: Sequence[Decimal]) -> Finding | None:
    """Judge one cell beside the sorted values of its column, its own among them."""
    cell = row.cells[column]
    least = values[1] if cell.value == values[0] else values[0]
    most = values[-2] if cell.value == values[-1] else values[-1]
    if cell.value < 0 or least < 0:
        return None
    if not cell.value or not least:
        text = f"{cell.printed} beside {plain(most)}: a cost of nothing"
        return Finding("units", SUSPICIOUS, subject, (key(row, column),), text) if not cell.value else None
    if least <= cell.value <= most:
        return None
    value, below, above = Fraction(cell.value), Fraction(least), Fraction(most)
    apart = max(below / value, value / above)
    low, high = below / SLIP_SLACK, above * SLIP_SLACK
    for factor, limit in ((1000, UNIT_RATIO), (10, SLIP_RATIO), (100, SLIP_RATIO)):
        for scaled in (value * factor, value / factor):
            if apart > limit and low <= scaled <= high:
                if apart < factor == 10 and _borne_out(table, column, row, scaled):
                    continue
                what = "unit" if factor == 1000 else "point"
                text = (
                    f"{cell.printed} is {short(apart, 1)} times beyond every other number of the column; "
                    f"another {what} ({'×' if scaled > value else '÷'} {factor}) puts it among them"
                )
                return Finding("units", SUSPICIOUS, subject, (key(row, column),), text)
    if apart > UNIT_RATIO:
        text = f"{cell.printed} is {short(apart, 0)} times beyond every other number ({plain(cell.value)})"
        return Finding("units", SUSPICIOUS, subject, (key(row, column),), text)
    return None
