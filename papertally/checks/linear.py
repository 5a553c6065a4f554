"""Columns that must be a constant plus a price a term, or must not fall: linear programming over rounding intervals.

A contradiction is stated only with a certificate that exact arithmetic confirms: a weighted sum of the printed bounds,
in which every unknown price cancels, and which comes out wrong. Floating point only proposes the weights.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import groupby

from papertally.checks.findings import (
    IMPOSSIBLE,
    NOT_APPLICABLE,
    PASSED,
    UNDECIDED,
    Finding,
    key,
    numeric,
    register,
    shown,
)
from papertally.ledger.load import Ledger, Row, Table
from papertally.ledger.schema import RawLinear, RawMonotone
from papertally.quantities.interval import Truth, at_most
from papertally.quantities.linear_proof import Certificate, Line, refute
from papertally.quantities.printed import values_printed_as
from papertally.quantities.rounding import CONVENTIONS, Convention, under_all, verdict

TICKS = {"✓": 1, "✔": 1, "yes": 1, "": 0, "-": 0, "–": 0, "—": 0, "✗": 0, "×": 0, "no": 0}


def label_value(row: Row, table: Table, label: str) -> Fraction | None:
    """Return the number that a label stands for: a tick is 1, a dash or a blank 0; None where it is a word."""
    text = row.labels[table.label_columns.index(label)].strip()
    if text in TICKS:
        return Fraction(TICKS[text])
    return Fraction(text) if re.fullmatch(r"-?[0-9]{1,15}(\.[0-9]{1,15})?", text) else None


def model_lines(table: Table, spec: RawLinear, column: str, convention: Convention) -> list[Line] | str:
    """Return one line a printed number of a declared model, or why it cannot be read."""
    lines = []
    for row in numeric(table, column):
        if any(row.labels[table.label_columns.index(k)] != v for k, v in spec.where.items()):
            continue
        terms = [Fraction(1)]
        for term in spec.terms:
            value = Fraction(1)
            for label in term.split("*"):
                found = label_value(row, table, label)
                if found is None:
                    return f"{label} of {row.id} is no number"
                value *= found
            terms.append(value)
        lines.append(Line(row.id, tuple(terms), convention(row.cells[column].interval)))
    return lines


@register("linear costs", "columns that must be a constant plus a price a term, by linear programming over intervals")
def linear(ledger: Ledger) -> Iterator[Finding]:
    """Judge every declared model under each convention of rounding."""
    for spec in ledger.checks.linear:
        table = ledger.tables[spec.table]
        for column in spec.columns:
            yield _model(table, spec, column)


def _model(table: Table, spec: RawLinear, column: str) -> Finding:
    where = "".join(f" at {k} = {v}" for k, v in spec.where.items())
    subject = f"Table {table.id}, {column}{where} = constant + {' + '.join(spec.terms)}"
    proofs: list[Certificate] = []
    for name, convention in CONVENTIONS.items():
        lines = model_lines(table, spec, column, convention)
        if isinstance(lines, str):
            return Finding("linear costs", NOT_APPLICABLE, subject, (), lines)
        if len(lines) <= len(spec.terms) + 1:
            few = f"{len(lines)} rows for {len(spec.terms) + 1} unknowns"
            return Finding("linear costs", NOT_APPLICABLE, subject, (), few)
        proof = refute(tuple(lines))
        if proof is not None:
            proofs.append(proof)
            continue
        if not proofs:
            cells = tuple(key(line.name, column) for line in lines)
            text = f"some prices fit all {len(lines)} rows ({spec.because})"
            return Finding("linear costs", PASSED, subject, cells, text)
        text = f"{proofs[0]}; prices fit by {name} ({spec.because})"
        return Finding("linear costs", UNDECIDED, subject, _used(proofs[0], column), text)
    return Finding("linear costs", IMPOSSIBLE, subject, _used(proofs[0], column), f"{proofs[0]} ({spec.because})")


def _used(proof: Certificate, column: str) -> tuple[str, ...]:
    return tuple(key(line.name, column) for line, w in zip(proof.lines, proof.weights, strict=True) if w)


def still_refuted(ledger: Ledger, subject: str) -> Callable[[Ledger], bool]:
    """Return a test of edited ledgers: is a model, named by its finding's subject, impossible still.

    The proofs of the ledger itself are tried first: most edits leave one of them standing.
    """
    spec, column = next(
        (spec, column)
        for spec in ledger.checks.linear
        for column in spec.columns
        if _model(ledger.tables[spec.table], spec, column).subject == subject
    )
    known: dict[str, list[tuple[Fraction, ...]]] = {name: [] for name in CONVENTIONS}

    def refuted(edited: Ledger) -> bool:
        for name, convention in CONVENTIONS.items():
            lines = model_lines(edited.tables[spec.table], spec, column, convention)
            if isinstance(lines, str):
                return False
            if any(Certificate(tuple(lines), w).proves() for w in known[name] if len(w) == len(lines)):
                continue
            proof = refute(tuple(lines))
            if proof is None:
                return False
            known[name].append(proof.weights)
        return True

    return refuted


@register("monotone costs", "columns that must not fall along a label")
def monotone(ledger: Ledger) -> Iterator[Finding]:
    """Judge every declared axis: each pair of rows that differs in it alone."""
    for spec in ledger.checks.monotone:
        for column in spec.columns:
            yield from _axis(ledger.tables[spec.table], spec, column)


def _axis(table: Table, spec: RawMonotone, column: str) -> Iterator[Finding]:
    subject = f"Table {table.id}, {column} along {spec.along}"
    groups: dict[tuple[str, ...], list[tuple[Fraction, Row]]] = {}
    for row in numeric(table, column):
        value = label_value(row, table, spec.along)
        if value is None:
            text = f"{spec.along} of {row.id} is no number"
            yield Finding("monotone costs", NOT_APPLICABLE, subject, (), text)
            return
        fixed = tuple(row.labels[table.label_columns.index(label)] for label in spec.fixed)
        groups.setdefault(fixed, []).append((value, row))
    pairs, faults = 0, []
    for rows in groups.values():
        before: list[Row] = []  # the row that prints the most at a lower value, and those at this value
        for _, same in groupby(sorted(rows, key=lambda pair: pair[0]), key=lambda pair: pair[0]):
            level = [row for _, row in same]
            for row in level if before else ():
                pairs += 1
                faults += _fall(spec, column, subject, before[0], row)
            before = [max([*before, *level], key=lambda row: row.cells[column].value)]
    if faults:
        yield from faults
    elif pairs:
        yield Finding("monotone costs", PASSED, subject, (), f"{pairs} steps, none falls ({spec.because})")
    else:
        yield Finding("monotone costs", NOT_APPLICABLE, subject, (), f"no two rows differ in {spec.along} alone")


def _fall(spec: RawMonotone, column: str, subject: str, first: Row, second: Row) -> list[Finding]:
    a, b = first.cells[column], second.cells[column]
    truth, _ = verdict(
        under_all(lambda one, _: at_most(values_printed_as(a.interval, one), values_printed_as(b.interval, one)))
    )
    if a.value <= b.value:
        return []
    severity = IMPOSSIBLE if truth is Truth.CANNOT else UNDECIDED
    text = f"{shown(first)} prints {a.printed}, {shown(second)} {b.printed}: it falls ({spec.because})"
    return [Finding("monotone costs", severity, subject, (key(first, column), key(second, column)), text)]
