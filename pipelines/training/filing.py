"""Write what a trained run achieved as evidence: one form for every task, profile and recipe."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.dist import get_world_size
from torch import nn

from evidence.configs import config_hash, config_inputs
from evidence.io import write_json_atomic, write_text_atomic
from evidence.revision import code_revision
from evidence.seal import seal
from pipelines.common import ROOT, TASKS, config_path, environment
from pipelines.training.train import curve_csv, save_weights


def file_training(
    path: Path, *, row: str, table: str, profile: str, seed: int | None, values: Mapping[str, float],
    stated: Mapping[str, Any], data: tuple[str, str], epochs: int | None, seconds: float, command: str,
    root: Path = ROOT, more_environment: Mapping[str, str] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Write a run's evidence to `path`, atomically, and return it.

    values: metrics in percent. stated: the parameters that decide the result. data: the set's name and pin. seconds:
    what training took. seed, epochs: None where nobody tells (a released checkpoint). Raises EvidenceError.
    """
    inputs = config_inputs(root, config_path(row))
    evidence = {
        "schema": 1,
        "kind": "training",
        "profile": profile,
        "row": row,
        "table": table,
        "seed": seed,
        "values": dict(values),
        "config": config_path(row).as_posix(),
        "config_hash": config_hash(inputs, stated),
        "inputs": inputs,
        "params": dict(stated),
        "data": {"name": data[0], "pin": data[1]},
        "code_revision": code_revision(root),
        "environment": {**environment(), **(more_environment or {})},
        "epochs": epochs,
        "duration_s": float(seconds),
        "command": command,
    }
    evidence = seal(evidence)
    write_json_atomic(path, evidence)
    return evidence


def metrics_path(params: Mapping[str, Any], profile: str, row: str) -> Path:
    """Return where a row's metrics for `dvc metrics` lie, relative to the root.

    Rows that `dvc repro` does not train have a folder of their own: its report waits for the other one.
    """
    sections = [params, *(params[task] for task in TASKS if task in params)]
    default = any(row in (part.get("rows") or {}) for part in sections)
    return Path("results/metrics") / (profile if default else f"{profile}_more") / f"{row}.json"


def file_full_run(
    out: Path, results: Path, model: nn.Module, curve: list[dict[str, float]], amp: bool, *, row: str,
    data: tuple[str, str], seconds: float, stated: Mapping[str, Any], **more: Any,
) -> None:  # fmt: skip
    """Write a full-size run's weights, curve and evidence under `out`, the evidence's folder being out/`results`.

    stated["train"] names recipe and seed. more: what file_training takes beside. Raises EvidenceError, PipelineError.
    """
    settings = stated["train"]
    stem = f"{row}.{settings['recipe']}.s{settings['seed']}"
    meta = {
        "row": row, "profile": "paper", "config_hash": config_hash(config_inputs(ROOT, config_path(row)), stated),
        "pin": data[1], "seconds": seconds,
    }  # fmt: skip
    weights = out / "checkpoints/paper" / f"{stem}.pth"
    save_weights(model.module if hasattr(model, "module") else model, weights, meta)
    write_text_atomic(out / "results/curves/paper" / f"{stem}.csv", curve_csv(curve))
    evidence = file_training(
        out / results / f"{stem}.json", row=row, profile="paper", seed=settings["seed"], epochs=settings["epochs"],
        stated=stated, data=data, seconds=seconds,
        more_environment={"processes": str(get_world_size()), "precision": "mixed" if amp else "fp32"}, **more,
    )  # fmt: skip
    write_json_atomic(weights.with_suffix(".json"), evidence)  # for `dvc push`: the other is in git
