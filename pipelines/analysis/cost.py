"""Stage `cost`: params and the terms of MAdds of every configured row in closed form, in every unprinted structure.

python -m pipelines cost [--ledger NAME | --path FOLDER]

A row that names a network (timm:NAME, torchvision:NAME, module:package.function(settings), a .pt2 or .onnx file) is
counted operator by operator and needs no config. --path: a ledger's folder anywhere; evidence goes to its results/.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from papertally.conventions.axes import Conventions
from papertally.counting.cost import file_costs
from papertally.counting.evidence import filed_in
from papertally.evidence.fingerprints import parts, read_fingerprint
from papertally.evidence.provenance import snapshot
from papertally.evidence.schema import CostEvidence, formed
from papertally.ledger.load import Ledger, load_ledger
from pipelines import arguments
from pipelines.common import CONFIGS, MICRONET, ROOT, PipelineError, configured_rows, find_row, guard, load_config
from pipelines.tasks import TASKS
from registry.arch import get_arch
from registry.cost.count import Cost
from registry.cost.models import model_cost

RESULTS = Path("results")
Size = tuple[int, int]


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


def input_of(row: str, stated: Sequence[int] | None, config: Any, task: Size) -> Size:
    """Return the (height, width) that a configured row is costed at: the ledger's, its config's, or its task's.

    Raises PipelineError for what is no image's size.
    """
    for whose, found in ((f"row {row}: input", stated), (f"{row}.py: input_size", config.get("input_size"))):
        if found is None:
            continue
        if len(found) != 3 or found[0] != 3 or not all(isinstance(n, int) and n > 0 for n in found):
            raise PipelineError(f"{whose} is {list(found)}; write [3, height, width]")
        return found[1], found[2]
    return task


def row_cost(
    row: str,
    root: Path = ROOT,
    where: Mapping[str, Any] | None = None,
    conventions: Conventions | None = None,
    stated: Sequence[int] | None = None,
) -> dict[str, Any]:
    """Return a row's cost evidence; where: its code revision and environment, if known.

    conventions: whose families say which structures are counted; none without. stated: the input by the ledger.

    Raises PipelineError naming the config that cannot be costed.
    """
    handle = find_row(row)
    config = load_config(row, root, plugins=False)
    size = input_of(row, stated, config, TASKS[handle.task].image_size)
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


def configured(folder: str, ledger: Ledger, where: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the evidence of every row that has a config; folder: of the ledger under papers/, "" for MicroNet's."""
    rows = configured_rows(ledger=folder)
    inputs = {row: ledger.row(row).input for row in rows}
    return {row: row_cost(row, where=where, conventions=ledger.conventions, stated=inputs[row]) for row in rows}


def main(argv: list[str] | None = None) -> int:
    """Write the costs of MicroNet's rows, or those of another paper of this checkout, or of any folder."""
    path = arguments.cost().parse_args(argv).path or ROOT / MICRONET
    paper, folder, shown = filed_in(path, "cost", ROOT)
    ledger, where = load_ledger(paper.folder), snapshot(ROOT)
    ours = paper.folder.parent == (ROOT / MICRONET).parent.resolve()
    found = configured("" if paper.folder.name == MICRONET.name else paper.folder.name, ledger, where) if ours else {}
    also = f" or add a config under {CONFIGS.name}/" if ours else ""
    return file_costs(ledger, paper.folder, folder, shown, where, found, also)


if __name__ == "__main__":
    raise SystemExit(guard(main))
