"""Stages table8 and table9 of full/dvc.yaml: a row on COCO 2017 or Cityscapes by the paper's own recipe (section 6).

python -m pipelines full_dense --row t8_micronet_m0 [--data data/coco] [--seed 0] [--amp]
python -m pipelines full_dense --row t9_micronet_m0 --launcher auto    # a process for each GPU that is offered
torchrun --nproc_per_node 4 -m pipelines full_dense --row t8_micronet_m0 --launcher pytorch
python -m pipelines full_dense --row t9_micronet_m3 --dry-run    # a few steps on a tiny set of the same layout

The config is the one that `mim train` takes. Beside it stand what lets a killed run resume to the unkilled result and
what files the last epoch's metrics as evidence. A batch is the config's whatever the number of processes.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import barrier, get_world_size, is_main_process
from mmengine.registry import HOOKS

from evidence.configs import config_hash, config_inputs
from pipelines.common import ROOT, PipelineError, config_path, guard, hash_files, load_config, table_of, task_of
from pipelines.data import imagenet, people, streets  # noqa: F401  imagenet registers torch_worker_seed
from pipelines.data.folders import data_root
from pipelines.data.verify import check_verified
from pipelines.training import hooks
from pipelines.training.dense import hushed, runner_for, score
from pipelines.training.filing import file_full_run
from pipelines.training.full import ON_CPU, agreed, base_parser, launch_all, share_of, start_processes
from pipelines.training.tasks import TASKS, Task
from pipelines.training.train import prepare_work_dir, quiet

CODE = (ROOT / "registry", ROOT / "pipelines/training")
DATASETS = {"pose": "coco", "segmentation": "cityscapes"}
DRAW = {"pose": people.generate, "segmentation": streets.generate}
DRY = {"pose": {"batch_size": 4, "epochs": 2}, "segmentation": {"batch_size": 2, "epochs": 2}}
MODULE = "pipelines.training.full_dense"


@HOOKS.register_module()
class KeepSparseCurve(hooks.KeepCurve):
    """Keep the curve of a run that validates some epochs only."""

    def before_train(self, runner: Any) -> None:
        """Validate a resumed epoch anew where it is one of those."""
        loop = runner.train_loop
        if runner.epoch % loop.val_interval == 0 or runner.epoch >= loop.max_epochs:
            super().before_train(runner)


def dense_task(row: str) -> Task:
    """Return a row's task. Raises PipelineError for a row of another kind."""
    name = task_of(row)
    if name not in TASKS:
        raise PipelineError(f"--row {row}: is no row of Tables 8 and 9; train it by `python -m pipelines full`")
    return TASKS[name]


@contextlib.contextmanager
def variable(name: str, value: str) -> Iterator[None]:
    """Set an environment variable for a while."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def recipe_settings(row: str, seed: int) -> dict[str, Any]:
    """Return what a row's config says of its schedule, by the names that every recipe has."""
    config = load_config(row)
    return {
        "recipe": "paper",
        "seed": seed,
        "epochs": config.train_cfg.max_epochs,
        "batch_size": config.train_dataloader.batch_size,
        "lr": config.optim_wrapper.optimizer.lr,
    }


def runner_config(
    row: str, task: Task, folder: Path, settings: dict[str, Any], work_dir: Path, options: argparse.Namespace
) -> Any:
    """Return the row's own mmengine config with seed, launch, data and what a killed run needs put in."""
    quiet()
    with variable(task.root_variable, str(folder)):
        config = load_config(row)
    config.train_dataloader.update(
        batch_size=share_of(settings["batch_size"]), num_workers=options.workers, persistent_workers=False,
        worker_init_fn={"type": "torch_worker_seed"},
    )  # fmt: skip
    for name in ("val_dataloader", "test_dataloader"):
        config[name].update(num_workers=min(options.workers, 4), persistent_workers=False)
    config.train_cfg.max_epochs = settings["epochs"]
    if options.amp:
        config.optim_wrapper.type = "AmpOptimWrapper"
    config.custom_hooks += [
        {"type": "SeedEachEpoch", "seed": settings["seed"]},
        {"type": "KeepSparseCurve"},
        *([{"type": "ProgressBar", "label": row}] if is_main_process() else []),
    ]
    config.default_hooks.update(checkpoint={"type": "CheckpointHook", "interval": 1, "max_keep_ckpts": 2}, logger=None)
    if options.launcher != "none" and not torch.cuda.is_available():
        config.model_wrapper_cfg = ON_CPU
    config.launcher = options.launcher
    config.randomness = {"seed": settings["seed"], "diff_rank_seed": True}
    config.visualizer = {"type": "Visualizer", "vis_backends": None}
    config.log_level = "ERROR"
    config.work_dir = str(work_dir)
    return config


