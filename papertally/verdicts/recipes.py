"""Which runs of the profile `paper` decide a trained cell: those of one recipe, never a pool of several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from papertally.evidence.schema import TrainingEvidence
from papertally.ledger.load import Ledger
from papertally.verdicts import verdicts
from papertally.verdicts.spread import Spread, pooled

#: The first of these that has runs decides; what each is, where the ledger does not say it.
RECIPES = {
    "paper": "the printed recipe",
    "hrnet": "the printed recipe with augmentation as the code that it builds on draws it",
    "official": "the released scripts' recipe",
    "released": "a released checkpoint, evaluated",
}


@dataclass(frozen=True)
class Group:
    """Hold one recipe's values of a column, one a seed, and the files they stand in.

    norm: over how many images the runs' BatchNorms compute their statistics in training, where they say.
    """

    recipe: str
    values: list[float]
    files: list[str]
    norm: str = ""


def called(group: Group, ledger: Ledger) -> str:
    """Return what runs have in common, in words."""
    text = ledger.recipes.get(group.recipe) or RECIPES.get(group.recipe, group.recipe)
    return f"{text}{', ' if group.norm else ''}{group.norm}"


def norm(run: TrainingEvidence) -> str:
    """Return over how many images a run's BatchNorms computed their statistics: as its recipe says, a process's share
    of the batch, or all of it.
    """
    train = run.params.get("train")
    if isinstance(train, Mapping) and isinstance(train.get("norm_batch"), int):
        return f"BatchNorm over {train['norm_batch']} images"
    batch, processes = isinstance(train, Mapping) and train.get("batch_size"), run.environment.get("processes", "")
    if "then" in processes:
        return f"BatchNorm over numbers of images that changed ({processes} processes)"
    if not isinstance(batch, int) or not processes.isdigit() or int(processes) < 1:
        return ""
    if run.environment.get("batchnorm") == "synchronised":
        return f"BatchNorm over {batch} images, synchronised"
    return f"BatchNorm over {batch // int(processes)} images"


def groups(runs: Sequence[TrainingEvidence], files: Sequence[str], column: str) -> list[Group]:
    """Return the runs that report `column` by recipe and BatchNorm's images, the deciding ones first.

    One without a name is `paper`. Of one recipe's the larger group decides: runs whose statistics are of other numbers
    of images are another experiment, and none of them says which is the paper's.
    """
    found: dict[tuple[str, str], Group] = {}
    for run, file in zip(runs, files, strict=True):
        if column in run.values:
            recipe, images = run.recipe or "paper", norm(run)
            group = found.setdefault((recipe, images), Group(recipe, [], [], images))
            group.values.append(run.values[column])
            group.files.append(file)
    order = {name: i for i, name in enumerate(RECIPES)}
    return sorted(found.values(), key=lambda g: (order.get(g.recipe, len(order)), g.recipe, -len(g.values), g.norm))


def beside(
    group: Group,
    name: str,
    printed: Decimal,
    margin: float,
    alpha: float,
    seeds: int,
    spread: Spread | None = None,
    printed_spread: float = 0.0,
) -> str:
    """Return a further recipe's mean and what its verdict would be; name: what its runs have in common."""
    verdict = verdicts.trained(printed, group.values, margin, alpha, seeds, spread, printed_spread)
    mean = sum(group.values) / len(group.values)
    return f"beside it, {name}: {mean:.2f}, {verdict.name} ({verdict.note})"


def spreads(runs: Mapping[str, Sequence[TrainingEvidence]]) -> dict[str, Spread]:
    """Return each column's spread pooled over a profile's rows, runs of one row and recipe being one experiment."""
    found: dict[str, list[list[float]]] = {}
    for mine in runs.values():
        for column in dict.fromkeys(c for run in mine for c in run.values):
            found.setdefault(column, []).extend(g.values for g in groups(mine, [""] * len(mine), column))
    pools = {column: pooled(values) for column, values in found.items()}
    return {column: spread for column, spread in pools.items() if spread is not None}
