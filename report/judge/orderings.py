"""What the proxy profile answers: orderings between rows, with uncertainty, never the paper's absolute numbers."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from paper.expressions import Expression
from paper.schema import COST_COLUMNS
from report.judge import verdicts
from report.names import row_name

COLUMN = "top1"
#: An ordering's verdicts; a relation's names are translated to them.
NAMES = {
    "reproduced": "holds", "not-reproduced": "fails", "differs": "fails", "underpowered": "underpowered",
    "consistent (n = 1)": "underpowered", "inconsistent (n = 1)": "underpowered",
}  # fmt: skip


@dataclass(frozen=True)
class Pair:
    """Hold two rows, the first printed higher, their difference in points with its interval, and the verdict."""

    higher: str
    lower: str
    gap: float
    half_width: float
    verdict: str


@dataclass(frozen=True)
class Ordering:
    """Hold a table's rows (label, printed, mean, half width, seeds), Kendall's tau and every printed order of two."""

    table: str
    rows: list[tuple[str, str, float, float, int]]
    tau: float
    pairs: list[Pair]
    data: str
    epochs: int


@dataclass(frozen=True)
class RelationalClaim:
    """Hold a statement about an order, judged on the proxy's values."""

    id: str
    statement: str
    verdict: str
    note: str


def gap(higher: Sequence[float], lower: Sequence[float], alpha: float) -> tuple[float, float]:
    """Return the difference of two means and the half width of Welch's (1 - alpha) interval; infinite for one seed."""
    from scipy.stats import t

    means = [math.fsum(v) / len(v) for v in (higher, lower)]
    if min(len(higher), len(lower)) < 2:
        return means[0] - means[1], math.inf
    parts = [
        math.fsum((x - m) ** 2 for x in v) / (len(v) - 1) / len(v) for v, m in zip((higher, lower), means, strict=True)
    ]
    total = sum(parts)
    if total == 0:
        return means[0] - means[1], 0.0
    freedom = total**2 / sum(p**2 / (len(v) - 1) for p, v in zip(parts, (higher, lower), strict=True))
    return means[0] - means[1], float(t.ppf(1 - alpha / 2, freedom)) * math.sqrt(total)


def judge(difference: float, half_width: float) -> str:
    """Return holds, fails or underpowered for 'the difference is above 0'."""
    if difference - half_width > 0:
        return "holds"
    return "fails" if difference + half_width < 0 else "underpowered"


def is_relational(expression: Expression) -> bool:
    """Tell whether an expression only orders trained cells: no number, no text, no function but min and max."""
    if not expression.refs or expression.names or any(column in COST_COLUMNS for _, column in expression.refs):
        return False
    for node in ast.walk(expression.tree):
        if isinstance(node, ast.Constant | ast.BinOp | ast.Eq | ast.NotEq):
            return False
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") not in ("min", "max"):
            return False
    return True


def orderings(ledger: Any, runs: Mapping[str, list[Any]], alpha: float) -> list[Ordering]:
    """Return every table of which at least two rows have proxy runs."""
    from scipy.stats import kendalltau

    out = []
    for table in ledger.tables.values():
        found = []
        for row in table.rows:
            cell = row.cells.get(COLUMN)
            mine = runs.get(ledger.canonical(row.id), [])
            if cell is None or not cell.numeric or not mine:
                continue
            values = [run.values[COLUMN] for run in mine if COLUMN in run.values]
            found.append((row_name(table, row), cell, values, mine[0]))
        if len({id(f[3]) for f in found}) < 2:
            continue
        rows, pairs = [], []
        for label, cell, values, _ in found:
            estimate = verdicts.estimate(values, alpha)
            rows.append((label, cell.printed, float(estimate.value), float(estimate.half_width), len(values)))
        for a in found:
            for b in found:
                if a[1].value > b[1].value:
                    pairs.append(Pair(a[0], b[0], *(g := gap(a[2], b[2], alpha)), judge(*g)))
        printed, achieved = [float(f[1].value) for f in found], [r[2] for r in rows]
        tau = float(kendalltau(printed, achieved).statistic)
        first = found[0][3]
        out.append(Ordering(table.id, rows, tau, pairs, first.data.name, first.epochs))
    return out


def relational_claims(ledger: Any, runs: Mapping[str, list[Any]], alpha: float) -> list[RelationalClaim]:
    """Return the ledger's statements about orders whose cells all have proxy runs."""

    def achieved(row: str, column: str) -> verdicts.Estimate | None:
        values = [run.values[column] for run in runs.get(ledger.canonical(row), []) if column in run.values]
        return verdicts.estimate(values, alpha) if values else None

    out = []
    for claim in ledger.claims:
        if claim.kind != "relation" or not is_relational(claim.expression):
            continue
        if any(achieved(*ref) is None for ref in claim.expression.refs):
            continue
        verdict, _ = verdicts.relation(claim.expression, achieved, Decimal(0))
        out.append(RelationalClaim(claim.id, claim.statement, NAMES[verdict.name], verdict.note))
    return out
