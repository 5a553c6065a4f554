"""What the proxy profile answers: orderings between rows, with uncertainty, never the paper's absolute numbers."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from papertally.evidence.examples import Examples
from papertally.quantities.columns import is_cost
from papertally.statements.expressions import Expression
from papertally.verdicts import verdicts
from papertally.verdicts.mcnemar import pooled
from papertally.verdicts.names import row_name
from papertally.verdicts.recipes import spreads
from papertally.verdicts.resolution import printed_orders, resolution, test_images
from papertally.verdicts.spread import Spread, adjusted, quantile, spread_of, tail, welch
from papertally.verdicts.statements import Rule, family, relation

COLUMN = "top1"
#: An ordering's verdicts; a relation's names are translated to them.
NAMES = {
    "reproduced": "holds",
    "not-reproduced": "fails",
    "differs": "fails",
    "underpowered": "underpowered",
    "consistent (n = 1)": "underpowered",
    "inconsistent (n = 1)": "underpowered",
    "blocked": "underpowered",
}


@dataclass(frozen=True)
class Pair:
    """Hold two rows, the first printed higher.

    gap, half_width: of the small data, in points, with its interval; p: two-sided, of no difference; verdict: with p
    corrected by Holm over the table; resolution: whether the paper's own test set resolves the printed gap, z: that gap
    in its standard errors; images: what the runs' bits say, image by image. Nothing of these enters the verdict.
    adjusted: p after Holm's correction over the table.
    """

    higher: str
    lower: str
    gap: float
    half_width: float
    p: float
    verdict: str
    resolution: str = ""
    z: float | None = None
    images: str = ""
    adjusted: float = 1.0


@dataclass(frozen=True)
class Ordering:
    """Hold a table's rows (label, printed, mean, half width, seeds), Kendall's tau and every printed order of two.

    One experiment is one row, however often it is printed; p: of tau, exact for few rows. Networks that this project
    drew are rows, but order nothing: tau and pairs are the others', tau None where fewer than two are left.
    """

    table: str
    rows: list[tuple[str, str, float, float, int]]
    tau: float | None
    p: float | None
    pairs: list[Pair]
    data: str
    epochs: int
    spread: str = ""


@dataclass(frozen=True)
class RelationalClaim:
    """Hold a statement about an order, judged on the proxy's values."""

    id: str
    statement: str
    verdict: str
    note: str


def gap(
    higher: Sequence[float], lower: Sequence[float], alpha: float, spread: Spread | None = None
) -> tuple[float, float, float]:
    """Return (difference of two means, half width of its (1 - alpha) interval, two-sided p of no difference).

    spread: pooled over all rows; where it is None or the rows are unlike, Welch's. One seed decides nothing.
    """
    difference = math.fsum(higher) / len(higher) - math.fsum(lower) / len(lower)
    if min(len(higher), len(lower)) < 2:
        return difference, math.inf, 1.0
    found = [(spread_of(values, spread), len(values)) for values in (higher, lower)]
    if spread is not None and all(one is spread for one, _ in found):
        error = spread.sd * math.sqrt(math.fsum(1 / n for _, n in found))
        freedom: float = spread.freedom
    else:
        error, freedom = welch([(one.sd**2 / n, one.freedom) for one, n in found])
    if error == 0:
        return difference, 0.0, float(difference == 0)
    return difference, quantile(1 - alpha / 2, freedom) * error, 2 * tail(abs(difference) / error, freedom)


def judge(difference: float, significant: bool) -> str:
    """Return holds, fails or underpowered for 'the difference is above 0'."""
    if not significant:
        return "underpowered"
    return "holds" if difference > 0 else "fails"


def is_relational(expression: Expression) -> bool:
    """Tell whether an expression only orders trained cells: no number, no text, no function but min and max."""
    if not expression.refs or expression.names or any(is_cost(column) for _, column in expression.refs):
        return False
    for node in ast.walk(expression.tree):
        if isinstance(node, ast.Constant | ast.BinOp | ast.Eq | ast.NotEq):
            return False
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") not in ("min", "max"):
            return False
    return True


#: (row, column) -> which images its runs got right, a run each.
Bits = Callable[[str, str], list[Examples]]


def no_bits(row: str, column: str) -> list[Examples]:
    """Return no bits, as of runs that file none."""
    return []


