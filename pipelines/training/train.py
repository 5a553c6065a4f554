"""Train one classification row on the profile's data, resuming where a killed run stopped (pipelines.training.mini)."""

from __future__ import annotations

import csv
import io
import json
import logging
import os
import pickle
import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.logging import MMLogger
from mmengine.registry import MODELS
from torch import nn

import registry  # noqa: F401  registers the models
from evidence.configs import config_hash, config_inputs
from evidence.io import write_json_atomic, write_text_atomic
from pipelines.common import (
    ROOT,
    PipelineError,
    config_path,
    hash_files,
    load_config,
    load_params,
    section,
)
from pipelines.data.digits import check_batch, read_manifest
from pipelines.training import datasets, hooks  # noqa: F401  register themselves
from registry.compat import training_types

#: The code that decides what training gives.
CODE = (
    ROOT / "registry",
    ROOT / "pipelines/training/train.py",
    ROOT / "pipelines/training/hooks.py",
    ROOT / "pipelines/training/datasets.py",
)


def row_params(params: dict, profile: str, row: str) -> dict[str, Any]:
    """Return a row's training parameters: the profile's, overridden by the row's own (epochs, lr, seed ...)."""
    own = row_entry(params, row)
    common = dict(section(params, "train", profile))
    if unknown := set(own) - {"table"} - set(common):
        raise PipelineError(f"params.yaml: row {row} has unknown keys {sorted(unknown)}; known: {sorted(common)}")
    return {**common, **{k: v for k, v in own.items() if k != "table"}}


def row_entry(params: dict, row: str) -> dict[str, Any]:
    """Return a row's own entry in params.yaml. Raises PipelineError for a row that is in neither list."""
    rows = {**section(params, "rows"), **params.get("more_rows", {})}
    if row not in rows:
        raise PipelineError(f"params.yaml: no row {row!r} under rows or more_rows; add it")
    return rows[row]


def checkpoint_path(profile: str, row: str) -> Path:
    """Return where a finished row's weights lie, relative to the root."""
    return Path("checkpoints") / profile / f"{row}.pth"


def build_model(row: str, classes: int, deployed: bool = False) -> nn.Module:
    """Return a row's model with `classes` outputs; deployed: as used at test time (a mutual pair's MicroNet alone)."""
    model = load_config(row).model
    model["head"]["classes"] = classes
    if deployed and model["type"] == "MutualClassifier":
        model = {k: v for k, v in model.items() if k in ("backbone", "head", "data_preprocessor")}
        model["type"] = "Classifier"
    try:
        return MODELS.build(model)
    except (ValueError, TypeError, KeyError) as error:
        raise PipelineError(f"{config_path(row)}: the model cannot be built: {error}") from None


def loader(folder: Path, split: str, settings: dict) -> dict[str, Any]:
    """Return a dataloader config for mmengine's Runner."""
    train = split == "train"
    return {
        "batch_size": settings["batch_size"] if train else 256,
        "num_workers": 0,
        "sampler": {"type": "DefaultSampler", "shuffle": train, "seed": settings["seed"]},
        "dataset": {
            "type": "FolderClassification", "root": str(folder / split), "size": settings["image_size"], "train": train
        },
        "collate_fn": {"type": "default_collate"},
        "drop_last": train,
    }  # fmt: skip


def runner_config(row: str, model: nn.Module, folder: Path, settings: dict, work_dir: Path) -> dict[str, Any]:
    """Return the keyword arguments of the Runner: SGD with cosine decay as in section 5.1, at the profile's scale."""
    epochs = settings["epochs"]
    return {
        "model": model,
        "work_dir": str(work_dir),
        "train_dataloader": loader(folder, "train", settings),
        "train_cfg": {"by_epoch": True, "max_epochs": epochs, "val_interval": 1},
        "val_dataloader": loader(folder, "val", settings),
        "val_cfg": {},
        "val_evaluator": {"type": "TopK"},
        "optim_wrapper": {
            "type": "OptimWrapper",
            "optimizer": {
                "type": "SGD", "lr": settings["lr"], "momentum": 0.9, "weight_decay": settings["weight_decay"]
            },
        },
        "param_scheduler": {
            "type": "CosineAnnealingLR", "T_max": epochs, "by_epoch": True, "convert_to_iter_based": True, "eta_min": 0
        },
        "default_hooks": {
            "checkpoint": {"type": "CheckpointHook", "interval": 1, "max_keep_ckpts": 2},
            "logger": None,
        },
        "custom_hooks": [
            {"type": "SeedEachEpoch", "seed": settings["seed"]},
            {"type": "KeepCurve"},
            {"type": "ProgressBar", "label": row},
        ],
        "randomness": {"seed": settings["seed"]},
        "log_level": "ERROR",
        "visualizer": {"type": "Visualizer", "vis_backends": None},
        "default_scope": "mmengine",
        "experiment_name": f"{row}-{time.time_ns()}",  # mmengine keeps loggers by name
    }  # fmt: skip


