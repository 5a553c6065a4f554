"""Metrics against each other and against their test set: identities, outliers, resolution, terminal digits."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import combinations
from math import ceil, erfc, exp, floor, gamma, sqrt
from statistics import median

from papertally.checks.findings import (
    IMPOSSIBLE,
    NOT_APPLICABLE,
    PASSED,
    SUSPICIOUS,
    UNDECIDED,
    Finding,
    key,
    register,
    shown,
)
from papertally.ledger.load import Cell, Ledger, Row
from papertally.quantities import rounding
from papertally.quantities.columns import is_cost, stem
from papertally.quantities.interval import Interval, Truth, at_most, number, point
from papertally.quantities.printed import values_printed_as
from papertally.quantities.rounding import CONVENTIONS, Convention
from papertally.statements.grammar import conjuncts

#: (more, less): the first is at least the second, for every model and every test set.
ORDERED = (("top5", "top1"), ("AP50", "AP75"), ("AP50", "AP"), ("err1", "err5"))
#: A mean over all objects lies between the means of its parts; COCO's matching leaves a little beside it.
BETWEEN = (("AP", ("APS", "APM", "APL")), ("AP", ("APM", "APL")))
#: Metrics that rise together over models of one task: (explaining, explained).
TOGETHER = (("top1", "top5"), ("AP", "AP50"), ("AP", "AP75"), ("AP", "APM"), ("AP", "APL"))
MIN_MODELS = 8
MIN_DIGITS = 40
#: Of more models not every pair gives a slope.
MOST_PAIRED = 300
DIGITS_P = 1e-3


@register(
    "metric identities", "top-5 ≥ top-1, AP50 ≥ AP75, AP between its sizes and thresholds, shares within 0 to 100"
)
def identities(ledger: Ledger) -> Iterator[Finding]:
    """Judge every row; the interval of each number counts."""
    for table in ledger.tables.values():
        rows = [row for row in table.rows if any(c.numeric and not is_cost(c.column) for c in row.cells.values())]
        found = [finding for row in rows for finding in _row(row)]
        yield from found
        if rows and not found:
            yield Finding("metric identities", PASSED, f"Table {table.id}", (), f"{len(rows)} rows")


def _row(row: Row) -> Iterator[Finding]:
    every = {c.column: c for c in row.cells.values() if c.numeric and not is_cost(c.column)}
    for cell in every.values():
        if cell.about.share and cell.value > 100:
            truth = _at_most(cell, 100)
            yield _said(row, truth, (cell,), f"{cell.printed} is more than 100 %")
        if cell.value < 0 and (cell.about.share or cell.about.kind == "measured"):
            truth = _at_most(0, cell)
            what = "a share" if cell.about.share else "a measurement"
            yield _said(row, truth if cell.about.share else None, (cell,), f"{cell.printed} is {what} below 0")
    for suffix in dict.fromkeys(c.removeprefix(stem(c)) for c in every):
        yield from _related(row, {stem(c): cell for c, cell in every.items() if c == stem(c) + suffix})


def _related(row: Row, cells: dict[str, Cell]) -> Iterator[Finding]:
    """Judge metrics of one model and one data set against each other; by what each measures."""
    for more, less in ORDERED:
        if more in cells and less in cells and cells[more].value < cells[less].value:
            a, b = cells[more], cells[less]
            yield _said(row, _at_most(b, a), (a, b), f"{more} {a.printed} is below {less} {b.printed}")
    for whole, of in BETWEEN:
        if all(c in cells for c in (whole, *of)):
            sizes = sorted((cells[c] for c in of), key=lambda c: c.value)
            low, high = sizes[0], sizes[-1]
            if not low.value <= cells[whole].value <= high.value:
                text = f"{whole} {cells[whole].printed} is not between {low.printed} and {high.printed}"
                yield _said(row, None, (cells[whole], *sizes), text)
            break  # where small objects are printed, they count
    if all(c in cells for c in ("AP", "AP50", "AP75")):
        ap, ap50, ap75 = (cells[c] for c in ("AP", "AP50", "AP75"))
        # Ten thresholds: five up to 0.70 give at most AP50, five from 0.75 at most AP75; four from 0.55 at least AP75.
        over = Fraction(ap50.value + ap75.value) / 2
        under = Fraction(ap50.value + 5 * ap75.value) / 10
        if not under <= Fraction(ap.value) <= over:
            text = (
                f"AP {ap.printed} is not between (AP50 + 5 AP75) / 10 = {number(under)} and "
                f"(AP50 + AP75) / 2 = {number(over)}"
            )
            yield _said(row, None, (ap, ap50, ap75), text)


def _at_most(a: Cell | int, b: Cell | int) -> Truth:
    """Judge a <= b under every usual rounding."""

    def values(x: Cell | int, convention: str) -> Interval:
        return point(x) if isinstance(x, int) else values_printed_as(x.interval, convention)

    return rounding.verdict(rounding.under_all(lambda one, _: at_most(values(a, one), values(b, one))))[0]


def _said(row: Row, truth: Truth | None, cells: tuple[Cell, ...], text: str) -> Finding:
    """Return a finding; truth None: the identity is a habit of the metric, not a law."""
    severity = SUSPICIOUS if truth is None else IMPOSSIBLE if truth is Truth.CANNOT else UNDECIDED
    names = tuple(key(row, cell.column) for cell in cells)
    return Finding("metric identities", severity, f"Table {row.table}, {shown(row)}", names, text)


def _models(ledger: Ledger, task: str, columns: tuple[str, ...]) -> list[Row]:
    """Return the distinct rows of a task that print all of some columns."""
    found: dict[str, Row] = {}
    for table in ledger.tables.values():
        if table.task == task:
            for row in table.rows:
                if all(c in row.cells and row.cells[c].numeric for c in columns):
                    found.setdefault(ledger.canonical(row.id), row)
    return list(found.values())


@register("fractions", "a share printed as a fraction of one among percents, or the other way round")
def fractions(ledger: Ledger) -> Iterator[Finding]:
    """Look for a share up to 1 where every other number of its column is above 10, and for the opposite."""
    for table in ledger.tables.values():
        for column in (c for c in table.columns if table.column(c).share and not is_cost(c)):
            rows = [row for row in table.rows if row.cells[column].numeric]
            small = [row for row in rows if 0 < row.cells[column].value <= 1]
            large = [row for row in rows if row.cells[column].value > 10]
            if len(rows) < 3 or len(small) + len(large) != len(rows) or not (small and large):
                continue
            few, what = (
                (small, "a fraction among percents")
                if len(small) <= len(large)
                else (large, "percents among fractions")
            )
            names = tuple(key(row, column) for row in few)
            text = f"{', '.join(row.cells[column].printed for row in few[:3])} of {len(rows)} numbers: {what}"
            yield Finding("fractions", SUSPICIOUS, f"Table {table.id}, {column}", names, text)


@register("outliers", "metrics that rise together over models: a row far off the others' line")
def outliers(ledger: Ledger) -> Iterator[Finding]:
    """Fit each pair of metrics by Theil and Sen's line; a row beyond six robust spreads and ten last places is off."""
    for task in dict.fromkeys(table.task for table in ledger.tables.values()):
        for x, y in TOGETHER:
            rows = _models(ledger, task, (x, y))
            if rows:
                yield from _line(task, x, y, rows)


