"""Columns that are measured, and margins: evidence brought to a column's units, and what a ledger takes for equal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from papertally.evidence.read import Evidence
from papertally.evidence.schema import TrainingEvidence
from papertally.evidence.settings import Settings
from papertally.ledger.load import Cell, Ledger
from papertally.quantities.columns import is_cost
from papertally.quantities.printed import dimension, scale_of


@dataclass(frozen=True)
class Prepared:
    """Hold evidence in base units (seconds, bytes), and why a row's column cannot be compared, by (row, column)."""

    evidence: Evidence
    unfit: Mapping[tuple[str, str], str]


def _unfit(run: TrainingEvidence, cell: Cell) -> str:
    """Return why a run's value cannot be compared with a measured cell, or ""."""
    about, stated = cell.about, run.units.get(cell.column, "")
    if about.kind != "measured":
        return ""
    wanted = dimension(cell.interval_unit)
    if wanted and not stated:
        return f"the evidence states no unit of {cell.column}; add it to its `units`, as the paper's {about.unit}"
    if stated and dimension(stated) != wanted:
        return f"the evidence is in {stated}, the paper in {cell.interval_unit or 'no unit'}"
    device = run.environment.get("device", "")
    if about.device and device != about.device:
        return f"measured on {device or 'a device that it does not name'}, the paper's on {about.device}"
    return ""


def prepare(ledger: Ledger, evidence: Evidence) -> Prepared:
    """Return the evidence as measured columns need it; what no column measures stays as it is."""
    cells = {
        row.id: [c for c in row.cells.values() if c.numeric and c.about.kind == "measured"]
        for row in ledger.rows.values()
    }
    if not any(cells.values()):
        return Prepared(evidence, {})
    unfit: dict[tuple[str, str], str] = {}
    runs: dict[str, dict[str, list[TrainingEvidence]]] = {}
    for profile, by_row in evidence.runs.items():
        for row, mine in by_row.items():
            fitting = []
            for run in mine:
                values = dict(run.values)
                for cell in (c for c in cells.get(row, []) if c.column in values):
                    if fault := _unfit(run, cell):
                        unfit[row, cell.column] = fault
                        del values[cell.column]
                    else:
                        values[cell.column] *= float(scale_of(run.units.get(cell.column, "")))
                fitting.append(run.model_copy(update={"values": values}))
            runs.setdefault(profile, {})[row] = fitting
    return Prepared(replace(evidence, runs=runs), unfit)


def margins(ledger: Ledger, settings: Settings) -> dict[str, float]:
    """Return the absolute margins of a ledger's columns in base units: its own, else the settings'."""
    out = {}
    for table in ledger.tables.values():
        for name in table.columns:
            about = table.column(name)
            if is_cost(name):
                continue
            if about.margin is None and name in settings.margins:
                out[name] = settings.margins[name]
            elif about.margin is not None and not about.margin.relative:
                out[name] = float(about.margin.of(Decimal(0), scale_of(about.unit)))
    return out


def margin_of(cell: Cell, settings: Settings) -> float:
    """Return a trained or measured cell's margin in base units. Raises KeyError where nothing states one."""
    found = cell.margin
    return settings.margins[cell.column] if found is None else float(found)
