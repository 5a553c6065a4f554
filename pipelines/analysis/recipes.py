"""The recipe ledger: every printed setting of sections 5.1, 5.3, 6.1 and 6.2 found in the configs that run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

from papertally.ledger.load import Ledger
from papertally.ledger.schema import RawReading
from pipelines.analysis.computations.base import Result
from pipelines.common import ROOT, PipelineError, find_row, load_config

#: A step of a key: a name, or [name=value], the first mapping of a list that has it.
_STEP = re.compile(r"\[(\w+)=(\w+)\]|(\w+)")


@cache
def _config(row: str) -> Any:
    return load_config(row, plugins=False)


def find(tree: Any, key: str, where: str) -> Any:
    """Return what stands under a key of a config. Raises PipelineError naming the step that is missing."""
    for step in _STEP.finditer(key):
        name, value, plain = step.groups()
        try:
            tree = tree[plain] if plain else next(item for item in tree if item.get(name) == value)
        except (KeyError, TypeError, AttributeError, StopIteration):
            raise PipelineError(f"{where}: has no {key!r} (at {step.group()!r}); mend `read` in claims.yaml") from None
    return tree


def rows_of(read: RawReading, ledger: Ledger) -> list[str]:
    """Return the rows whose configs a setting is read from: those with an experiment of their own, in printed order."""
    mine = [r.id for t in read.tables for r in ledger.tables[t].rows if r.same_as is None and r.id not in read.but]
    return [row for row in dict.fromkeys([*mine, *read.rows]) if (ROOT / find_row(row).config).is_file()]


def configured(read: RawReading, ledger: Ledger) -> Result:
    """Return a printed setting as configured: its one value, the list of its values where rows differ, or equality.

    Raises PipelineError where a row's config has no such key.
    """
    found: dict[str, list[str]] = {}
    values: dict[str, Any] = {}
    rows = rows_of(read, ledger)
    if not rows:
        raise PipelineError(f"papers/micronet/claims.yaml: `read` of {read.key!r} names no row that has a config")
    for row in rows:
        try:
            value = find(_config(row), read.key, find_row(row).config.as_posix())
        except PipelineError:
            if read.default is None:
                raise
            value = read.default
        found.setdefault(repr(value), []).append(row)
        values[repr(value)] = value
    told = "; ".join(f"{text} in {_named(mine, len(rows))}" for text, mine in found.items())
    detail = f"{read.key}: {told}"
    if read.equals is not None:
        return Result(all(_same(value, read.equals) for value in values.values()), detail)
    numbers = [v for v in values.values() if isinstance(v, int | float) and not isinstance(v, bool)]
    if len(numbers) < len(values):
        raise PipelineError(f"papers/micronet/claims.yaml: {read.key!r} is no number ({told}); say what it `equals`")
    return Result(numbers[0] if len(numbers) == 1 else numbers, detail)


def _named(rows: Sequence[str], of: int) -> str:
    return (
        f"all {of} configs"
        if len(rows) == of
        else ", ".join(rows[:3]) + (f" and {len(rows) - 3} more" if len(rows) > 3 else "")
    )


def _same(value: Any, wanted: Any) -> bool:
    """Tell whether a configured value is what is wanted; a path by its file's name, no value as the text none."""
    if isinstance(wanted, str):
        return str("none" if value is None else value).rsplit("/", 1)[-1] == wanted
    return list(value) == list(wanted) if isinstance(value, list | tuple) else value == wanted