def _line(task: str, x: str, y: str, rows: list[Row]) -> Iterator[Finding]:
    subject = f"{task}: {y} over {x}"
    if len(rows) < MIN_MODELS:
        yield Finding("outliers", NOT_APPLICABLE, subject, (), f"{len(rows)} models are too few")
        return
    points = [(Fraction(row.cells[x].value), Fraction(row.cells[y].value)) for row in rows]
    if len(points) <= MOST_PAIRED:
        pairs: Iterable[tuple[tuple[Fraction, Fraction], ...]] = combinations(points, 2)
    else:  # Theil's incomplete method: each with the one half the models further on
        ordered, half = sorted(points), len(points) // 2
        pairs = zip(ordered, ordered[half:], strict=False)
    slopes = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in pairs if a[0] != b[0]]
    if not slopes:
        yield Finding("outliers", NOT_APPLICABLE, subject, (), f"all print one {x}")
        return
    slope = median(slopes)
    level = median(b - slope * a for a, b in points)
    rest = [b - level - slope * a for a, b in points]
    middle = median(rest)
    spread = Fraction(14826, 10000) * median(abs(r - middle) for r in rest)
    least = 10 * max(Fraction(row.cells[y].interval.place) for row in rows)
    limit = max(6 * spread, least)
    off = [(row, r) for row, r in zip(rows, rest, strict=True) if abs(r) > limit]
    for row, r in off:
        text = (
            f"{shown(row)} prints {x} {row.cells[x].printed}, {y} {row.cells[y].printed}: "
            f"{rounding.short(r, 1, '+')} off the line of {len(rows)} models (spread {rounding.short(spread, 2)})"
        )
        cells = (key(row, x), key(row, y))
        yield Finding("outliers", SUSPICIOUS, subject, cells, text)
    if not off:
        largest = max(abs(r) for r in rest)
        line = f"{rounding.short(slope, 2)} {x} {rounding.short(level, 1, '+')}"
        text = f"{len(rows)} models within {rounding.short(largest, 2)} of {y} = {line}"
        yield Finding("outliers", PASSED, subject, (), text)


