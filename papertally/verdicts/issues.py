"""The numbers in the text of known issues, computed anew from printed cells and filed costs."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from papertally.evidence.read import Evidence
from papertally.evidence.schema import CostValues
from papertally.ledger.load import Ledger
from papertally.quantities.printed import parse_printed
from papertally.statements.expressions import ExpressionError, MissingValue, compile_expr

BUILT = "built_params"
VARIANT = "__"


@dataclass(frozen=True)
class Checked:
    """Hold a number of an issue's text, how it is computed, what comes out, and whether that prints as it says.

    value, holds: None where a cost that it needs is not filed.
    """

    issue: str
    says: str
    expression: str
    value: Decimal | None
    holds: bool | None


def lookup(ledger: Ledger, evidence: Evidence, row_id: str, column: str) -> Decimal | None:
    """Return a printed number, or a computed one by its name (see paper.schema.RawCheck); None where there is none."""
    row = ledger.row(row_id)
    if column in row.cells:
        return ledger.printed_value(row_id, column)
    found = evidence.cost.get(ledger.canonical(row_id))
    if found is None:
        return None
    variant, split, name = column.rpartition(VARIANT)
    values: CostValues | None = found.variants.get(variant) if split else found.values
    if values is None:
        return None
    if name in (BUILT, "params"):
        return Decimal(values.params)
    counted = values.madds.get(name)
    return None if counted is None else Decimal(counted)


def check_issues(ledger: Ledger, evidence: Evidence) -> list[Checked]:
    """Return every number of every issue's text that a check computes."""
    out = []
    for issue in ledger.issues.values():
        for check in issue.checks:
            value: Decimal | None = None
            try:
                outcome = compile_expr(f"{check.is_} == 0").evaluate(lambda r, c: lookup(ledger, evidence, r, c))
                value = outcome.quantity
            except (MissingValue, ExpressionError):
                pass
            shown = parse_printed(check.number)
            out.append(Checked(issue.id, check.says, check.is_, value, None if value is None else value in shown))
    return out
