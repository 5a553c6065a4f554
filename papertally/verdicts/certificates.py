"""Tables that no rule of a kind can satisfy, whatever its prices: linear programming, and an exact proof of a no.

The program finds the proof; the proof is then checked in exact fractions, so that no solver's rounding enters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np

from papertally.conventions.axes import Certificate
from papertally.ledger.load import Ledger
from papertally.quantities.printed import ROUNDINGS, Bounds, bounds_of, plain


@dataclass(frozen=True)
class CertificateView:
    """Hold whether a rule can satisfy a table: under which usual roundings, and the proof where it cannot.

    gap: by how much the intervals would have to be wider at either end, in units of the last printed place; 0 where
    rounding edges alone decide, or where the rule is feasible.
    """

    id: str
    table: str
    column: str
    title: str
    feasible: tuple[str, ...]
    proof: str
    gap: float

    @property
    def impossible(self) -> bool:
        """Tell whether no usual rounding rescues the rule."""
        return not self.feasible


#: What counts as nothing, in units of the last printed place.
NOTHING = 1e-7


def _solve(counts: Sequence[Sequence[int]], found: Sequence[Bounds], scale: Decimal, every: bool) -> Any:
    """Return scipy's result for the widest margin to the intervals' ends: every end, or open ones alone.

    A negative margin is the least widening at which some prices satisfy all.
    """
    from scipy.optimize import linprog

    prices = len(counts[0])
    rows, limits = [], []
    for line, b in zip(counts, found, strict=True):
        rows.append([*(-c for c in line), float(every or b.low_open)])  # low + s m <= A x
        limits.append(-float(b.low / scale))
        rows.append([*line, float(every or b.high_open)])  # A x + s m <= high
        limits.append(float(b.high / scale))
    ranges = [*[(None, None)] * prices, (None, 1)]
    return linprog([*[0.0] * prices, -1.0], A_ub=np.array(rows), b_ub=limits, bounds=ranges, method="highs")


def proves(
    counts: Sequence[Sequence[int]], found: Sequence[Bounds], weights: Sequence[tuple[Fraction, Fraction]]
) -> bool:
    """Tell whether weights (of lower, of upper ends) show that no prices satisfy all intervals: exact.

    The weighted rows must cancel in every price, while the weighted upper ends do not exceed the weighted lower ones
    (and one of them is open where they are equal).
    """
    prices = len(counts[0])
    if any(sum((up - low) * line[p] for (low, up), line in zip(weights, counts, strict=True)) for p in range(prices)):
        return False
    if any(low < 0 or up < 0 for low, up in weights):
        return False
    slack = sum(up * Fraction(b.high) - low * Fraction(b.low) for (low, up), b in zip(weights, found, strict=True))
    open_end = any((up and b.high_open) or (low and b.low_open) for (low, up), b in zip(weights, found, strict=True))
    return slack < 0 or (slack == 0 and open_end)


def _proof(
    counts: Sequence[Sequence[int]], found: Sequence[Bounds], result: Any
) -> list[tuple[Fraction, Fraction]] | None:
    """Return exact weights that prove infeasibility, from the program's dual values."""
    dual = [-float(m) for m in result.ineqlin.marginals]
    least = min((d for d in dual if d > 1e-9), default=0.0)
    if not least:
        return None
    exact = [Fraction(d / least).limit_denominator(64) for d in dual]
    weights = list(zip(exact[::2], exact[1::2], strict=True))
    return weights if proves(counts, found, weights) else None


def _sum(parts: Sequence[tuple[Fraction, str]]) -> str:
    return " + ".join(name if w == 1 else f"{w} × {name}" for w, name in parts)


def certificate(ledger: Ledger, entry: Certificate) -> CertificateView:
    """Judge a rule on a table's printed numbers under every usual rounding."""
    names = list(entry.rows)
    counts = [entry.rows[name] for name in names]
    cells = [ledger.cell(name, entry.column) for name in names]
    scale = max(c.interval.place for c in cells)
    feasible, proof, gap = [], "", 0.0
    for rounding in ROUNDINGS:
        found = [bounds_of(c.interval, rounding) for c in cells]
        result = _solve(counts, found, scale, every=True)
        margin = float(result.x[-1])
        if abs(margin) <= NOTHING:  # on the edges: do they belong?
            result = _solve(counts, found, scale, every=False)
        weights = None if float(result.x[-1]) > NOTHING else _proof(counts, found, result)
        if weights is None:
            feasible.append(rounding)
        elif not proof:
            proof = words(names, found, weights)
            gap = max(0.0, -margin)
    if feasible:
        proof = f"not under {', '.join(r for r in ROUNDINGS if r not in feasible)}: {proof}" if proof else ""
    return CertificateView(
        entry.id, entry.table, entry.column, entry.title, tuple(feasible), proof, round(gap, 6) if proof else 0.0
    )


def words(names: Sequence[str], found: Sequence[Bounds], weights: Sequence[tuple[Fraction, Fraction]]) -> str:
    """Return a proof as one line of arithmetic."""
    uppers = [(up, name, b) for (_, up), name, b in zip(weights, names, found, strict=True) if up]
    lowers = [(low, name, b) for (low, _), name, b in zip(weights, names, found, strict=True) if low]

    def side(parts: Sequence[tuple[Fraction, str, Bounds]], end: str) -> str:
        ends = [(w, getattr(b, end)) for w, _, b in parts]
        total = sum(w * Fraction(value) for w, value in ends)
        summed = _shown(Decimal(total.numerator) / Decimal(total.denominator))
        return _sum([(w, _shown(value)) for w, value in ends]) + (f" = {summed}" if len(ends) > 1 else "")

    below = "below" if any(b.high_open for _, _, b in uppers) else "at most"
    above = "above" if any(b.low_open for _, _, b in lowers) else "at least"
    left, right = (_sum([(w, n) for w, n, _ in parts]) for parts in (uppers, lowers))
    printed = f"the left is {below} {side(uppers, 'high')}, the right {above} {side(lowers, 'low')}"
    return f"by the rule {left} = {right}; as printed {printed}"


def _shown(value: Decimal) -> str:
    """Return a number with its unit, exactly."""
    return f"{plain(value / 10**6)}M" if abs(value) >= 10**6 else plain(value)


def certificates(ledger: Ledger) -> dict[str, list[CertificateView]]:
    """Return every rule's finding by table."""
    out: dict[str, list[CertificateView]] = {}
    for entry in ledger.conventions.certificates:
        out.setdefault(entry.table, []).append(certificate(ledger, entry))
    return out
