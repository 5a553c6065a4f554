"""All trained cells and statements of a report as one family: their common spread, their failures corrected."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import cached_property
from typing import Any

from papertally.evidence.schema import TrainingEvidence
from papertally.evidence.settings import Settings
from papertally.ledger.load import Cell, Claim, Ledger
from papertally.quantities.columns import is_cost
from papertally.quantities.interval import Interval, Truth, every
from papertally.statements.expressions import Expression, ExpressionError, MissingValue, compile_expr
from papertally.verdicts import statements, verdicts
from papertally.verdicts.contrasts import trained
from papertally.verdicts.measured import margin_of, margins
from papertally.verdicts.recipes import groups, spreads
from papertally.verdicts.spread import Spread, holm, spread_of
from papertally.verdicts.statements import Finding, Rule
from papertally.verdicts.verdicts import Verdict


class Family:
    """Hold a profile's runs with everything that is shared between their verdicts.

    span: (row, column) to all that a cost may be under admissible conventions, or None; truth: what these make of a
    relation of costs. apart: keep networks that this project drew out of statements about the paper.
    """

    def __init__(
        self,
        ledger: Ledger,
        settings: Settings,
        runs: Mapping[str, Sequence[TrainingEvidence]],
        span: Callable[[str, str], Interval | None],
        truth: Callable[[Expression], Truth],
        apart: bool = True,
    ) -> None:
        self.ledger, self.settings, self.runs, self.apart = ledger, settings, runs, apart
        self.span, self.truth = span, truth
        self.rule = Rule(settings.alpha, settings.seeds, margins(ledger, settings), spreads(runs))

    def spread(self, column: str) -> Spread | None:
        """Return a column's pooled spread, or None where no row has two seeds."""
        return self.rule.spreads.get(column)

    def printed_spread(self, column: str) -> float:
        """Return the stated spread of the authors' runs, in points."""
        if self.ledger.tables and column not in self.settings.printed_spread:
            return self.rule.spreads[column].sd if column in self.rule.spreads else 0.0  # nobody states theirs
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
            values = None if is_cost(cell.column) or name in found else self.values(source, cell.column)
            if values and len(values) > 1:
                gap = sum(values) / len(values) - float(cell.value)
                spread = spread_of(values, self.spread(cell.column))
                theirs, margin = self.printed_spread(cell.column), margin_of(cell, self.settings)
                error = None if cell.error is None else float(cell.error)
                found[name] = verdicts.equivalence(gap, len(values), spread, theirs, margin, error).outside
        return holm(found, self.settings.alpha)

    def cell(self, row_id: str, cell: Cell, values: Sequence[float]) -> Verdict:
        """Judge a trained cell, its failure corrected over all."""
        settings, column, scale = self.settings, cell.column, float(cell.scale)
        failed = f"{self.ledger.canonical(row_id)}.{column}" in self.failed_cells
        spread, error = self.spread(column), None if cell.error is None else float(cell.error) / scale
        if spread is not None and scale != 1:
            spread = replace(spread, sd=spread.sd / scale)
        unit = cell.about.unit.replace("%", "points") or ("points" if cell.about.share else "units")
        return verdicts.trained(
            cell.value / cell.scale,
            [v / scale for v in values],
            margin_of(cell, settings) / scale,
            settings.alpha,
            settings.seeds,
            spread,
            self.printed_spread(column) / scale,
            failed,
            error,
            unit,
        )

    @cached_property
    def drawn(self) -> frozenset[tuple[str, str]]:
        """Return the experiments' columns whose network is this project's own."""
        return frozenset(
            (self.ledger.canonical(row.id), cell.column)
            for row, cell in self.ledger.cells()
            if self.ledger.ground(row.id, cell.column).constructed
        )

    def about_the_paper(self, row_id: str, column: str) -> list[float] | None:
        """Return one value a seed of a network that the paper has, or None."""
        return None if self.apart and (row_id, column) in self.drawn else self.values(row_id, column)

    @cached_property
    def findings(self) -> dict[str, Finding]:
        """Return what the runs say of every relation that reads trained cells, by its id; of costs, see `costs`."""
        out = {}
        for claim in self.ledger.claims:
            parts = [p.text for p in claim.expression.parts if trained(p.tree)] if claim.kind == "relation" else []
            if parts:
                expression = compile_expr(" and ".join(f"({text})" for text in parts))
                out[claim.id] = statements.relation(
                    expression, self.about_the_paper, self.exact, self.rule, self.ledger.canonical
                )
        return out

    def exact(self, row_id: str, column: str) -> Decimal | None:
        """Return a cost that no convention leaves open: for a comparison that mixes it with trained cells."""
        span = self.span(row_id, column)
        return None if span is None or span.low is None or span.low != span.high else Decimal(int(span.low))

    def costs(self, claim: Claim) -> tuple[Truth | None, str]:
        """Return whether a relation's parts on costs hold under all admissible conventions, and which part decides.

        None where a cost is missing; HOLDS where no part reads costs alone.
        """
        try:
            texts = [p.text for p in claim.expression.parts if not trained(p.tree)]
            truths = [(self.truth(compile_expr(text)), text) for text in texts]
        except (MissingValue, ExpressionError) as error:
            return None, str(error)
        truth = every([t for t, _ in truths])
        return truth, next((text for t, text in truths if t is truth), "")

    @cached_property
    def failed_statements(self) -> frozenset[str]:
        """Return the relations whose failure stands when all are tested at once (Holm)."""
        return statements.family(self.findings, self.settings.alpha)

    def statement(self, claim: Claim) -> tuple[Verdict, Any]:
        """Return a relation's (verdict, compared quantity); one on costs alone is judged over conventions."""
        truth, part = self.costs(claim)
        finding = self.findings.get(claim.id)
        if finding is None:
            if truth is None:
                return Verdict("not-run", f"needs {part}"), None
            return Verdict(
                *{
                    Truth.HOLDS: ("reproduced", "under every admissible convention"),
                    Truth.CANNOT: ("differs", f"under no admissible convention: {part}"),
                    Truth.UNDECIDED: ("depends", f"the convention decides {part}"),
                }[truth]
            ), None
        verdict = finding.verdict(self.rule, claim.id in self.failed_statements)
        if truth is None:
            return Verdict("not-run", f"needs {part}"), finding.quantity
        if truth is Truth.CANNOT:
            return Verdict("differs", f"under no admissible convention: {part}"), finding.quantity
        if truth is Truth.UNDECIDED and verdict.name in verdicts.PASSED:
            note = f"{verdict.name} but for its cost: the convention decides {part}"
            return Verdict("depends", note), finding.quantity
        return verdict, finding.quantity

    def told(self) -> list[str]:
        """Return how the family was judged, in sentences for the page."""
        alpha = self.settings.alpha
        lines = [f"{column}: {spread.told()}." for column, spread in self.rule.spreads.items()]
        cells = sum(len(v) > 1 for v in self._tested())
        tested = sum(f.early is None for f in self.findings.values())
        expected = (
            f": if everything lay at its margin, {alpha * cells:.1f} of the {cells} tested cells and "
            f"{alpha * tested:.1f} of the {tested} tested statements would pass by chance"
            if cells or tested
            else "; no run of the profile paper is filed yet"
        )
        lines.append(
            f"Each pass is tested at {alpha:g}{expected}. Failures are corrected by Holm, once over all cells and once "
            f"over all statements, so that the chance of any false one is {alpha:g} each."
        )
        return lines

    def _tested(self) -> list[list[float]]:
        names = {(self.ledger.canonical(row.id), cell.column) for row, cell in self.ledger.cells()}
        return [v for row, column in sorted(names) if not is_cost(column) and (v := self.values(row, column))]
