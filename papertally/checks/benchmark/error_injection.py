"""What a planted fault is, the register of kinds, and how one cell is changed.

Each kind changes one thing at random and does not look whether a check would see it. `None`: the ledger has no place
for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

from papertally.checks.typos import with_cell
from papertally.ledger.load import Ledger, Row, Table
from papertally.quantities.columns import is_cost


@dataclass(frozen=True)
class Planted:
    """Hold a ledger with one fault, the cells it touched and the subjects that name it; text: the paper as printed."""

    ledger: Ledger
    cells: frozenset[str]
    subjects: frozenset[str] = frozenset()
    text: str | None = None


Plant = Callable[[Ledger, Random], Planted | None]
KINDS: dict[str, Plant] = {}


def kind(name: str) -> Callable[[Plant], Plant]:
    """Register a kind of fault."""

    def add(plant: Plant) -> Plant:
        KINDS[name] = plant
        return plant

    return add


def edit(ledger: Ledger, random: Random, names: list[str], change: Callable[[str], str | None]) -> Planted | None:
    """Return the ledger with one of some cells changed."""
    random.shuffle(names)
    for name in names:
        printed = ledger.cell(*name.split(".")).printed
        new = change(printed)
        if new is not None and new != printed:
            return Planted(with_cell(ledger, name, new), frozenset((name,)))
    return None


def cells(ledger: Ledger, keep: Callable[[Row, str], bool]) -> list[str]:
    """Return the names of the numeric cells that `keep` takes."""
    return [f"{row.id}.{cell.column}" for row, cell in ledger.cells() if keep(row, cell.column)]


def trained(column: str) -> bool:
    """Tell whether training decides a column."""
    return not is_cost(column)


def other_digit(random: Random, printed: str, places: list[int]) -> str:
    """Return a number with one of the digits at some places changed."""
    at = random.choice(places)
    digit = random.choice([d for d in "0123456789" if d != printed[at] and not (at == 0 and d == "0")])
    return printed[:at] + digit + printed[at + 1 :]


def digits_at(printed: str) -> list[int]:
    """Return where the digits of a number stand."""
    return [i for i, c in enumerate(printed) if c.isdigit()]


def tables_with(ledger: Ledger, table: Table) -> Ledger:
    """Return the ledger with one table replaced."""
    return replace(ledger, tables={**ledger.tables, table.id: table})
