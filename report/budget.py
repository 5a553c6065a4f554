"""What it would cost to find out: image passes and arithmetic of a table's experiments at the paper's schedule."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from paper.ledger import Ledger, Table

#: A backward pass costs about two forward passes (gradients of inputs and of weights).
PASSES = 3


@dataclass(frozen=True)
class TableBudget:
    """Hold a table's own experiments (repeated rows not counted twice) and what training them once takes."""

    experiments: int
    dataset: str
    epochs: int
    images: int
    peta_madds: Decimal
    source: str

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
    madds = sum((row.cells["madds"].value for row in own), Decimal(0))
    peta = madds * budget.images * budget.epochs * PASSES / Decimal(10**15)
    return TableBudget(len(own), budget.dataset, budget.epochs, budget.images, peta, budget.source)
