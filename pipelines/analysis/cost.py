"""Stage `cost`: params and MAdds of every configured row in closed form, under every counting rule.

python -m pipelines cost [--ledger NAME]
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evidence.fingerprints import parts, read_fingerprint
from evidence.io import remove_others, write_json_atomic
from evidence.provenance import snapshot
from evidence.seal import file_computed, seal
from pipelines.common import (
    CONFIGS,
    ROOT,
    PipelineError,
    configured_rows,
    find_row,
    guard,
    load_config,
    told,
)
from registry.cost.count import RULES, Cost
from registry.cost.models import model_cost

RESULTS = Path("results")
#: (height, width) that each task's costs are printed for.
IMAGE_SIZES = {"classification": (224, 224), "pose": (256, 192), "segmentation": (1024, 2048)}


def merged(model: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a model config with a variant's changes merged in, key by key."""
    out = dict(model)
    for key, value in changes.items():
        inner = out.get(key)
        out[key] = merged(inner, value) if isinstance(value, Mapping) and isinstance(inner, Mapping) else value
    return out


def values(cost: Cost) -> dict[str, Any]:
    """Return a cost as the evidence file states it."""
    return {"params": cost.params, "madds": {rule: cost.madds(rule) for rule in RULES}}


def row_cost(row: str, root: Path = ROOT, where: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return a row's cost evidence; where: its code revision and environment, if known.

    Raises PipelineError naming the config that cannot be costed.
    """
    handle = find_row(row)
    config, size = load_config(row, root, plugins=False), IMAGE_SIZES[handle.task]
    variants = config.get("variants", {})
    try:
        own = values(model_cost(config.model, size))
        others = {name: values(model_cost(merged(config.model, change), size)) for name, change in variants.items()}
    except (ValueError, TypeError, KeyError) as error:
        raise PipelineError(f"{handle.config}: cannot be costed: {error}") from None
    evidence = {
        "schema": 2,
        "kind": "cost",
        "row": row,
        "config": handle.config.as_posix(),
        "fingerprint": parts(read_fingerprint(root, row), "cost"),
        "construction": config.construction,
        "values": own,
        "variants": others,
        "notes": list(config.get("notes", [])),
        "input_size": [3, *size],
        **(where or snapshot(root)),
    }
    return seal(evidence)


def rules() -> dict[str, Any]:
    """Return the counting rules as the report prints them."""
    return {
        "schema": 1,
        "kind": "rules",
        "default": "plain",
        "rules": {name: rule.statement for name, rule in RULES.items()},
    }


def main(argv: list[str] | None = None) -> int:
    """Write results/cost/, or results/NAME/cost/ of another paper's ledger."""
    parser = argparse.ArgumentParser(description="Compute params and MAdds of every configured row.")
    parser.add_argument("--ledger", default="", metavar="NAME", help="another paper's: configs/NAME")
    ledger = parser.parse_args(argv).ledger
    rows = configured_rows(ledger=ledger)
    if not rows:
        raise PipelineError(f"{CONFIGS / ledger}: no configs {ledger}_*.py; name a ledger under paper/ that has some")
    folder = RESULTS / ledger / "cost"
    where = snapshot(ROOT)
    new = [row for row in rows if file_computed(ROOT / folder / f"{row}.json", row_cost(row, where=where))]
    write_json_atomic(ROOT / folder / "rules.json", rules())
    gone = remove_others(ROOT / folder, {*rows, "rules"})
    print(f"{folder.as_posix()}: {len(rows)} rows; {told(new, gone)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(guard(main))
