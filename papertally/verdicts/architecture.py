"""The printed cells of architecture tables (1 and 10), each against what was read back from the built networks."""

from __future__ import annotations

from dataclasses import dataclass

from papertally.evidence.read import Evidence
from papertally.ledger.load import Ledger

#: Architecture table -> the statement whose evidence lists the cells that are built otherwise.
CELLS = {"1": "table1_cells", "10": "table10_cells"}
#: What stands for a cell in a row that is not built.
ABSENT = "–"


@dataclass(frozen=True)
class ArchitectureCell:
    """Hold a printed cell: table, printed line from 1, model, column, the string, what was built, and the verdict."""

    table: str
    line: int
    model: str
    column: str
    printed: str
    built: str | None
    verdict: str


def architecture_cells(ledger: Ledger, evidence: Evidence) -> list[ArchitectureCell]:
    """Return every printed cell of the ledger's architecture tables, in printed order.

    built-as-stated: the built network has it; built-otherwise: it has something else; blocked: its row is not built;
    not-run: nobody has read the networks back.
    """
    out = []
    for table in ledger.tables.values():
        if table.architecture is None:
            continue
        found = evidence.claims.get(CELLS.get(table.id, ""))
        off = {}
        if found is not None and isinstance(found.computed, list):
            off = {(line, model, column): built for line, model, column, _, built in found.computed}
        for line, row in enumerate(table.architecture.rows, 1):
            for model in table.architecture.models:
                cells = row.cells(model)
                for column, text in zip(table.architecture.columns, cells or (), strict=False):
                    built = off.get((line, model, column), text)
                    verdict = "built-as-stated" if built == text else "built-otherwise"
                    if found is None:
                        verdict = "not-run"
                    elif built == ABSENT:
                        verdict = "blocked"
                    shown = None if verdict in ("not-run", "blocked") else built
                    out.append(ArchitectureCell(table.id, line, model, column, text, shown, verdict))
    return out