def reachable(cell: Cell, images: int, convention: Convention) -> bool:
    """Tell whether some count of right answers of `images` prints as a cell, in percent."""
    bounds = convention(cell.interval)
    per = Fraction(images, 100)
    low, high = ceil(bounds.low * per), floor(bounds.high * per)
    if bounds.low_open and Fraction(low) == bounds.low * per:
        low += 1
    if bounds.high_open and Fraction(high) == bounds.high * per:
        high -= 1
    return max(low, 0) <= min(high, images)


@register("test set", "shares of a test set that no count of its images gives (GRIM)")
def grim(ledger: Ledger) -> Iterator[Finding]:
    """Judge every cell whose number of test examples paper.yaml gives."""
    for spec in ledger.checks.examples:
        for table in (ledger.tables[t] for t in spec.tables):
            for column in (c for c in spec.columns if c in table.columns):
                cells = [(row, row.cells[column]) for row in table.rows if row.cells[column].numeric]
                subject = f"Table {table.id}, {column}"
                if not cells:
                    continue
                step, unit = Fraction(100, spec.images), min(Fraction(c.interval.place) for _, c in cells)
                if step <= unit:
                    text = (
                        f"{spec.images:,} images resolve {float(step):g}, finer than what is printed: any is possible"
                    )
                    yield Finding("test set", NOT_APPLICABLE, subject, (), text)
                    continue
                found = []
                for row, cell in cells:
                    fits = [name for name, c in CONVENTIONS.items() if reachable(cell, spec.images, c)]
                    if "nearest" not in fits:
                        severity = UNDECIDED if fits else IMPOSSIBLE
                        near = round(Fraction(cell.value) * spec.images / 100)
                        text = (
                            f"{cell.printed} % of {spec.images}: {near} images are "
                            f"{rounding.short(Fraction(100 * near, spec.images), 4)} %"
                        )
                        text += f"; only by {fits[0]}" if fits else ""
                        found.append(Finding("test set", severity, subject, (key(row, column),), text))
                yield from found or [
                    Finding("test set", PASSED, subject, (), f"{len(cells)} shares of {spec.images} images exist")
                ]


