"""Train and evaluate a pixel-level row through its OpenMMLab framework, at small scale (pipelines.training.mini)."""

from __future__ import annotations

import contextlib
import io
import logging
import math
import shutil
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import torch

from evidence.configs import config_hash, config_inputs
from evidence.io import write_json_atomic, write_text_atomic
from pipelines.common import ROOT, PipelineError, config_path, hash_files, load_params
from pipelines.data.digits import check_batch, read_manifest
from pipelines.training import hooks
from pipelines.training.evaluate import load_weights
from pipelines.training.filing import file_training, metrics_path
from pipelines.training.pictures import pictures_path, strip
from pipelines.training.pictures import save as save_picture
from pipelines.training.tasks import Task, find_row, mini_config
from pipelines.training.train import (
    checkpoint_path,
    curve_csv,
    is_trained,
    manifest_meta,
    prepare_work_dir,
    quiet,
    save_weights,
)

CODE = (
    ROOT / "registry",
    ROOT / "pipelines/training/dense.py",
    ROOT / "pipelines/training/tasks.py",
    ROOT / "pipelines/training/hooks.py",
)


def set_up(row: str, profile: str, root: Path) -> tuple[Task, dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Return a row's task, entry, settings and what its evidence says of config and data."""
    params = load_params(root)
    task, entry, settings = find_row(params, profile, row)
    manifest = read_manifest(root / settings["folder"])
    check_batch(settings, manifest)
    torch.set_num_threads(settings.get("threads", 1))
    inputs = config_inputs(root, config_path(row))
    stated = {"train": settings}
    return (
        task,
        entry,
        settings,
        {"inputs": inputs, "stated": stated, "digest": config_hash(inputs, stated), "manifest": manifest},
    )


@contextlib.contextmanager
def hushed() -> Any:
    """Keep what the frameworks and pycocotools print off the terminal."""
    logging.getLogger("mmengine").setLevel(logging.ERROR)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


def runner_for(config: Any) -> hooks.AtomicRunner:
    """Return a runner, its frameworks kept quiet."""
    quiet()
    config.experiment_name = f"dense-{time.time_ns()}"  # mmengine keeps loggers by name
    with hushed():
        return hooks.AtomicRunner.from_cfg(config)


def train(row: str, profile: str = "mini", root: Path = ROOT) -> None:
    """Train a row and write checkpoints/PROFILE/ROW.pth and results/curves/PROFILE/ROW.csv; a killed run resumes."""
    task, _, settings, known = set_up(row, profile, root)
    key = {
        "config": known["digest"],
        "code": hash_files(CODE, ROOT),
        "data": known["manifest"]["pin"],
        "torch": str(torch.__version__),
    }
    if is_trained(root / checkpoint_path(profile, row), key):
        print(f"{row}: trained already, by the same code on the same data", file=sys.stderr)
        return
    work_dir = root / "work_dirs" / profile / row
    resume_from = prepare_work_dir(work_dir, key)
    config = mini_config(row, task, settings, root / settings["folder"], work_dir)
    if resume_from is not None:
        print(f"{row}: resuming from {resume_from.relative_to(root)}", file=sys.stderr)
        config.load_from, config.resume = str(resume_from), True
    hooks.set_random_seed(settings["seed"])  # the initial weights
    runner = runner_for(config)
    started = time.monotonic()
    with hushed():
        runner.train()
    seconds = round(time.monotonic() - started, 1)
    curve = next(h for h in runner.hooks if isinstance(h, hooks.KeepCurve)).rows
    meta = {
        "row": row, "profile": profile, "seed": settings["seed"], "config_hash": known["digest"], "seconds": seconds,
        "key": key, **manifest_meta(known["manifest"]),
    }  # fmt: skip
    save_weights(runner.model, root / checkpoint_path(profile, row), meta)
    write_text_atomic(root / "results/curves" / profile / f"{row}.csv", curve_csv(curve))
    shutil.rmtree(work_dir, ignore_errors=True)


def trained_runner(row: str, profile: str, root: Path) -> tuple[hooks.AtomicRunner, dict[str, Any]]:
    """Return a runner whose model has the row's finished weights, and what their checkpoint says."""
    task, _, settings, known = set_up(row, profile, root)
    work_dir = root / "work_dirs" / profile / f"{row}.test"
    runner = runner_for(mini_config(row, task, settings, root / settings["folder"], work_dir))
    expected = {"config_hash": known["digest"], "pin": known["manifest"]["pin"]}
    meta = load_weights(runner.model, root / checkpoint_path(profile, row), expected)
    return runner, meta


def evaluate(row: str, profile: str = "mini", root: Path = ROOT) -> dict[str, Any]:
    """Write a row's evidence, metrics and a strip of pictures under results/; returns the evidence.

    Values are in percent. Raises PipelineError where the framework reports no figure for a column.
    """
    task, entry, settings, known = set_up(row, profile, root)
    runner, meta = trained_runner(row, profile, root)
    with hushed():
        found = runner.test()
        picture = strip(runner, task.name)
    shutil.rmtree(runner.work_dir, ignore_errors=True)
    values = {column: score(found, name, row) for name, column in task.metrics.items()}
    manifest = known["manifest"]
    evidence = file_training(
        root / "results" / profile / entry["table"] / f"{row}.json", row=row, table=entry["table"], profile=profile,
        seed=settings["seed"], values=values, stated=known["stated"], data=(manifest["name"], manifest["pin"]),
        epochs=settings["epochs"], seconds=meta.get("seconds", 0.0), root=root,
        command=f"python -m pipelines mini --row {row}",
    )  # fmt: skip
    write_json_atomic(root / metrics_path(load_params(root), profile, row), values)
    save_picture(picture, root / pictures_path(profile, row))
    return evidence


def score(found: dict[str, float], name: str, row: str) -> float:
    """Return one result in percent: mmpose reports shares, mmsegmentation percents."""
    value = found.get(name)
    # pycocotools says -1 where no person of the size exists
    if value is None or not math.isfinite(value) or value < 0:
        raise PipelineError(f"{row}: the evaluation gives no {name!r} (got {value}); check the validation annotations")
    return round(float(value) * (100 if name.startswith("coco/") else 1), 6)
