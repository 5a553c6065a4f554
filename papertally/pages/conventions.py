"""The page's part on conventions: what one way of counting can do for whole tables, and what none can."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from papertally.conventions.axes import Conventions
from papertally.evidence.forensics import ForensicsEvidence
from papertally.verdicts.certificates import CertificateView
from papertally.verdicts.conventions import FamilyView, HeldOutView
from papertally.verdicts.names import GROUND_WORDS, count, row_name
from papertally.verdicts.views import Report


@dataclass(frozen=True)
class GroundPage:
    """Hold a ground: what it means, how many distinct numbers stand on it, and how these came out."""

    name: str
    text: str
    count: int
    verdicts: list[tuple[str, str, str, int]]


@dataclass(frozen=True)
class FamilyPage:
    """Hold a family of cells that share one convention, in sentences."""

    id: str
    title: str
    result: str
    lines: list[str]


@dataclass(frozen=True)
class CertificatePage:
    """Hold a rule that a table can or cannot satisfy."""

    title: str
    result: str
    slug: str
    proof: str


@dataclass(frozen=True)
class ForensicsPage:
    """Hold a search for edits: what it found, its counts by kind of edit, and the edits that succeed."""

    title: str
    result: str
    sizes: list[list[str]]
    edits: list[list[str]]


@dataclass(frozen=True)
class ConventionsPage:
    """Hold the section."""

    families: list[FamilyPage]
    held_out: list[tuple[str, str]]
    certificates: list[CertificatePage]
    axes: list[list[str]]
    forensics: list[ForensicsPage]


def grounds_page(report: Report) -> list[GroundPage]:
    """Return every ground that some number stands on, with its distinct numbers' verdicts."""
    out = []
    for name, found in report.grounds().items():
        counts = Counter(c.answer for c in report.distinct if c.ground == name)
        given = [(one.words, one.name, one.sign, n) for one, n in counts.most_common()]
        out.append(GroundPage(name, GROUND_WORDS[name], found["distinct"], given))
    return out


def _family(found: FamilyView) -> FamilyPage:
    cells = len(found.cells)
    result = (
        f"one convention satisfies at most {found.best} of {cells} cells; {found.ties:,} of {found.conventions:,} do"
    )
    lines = [
        f"A convention taken at random satisfies {found.expected:.2f}; of random numbers, as coarsely printed and "
        f"within reach, the best one would satisfy {found.chance:.1f}."
    ]
    if found.members:
        lines.append(", ".join(f"{name} satisfies {n}" for name, n in found.members.items()) + ".")
    if found.never:
        lines.append(f"Satisfied by none: {', '.join(found.never)}.")
    if found.best < cells:
        left, ties = found.left_out[0]
        more = f", and {count(len(found.left_out) - 1, 'other set')}" if len(found.left_out) > 1 else ""
        lines.append(f"Left out by {ties:,} of the best: {', '.join(left)}{more}.")
    if found.example:
        lines.append(f"One of the best: {found.example}.")
    if found.given:
        lines.append(f"{found.given[0].upper()}{found.given[1:]}.")
    return FamilyPage(found.id, found.title, result, lines)


def _held_out(found: HeldOutView) -> tuple[str, str]:
    mean, low, high = found.tried
    best = f"{count(found.ties, 'convention satisfies', 'conventions satisfy')} the most, {found.chosen} of {found.of}"
    return (
        found.title,
        f"{best}; of the {found.tried_of} others these satisfy {low} to {high}, {mean:.2f} on average (any convention: "
        f"{found.any:.2f}; the best for these alone: {found.best})",
    )


def _certificate(found: CertificateView) -> CertificatePage:
    table = f"Table {found.table}, {found.column}: {found.title}"
    if found.impossible:
        gap = f", {found.gap:g} units of the last place beyond rounding" if found.gap else ", by the edges of rounding"
        return CertificatePage(
            table, f"cannot be, however the numbers were rounded{gap}", "paper-inconsistent", found.proof
        )
    said = "can be" if not found.proof else f"can be only where numbers are shortened by: {', '.join(found.feasible)}"
    return CertificatePage(table, said, "reproduced", found.proof)


def _forensics(report: Report, found: ForensicsEvidence) -> ForensicsPage:
    row = report.ledger.row(found.row)
    name = row_name(report.ledger.tables[row.table], row)
    reached, sound = sum(s.reached for s in found.sizes), sum(s.uncontradicted for s in found.sizes)
    tried = sum(s.tried for s in found.sizes)
    result = (
        f"{reached:,} of {tried:,} edits reach {found.params} and {found.madds} under some of {found.structures} "
        f"structures and {found.admissible:,} conventions; no other table contradicts {sound:,} of them"
    )
    sizes = [[s.kind, f"{s.tried:,}", f"{s.built:,}", f"{s.reached:,}", f"{s.uncontradicted:,}"] for s in found.sizes]
    edits = []
    for e in found.edits:
        structure = ", ".join(f"{a.replace('_', ' ')} {str(v).lower()}" for a, v in e.structure.items())
        edits.append(["; ".join(e.changes) or "as printed", structure, f"{e.conventions:,}", e.against or "nothing"])
    return ForensicsPage(f"{name} (Table {row.table})", result, sizes, edits)


def _axes(found: Conventions) -> list[list[str]]:
    plain: list[Any] = [*found.counting, *found.parameters, *found.printing]
    return [[a.title, ", ".join(a.values), a.source] for a in plain] + [
        [a.title, ", ".join(str(v).lower() for v in a.values), a.source] for a in found.structure
    ]


def conventions_page(report: Report) -> ConventionsPage | None:
    """Return the section, or None where the ledger states no family and no rule."""
    certificates = [_certificate(c) for found in report.certificates.values() for c in found]
    if not report.families and not certificates:
        return None
    return ConventionsPage(
        [_family(f) for f in report.families],
        [_held_out(h) for h in report.held_out],
        certificates,
        _axes(report.ledger.conventions),
        [_forensics(report, f) for f in report.forensics],
    )
