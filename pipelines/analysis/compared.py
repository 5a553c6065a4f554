"""Command `recipes`: what a recipe changes of the rows' own configs, found by comparing the resolved configs.

python -m pipelines recipes [--recipe official hrnet] [--row ROW ...]
python -m pipelines recipes --write     # renew the tables of docs/recipes.md
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from papertally.evidence.io import write_text_atomic
from pipelines.analysis.overlays import RECIPES, by_recipe
from pipelines.analysis.structure import deciding
from pipelines.common import ROOT, PipelineError, guard
from pipelines.tasks import row_config
from report.rows import all_rows, configured_rows, find_row

DOCS = Path("docs/recipes.md")
BEGIN, END = "<!-- {} -->\n", "<!-- /{} -->\n"
UNSET = "not set"
#: A change: key, value of the row's own config, value by the recipe.
Change = tuple[str, str, str]


def rows_with(recipe: str, root: Path = ROOT) -> list[str]:
    """Return the rows of every ledger that have a recipe beside their own config's."""
    ledgers = [
        "",
        *sorted({row.ledger for row in all_rows(root).values()} - {""}),
    ]
    rows = [row for name in ledgers for row in configured_rows(root, ledger=name)]
    return [row for row in rows if find_row(row, root).task == RECIPES[recipe].task]


def _leaves(config: Any) -> dict[str, str]:
    """Return what decides a result by key, as text; one schedule of the learning rate as a list of one."""
    if not isinstance(config.param_scheduler, list):
        config.param_scheduler = [config.param_scheduler]
    return {key: str(value) for key, value in deciding(config).items()}


def changes(row: str, recipe: str, root: Path = ROOT) -> list[Change]:
    """Return every leaf of a row's resolved config that a recipe changes, in the config's order."""
    config = row_config(find_row(row, root), root)
    own, other = _leaves(by_recipe(config, "paper")), _leaves(by_recipe(config, recipe))
    keys = dict.fromkeys((*own, *other))
    return [(k, own.get(k, UNSET), other.get(k, UNSET)) for k in keys if own.get(k) != other.get(k)]


def by_change(rows: Iterable[str], recipe: str, root: Path = ROOT) -> dict[Change, list[str]]:
    """Return the rows of each change, the commonest first."""
    out: dict[Change, list[str]] = {}
    for row in rows:
        for change in changes(row, recipe, root):
            out.setdefault(change, []).append(row)
    return dict(sorted(out.items(), key=lambda item: -len(item[1])))


def named(rows: Sequence[str], of: int) -> str:
    """Return which rows, in few words."""
    if len(rows) == of:
        return f"all {of}"
    return ", ".join(rows[:3]) + (f" and {len(rows) - 3} more" if len(rows) > 3 else "")


def table(recipe: str, root: Path = ROOT) -> str:
    """Return the Markdown table of what a recipe changes in all its rows."""
    rows = rows_with(recipe, root)
    lines = [f"| key of the config | row's own | `{recipe}` | rows |", "|---|---|---|---|"]
    for (key, own, other), mine in by_change(rows, recipe, root).items():
        lines.append(f"| `{key}` | {own} | {other} | {named(mine, len(rows))} |")
    return "\n".join(lines) + "\n"


def documented(text: str, root: Path = ROOT) -> str:
    """Return the docs' text with each recipe's table between its marks. Raises PipelineError where they lack."""
    for recipe in RECIPES:
        if not RECIPES[recipe].task:
            continue
        begin, end = BEGIN.format(recipe), END.format(recipe)
        before, found, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not (found and closed):
            raise PipelineError(f"{DOCS}: lacks the lines {begin.strip()} and {end.strip()}; put them in")
        text = before + begin + table(recipe, root) + end + after
    return text


def main(argv: list[str] | None = None) -> int:
    """Print the changes of rows, or write the docs' tables."""
    others = [name for name, recipe in RECIPES.items() if recipe.task]
    parser = argparse.ArgumentParser(prog="micronet recipes", description="List what a recipe changes of a row.")
    parser.add_argument("--recipe", nargs="+", choices=others, default=others, help="default: all")
    parser.add_argument("--row", nargs="+", default=[], metavar="ROW", help="these only (default: all)")
    parser.add_argument("--write", action="store_true", help=f"renew the tables of {DOCS}")
    options = parser.parse_args(argv)
    if options.write:
        write_text_atomic(ROOT / DOCS, documented((ROOT / DOCS).read_text("utf-8")))
        print(f"{DOCS}: written")
        return 0
    chosen = {row: find_row(row) for row in options.row}
    for recipe in options.recipe:
        rows = rows_with(recipe)
        mine = [row for row in chosen or rows if row in rows]
        if not mine:
            print(f"{recipe}: none of these rows has it")
        for (key, own, other), having in by_change(mine, recipe).items():
            print(f"{recipe}: {key}: {own} -> {other}  [{named(having, len(mine))}]")
    return 0


if __name__ == "__main__":
    raise SystemExit(guard(main))
