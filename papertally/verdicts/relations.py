"""Relations of the paper's statements: on its own numbers, however they were rounded."""

from __future__ import annotations

from papertally.ledger.load import Ledger
from papertally.quantities.interval import Span, Truth, span
from papertally.quantities.printed import ROUNDINGS, bounds_of
from papertally.statements.expressions import Expression


def own_truth(expression: Expression, ledger: Ledger) -> tuple[Truth, str]:
    """Return whether a relation holds on the paper's own numbers, whatever they were rounded from, and a remark.

    It cannot hold only where no usual rounding rescues it, and holds only where every one does.
    """

    def under(rounding: str) -> Truth:
        def found(row: str, column: str) -> Span | None:
            cell = ledger.cell(row, column)
            return span(bounds_of(cell.interval, rounding)) if cell.numeric else None

        return expression.truth(found, rounding=rounding)

    truths = {rounding: under(rounding) for rounding in ROUNDINGS}
    for decided in (Truth.HOLDS, Truth.CANNOT):
        if set(truths.values()) == {decided}:
            return decided, ""
    rescued = [f"holds if {w}" for w, t in truths.items() if w == "cut" and t is Truth.HOLDS]
    point = expression.evaluate(ledger.printed_value).holds
    as_printed = "holds as printed" if point else "does not hold as printed"
    return Truth.UNDECIDED, "; ".join([f"on the paper's own numbers: {as_printed}, undecided by rounding", *rescued])