def _bare(node: ast.AST) -> list[tuple[str, str]] | None:
    """Return the cells that a side of a comparison is, or is the least or greatest of."""
    match node:
        case ast.Attribute(value=ast.Name(id=row), attr=column):
            return [(row, column)]
        case ast.Call(func=ast.Name(id="min" | "max"), args=args):
            found = [_bare(arg) for arg in args]
            return None if any(f is None for f in found) else [ref for f in found for ref in f or []]
    return None


@register("resolution", "stated orders whose gap the test set does not resolve")
def resolution(ledger: Ledger) -> Iterator[Finding]:
    """Set each stated order beside what its test set resolves: two models' binomial errors, 95 %, unpaired."""
    images = {(t, c): spec.images for spec in ledger.checks.examples for t in spec.tables for c in spec.columns}
    for claim in ledger.claims:
        smallest: tuple[Fraction, str, tuple[str, ...]] | None = None
        for part in conjuncts(claim.expression.tree):
            if not (isinstance(part, ast.Compare) and isinstance(part.ops[0], (ast.Lt, ast.Gt))):
                continue
            sides = [_bare(part.left), _bare(part.comparators[0])]
            if len(part.ops) != 1 or sides[0] is None or sides[1] is None:
                continue
            for a in sides[0]:
                for b in sides[1]:
                    n = images.get((ledger.row(a[0]).table, a[1]))
                    one, two = ledger.cell(*a), ledger.cell(*b)
                    if n is None or a[1] != b[1] or not (one.numeric and two.numeric):
                        continue
                    if max(one.value, two.value) > 100:
                        continue
                    p, q = float(one.value) / 100, float(two.value) / 100
                    least = 196 * sqrt((p * (1 - p) + q * (1 - q)) / n)
                    gap = Fraction(abs(one.value - two.value))
                    if gap < least and (smallest is None or gap < smallest[0]):
                        share = float(gap) ** 2 * n / 100 / 1.96**2
                        text = (
                            f"{one.printed} and {two.printed} differ by {float(gap):g}; {n:,} images resolve "
                            f"{least:.2f} between two models (paired: if at most {share:.1f} % of them are disputed)"
                        )
                        smallest = gap, text, (key(*a), key(*b))
        if smallest is not None:
            yield Finding("resolution", SUSPICIOUS, f"statement {claim.id}", smallest[2], smallest[1])


def _tail_of_nine(x: float) -> float:
    """Return the chance of a chi² of nine degrees of freedom above x: of an odd number it is a finite sum."""
    half = x / 2
    return float(erfc(sqrt(half)) + exp(-half) * sum(half ** (j - 0.5) / gamma(j + 0.5) for j in range(1, 5)))


@register("terminal digits", "last digits of distinct trained numbers are spread evenly")
def terminal_digits(ledger: Ledger) -> Iterator[Finding]:
    """Test the last digits of all distinct trained numbers of three digits or more for a uniform spread (chi²)."""
    seen: dict[tuple[str, str], str] = {}
    for row, cell in ledger.cells():
        digits = cell.printed.replace(".", "")
        if not is_cost(cell.column) and "." in cell.printed and len(digits) >= 3 and digits.isdigit():
            seen.setdefault((ledger.canonical(row.id), cell.column), digits[-1])
    n = len(seen)
    if n < MIN_DIGITS:
        yield Finding("terminal digits", NOT_APPLICABLE, "trained numbers", (), f"{n} numbers are too few")
        return
    counts = Counter(seen.values())
    listed = [counts[str(d)] for d in range(10)]
    statistic = sum((c - n / 10) ** 2 for c in listed) / (n / 10)
    p = _tail_of_nine(statistic)
    text = f"{n} numbers, digits 0 to 9: {', '.join(map(str, listed))}; chi² = {statistic:.1f}, p = {p:.2g}"
    severity = SUSPICIOUS if p < DIGITS_P else PASSED
    yield Finding("terminal digits", severity, "trained numbers", (), text)