def newest_checkpoint(work_dir: Path) -> Path | None:
    """Return the newest epoch checkpoint that loads; says so on stderr when it passes over a damaged one."""
    found = sorted(work_dir.glob("epoch_*.pth"), key=lambda p: int(p.stem.split("_")[1]), reverse=True)
    for path in found:
        try:
            with training_types():
                torch.load(path, map_location="cpu", weights_only=True)
            return path
        except (RuntimeError, EOFError, OSError, ValueError, KeyError, pickle.UnpicklingError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            print(f"warning: {path}: damaged ({reason}); resuming from an earlier epoch", file=sys.stderr)
            path.unlink()
    return None


def prepare_work_dir(work_dir: Path, key: dict[str, Any]) -> Path | None:
    """Return the checkpoint to resume from, or None after clearing what another configuration left."""
    stamp = work_dir / "resume.json"
    try:
        same = json.loads(stamp.read_text("utf-8")) == key
    except (OSError, ValueError):
        same = False
    if same:
        return newest_checkpoint(work_dir)
    shutil.rmtree(work_dir, ignore_errors=True)
    work_dir.mkdir(parents=True)
    write_json_atomic(stamp, key)
    return None


def is_trained(path: Path, key: Mapping[str, str]) -> bool:
    """Tell whether a finished row's weights lie there, trained by what `key` says; a killed `make repro` goes on so.

    DVC deletes them before it runs a stage, so that `dvc repro -f` trains anew.
    """
    try:
        meta = torch.load(path, map_location="cpu", weights_only=True)["meta"]
        return bool(meta["key"] == dict(key))
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, TypeError, pickle.UnpicklingError):
        return False


def save_weights(model: nn.Module, path: Path, meta: dict[str, Any]) -> None:
    """Write the weights used at test time and `meta`, atomically. Raises PipelineError when the disk is full."""
    path.parent.mkdir(parents=True, exist_ok=True)
    state = model.deployed_state_dict() if hasattr(model, "deployed_state_dict") else model.state_dict()
    partial = path.with_name(path.name + ".partial")
    try:
        torch.save({"state_dict": {k: v.cpu() for k, v in state.items()}, "meta": meta}, partial)
        os.replace(partial, path)
    except (OSError, RuntimeError) as error:
        partial.unlink(missing_ok=True)
        raise PipelineError(f"{path}: cannot be written ({error}); free disk space and run again") from None


def curve_csv(rows: list[dict[str, float]]) -> str:
    """Return the training curve as CSV for `dvc plots`."""
    fields = list(dict.fromkeys(key for row in rows for key in row))
    out = io.StringIO()
    writer = csv.DictWriter(out, fields, lineterminator="\n")
    writer.writeheader()
    writer.writerows({k: round(v, 6) for k, v in row.items()} for row in rows)
    return out.getvalue()


def quiet() -> None:
    """Keep mmengine to errors: it logs each parameter's initialization and warns of its own deprecations."""
    if not MMLogger.check_instance_created("quiet"):
        MMLogger.get_instance("quiet", log_level="ERROR")
    logging.getLogger("mmengine").setLevel(logging.ERROR)


def train(row: str, profile: str = "mini", root: Path = ROOT) -> None:
    """Train a row and write checkpoints/PROFILE/ROW.pth and results/curves/PROFILE/ROW.csv."""
    params = load_params(root)
    settings = row_params(params, profile, row)
    folder = root / settings["folder"]
    manifest = read_manifest(folder)
    check_batch(settings, manifest)
    torch.set_num_threads(settings.get("threads", 1))
    inputs = config_inputs(root, config_path(row))
    key = {
        "config": config_hash(inputs, {"train": settings}),
        "code": hash_files(CODE, ROOT),
        "data": manifest["pin"],
        "torch": str(torch.__version__),
    }
    if is_trained(root / checkpoint_path(profile, row), key):
        print(f"{row}: trained already, by the same code on the same data", file=sys.stderr)
        return
    work_dir = root / "work_dirs" / profile / row
    resume_from = prepare_work_dir(work_dir, key)
    quiet()
    hooks.set_random_seed(settings["seed"])  # the initial weights
    model = build_model(row, settings["classes"])
    runner = hooks.AtomicRunner(
        **runner_config(row, model, folder, settings, work_dir),
        load_from=None if resume_from is None else str(resume_from),
        resume=resume_from is not None,
    )
    if resume_from is not None:
        print(f"{row}: resuming from {resume_from.relative_to(root)}", file=sys.stderr)
    started = time.monotonic()
    runner.train()
    seconds = round(time.monotonic() - started, 1)
    curve = next(h for h in runner.hooks if isinstance(h, hooks.KeepCurve)).rows
    meta = {
        "row": row,
        "profile": profile,
        "seed": settings["seed"],
        "config_hash": key["config"],
        "seconds": seconds,
        "key": key,
        **manifest_meta(manifest),
    }
    save_weights(runner.model, root / checkpoint_path(profile, row), meta)
    write_text_atomic(root / "results/curves" / profile / f"{row}.csv", curve_csv(curve))
    shutil.rmtree(work_dir, ignore_errors=True)


def manifest_meta(manifest: dict) -> dict[str, str]:
    """Return what a checkpoint remembers of its data."""
    return {"data": manifest["name"], "pin": manifest["pin"]}
