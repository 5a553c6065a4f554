"""The view model: ledger, evidence and settings in; every cell judged, every line of the report out, as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from functools import partial
from typing import Any

from papertally.evidence.bench import Bench
from papertally.evidence.examples import Examples
from papertally.evidence.read import Evidence
from papertally.evidence.settings import Settings
from papertally.ledger.load import Cell, Ledger, Row
from papertally.quantities.columns import is_cost, stem
from papertally.quantities.interval import Truth
from papertally.statements.expressions import compile_expr
from papertally.statements.printed_truth import on_printed_numbers
from papertally.verdicts import verdicts
from papertally.verdicts.baseline import changes, read_baseline
from papertally.verdicts.budget import table_budget
from papertally.verdicts.certificates import certificates
from papertally.verdicts.claims import Claims
from papertally.verdicts.conventions import family, held_out
from papertally.verdicts.costs import CostJudge, agreement
from papertally.verdicts.counting import drop_stale
from papertally.verdicts.measured import margin_of, prepare
from papertally.verdicts.multiple_testing import Family
from papertally.verdicts.names import column_name, quantity, show
from papertally.verdicts.orderings import orderings, relational_claims
from papertally.verdicts.plan import make_plan
from papertally.verdicts.recipes import Group, beside, called, groups
from papertally.verdicts.verdicts import Estimate, Verdict
from papertally.verdicts.views import CellView, ClaimView, Report, RowView, TableView

__all__ = [
    "CellView",
    "ClaimView",
    "Report",
    "RowView",
    "TableView",
    "build",
    "changes",
    "quantity",
    "read_baseline",
    "show",
]

SPELLED = {"miou": "mIoU", "top1": "top-1", "top5": "top-5"}


class Cells:
    """Judge every cell once."""

    def __init__(self, ledger: Ledger, evidence: Evidence, settings: Settings) -> None:
        prepared = prepare(ledger, evidence)
        evidence, self.unfit = prepared.evidence, prepared.unfit
        self.ledger, self.evidence, self.settings = ledger, evidence, settings
        self.costs = CostJudge(ledger, evidence)
        self.issue_of: dict[str, list[str]] = {}
        for issue in ledger.issues.values():
            for cell in issue.cells:
                self.issue_of.setdefault(cell, []).append(issue.id)
        self.family = Family(ledger, settings, evidence.runs.get("paper", {}), self.costs.span, self.costs.truth)

    def cost_value(self, row_id: str, column: str) -> int | None:
        """Return a computed params or MAdds (default rule) of a row, or None."""
        return self.costs.counted(row_id, column) if is_cost(column) else None

    def trained_groups(self, row_id: str, column: str) -> list[Group]:
        """Return a column's values of the paper profile by recipe, the deciding recipe first."""
        source = self.ledger.canonical(row_id)
        runs = self.evidence.runs.get("paper", {}).get(source, [])
        return groups(runs, self.evidence.files.get(("paper", source), []), column)

    def bits(self, row_id: str, column: str) -> list[Examples]:
        """Return which images a row's runs by the deciding recipe got right; none of a network that we drew."""
        found = self.trained_groups(row_id, column)
        if not found or (row_id, column) in self.family.drawn:
            return []
        return self.evidence.bits("paper", row_id, column, found[0].files)

    def cell(self, row: Row, cell: Cell) -> CellView:
        """Judge one cell."""
        judge = self.cost_cell if is_cost(cell.column) else self.trained_cell
        ground = self.ledger.ground(row.id, cell.column)
        verdict, readings, achieved, rule, path = judge(row, cell)
        known = self.issue_of.get(f"{row.id}.{cell.column}", [])
        if verdict.name == "differs" and self.contradicted(known):
            verdict = Verdict("paper-inconsistent", verdict.note)
        issues = ["known issue " + ", ".join(known)] if known else []
        note = "; ".join(filter(None, (verdict.note, *readings, *issues)))
        shown, half, width, deviation = "", "", 0.0, None
        finding = self.costs.finding(row.id, cell.column) if is_cost(cell.column) else None
        if achieved is not None and is_cost(cell.column):
            shown = show(achieved, cell.printed, unit=cell.unit)
            deviation = float((Decimal(achieved) - cell.value) / cell.value * 100) if cell.value else None
        elif achieved is not None:
            estimate = self.achieved(row.id, cell.column)
            shown, scale = show(achieved, cell.printed, 1, cell.unit), float(cell.scale)
            deviation = (achieved - float(cell.value)) / scale
            if estimate and estimate.n > 1:
                half = f"± {show(estimate.half_width, cell.printed, 1, cell.unit)}"
                width = float(estimate.half_width) / scale
        return CellView(
            row.table,
            row.number,
            row.id,
            cell.column,
            cell.printed,
            cell.bold,
            achieved,
            shown,
            verdict.name,
            rule,
            path,
            note,
            half,
            width,
            deviation,
            verdict.note,
            tuple(readings),
            tuple(known),
            ground.kind,
            cell.ground.kind == "repeat",
            ".".join(self.ledger.root(row.id, cell.column)),
            (finding.holds, finding.of) if finding and finding.of > 1 else None,
            finding.deciding if finding else (),
            finding.units if finding else None,
            ground.tests,
        )

    def contradicted(self, issue_ids: list[str]) -> bool:
        """Tell whether an issue states a relation that the paper's own numbers break, however they were rounded."""
        texts = [self.ledger.issues[i].contradiction for i in issue_ids]
        return any(
            text and on_printed_numbers(compile_expr(text), self.ledger.printed_number).truth is Truth.CANNOT
            for text in texts
        )

    def cost_cell(self, row: Row, cell: Cell) -> tuple[Verdict, list[str], int | None, str, str | None]:
        """Judge params or MAdds: (verdict, other readings, value, rule, evidence)."""
        source = self.ledger.canonical(row.id)
        rule = verdicts.DETERMINISTIC_RULE
        if stem(cell.column) == "madds":
            rule = f"{rule}; shown by {self.evidence.rule}"
        if problem := self.evidence.problem("cost", source):
            return Verdict("invalid-evidence", problem.fault), [], None, rule, problem.path
        found = self.evidence.cost.get(source)
        if found is None:
            return self.absent(row, "no model of this row is costed yet"), [], None, rule, None
        judged = self.costs.judge(row, cell)
        if judged is None:
            return self.absent(row, self.costs.absent(row.id, cell.column)), [], None, rule, None
        verdict = judged.verdict
        if self.evidence.external and not found.network:
            verdict = verdicts.as_reported(verdict)
        return verdict, self.beside(found, cell), judged.value, rule, self.evidence.paths["cost", source]

    def beside(self, found: Any, cell: Cell) -> list[str]:
        """Return the same cell under the other counting rules and in the row's variants."""

        def value(values: Any, rule: str) -> str:
            if stem(cell.column) == "size":
                return show(values.params * cell.about.weight_bytes, cell.printed, unit=cell.unit)
            cost = values.params if stem(cell.column) == "params" else values.madds[rule]
            return show(cost, cell.printed, unit=cell.unit)

        known, own = self.ledger.conventions.members, found.values_at(cell.about.input)
        others = [r for r in own.madds if r != self.evidence.rule and r in known]
        others = others if stem(cell.column) == "madds" else []
        parts = []
        for rule in others:
            said = agreement(own.madds[rule], cell.printed, cell.interval)
            parts.append(f"rule {rule} {value(own, rule)}, {said}")
        for name, values in found.variants.items():
            text = "".join(f" ({rule} {value(values, rule)})" for rule in others)
            parts.append(f"{name} {value(values, self.evidence.rule)}{text}")
        if found.construction not in ("printed", "library"):
            parts.append(f"construction: {found.construction}")
        return parts

    def trained_cell(self, row: Row, cell: Cell) -> tuple[Verdict, list[str], float | None, str, str | None]:
        """Judge what training decides: (verdict, other recipes, mean, rule, evidence)."""
        source = self.ledger.canonical(row.id)
        margin = margin_of(cell, self.settings)
        rule = f"{verdicts.TRAINED_RULE}, margin {margin / float(cell.scale):g}"
        rule += f" {cell.about.unit}" if cell.about.kind == "measured" and cell.about.unit else ""
        if problem := self.evidence.problem("paper", source):
            return Verdict("invalid-evidence", problem.fault), [], None, rule, problem.path
        found = self.trained_groups(row.id, cell.column)
        others_say = [
            f"beside it, {run.told}: {run.values[cell.column]:.2f} ({path}); never judged"
            for path, run in self.evidence.beside.get(("paper", source), [])
            if cell.column in run.values
        ]
        if not found:
            why = self.unfit.get((source, cell.column))
            measured = cell.about.kind == "measured"
            needs = f"needs a measurement{' on ' + cell.about.device if cell.about.device else ''}"
            why = why or (needs if measured else "needs the profile `paper`")
            return self.absent(row, why), others_say, None, rule, None
        first, others = found[0], found[1:]
        alpha, seeds = self.settings.alpha, self.settings.seeds
        verdict = self.family.cell(row.id, cell, first.values)
        spread, theirs = self.family.spread(cell.column), self.family.printed_spread(cell.column)
        if self.ledger.ground(row.id, cell.column).constructed:
            verdict = Verdict(CONSTRUCTED.get(verdict.name, verdict.name), verdict.note)
        if self.evidence.external:
            verdict = verdicts.as_reported(verdict)
        notes = [f"by {called(first, self.ledger)}"]
        notes += [
            beside(group, called(group, self.ledger), cell.value, margin, alpha, seeds, spread, theirs)
            for group in others
        ]
        mean = sum(first.values) / len(first.values)
        return verdict, [*notes, *others_say], mean, rule, first.files[0]

    def absent(self, row: Row, why: str) -> Verdict:
        """Return blocked where the paper gives no architecture and nobody has built one; else not-run."""
        if row.blocked and self.ledger.canonical(row.id) not in self.evidence.cost:
            return Verdict("blocked", row.blocked)
        return Verdict("not-run", why)

    def row(self, row: Row) -> RowView:
        """Judge one row, and show the small-scale result beside it."""
        profile = self.settings.profile
        runs = self.evidence.runs.get(profile, {}).get(row.id, []) if profile != "paper" else []
        metrics = "; ".join(
            ", ".join(
                f"{SPELLED.get(key, key)} {value:.1f}" for key, value in sorted(run.values.items(), key=_metric_order)
            )
            + f" ({run.data.name}, {run.epochs} epochs)"
            for run in runs
        )
        if problem := self.evidence.problem(profile, row.id):
            metrics = f"invalid evidence: {problem.fault}"
        cost = self.evidence.cost.get(self.ledger.canonical(row.id))
        cells = [self.cell(row, c) if c.numeric else c.printed for c in row.cells.values()]
        return RowView(
            row,
            cells,
            metrics,
            self.evidence.paths.get((profile, row.id)),
            cost.construction if cost else "",
            cost.notes if cost else [],
            self.evidence.pictures.get((profile, row.id)),
        )

    def achieved(self, row_id: str, column: str) -> Estimate | None:
        """Return what was achieved for a cell, with its uncertainty; None of a network that this project drew."""
        if self.ledger.ground(row_id, column).constructed:
            return None
        if is_cost(column):
            value = self.cost_value(row_id, column)
            return None if value is None else Estimate(Decimal(value))
        found = self.trained_groups(row_id, column)
        spread = self.family.spread(column)
        return verdicts.estimate(found[0].values, self.settings.alpha, spread) if found else None


