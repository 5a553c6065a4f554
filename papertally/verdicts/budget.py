"""What it would cost to find out: image passes and arithmetic of a table's experiments at the paper's schedule."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from papertally.ledger.load import Ledger, Table

#: A backward pass costs about two forward passes (gradients of inputs and of weights).
PASSES = 3


@dataclass(frozen=True)
class TableBudget:
    """Hold a table's own experiments (repeated rows not counted twice) and what training them once takes.

    peta_madds: of the rows whose MAdds the paper prints; uncounted: how many others there are.
    """

    experiments: int
    dataset: str
    epochs: int
    images: int
    peta_madds: Decimal
    source: str
    uncounted: int = 0

    @property
    def image_passes(self) -> int:
        """Return images x epochs over all experiments."""
        return self.experiments * self.epochs * self.images


def table_budget(ledger: Ledger, table: Table) -> TableBudget | None:
    """Return a table's budget at the printed MAdds, or None where every row repeats another table's."""
    own = [row for row in table.rows if row.same_as is None]
    budget = next((b for b in ledger.budgets if table.id in b.tables), None)
    if budget is None or not own:
        return None
    cells = [row.cells.get("madds") for row in own]
    printed = [cell.value for cell in cells if cell is not None and cell.numeric]
    madds = sum(printed, Decimal(0))
    peta = madds * budget.images * budget.epochs * PASSES / Decimal(10**15)
    return TableBudget(
        len(own), budget.dataset, budget.epochs, budget.images, peta, budget.source, len(own) - len(printed)
    )
