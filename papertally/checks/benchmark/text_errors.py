"""Faults of statements, and of a ledger that is typed from a paper's text."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal
from random import Random

from papertally.checks.benchmark.error_injection import Planted, cells, digits_at, edit, kind, other_digit, tables_with
from papertally.checks.benchmark.render import as_text
from papertally.checks.benchmark.table_errors import bold_lost
from papertally.checks.typos import with_cell
from papertally.ledger.load import Claim, Ledger
from papertally.statements.expressions import compile_expr


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
