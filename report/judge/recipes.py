"""Which runs of the profile `paper` decide a trained cell: those of one recipe, never a pool of several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from evidence.forms import TrainingEvidence
from paper.ledger import Ledger
from report.judge import verdicts
from report.judge.spread import Spread, pooled

#: The first of these that has runs decides; what each is.
RECIPES = {
    "paper": "the printed recipe (learning rate 0.02)",
    "official": "the released scripts' recipe (learning rate 0.2)",
    "released": "a released checkpoint, evaluated",
}


def called(recipe: str, ledger: Ledger) -> str:
    """Return a recipe in words; of another work without the first paper's learning rates."""
    text = RECIPES.get(recipe, recipe)
    return text.partition(" (")[0] if ledger.another else text


@dataclass(frozen=True)
class Group:
    """Hold one recipe's values of a column, one a seed, and the files they stand in."""

    recipe: str
    values: list[float]
    files: list[str]


def groups(runs: Sequence[TrainingEvidence], files: Sequence[str], column: str) -> list[Group]:
    """Return the runs that report `column` by recipe, the deciding recipe first; one without a name is `paper`."""
    found: dict[str, Group] = {}
    for run, file in zip(runs, files, strict=True):
        if column in run.values:
            group = found.setdefault(run.recipe or "paper", Group(run.recipe or "paper", [], []))
            group.values.append(run.values[column])
            group.files.append(file)
    order = {name: i for i, name in enumerate(RECIPES)}
    return sorted(found.values(), key=lambda g: (order.get(g.recipe, len(order)), g.recipe))


def beside(
    group: Group,
    printed: Decimal,
    margin: float,
    alpha: float,
    seeds: int,
    spread: Spread | None = None,
    printed_spread: float = 0.0,
) -> str:
    """Return a further recipe's mean and what its verdict would be."""
    verdict = verdicts.trained(printed, group.values, margin, alpha, seeds, spread, printed_spread)
    mean = sum(group.values) / len(group.values)
    return f"beside it, {RECIPES.get(group.recipe, group.recipe)}: {mean:.2f}, {verdict.name} ({verdict.note})"


def spreads(runs: Mapping[str, Sequence[TrainingEvidence]]) -> dict[str, Spread]:
    """Return each column's spread pooled over a profile's rows, runs of one row and recipe being one experiment."""
    found: dict[str, list[list[float]]] = {}
    for mine in runs.values():
        for column in dict.fromkeys(c for run in mine for c in run.values):
            found.setdefault(column, []).extend(g.values for g in groups(mine, [""] * len(mine), column))
    pools = {column: pooled(values) for column, values in found.items()}
    return {column: spread for column, spread in pools.items() if spread is not None}
