"""Faults in tables: what goes wrong when numbers are typeset or copied."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from random import Random

from papertally.checks.benchmark.error_injection import (
    Planted,
    cells,
    digits_at,
    edit,
    kind,
    other_digit,
    tables_with,
    trained,
)
from papertally.checks.typos import with_cell
from papertally.ledger.load import Ledger, Row, Table


def _bold(ledger: Ledger) -> list[tuple[Table, str, list[int]]]:
    """Return every table's bold columns with their blocks, as row positions."""
    out = []
    for table in ledger.tables.values():
        index = {row.id: i for i, row in enumerate(table.rows)}
        for column in table.columns:
            blocks = [[index[r] for r in b] for s in ledger.checks.bold if s.table == table.id for b in s.blocks]
            for block in blocks or [list(index.values())]:
                rows = [i for i in block if table.rows[i].cells[column].numeric]
                if any(table.rows[i].cells[column].bold for i in rows):
                    out.append((table, column, rows))
    return out


def _set_bold(table: Table, at: int, column: str, bold: bool) -> Table:
    row = table.rows[at]
    row = replace(row, cells={**row.cells, column: replace(row.cells[column], bold=bold)})
    return replace(table, rows=(*table.rows[:at], row, *table.rows[at + 1 :]))


@kind("bold on the wrong row")
def bold_moved(ledger: Ledger, random: Random) -> Planted | None:
    table, column, rows = random.choice(_bold(ledger))
    old = random.choice([i for i in rows if table.rows[i].cells[column].bold])
    free = [i for i in rows if not table.rows[i].cells[column].bold]
    if not free:
        return None
    new = random.choice(free)
    moved = _set_bold(_set_bold(table, old, column, False), new, column, True)
    names = frozenset(f"{table.rows[i].id}.{column}" for i in (old, new))
    return Planted(tables_with(ledger, moved), names)


@kind("bold forgotten")
def bold_lost(ledger: Ledger, random: Random) -> Planted | None:
    table, column, rows = random.choice(_bold(ledger))
    at = random.choice([i for i in rows if table.rows[i].cells[column].bold])
    return Planted(
        tables_with(ledger, _set_bold(table, at, column, False)), frozenset((f"{table.rows[at].id}.{column}",))
    )


@kind("a repeat with another digit")
def repeat_changed(ledger: Ledger, random: Random) -> Planted | None:
    def repeated(row: Row, column: str) -> bool:
        return row.same_as is not None and ledger.row(row.same_as).cells.get(column) is not None

    return edit(ledger, random, cells(ledger, repeated), lambda p: other_digit(random, p, digits_at(p)))


@kind("a row copied over another")
def row_copied(ledger: Ledger, random: Random) -> Planted | None:
    tables = [t for t in ledger.tables.values() if len(t.columns) >= 3 and any(map(trained, t.columns))]
    table = random.choice(tables)
    fine = [r for r in table.rows if r.same_as is None and sum(c.numeric for c in r.cells.values()) >= 3]
    if len(fine) < 2:
        return None
    source, target = random.sample(fine, 2)
    names = [c for c in table.columns if source.cells[c].numeric and target.cells[c].numeric]
    for column in names:
        ledger = with_cell(ledger, f"{target.id}.{column}", source.cells[column].printed)
    return Planted(ledger, frozenset(f"{target.id}.{c}" for c in names))


@kind("two metrics of a row exchanged")
def metrics_exchanged(ledger: Ledger, random: Random) -> Planted | None:
    pairs = [("top1", "top5"), ("AP50", "AP75"), ("APM", "APL"), ("AP", "AP50")]
    found = [
        (row, a, b)
        for row in ledger.rows.values()
        for a, b in pairs
        if a in row.cells and b in row.cells and row.cells[a].numeric and row.cells[b].numeric
    ]
    if not found:
        return None
    row, a, b = random.choice(found)
    one, two = row.cells[a].printed, row.cells[b].printed
    swapped = with_cell(with_cell(ledger, f"{row.id}.{a}", two), f"{row.id}.{b}", one)
    return Planted(swapped, frozenset((f"{row.id}.{a}", f"{row.id}.{b}")))


@kind("a metric without its point")
def point_lost(ledger: Ledger, random: Random) -> Planted | None:
    names = cells(ledger, lambda _, c: trained(c))
    return edit(ledger, random, names, lambda p: p.replace(".", "") if "." in p else None)


@kind("a metric without its last digit")
def place_lost(ledger: Ledger, random: Random) -> Planted | None:
    names = cells(ledger, lambda _, c: trained(c))
    return edit(ledger, random, names, lambda p: p[:-1].rstrip(".") if "." in p else None)


