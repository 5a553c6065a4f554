"""Relations of the paper's statements: on its own numbers however they were rounded, and on costs by convention."""

from __future__ import annotations

from paper.expressions import Expression, ExpressionError, MissingValue
from paper.ledger import Claim, Ledger
from paper.printed import ROUNDINGS, bounds
from paper.spans import Span, Truth, every, span
from report.judge.costs import CostJudge
from report.judge.verdicts import Verdict


def own_truth(expression: Expression, ledger: Ledger) -> tuple[Truth, str]:
    """Return whether a relation holds on the paper's own numbers, whatever they were rounded from, and a remark.

    It cannot hold only where no usual rounding rescues it, and holds only where every one does.
    """

    def under(rounding: str) -> Truth:
        def found(row: str, column: str) -> Span | None:
            cell = ledger.cell(row, column)
            return span(bounds(cell.printed, rounding)) if cell.numeric else None

        return expression.truth(found, rounding=rounding)

    truths = {rounding: under(rounding) for rounding in ROUNDINGS}
    for decided in (Truth.HOLDS, Truth.CANNOT):
        if set(truths.values()) == {decided}:
            return decided, ""
    rescued = [f"holds if {w}" for w, t in truths.items() if w == "cut" and t is Truth.HOLDS]
    point = expression.evaluate(ledger.printed_value).holds
    as_printed = "holds as printed" if point else "does not hold as printed"
    return Truth.UNDECIDED, "; ".join([f"on the paper's own numbers: {as_printed}, undecided by rounding", *rescued])


def cost_relation(costs: CostJudge, claim: Claim, verdict: Verdict) -> Verdict:
    """Judge a relation of costs by every admissible convention; `verdict` where a cost is missing."""
    try:
        truths = [(part, costs.truth(part)) for part in claim.expression.parts]
    except (MissingValue, ExpressionError):
        return verdict
    names = {Truth.HOLDS: "reproduced", Truth.CANNOT: "differs", Truth.UNDECIDED: "depends"}
    truth = every([t for _, t in truths])
    deciding = next((part.text for part, t in truths if t is truth), "")
    notes = {
        Truth.HOLDS: "under every admissible convention",
        Truth.CANNOT: f"under no admissible convention: {deciding}",
        Truth.UNDECIDED: f"{verdict.name} by {costs.evidence.rule}; the convention decides {deciding}",
    }
    return Verdict(names[truth], notes[truth])
