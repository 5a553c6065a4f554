"""Faults by kind, planted into a right ledger: what goes wrong when a paper is typeset, or typed into a ledger.

Each kind changes one thing at random and does not look whether a check would see it. `None`: the ledger has no place
for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from random import Random

from paper.checks.benchmark.render import as_text
from paper.checks.text import read_document
from paper.checks.typos import with_cell
from paper.expressions import compile_expr
from paper.ledger import Claim, Ledger, Row, Table
from paper.schema import COST_COLUMNS


@dataclass(frozen=True)
class Planted:
    """Hold a ledger with one fault, the cells it touched and the subjects that name it; text: the paper as printed."""

    ledger: Ledger
    cells: frozenset[str]
    subjects: frozenset[str] = frozenset()
    text: str | None = None


Plant = Callable[[Ledger, Random], Planted | None]
KINDS: dict[str, Plant] = {}


def kind(name: str) -> Callable[[Plant], Plant]:
    """Register a kind of fault."""

    def add(plant: Plant) -> Plant:
        KINDS[name] = plant
        return plant

    return add


def edit(ledger: Ledger, random: Random, names: list[str], change: Callable[[str], str | None]) -> Planted | None:
    """Return the ledger with one of some cells changed."""
    random.shuffle(names)
    for name in names:
        printed = ledger.cell(*name.split(".")).printed
        new = change(printed)
        if new is not None and new != printed:
            return Planted(with_cell(ledger, name, new), frozenset((name,)))
    return None


def cells(ledger: Ledger, keep: Callable[[Row, str], bool]) -> list[str]:
    """Return the names of the numeric cells that `keep` takes."""
    return [f"{row.id}.{cell.column}" for row, cell in ledger.cells() if keep(row, cell.column)]


def trained(column: str) -> bool:
    """Tell whether training decides a column."""
    return column not in COST_COLUMNS


def other_digit(random: Random, printed: str, places: list[int]) -> str:
    """Return a number with one of the digits at some places changed."""
    at = random.choice(places)
    digit = random.choice([d for d in "0123456789" if d != printed[at] and not (at == 0 and d == "0")])
    return printed[:at] + digit + printed[at + 1 :]


def digits_at(printed: str) -> list[int]:
    """Return where the digits of a number stand."""
    return [i for i, c in enumerate(printed) if c.isdigit()]


def tables_with(ledger: Ledger, table: Table) -> Ledger:
    """Return the ledger with one table replaced."""
    return replace(ledger, tables={**ledger.tables, table.id: table})


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
        (row, a, b) for row in ledger.rows.values() for a, b in pairs
        if a in row.cells and b in row.cells and row.cells[a].numeric and row.cells[b].numeric
    ]  # fmt: skip
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


def _with_claim(ledger: Ledger, old: Claim, new: Claim) -> Ledger:
    return replace(ledger, claims=tuple(new if c.id == old.id else c for c in ledger.claims))


def _claims(ledger: Ledger, pattern: str) -> list[tuple[Claim, re.Match[str]]]:
    found = ((c, re.search(pattern, c.expression.text)) for c in ledger.claims if c.kind == "relation")
    return [(c, m) for c, m in found if m is not None]


@kind("a stated gain with another digit")
def gain_off(ledger: Ledger, random: Random) -> Planted | None:
    found = _claims(ledger, r'agrees\([\w.]+ - [\w.]+, "([\d.]+)"\)')
    if not found:
        return None
    claim, match = random.choice(found)
    was = match.group(1)
    new = other_digit(random, was, digits_at(was))
    text = claim.expression.text.replace(f'"{was}"', f'"{new}"')
    changed = replace(claim, expression=compile_expr(text), statement=claim.statement.replace(was, new))
    return Planted(_with_claim(ledger, claim, changed), frozenset(), frozenset((f"statement {claim.id}",)))


@kind("words and expression of a statement apart")
def words_off(ledger: Ledger, random: Random) -> Planted | None:
    found = [(c, m) for c, m in _claims(ledger, r'"(\d+\.\d+)"') if m.group(1) in c.statement]
    if not found:
        return None
    claim, match = random.choice(found)
    new = other_digit(random, match.group(1), digits_at(match.group(1)))
    changed = replace(claim, statement=claim.statement.replace(match.group(1), new))
    return Planted(_with_claim(ledger, claim, changed), frozenset(), frozenset((f"statement {claim.id}",)))


@kind("a superlative for the wrong row")
def superlative_wrong(ledger: Ledger, random: Random) -> Planted | None:
    found = _claims(ledger, r"^([\w.]+) > max\(([^()]*)\)$")
    if not found:
        return None
    claim, match = random.choice(found)
    rows = match.group(2).split(", ")
    other = random.choice(rows)
    rest = [match.group(1) if r == other else r for r in rows]
    changed = replace(claim, expression=compile_expr(f"{other} > max({', '.join(rest)})"))
    return Planted(_with_claim(ledger, claim, changed), frozenset(), frozenset((f"statement {claim.id}",)))


@kind("a superlative without a better row")
def superlative_narrow(ledger: Ledger, random: Random) -> Planted | None:
    found = [(c, m) for c, m in _claims(ledger, r"^([\w.]+) > max\(([^()]*)\)$") if m.group(2).count(",") > 1]
    if not found:
        return None
    claim, match = random.choice(found)
    rows = match.group(2).split(", ")
    other = random.choice(rows)
    best = ledger.cell(*match.group(1).split(".")).value
    better = f"{best + Decimal(random.randint(5, 20)) / 10:f}"
    rest = [r for r in rows if r != other]
    changed = replace(claim, expression=compile_expr(f"{match.group(1)} > max({', '.join(rest)})"))
    edited = with_cell(_with_claim(ledger, claim, changed), other, better)
    return Planted(edited, frozenset((other,)), frozenset((f"statement {claim.id}",)))


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


def _text(ledger: Ledger, random: Random) -> str:
    return as_text(ledger, tex=random.random() < 0.5)


@kind("text: a digit typed otherwise")
def typed_digit(ledger: Ledger, random: Random) -> Planted | None:
    text = _text(ledger, random)
    planted = edit(ledger, random, cells(ledger, lambda *_: True), lambda p: other_digit(random, p, digits_at(p)))
    return None if planted is None else replace(planted, text=text)


@kind("text: two rows typed in the other order")
def typed_order(ledger: Ledger, random: Random) -> Planted | None:
    table = random.choice([t for t in ledger.tables.values() if len(t.rows) > 2])
    at = random.randrange(len(table.rows) - 1)
    a, b = table.rows[at : at + 2]
    names = frozenset(f"{r.id}.{c}" for r in (a, b) for c in r.cells)
    swapped = replace(table, rows=(*table.rows[:at], b, a, *table.rows[at + 2 :]))
    return Planted(tables_with(ledger, swapped), names, text=_text(ledger, random))


@kind("text: a row not typed")
def typed_less(ledger: Ledger, random: Random) -> Planted | None:
    used = {row for claim in ledger.claims for row, _ in claim.expression.refs}
    used |= {row.same_as for row in ledger.rows.values() if row.same_as} | {q.row for q in ledger.checks.quoted}
    used |= {r for s in ledger.checks.bold for b in s.blocks for r in b}
    free = [row for row in ledger.rows.values() if row.id not in used and len(ledger.tables[row.table].rows) > 2]
    if not free:
        return None
    row = random.choice(free)
    table = ledger.tables[row.table]
    less = replace(table, rows=tuple(r for r in table.rows if r.id != row.id))
    return Planted(tables_with(ledger, less), frozenset(), frozenset((f"Table {table.id}",)), _text(ledger, random))


@kind("text: bold typed plain")
def typed_plain(ledger: Ledger, random: Random) -> Planted | None:
    planted = bold_lost(ledger, random)
    return None if planted is None else replace(planted, text=_text(ledger, random))


@kind("text: a number of the prose altered")
def prose_off(ledger: Ledger, random: Random) -> Planted | None:
    text = _text(ledger, random)
    stated = [c for c in ledger.claims if re.search(r"\d+\.\d+", c.statement)]
    stated = [c for c in stated if c.statement.replace("%", r"\%") in text or c.statement in text]
    if not stated:
        return None
    claim = random.choice(stated)
    was = random.choice(re.findall(r"\d+\.\d+", claim.statement))
    new = claim.statement.replace(was, other_digit(random, was, digits_at(was)))
    for old, fresh in ((claim.statement, new), (claim.statement.replace("%", r"\%"), new.replace("%", r"\%"))):
        text = text.replace(old, fresh)
    subjects = frozenset((f"statement {claim.id}", "number without a statement"))
    return Planted(ledger, frozenset(), subjects, text)


def document_of(planted: Planted) -> object:
    """Return the planted paper's text as the checks read it, or None."""
    return None if planted.text is None else read_document(planted.text)