#: How a trained cell of a network that this project drew comes out.
CONSTRUCTED = {"reproduced": "predicted", "not-reproduced": "not-predicted"}


def _metric_order(item: tuple[str, float]) -> int:
    order = ("top1", "top5", "AP", "AP50", "AP75", "APM", "APL", "miou")
    return order.index(item[0]) if item[0] in order else len(order)


def build(ledger: Ledger, evidence: Evidence, settings: Settings, benches: Sequence[tuple[str, Bench]] = ()) -> Report:
    """Return the report's view model; the plan's hours are of the first of `benches`."""
    drop_stale(ledger, evidence)
    builder = Cells(ledger, evidence, settings)
    tables = []
    for table in ledger.tables.values():
        rows = [builder.row(row) for row in table.rows]
        has_mini = any(r.mini for r in rows)
        budget = table_budget(ledger, table)
        heads = tuple(table.column(c).title or column_name(c) for c in table.columns)
        tables.append(
            TableView(table.id, table.title, table.label_columns, table.columns, rows, budget, has_mini, heads)
        )
    known = ledger.conventions.members
    rules = {} if evidence.rules is None else {k: v for k, v in evidence.rules.rules.items() if k in known}
    statements = Claims(ledger, builder.evidence, builder.family, builder.achieved, builder.bits)
    claims = [statements.claim(c) for c in ledger.claims]
    proxy, bits = evidence.runs.get("proxy", {}), partial(evidence.bits, "proxy")
    report = Report(
        ledger,
        settings,
        tables,
        claims,
        evidence.problems,
        rules,
        orderings(ledger, proxy, settings.alpha, bits),
        relational_claims(ledger, proxy, settings.alpha),
        evidence,
        benches=list(benches),
        statistics=builder.family.told(),
    )
    conventions = ledger.conventions
    report.families = [f for e in conventions.families if (f := family(ledger, evidence.cost, e))]
    if builder.costs.counting is not None:
        report.families += builder.costs.counting.families()
    report.held_out = [h for e in conventions.held_out if (h := held_out(ledger, evidence.cost, e))]
    report.certificates = ledger.derived(certificates)
    report.plan = make_plan(report, evidence, benches[0] if benches else None)
    return report
