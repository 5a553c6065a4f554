"""All trained cells and statements of a report as one family: their common spread, their failures corrected."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import cached_property
from typing import Any

from evidence.forms import TrainingEvidence
from evidence.settings import Settings
from paper.ledger import Cell, Ledger
from paper.schema import COST_COLUMNS
from report.judge import statements, verdicts
from report.judge.recipes import groups, spreads
from report.judge.spread import Spread, holm, of_row
from report.judge.statements import Finding, Rule
from report.judge.verdicts import Verdict


class Family:
    """Hold a profile's runs with everything that is shared between their verdicts.

    exact: (row, column) to a computed cost that may speak about the paper, or None.
    """

    def __init__(
        self,
        ledger: Ledger,
        settings: Settings,
        runs: Mapping[str, Sequence[TrainingEvidence]],
        exact: Callable[[str, str], Decimal | None],
    ) -> None:
        self.ledger, self.settings, self.runs, self.exact = ledger, settings, runs, exact
        self.rule = Rule(settings.alpha, settings.seeds, settings.margins, spreads(runs))

    def spread(self, column: str) -> Spread | None:
        """Return a column's pooled spread, or None where no row has two seeds."""
        return self.rule.spreads.get(column)

    def printed_spread(self, column: str) -> float:
        """Return the stated spread of the authors' runs, in points."""
        return self.settings.printed_spread.get(column, self.settings.seed_spread)

    def values(self, row_id: str, column: str) -> list[float] | None:
        """Return one value a seed by the deciding recipe, or None."""
        mine = self.runs.get(row_id, [])
        found = groups(mine, [""] * len(mine), column)
        return found[0].values if found else None

    @cached_property
    def failed_cells(self) -> frozenset[str]:
        """Return the experiments' columns ("row.column") whose failure stands when all are tested at once (Holm)."""
        found = {}
        for row, cell in self.ledger.cells():
            source = self.ledger.canonical(row.id)
            name = f"{source}.{cell.column}"
            values = None if cell.column in COST_COLUMNS or name in found else self.values(source, cell.column)
            if values and len(values) > 1:
                gap = sum(values) / len(values) - float(cell.value)
                spread = of_row(values, self.spread(cell.column))
                theirs, margin = self.printed_spread(cell.column), self.settings.margins[cell.column]
                found[name] = verdicts.equivalence(gap, len(values), spread, theirs, margin).outside
        return holm(found, self.settings.alpha)

    def cell(self, row_id: str, cell: Cell, values: Sequence[float]) -> Verdict:
        """Judge a trained cell, its failure corrected over all."""
        settings, column = self.settings, cell.column
        failed = f"{self.ledger.canonical(row_id)}.{column}" in self.failed_cells
        return verdicts.trained(
            cell.value, values, settings.margins[column], settings.alpha, settings.seeds, self.spread(column),
            self.printed_spread(column), failed,
        )  # fmt: skip

    @cached_property
    def findings(self) -> dict[str, Finding]:
        """Return what the runs say of every relation, by its id."""
        return {
            c.id: statements.relation(c.expression, self.values, self.exact, self.rule, self.ledger.canonical)
            for c in self.ledger.claims
            if c.kind == "relation"
        }

    @cached_property
    def failed_statements(self) -> frozenset[str]:
        """Return the relations whose failure stands when all are tested at once (Holm)."""
        return statements.family(self.findings, self.settings.alpha)

    def statement(self, claim_id: str) -> tuple[Verdict, Any]:
        """Return a relation's (verdict, compared quantity)."""
        finding = self.findings[claim_id]
        return finding.verdict(self.rule, claim_id in self.failed_statements), finding.quantity

    def told(self) -> list[str]:
        """Return how the family was judged, in sentences for the page."""
        alpha = self.settings.alpha
        lines = [f"{column}: {spread.told()}." for column, spread in self.rule.spreads.items()]
        cells = sum(len(v) > 1 for v in self._tested())
        tested = sum(f.early is None for f in self.findings.values())
        lines.append(
            f"Each pass is tested at {alpha:g}: if everything lay at its margin, {alpha * cells:.1f} of the {cells} "
            f"tested cells and {alpha * tested:.1f} of the {tested} tested statements would pass by chance. Failures "
            "are corrected by Holm, once over all cells and once over all statements, so that the chance of any false "
            f"one is {alpha:g} each."
        )
        return lines

    def _tested(self) -> list[list[float]]:
        names = {(self.ledger.canonical(row.id), cell.column) for row, cell in self.ledger.cells()}
        return [v for row, column in sorted(names) if column not in COST_COLUMNS and (v := self.values(row, column))]
