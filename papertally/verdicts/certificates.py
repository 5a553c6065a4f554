"""Tables that no rule of a kind can satisfy, whatever its prices, each with its exact proof."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from papertally.conventions.axes import Certificate
from papertally.ledger.load import Ledger
from papertally.quantities.linear_proof import Line, refute
from papertally.quantities.printed import ROUNDINGS, values_printed_as


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


def certificate(ledger: Ledger, entry: Certificate) -> CertificateView:
    """Judge a rule on a table's printed numbers under every usual rounding."""
    cells = {name: ledger.cell(name, entry.column).interval for name in entry.rows}
    terms = {name: tuple(map(Fraction, counts)) for name, counts in entry.rows.items()}
    proofs = {
        rounding: refute(tuple(Line(n, terms[n], values_printed_as(cell, rounding)) for n, cell in cells.items()))
        for rounding in ROUNDINGS
    }
    feasible = tuple(rounding for rounding, proof in proofs.items() if proof is None)
    found = next((proof for proof in proofs.values() if proof is not None), None)
    if found is None:
        return CertificateView(entry.id, entry.table, entry.column, entry.title, feasible, "", 0.0)
    refuted = ", ".join(rounding for rounding in ROUNDINGS if rounding not in feasible)
    text = f"not under {refuted}: {found}" if feasible else str(found)
    gap = float(found.gap / Fraction(max(cell.place for cell in cells.values())))
    return CertificateView(entry.id, entry.table, entry.column, entry.title, feasible, text, round(gap, 6))


def certificates(ledger: Ledger) -> dict[str, list[CertificateView]]:
    """Return every rule's finding by table."""
    out: dict[str, list[CertificateView]] = {}
    for entry in ledger.conventions.certificates:
        out.setdefault(entry.table, []).append(certificate(ledger, entry))
    return out
