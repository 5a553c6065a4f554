"""Simulated profiles: every row of the paper trained some times, with the truth as the paper prints it or elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace

import numpy as np
from helpers import MICRONET, ROOT

from papertally.ledger.load import load_ledger
from papertally.ledger.schema import COST_COLUMNS
from papertally.quantities.interval import Interval, Truth, point
from papertally.statements.expressions import Expression
from papertally.verdicts.multiple_testing import Family
from report.settings import load_settings

LEDGER = load_ledger(MICRONET)
SETTINGS = load_settings(ROOT)[0]


def printed_cost(row: str, column: str) -> Interval:
    """Return a printed cost as if it had been reached exactly."""
    return point(LEDGER.printed_value(row, column))


def holds(expression: Expression) -> Truth:
    """Take every cost for reached."""
    return Truth.HOLDS


def truths() -> dict[tuple[str, str], float]:
    """Return every trained number of the paper by experiment: one experiment is one number."""
    return {
        (LEDGER.canonical(row.id), cell.column): float(cell.value)
        for row, cell in LEDGER.cells()
        if cell.column not in COST_COLUMNS
    }


def profiles(
    count: int,
    spreads: Callable[[str], float],
    seeds: int = 3,
    generator: int = 0,
    shift: Callable[[str, str], float] = lambda row, column: 0.0,
) -> Iterator[Family]:
    """Yield simulated profiles as families; shift: how far the truth lies from the printed number."""
    rng = np.random.default_rng(generator)
    cells = truths()
    for _ in range(count):
        runs: dict[str, list[SimpleNamespace]] = {}
        for (row, column), value in cells.items():
            drawn = rng.normal(value + shift(row, column), spreads(column), seeds)
            mine = runs.setdefault(
                row,
                [SimpleNamespace(recipe="paper", seed=i, values={}, params={}, environment={}) for i in range(seeds)],
            )
            for run, x in zip(mine, drawn.tolist(), strict=True):
                run.values[column] = x
        yield Family(LEDGER, SETTINGS, runs, printed_cost, holds, apart=False)  # as if every network were the paper's
