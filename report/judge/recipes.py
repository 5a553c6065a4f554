"""Which runs of the profile `paper` decide a trained cell: those of one recipe, never a pool of several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from evidence.forms import TrainingEvidence
from report.judge import verdicts

#: The first of these that has runs decides; what each is.
RECIPES = {
    "paper": "the printed recipe (learning rate 0.02)",
    "official": "the released scripts' recipe (learning rate 0.2)",
    "released": "a released checkpoint, evaluated",
}


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


def beside(group: Group, printed: Decimal, margin: float, alpha: float, seeds: int) -> str:
    """Return a further recipe's mean and what its verdict would be."""
    verdict = verdicts.trained(printed, group.values, margin, alpha, seeds)
    mean = sum(group.values) / len(group.values)
    return f"beside it, {RECIPES.get(group.recipe, group.recipe)}: {mean:.2f}, {verdict.name} ({verdict.note})"
