"""Tables beside the issues: architecture cells, quotations, the released code's differences, assumptions."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from papertally.ledger.supplements import quoted
from papertally.verdicts.architecture import architecture_cells
from papertally.verdicts.names import spoken
from papertally.verdicts.views import Report


@dataclass(frozen=True)
class Supplement:
    """Hold a plain table: its id, title, one line on it, its columns and rows."""

    id: str
    title: str
    note: str
    columns: list[str]
    rows: list[list[str]]


def supplements_page(report: Report) -> list[Supplement]:
    """Return the tables that have rows, or a line to say."""
    return [s for s in (_architecture(report), _quotations(report), _code(report), _assumptions(report)) if s.note]


def _counted(names: list[str]) -> str:
    return ", ".join(f"{n} {name}" for name, n in Counter(names).items())


def _architecture(report: Report) -> Supplement:
    cells = architecture_cells(report.ledger, report.evidence)
    words = {"blocked": "in rows that are not built"}
    note = f"{len(cells)} printed cells: {_counted([words.get(c.verdict, spoken(c.verdict)) for c in cells])}."
    rows = [
        [f"Table {c.table}", str(c.line), c.model.upper(), c.column, c.printed, c.built or "not built"]
        for c in cells
        if c.verdict in ("built-otherwise", "blocked")
    ]
    columns = ["Table", "Line", "Model", "Column", "Printed", "Built"]
    return Supplement(
        "architecture", "Architecture cells that are built otherwise", note if cells else "", columns, rows
    )


def _quotations(report: Report) -> Supplement:
    found = quoted(report.ledger, report.supplements.quotations) if report.supplements else []
    rows = [[q.cell, q.printed, q.reference, q.source or "–", q.where or "–", q.verdict] for q in found]
    note = f"{len(found)} numbers of other works: {_counted([q.verdict for q in found])}." if found else ""
    columns = ["Cell", "Printed", "Reference", "Source prints", "Read in", "Verdict"]
    return Supplement("quotations", "Quotations", note, columns, rows)


def _code(report: Report) -> Supplement:
    found = report.supplements.differences if report.supplements else ()
    rows = [[d.topic, d.paper, d.code, d.here] for d in found]
    note = "What the authors' released code does otherwise, and how it can be had here." if found else ""
    return Supplement("code", "Code against paper", note, ["What", "Paper", "Released code", "Here"], rows)


def _assumptions(report: Report) -> Supplement:
    found = report.supplements.assumptions if report.supplements else ()
    rows = [[a.setting, str(a.value), a.source] for a in found]
    note = "What the paper does not print and a network or a run needs." if found else ""
    return Supplement("assumptions", "Assumptions", note, ["Setting", "Taken", "From"], rows)
