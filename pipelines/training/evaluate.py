"""Score a trained classification row on its validation images and file the evidence (pipelines.training.mini)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader

from evidence.configs import config_hash, config_inputs
from evidence.io import write_json_atomic
from pipelines.common import ROOT, PipelineError, config_path, load_params
from pipelines.data.digits import read_manifest
from pipelines.training.datasets import FolderClassification
from pipelines.training.filing import file_training, metrics_path
from pipelines.training.train import build_model, checkpoint_path, quiet, row_entry, row_params
from registry.checkpoints import CheckpointError, fill_model, read_file, sound_tensors
from registry.classification.models import TopK


def load_weights(model: nn.Module, path: Path, expected: dict[str, str]) -> dict[str, Any]:
    """Load a finished row's weights and return what the checkpoint says of its run.

    Raises PipelineError where it is missing, corrupt or of another config.
    """
    mend = f"remove it and run `python -m pipelines mini --row {path.stem}`"
    try:
        if not path.exists():
            raise PipelineError(f"{path}: no checkpoint; {mend}")
        saved = read_file(path)
        parts = [saved.get(key) for key in ("state_dict", "meta")] if isinstance(saved, Mapping) else []
        if not parts or not all(isinstance(part, Mapping) for part in parts):
            raise CheckpointError("it has no state_dict with meta beside it, as a row's training writes them")
        meta = parts[1]
        state = sound_tensors(parts[0], strip=False)
    except CheckpointError as error:
        raise PipelineError(f"{path}: corrupt checkpoint ({error}); {mend}") from None
    for key, value in expected.items():
        if meta.get(key) != value:
            raise PipelineError(f"{path}: its {key} is {meta.get(key)}, today's is {value}; {mend}")
    try:
        fill_model(model, state)
    except CheckpointError as error:
        raise PipelineError(f"{path}: {error}; {mend}") from None
    return meta


@torch.no_grad()
def score(model: nn.Module, folder: Path, image_size: int) -> dict[str, float]:
    """Return top-1 and top-5 in percent on folder/val."""
    data = FolderClassification(str(folder / "val"), image_size, train=False)
    metric = TopK()
    model.eval()
    for batch in DataLoader(data, batch_size=256):
        metric.process(batch, model(batch["inputs"], batch["data_samples"], mode="predict"))
    return {key: round(value, 6) for key, value in metric.evaluate(len(data)).items()}


def evaluate(row: str, profile: str = "mini", root: Path = ROOT) -> dict[str, Any]:
    """Write results/PROFILE/TABLE/ROW.json and the row's metrics; returns the evidence."""
    quiet()
    params = load_params(root)
    settings = row_params(params, profile, row)
    manifest = read_manifest(root / settings["folder"])
    inputs = config_inputs(root, config_path(row))
    stated = {"train": settings}
    digest = config_hash(inputs, stated)
    model = build_model(row, settings["classes"], deployed=True)
    meta = load_weights(model, root / checkpoint_path(profile, row), {"config_hash": digest, "pin": manifest["pin"]})
    values = score(model, root / settings["folder"], settings["image_size"])
    table = row_entry(params, row)["table"]
    evidence = file_training(
        root / "results" / profile / table / f"{row}.json", row=row, table=table, profile=profile,
        seed=settings["seed"], values=values, stated=stated, data=(manifest["name"], manifest["pin"]),
        epochs=settings["epochs"], seconds=meta.get("seconds", 0.0), root=root,
        command=f"python -m pipelines mini --row {row}",
    )  # fmt: skip
    write_json_atomic(root / metrics_path(params, profile, row), values)
    return evidence
