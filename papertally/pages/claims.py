"""The claims page: each statement with its expression worked out, on the paper's own numbers and on achieved ones."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from papertally.evidence.revision import UNKNOWN
from papertally.pages.cell_details import Fact, Value, link, responses
from papertally.pages.sentences import cell_label
from papertally.pages.sources import Sources
from papertally.verdicts import verdicts
from papertally.verdicts.answers import order_of
from papertally.verdicts.arithmetic import Line
from papertally.verdicts.names import row_name, span
from papertally.verdicts.views import ClaimView, Report

KINDS = {
    "relation": "relation of printed cells",
    "structure": "structure",
    "cost": "cost",
    "data": "data set",
    "print": "printed cells alone",
    "recipe": "recipe",
}

#: Kinds that are expressions over cells.
OF_CELLS = ("relation", "print")
#: What the paper's own numbers say of a statement, whatever they were rounded from.
OWN = {
    "holds": "holds",
    "as-printed": "holds as printed",
    "undecided": "undecided by rounding",
    "cannot": "cannot hold",
}


@dataclass(frozen=True)
class ClaimPage:
    """Hold a statement: what it comes to on either side, its verdict, and behind it the arithmetic and the evidence."""

    id: str
    section: str
    statement: str
    kind: str
    verdict: str
    slug: str
    glyph: str
    order: int
    own: str
    achieved: str
    result: str
    expression: str
    own_lines: list[Line] = field(default_factory=list)
    worked_lines: list[Line] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    search: str = ""


def _own(claim: ClaimView) -> str:
    """Return what the paper's own numbers say of a statement about them."""
    if claim.kind not in OF_CELLS:
        return OWN.get(claim.own_truth or "", "")
    said = OWN.get(claim.own_truth or "", "holds" if claim.paper_holds else "does not hold")
    if claim.paper_holds and len(claim.own) > 1:
        return f"{said}, {len(claim.own)} comparisons"
    return f"{said}: {claim.paper_quantity}"


def contradicted_cells(report: Report, claim: ClaimView) -> list[str]:
    """Return the contradicted numbers that a statement is about, printed beside recomputed."""
    refs = next((c.expression.refs for c in report.ledger.claims if c.id == claim.id), ())
    keys = {f"{row}.{column}" for row, column in refs}
    return [cell_label(report, c) for c in report.cells if c.key in keys and c.answer.name == "contradicted"]


def _result(report: Report, claim: ClaimView) -> str:
    """Return what makes a statement fail, for the first page."""
    if claim.verdict == "differs" and claim.kind == "relation":
        return "; ".join(contradicted_cells(report, claim)) or claim.arithmetic
    if claim.kind not in OF_CELLS and claim.arithmetic:
        return claim.arithmetic
    own = claim.own_truth == "cannot"
    lines = claim.own if claim.kind in OF_CELLS and own else claim.worked
    text = next((line.text for line in lines if line.holds is False), claim.shown)
    if claim.kind not in OF_CELLS:
        return text
    ground = "on the paper's own numbers" if own else "on achieved numbers"
    return f"{ground}: {text}"


def _cost(report: Report, claim: ClaimView, needs: dict[str, tuple[list[str], float | None]]) -> list[Value]:
    """Return what settling a statement takes."""
    if claim.verdict in verdicts.PASSED:
        return []
    if claim.id not in needs:
        return [Value("the data set's own files, no training")] if claim.kind == "data" else []
    rows, hours = needs[claim.id]
    names = []
    for row_id in rows:
        row = report.ledger.row(row_id)
        names.append(f"{row_name(report.ledger.tables[row.table], row)} (Table {row.table})")
    unit = "GPU-hours" if report.plan and report.plan.gpu else "machine-hours"
    took = "" if hours is None or report.plan is None else f": {span(hours)} {unit} on {report.plan.hardware}"
    return [Value(f"training of {', '.join(names)}{took}")] if names else []


def _place(report: Report, claim: ClaimView) -> list[Value]:
    """Return a link to a statement's section, table or figure on arXiv; to the paper where it has no number there."""
    arxiv, address = report.ledger.arxiv, report.ledger.address
    if not arxiv:
        return [Value(claim.section, address)] if address else []
    found = re.match(r"(?:(Table|Figure) )?(\d+(?:\.\d+)*)", claim.section)
    name = {"Table": "table", "Figure": "figure"}.get(found[1] or "", "section") if found else ""
    where = f"#nameddest={name}.{found[2]}" if found else ""
    return [Value(f"{claim.section} on arXiv", f"https://arxiv.org/pdf/{arxiv}{where}")]


def claim_pages(report: Report, sources: Sources, up: str) -> list[ClaimPage]:
    """Return every statement in the paper's order."""
    items = report.plan.items if report.plan else []
    needs = {item.name: (item.rows, item.hours) for item in items if item.kind == "claim"}
    out = []
    for claim in report.claims:
        evidence = report.evidence.claims.get(claim.id)
        facts = [
            Fact("In the paper", _place(report, claim)),
            Fact("Read as", [Value(claim.reading)] if claim.reading else []),
            Fact("Arithmetic", [Value(claim.arithmetic)] if claim.arithmetic else []),
        ]
        if claim.evidence and evidence:
            command = sources.config.commands.get("claims")
            facts += [
                Fact("Evidence", [Value(claim.evidence, link(up, claim.evidence))]),
                Fact("Date", [Value(sources.dates.get(claim.evidence, UNKNOWN))]),
                Fact("Code revision", [Value(evidence.code_revision, code=True)]),
                Fact("Hardware", [Value(evidence.environment.get("device", UNKNOWN))]),
                Fact("To rerun", [Value(command, code=True)] if command else []),
            ]
        if claim.issue:
            facts.append(
                Fact("Known issue", [Value(report.ledger.issues[claim.issue].title, f"index.html#issue-{claim.issue}")])
            )
        facts.append(Fact("Cost to settle", _cost(report, claim, needs)))
        facts.append(Fact("Responses", responses(report, claim.id)))
        out.append(
            ClaimPage(
                claim.id,
                claim.section,
                claim.statement,
                KINDS.get(claim.kind, claim.kind),
                claim.answer.words,
                claim.answer.name,
                claim.answer.sign,
                order_of(claim.answer),
                _own(claim),
                claim.shown,
                _result(report, claim),
                claim.expression,
                list(claim.own),
                list(claim.worked),
                [f for f in facts if f.values],
                " ".join([claim.id, claim.section, claim.statement]).lower(),
            )
        )
    return out