@kind("a metric with another leading digit")
def metric_digit(ledger: Ledger, random: Random) -> Planted | None:
    names = cells(ledger, lambda _, c: trained(c))
    return edit(ledger, random, names, lambda p: other_digit(random, p, digits_at(p.partition(".")[0])))


@kind("a metric with two digits exchanged")
def metric_swap(ledger: Ledger, random: Random) -> Planted | None:
    def swap(printed: str) -> str | None:
        at = random.choice(digits_at(printed)[:-1])
        other = at + 1 if printed[at + 1].isdigit() else at + 2
        text = list(printed)
        text[at], text[other] = text[other], text[at]
        return None if text[0] == "0" else "".join(text)

    return edit(ledger, random, cells(ledger, lambda _, c: trained(c)), swap)


def _costs(ledger: Ledger) -> list[str]:
    return cells(ledger, lambda _, c: not trained(c))


@kind("a cost with another unit")
def unit_slipped(ledger: Ledger, random: Random) -> Planted | None:
    def slip(printed: str) -> str | None:
        return printed[:-1] + random.choice([u for u in "KMB" if u != printed[-1]]) if printed[-1] in "KMB" else None

    return edit(ledger, random, _costs(ledger), slip)


@kind("a cost with its point moved")
def point_moved(ledger: Ledger, random: Random) -> Planted | None:
    def move(printed: str) -> str:
        unit = printed[-1] if printed[-1] in "KMB" else ""
        digits = Decimal(printed.rstrip("KMB")) * random.choice((Decimal(10), Decimal("0.1")))
        return f"{digits:f}{unit}"

    return edit(ledger, random, _costs(ledger), move)


def _off(ledger: Ledger, random: Random, terms: Callable[[list[str]], bool]) -> Planted | None:
    """Move a printed cost of a table with a declared rule by 3 to 9 last places."""
    rules = [m for m in ledger.checks.linear if terms(m.terms)]
    if not rules:
        return None
    rule = random.choice(rules)
    table, column = ledger.tables[rule.table], random.choice(rule.columns)
    at = {label: table.label_columns.index(label) for label in rule.where}
    rows = [r for r in table.rows if all(r.labels[at[k]] == v for k, v in rule.where.items())]

    def move(printed: str) -> str | None:
        digits, unit = printed.rstrip("KMB"), printed[-1] if printed[-1] in "KMB" else ""
        step = Decimal(1).scaleb(-len(digits.partition(".")[2])) * random.randint(3, 9) * random.choice((1, -1))
        moved = Decimal(digits) + step
        return f"{moved:f}{unit}" if moved > 0 else None

    return edit(ledger, random, [f"{r.id}.{column}" for r in rows if r.cells[column].numeric], move)


@kind("a cost off the sum of its sites")
def sum_off(ledger: Ledger, random: Random) -> Planted | None:
    return _off(ledger, random, lambda terms: len(terms) > 1)


@kind("a cost off its line")
def line_off(ledger: Ledger, random: Random) -> Planted | None:
    return _off(ledger, random, lambda terms: len(terms) == 1)


@kind("two costs exchanged between rows")
def costs_exchanged(ledger: Ledger, random: Random) -> Planted | None:
    if not ledger.checks.monotone:
        return None
    axis = random.choice(ledger.checks.monotone)
    table, column = ledger.tables[axis.table], random.choice(axis.columns)
    a, b = random.sample([r for r in table.rows if r.cells[column].numeric], 2)
    one, two = a.cells[column].printed, b.cells[column].printed
    if one == two:
        return None
    names = (f"{a.id}.{column}", f"{b.id}.{column}")
    return Planted(with_cell(with_cell(ledger, names[0], two), names[1], one), frozenset(names))


@kind("a share that no count gives")
def share_off(ledger: Ledger, random: Random) -> Planted | None:
    small = [(t, c) for s in ledger.checks.examples if s.images < 500 for t in s.tables for c in s.columns]
    names = cells(ledger, lambda row, c: (row.table, c) in small)
    return edit(ledger, random, names, lambda p: other_digit(random, p, digits_at(p)[-1:]))


@kind("last digits made up")
def digits_made_up(ledger: Ledger, random: Random) -> Planted | None:
    for name in cells(ledger, lambda _, c: trained(c)):
        printed = ledger.cell(*name.split(".")).printed
        if "." in printed and random.random() < 0.6:
            ledger = with_cell(ledger, name, printed[:-1] + random.choice("05"))
    return Planted(ledger, frozenset(), frozenset(("trained numbers",)))


@kind("a number quoted otherwise")
def misquoted(ledger: Ledger, random: Random) -> Planted | None:
    known = {(q.row, c) for q in ledger.checks.quoted for c in q.cells}
    names = cells(ledger, lambda row, c: (row.id, c) in known)
    return edit(ledger, random, names, lambda p: other_digit(random, p, digits_at(p)))