def in_columns(curve: list[dict[str, float]], task: Task, row: str) -> list[dict[str, float]]:
    """Return a curve whose metrics are in percent under the table's column names."""
    return [
        {task.metrics.get(key, key): score(epoch, key, row) if key in task.metrics else v for key, v in epoch.items()}
        for epoch in curve
    ]


def train(
    row: str, folder: Path, settings: dict[str, Any], pin: str, options: argparse.Namespace, out: Path
) -> dict[str, float]:
    """Train by the recipe and return the validation's metrics; weights, curve and evidence are filed under `out`.

    out: the repository's root, or a dry run's folder.
    """
    task, table = dense_task(row), table_of(row)
    stem = f"{row}.{settings['recipe']}.s{settings['seed']}"
    stated = {"train": settings}
    digest = config_hash(config_inputs(ROOT, config_path(row)), stated)
    key = {"config": digest, "code": hash_files(CODE, ROOT), "data": pin, "amp": options.amp}
    work_dir = out / "work_dirs/paper" / stem
    resume_from = agreed(prepare_work_dir(work_dir, key) if is_main_process() else None)
    if not torch.cuda.is_available():
        torch.set_num_threads(max(1, min(2, os.cpu_count() or 1) // get_world_size()))
    config = runner_config(row, task, folder, settings, work_dir, options)
    if resume_from is not None:
        config.load_from, config.resume = str(resume_from), True
        if is_main_process():
            print(f"{row}: resuming from {resume_from.name}", file=sys.stderr)
    hooks.set_random_seed(settings["seed"])  # the initial weights
    runner = runner_for(config)
    started = time.monotonic()
    with hushed():
        runner.train()
    seconds = round(time.monotonic() - started, 1)
    curve = in_columns(next(h for h in runner.hooks if isinstance(h, hooks.KeepCurve)).rows, task, row)
    values = {column: score(curve[-1], column, row) for column in task.metrics.values()}
    if not is_main_process():
        return values
    file_full_run(
        out, Path("results/paper") / table, runner.model, curve, options.amp, row=row, table=table, values=values,
        stated=stated, data=(DATASETS[task.name], pin), seconds=seconds,
        command=f"python -m {MODULE} --row {row} --seed {settings['seed']}",
    )  # fmt: skip
    shutil.rmtree(work_dir, ignore_errors=True)
    return values


def dry_run(row: str, options: argparse.Namespace, keep: Path | None = None) -> dict[str, float]:
    """Run the whole path of a row's recipe on a tiny set of the real one's layout, a few steps an epoch.

    Batch and epochs shrink, all else is the recipe's.
    """
    task = dense_task(row)
    settings = {**recipe_settings(row, options.seed), **DRY[task.name]}
    out = agreed((keep or Path(tempfile.mkdtemp(prefix="micronet-dry-"))) if is_main_process() else None)
    try:
        folder = options.data or out / DATASETS[task.name]
        if not options.data and is_main_process():
            DRAW[task.name](folder, settings["batch_size"] + 2, 4, 0)
        barrier()
        values = train(row, folder, settings, "dry-run", options, out)
        barrier()
        return values
    finally:  # no barrier here: a process that failed must not wait for the others
        if keep is None and is_main_process():
            shutil.rmtree(out, ignore_errors=True)


def data_folder(row: str, given: Path | None = None, root: Path = ROOT) -> Path:
    """Return where a row's dataset lies: as given, as its variable says (COCO_ROOT, CITYSCAPES_ROOT), or data/NAME."""
    task = dense_task(row)
    return data_root(given or os.environ.get(task.root_variable) or root / "data" / DATASETS[task.name])


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    out = base_parser("Train a row of Table 8 or 9 by the paper's recipe on COCO 2017 or Cityscapes.")
    out.add_argument("--data", type=Path, help="default: data/coco or data/cityscapes, $COCO_ROOT or $CITYSCAPES_ROOT")
    return out


def main(argv: list[str] | None = None) -> int:
    """Check the data, then train; or make a dry run."""
    argv = sys.argv[1:] if argv is None else argv
    options = parser().parse_args(argv)
    quiet()
    task = dense_task(options.row)
    launch_all(options, MODULE, argv)
    if options.dry_run:
        options.workers = min(options.workers, 2)
        start_processes(options.launcher)
        values = dry_run(options.row, options)
    else:
        folder = data_folder(options.row, options.data)
        pin = check_verified(folder, ROOT, (DATASETS[task.name],))
        start_processes(options.launcher)
        values = train(options.row, folder, recipe_settings(options.row, options.seed), pin, options, ROOT)
    if is_main_process():
        what = f"dry run done ({get_world_size()} processes), of the tiny set " if options.dry_run else ""
        print(f"{options.row}: {what}{', '.join(f'{key} {value:.2f}' for key, value in values.items())}")
    return 0


if __name__ == "__main__":
    raise SystemExit(guard(main))
