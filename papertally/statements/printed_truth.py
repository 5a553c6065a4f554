"""What a statement is on the printed numbers themselves, whatever they were rounded from: one judgement for all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from papertally.quantities.interval import Interval, Truth
from papertally.quantities.printed import PrintedNumber, values_printed_as
from papertally.quantities.rounding import under_all, verdict
from papertally.statements.expressions import Expression


@dataclass(frozen=True)
class PrintedTruth:
    """Hold what a statement is on printed numbers.

    truth: over all that the numbers may have been before any usual rounding; as_printed: whether it holds of the
    numbers as they stand; rescued: the roundings under which it is not impossible; holds_if_cut: whether it holds
    where digits were cut everywhere.
    """

    truth: Truth
    as_printed: bool
    rescued: tuple[str, ...]
    holds_if_cut: bool

    @property
    def remark(self) -> str:
        """Return what the page says of a statement that rounding leaves undecided, or ""."""
        if self.truth is not Truth.UNDECIDED:
            return ""
        holds = "holds as printed" if self.as_printed else "does not hold as printed"
        cut = "; holds if cut" if self.holds_if_cut else ""
        return f"on the paper's own numbers: {holds}, undecided by rounding{cut}"

    @property
    def word(self) -> str:
        """Return holds, as-printed (may fail before rounding), undecided (fails as printed, may hold) or cannot."""
        return "as-printed" if self.truth is Truth.UNDECIDED and self.as_printed else self.truth.value


def on_printed_numbers(expression: Expression, number: Callable[[str, str], PrintedNumber | None]) -> PrintedTruth:
    """Judge a statement under every usual rounding of its cells, and of the numbers that stand in it.

    It cannot hold only where no pair of roundings rescues it; it holds where each one, kept to everywhere, has it hold.
    Raises MissingValue for a cell without a number, ExpressionError.
    """

    def under(table: str, text: str) -> Truth:
        def values(row: str, column: str) -> Interval | None:
            found = number(row, column)
            return None if found is None else values_printed_as(found, table)

        return expression.truth(values, rounding=text)

    found = under_all(under)
    truth, rescued = verdict(found)

    def value(row: str, column: str) -> Decimal | None:
        found = number(row, column)
        return None if found is None else found.value

    return PrintedTruth(truth, expression.evaluate(value).holds, tuple(rescued), found["cut"] is Truth.HOLDS)
