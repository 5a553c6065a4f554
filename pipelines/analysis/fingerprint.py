"""Stage `fingerprint`: what each row's results depend on, one file a row, and the list of rows that stages run over.

python -m pipelines fingerprint [--row ROW ...]

A file is written only where it says something new, so that a comment or an equal, faster operator voids nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import registry  # noqa: F401  registers the models
from papertally.evidence.fingerprints import read_fingerprint
from papertally.evidence.io import EvidenceError, read_json, remove_others, write_json_atomic
from pipelines import arguments
from pipelines.analysis.overlays import by_recipe, recipes_of
from pipelines.analysis.probe import probe
from pipelines.analysis.structure import model_hash, recipe_hash, scope, stated_hash
from pipelines.common import ROOT, PipelineError, guard, told
from pipelines.tasks import row_config
from report.rows import FINGERPRINTS, TASKS, Row, all_rows, configured_rows, find_row

#: Raised by hand where results change by what neither structure, recipe nor probe sees: the loop, the evaluation.
PROTOCOL = {"classification": 1, "pose": 1, "segmentation": 1}
ROWS = "rows.json"


def row_fingerprint(row: Row, root: Path = ROOT) -> dict[str, Any]:
    """Return a row's fingerprint as its file has it. Raises PipelineError naming a config that cannot be built."""
    config = row_config(row, root)
    others = {name: by_recipe(config, name) for name in recipes_of(row)}
    try:
        own = _network(config, row.task)
        recipes = {
            name: {**(own if other.model == config.model else _network(other, row.task)), "recipe": recipe_hash(other)}
            for name, other in others.items()
        }
    except (ValueError, TypeError, KeyError) as error:
        raise PipelineError(f"{row.config}: cannot be built: {error}") from None
    return {
        "schema": 1,
        "kind": "fingerprint",
        "row": row.id,
        **own,
        "recipe": recipe_hash(config),
        "stated": stated_hash(config),
        "protocol": PROTOCOL[row.task],
        **({"recipes": recipes} if recipes else {}),
    }


def _network(config: Any, task: str) -> dict[str, Any]:
    """Return what a config's network is and computes."""
    with scope(config):
        return {"model": model_hash(config), "probe": probe(config.model, task)}


def same_probe(one: list[str], other: list[str]) -> bool:
    """Tell whether two probes agree but for one unit of the last digit."""
    # float64's last digits differ between CPUs, so that a number may be rounded the other way
    units = [10.0 ** (int(f"{float(text):e}".partition("e")[2]) - 5) for text in one]
    pairs = [(float(a), float(b)) for a, b in zip(one, other, strict=False)]
    return len(one) == len(other) and all(abs(a - b) <= 1.01 * unit for (a, b), unit in zip(pairs, units, strict=True))


def file_fingerprint(root: Path, found: dict[str, Any]) -> bool:
    """Write a row's fingerprint where it says something new; returns whether it did."""
    try:
        old = read_fingerprint(root, found["row"]).model_dump(by_alias=True, exclude_defaults=True)
    except EvidenceError:
        old = {}
    known = old.get("recipes", {})
    for before, now in [(old, found), *((known.get(name), now) for name, now in found.get("recipes", {}).items())]:
        if before and same_probe(before["probe"], now["probe"]):
            now["probe"] = before["probe"]
    if old != found:
        write_json_atomic(root / FINGERPRINTS / f"{found['row']}.json", found)
    return bool(old != found)


def row_lists(root: Path = ROOT) -> dict[str, Any]:
    """Return the rows that have a config by task, and those of each other ledger: what stages run over."""
    ledgers = sorted({row.ledger for row in all_rows(root).values()} - {""})
    return {
        "rows": {task: configured_rows(root, (task,)) for task in TASKS},
        "ledgers": {name: rows for name in ledgers if (rows := configured_rows(root, ledger=name))},
    }


def main(argv: list[str] | None = None) -> int:
    """Write fingerprints/."""
    chosen = arguments.fingerprint().parse_args(argv).row
    lists = row_lists()
    everything = [row for part in lists.values() for rows in part.values() for row in rows]
    new = [row for row in chosen or everything if file_fingerprint(ROOT, row_fingerprint(find_row(row)))]
    gone = [] if chosen else remove_others(ROOT / FINGERPRINTS, {*everything, Path(ROWS).stem})
    path = ROOT / FINGERPRINTS / ROWS
    try:
        same = read_json(path) == lists
    except (OSError, ValueError):
        same = False
    if not same:
        write_json_atomic(path, lists)
    print(f"{FINGERPRINTS}: {len(everything)} rows; {told(new, gone)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(guard(main))
