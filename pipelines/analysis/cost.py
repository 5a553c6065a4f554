"""Stage `cost`: params and the terms of MAdds of every configured row in closed form, in every unprinted structure.

python -m pipelines cost [--ledger NAME]
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

from evidence.fingerprints import parts, read_fingerprint
from evidence.forms import CostEvidence, Rules, formed
from evidence.io import remove_others, write_json_atomic
from evidence.provenance import snapshot
from evidence.seal import file_computed
from paper.conventions import Conventions
from paper.ledger import HERE, load_ledger
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
from pipelines.tasks import TASKS
from registry.arch import get_arch
from registry.cost.count import Cost
from registry.cost.models import model_cost

RESULTS = Path("results")


def merged(model: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a model config with a variant's changes merged in, key by key."""
    out = dict(model)
    for key, value in changes.items():
        inner = out.get(key)
        out[key] = merged(inner, value) if isinstance(value, Mapping) and isinstance(inner, Mapping) else value
    return out


def values(cost: Cost) -> dict[str, Any]:
    """Return a cost as the evidence file states it."""
    return {"params": cost.params, "terms": cost.named()}


def built(model: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that a MicroNet's config has of the axes of structure; {} for another network."""
    backbone, head = model.get("backbone", {}), model.get("head", {})
    arch = backbone.get("arch", "m1")
    if backbone.get("type") != "MicroNet" or (isinstance(arch, Mapping) and "solve" in arch):
        return {}
    activation = backbone.get("activation") or {}
    out = {
        "k_linear": activation.get("k_linear", get_arch(arch).k_linear),
        "reduction": activation.get("base_reduction", 8),
    }
    if model["type"] in ("Classifier", "MutualClassifier"):
        out["hidden"] = head.get("hidden", 1024)
    if model["type"] == "TopdownPoseEstimator":
        out |= {"upsample": "squeeze", "attention": True}
    return out


def restructured(model: Mapping[str, Any], structure: Mapping[str, Any]) -> dict[str, Any]:
    """Return a MicroNet's model config with other values of the axes of structure."""
    names = {"k_linear": "k_linear", "reduction": "base_reduction"}
    activation = {names[axis]: value for axis, value in structure.items() if axis in names}
    pose = model["type"] == "TopdownPoseEstimator"
    head: dict[str, Any] = {"hidden": structure["hidden"]} if "hidden" in structure else {}
    inner = {axis: structure[axis] for axis in ("upsample", "attention") if axis in structure}
    if inner:
        head["head"] = {"base": model["head"]["arch"], **inner}
    if pose:
        head["activation"] = activation
    return merged(model, {"backbone": {"activation": activation}, "head": head})


def readings(
    model: Mapping[str, Any], size: tuple[int, int], axes: Mapping[str, list[Any]], own: Cost
) -> list[dict[str, Any]]:
    """Return the network's costs under every combination of the axes that make a difference to it."""

    def key(cost: Cost) -> tuple:
        return cost.params, tuple(cost.named().items())

    def at(structure: Mapping[str, Any]) -> Cost:
        return model_cost(restructured(model, structure), size)

    mattering = {a: found for a, found in axes.items() if any(key(at({a: v})) != key(own) for v in found)}
    base = own.named()
    out = []
    for found in product(*mattering.values()):
        structure = dict(zip(mattering, found, strict=True))
        cost = at(structure)
        terms = cost.named()
        changed = {name: terms.get(name, 0) for name in {**base, **terms} if terms.get(name) != base.get(name)}
        out.append({"structure": structure, "params": cost.params, "terms": changed})
    return out if mattering else []


def row_cost(
    row: str, root: Path = ROOT, where: Mapping[str, Any] | None = None, conventions: Conventions | None = None
) -> dict[str, Any]:
    """Return a row's cost evidence; where: its code revision and environment, if known.

    conventions: whose families say which structures are counted; none without.

    Raises PipelineError naming the config that cannot be costed.
    """
    handle = find_row(row)
    config, size = load_config(row, root, plugins=False), TASKS[handle.task].image_size
    variants = config.get("variants", {})
    try:
        cost = model_cost(config.model, size)
        structure = built(config.model)
        axes = {a: conventions.axis(a).values for a in conventions.varied(row)} if conventions and structure else {}
        found = readings(config.model, size, axes, cost)
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
        "values": values(cost),
        "variants": others,
        "structure": {axis: structure[axis] for axis in axes},
        "readings": found,
        "notes": list(config.get("notes", [])),
        "input_size": [3, *size],
        **(where or snapshot(root)),
    }
    return formed(CostEvidence, evidence)


def rules(conventions: Conventions) -> dict[str, Any]:
    """Return the conventions that have a name as the report prints them."""
    return formed(Rules, {
        "schema": 1,
        "kind": "rules",
        "default": conventions.default,
        "rules": {name: member.statement for name, member in conventions.members.items()},
    })  # fmt: skip


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
    conventions = load_ledger(HERE / ledger).conventions
    new = [
        row for row in rows
        if file_computed(ROOT / folder / f"{row}.json", row_cost(row, where=where, conventions=conventions))
    ]  # fmt: skip
    write_json_atomic(ROOT / folder / "rules.json", rules(conventions))
    gone = remove_others(ROOT / folder, {*rows, "rules"})
    print(f"{folder.as_posix()}: {len(rows)} rows; {told(new, gone)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(guard(main))