def orderings(
    ledger: Any,
    runs: Mapping[str, Sequence[Any]],
    alpha: float,
    bits: Bits = no_bits,
    tables: Sequence[str] | None = None,
) -> list[Ordering]:
    """Return every table (or of `tables` those) of which at least two rows have runs."""
    from scipy.stats import kendalltau

    spread = spreads(runs).get(COLUMN)
    out = []
    for table in ledger.tables.values():
        if tables is not None and table.id not in tables:
            continue
        found: dict[str, tuple[str, Any, list[float], Any]] = {}
        for row in table.rows:
            cell, source = row.cells.get(COLUMN), ledger.canonical(row.id)
            mine = runs.get(source, [])
            values = [run.values[COLUMN] for run in mine if COLUMN in run.values]
            if cell is not None and cell.numeric and values:
                found.setdefault(source, (row_name(table, row), cell, values, mine[0]))
        if len(found) < 2:
            continue
        rows, gaps = [], {}
        told = spread.told() if spread else ""
        for label, cell, values, _ in found.values():
            estimate = verdicts.estimate(values, alpha, spread)
            rows.append((label, cell.printed, float(estimate.value), float(estimate.half_width), len(values)))
        first = next(iter(found.values()))[3]
        drawn = {ledger.canonical(r.id) for r in table.rows if ledger.ground(r.id, COLUMN).constructed}
        judged = {source: of for source, of in found.items() if source not in drawn}
        for a, (_, higher, mine, _) in judged.items():
            for b, (_, lower, theirs, _) in judged.items():
                if higher.value > lower.value:
                    gaps[a, b] = gap(mine, theirs, alpha, spread)
        tests = {f"{a} {b}": p for (a, b), (_, _, p) in gaps.items()}
        corrected = adjusted(tests)
        pairs = [
            Pair(
                found[a][0],
                found[b][0],
                *g,
                judge(g[0], corrected[f"{a} {b}"] <= alpha),
                *_resolved(ledger, a, found[a][1], found[b][1]),
                by_images(bits(a, COLUMN), bits(b, COLUMN)),
                corrected[f"{a} {b}"],
            )
            for (a, b), g in gaps.items()
        ]
        tau = p = None
        if len(judged) > 1:
            printed = [float(cell.value) for _, cell, _, _ in judged.values()]
            rank = kendalltau(printed, [math.fsum(values) / len(values) for _, _, values, _ in judged.values()])
            tau, p = float(rank.statistic), float(rank.pvalue)
        out.append(Ordering(table.id, rows, tau, p, pairs, first.data.name, first.epochs, told))
    return out


def by_images(higher: Sequence[Examples], lower: Sequence[Examples]) -> str:
    """Return what two rows' bits say of their order, or "" where they have none of the same images."""
    found = pooled(higher, lower)
    return found.told() if found else ""


def _resolved(ledger: Any, row: str, higher: Any, lower: Any) -> tuple[str, float | None]:
    images = test_images(ledger, row)
    if not images:
        return "", None
    found = resolution(float(higher.value), float(lower.value), images)
    return found.told(), found.z


def paired_orders(ledger: Any, expression: Expression, bits: Bits) -> list[str]:
    """Return a line for each order of two counted cells that a relation asserts and whose rows have bits."""
    out = []
    for higher, lower, column in dict.fromkeys(printed_orders(ledger, expression)):
        a, b = ledger.canonical(higher), ledger.canonical(lower)
        if a != b and (told := by_images(bits(a, column), bits(b, column))):
            out.append(f"{higher} over {lower}, {told}")
    return out


def relational_claims(ledger: Any, runs: Mapping[str, list[Any]], alpha: float) -> list[RelationalClaim]:
    """Return the ledger's statements about orders whose cells all have proxy runs of networks that the paper has."""
    rule = Rule(alpha, 2, {}, spreads(runs))
    drawn = {
        (ledger.canonical(row.id), cell.column)
        for row, cell in ledger.cells()
        if ledger.ground(row.id, cell.column).constructed
    }

    def values(row: str, column: str) -> list[float] | None:
        if (row, column) in drawn:
            return None
        return [run.values[column] for run in runs.get(row, []) if column in run.values] or None

    found = {
        claim.id: (claim, relation(claim.expression, values, lambda row, column: None, rule, ledger.canonical))
        for claim in ledger.claims
        if claim.kind == "relation" and is_relational(claim.expression)
    }
    found = {k: v for k, v in found.items() if v[1].early is None or v[1].early.name != "not-run"}
    failed = family({name: finding for name, (_, finding) in found.items()}, alpha)
    out = []
    for name, (claim, finding) in found.items():
        verdict = finding.verdict(rule, name in failed)
        note = verdict.note
        out.append(RelationalClaim(name, claim.statement, NAMES[verdict.name], note))
    return out
