"""Columns that must be a constant plus a price a term, or must not fall: linear programming over rounding intervals.

A contradiction is stated only with a certificate that exact arithmetic confirms: a weighted sum of the printed bounds,
in which every unknown price cancels, and which comes out wrong. Floating point only proposes the weights.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

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
from papertally.checks.rounding import CONVENTIONS, Bounds, Convention, Truth, at_most, large, number
from papertally.checks.rounding import verdict as under
from papertally.ledger.load import Ledger, Row, Table
from papertally.ledger.schema import RawLinear, RawMonotone

TICKS = {"✓": 1, "✔": 1, "yes": 1, "": 0, "-": 0, "–": 0, "—": 0, "✗": 0, "×": 0, "no": 0}
#: Far above what a paper prints.
LARGEST = 10**15


@dataclass(frozen=True)
class Line:
    """Hold one printed number: its name, the multiples of the unknowns that it is, and where it lies."""

    name: str
    terms: tuple[Fraction, ...]
    bounds: Bounds


@dataclass(frozen=True)
class Certificate:
    """Hold a proof that no prices fit: weights over upper and lower bounds whose sum is impossible.

    weights: of each line, positive of its upper bound, negative of its lower one.
    """

    lines: tuple[Line, ...]
    weights: tuple[Fraction, ...]

    @property
    def total(self) -> Fraction:
        """Return the weighted sum of bounds; the same sum of the true numbers is zero, and below this."""
        pairs = zip(self.weights, self.lines, strict=True)
        return sum((w * (x.bounds.high if w > 0 else x.bounds.low) for w, x in pairs), Fraction(0))

    def proves(self) -> bool:
        """Tell, exactly, whether the unknowns cancel and the sum is impossible."""
        if not any(self.weights):
            return False
        width = len(self.lines[0].terms)
        if any(sum(w * x.terms[j] for w, x in zip(self.weights, self.lines, strict=True)) for j in range(width)):
            return False
        open_ = any(
            x.bounds.high_open if w > 0 else x.bounds.low_open
            for w, x in zip(self.weights, self.lines, strict=True)
            if w
        )
        return self.total < 0 or (self.total == 0 and open_)

    def __str__(self) -> str:
        """Return the proof: what is bounded from above cannot reach what is printed below."""
        sides = []
        for sign in (1, -1):
            used = [(w * sign, x) for w, x in zip(self.weights, self.lines, strict=True) if w * sign > 0]
            words = [x.name if w == 1 else f"{number(w)} × {x.name}" for w, x in used]
            bound = sum((w * (x.bounds.high if sign > 0 else x.bounds.low) for w, x in used), Fraction(0))
            open_ = any(x.bounds.high_open if sign > 0 else x.bounds.low_open for _, x in used)
            sides.append((" + ".join(words), large(bound), open_))
        (over, high, high_open), (under_, low, low_open) = sides
        return (
            f"({over}) {'<' if high_open else '≤'} {high}, but ({under_}) {'>' if low_open else '≥'} {low}, "
            "and the two must be equal"
        )


@lru_cache(1024)
def refute(lines: tuple[Line, ...]) -> Certificate | None:
    """Return a proof that no value of the unknowns puts every line within its bounds, or None where some may.

    Never wrong: without an exact proof the answer is None.
    """
    import numpy as np  # the rest of the ledger needs neither
    from scipy.optimize import linprog

    if len(lines) < 2 or any(x.bounds.high > LARGEST or max(map(abs, x.terms)) > LARGEST for x in lines):
        return None  # floating point proposes nothing for such numbers
    scale = min((x.bounds.high - x.bounds.low for x in lines if not x.bounds.is_point), default=Fraction(1))
    n = len(lines)
    terms = np.array([[float(t) for t in x.terms] for x in lines])
    high = np.array([float(x.bounds.high / scale) - 1e-3 * x.bounds.high_open for x in lines])
    low = np.array([float(x.bounds.low / scale) + 1e-3 * x.bounds.low_open for x in lines])
    # The small different prices make the best weights unique, so that every machine finds the same proof.
    tilt = 1e-6 * np.arange(1, n + 1) ** 1.5
    found = linprog(
        np.concatenate([high + tilt, -low + tilt]),
        A_eq=np.vstack([np.hstack([terms.T, -terms.T]), np.ones((1, 2 * n))]),
        b_eq=np.concatenate([np.zeros(terms.shape[1]), [1.0]]),
        bounds=(0, None),
        method="highs",
    )
    if found.status != 0 or found.fun >= 0:
        return None
    raw = found.x[:n] - found.x[n:]
    least = min((abs(w) for w in raw if abs(w) > 1e-7), default=0.0)
    if not least:
        return None
    weights = tuple(Fraction(float(w / least)).limit_denominator(1000) if abs(w) > 1e-7 else Fraction(0) for w in raw)
    proof = Certificate(lines, weights)
    return proof if proof.proves() else None


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
        for low, first in rows:
            for high, second in rows:
                if low < high:
                    pairs += 1
                    faults += _fall(spec, column, subject, first, second)
    if faults:
        yield from faults
    elif pairs:
        yield Finding("monotone costs", PASSED, subject, (), f"{pairs} pairs of rows, none falls ({spec.because})")
    else:
        yield Finding("monotone costs", NOT_APPLICABLE, subject, (), f"no two rows differ in {spec.along} alone")


def _fall(spec: RawMonotone, column: str, subject: str, first: Row, second: Row) -> list[Finding]:
    a, b = first.cells[column], second.cells[column]
    truth, _ = under(lambda one, _: at_most(one(a.interval), one(b.interval)))
    if a.value <= b.value:
        return []
    severity = IMPOSSIBLE if truth is Truth.CANNOT else UNDECIDED
    text = f"{shown(first)} prints {a.printed}, {shown(second)} {b.printed}: it falls ({spec.because})"
    return [Finding("monotone costs", severity, subject, (key(first, column), key(second, column)), text)]
