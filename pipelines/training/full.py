"""Stages of full/dvc.yaml: a classification row by the paper's own recipe (section 5.1) on ILSVRC2012.

python -m pipelines full --row t2_micronet_m3 [--recipe paper] [--data data/imagenet] [--seed 0] [--amp] [--ema]
python -m pipelines full --row t2_micronet_m3 --launcher auto    # a process for each GPU that the environment offers
torchrun --nproc_per_node 8 -m pipelines full --row t2_micronet_m3 --launcher pytorch
srun ... python -m pipelines full --row t2_micronet_m3 --launcher slurm
python -m pipelines full --row t2_micronet_m3 --dry-run     # a few steps on a tiny folder of the same layout
python -m pipelines full --row t2_micronet_m3 --packed      # reads data/imagenet_packed (python -m pipelines pack)

Recipes: `paper` has the learning rate 0.02 that the paper prints, `official` the 0.2 of the released scripts. A killed
run resumes from its last epoch. A packed set's pixels differ slightly from the folder's, so the evidence states which
was read; `--data` recognizes either.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import barrier, broadcast_object_list, get_world_size, init_dist, is_main_process

import registry  # noqa: F401  registers the models
from evidence.configs import config_hash, config_inputs
from pipelines.common import ROOT, PipelineError, config_path, guard, hash_files, ledger_of, load_config, table_of
from pipelines.data import imagenet
from pipelines.packed import reader as packed
from pipelines.training import full_data, hooks, launch
from pipelines.training.evaluate import load_weights
from pipelines.training.filing import file_full_run
from pipelines.training.train import build_model, prepare_work_dir, quiet

RECIPES = {"paper": {}, "official": {"lr": 0.2}}
CODE = (ROOT / "registry", ROOT / "pipelines/training", ROOT / "pipelines/data/imagenet.py")
#: mmengine would name a GPU to each process.
ON_CPU = {"type": "MMDistributedDataParallel", "device_ids": None, "forward_sync_buffers": False}
DRY = {"batch_size": 8, "epochs": 2}


def recipe_settings(row: str, recipe: str, seed: int) -> dict[str, Any]:
    """Return a row's schedule with the recipe's change. Raises PipelineError for a config that has none."""
    config = load_config(row)
    if "schedule" not in config:
        raise PipelineError(f"{config_path(row)}: has no schedule; name a row of Tables 2 to 7")
    return {**config.schedule.to_dict(), **RECIPES[recipe], "recipe": recipe, "seed": seed}


def share_of(batch_size: int) -> int:
    """Return a process's share of a batch. Raises PipelineError where it cannot be shared out evenly."""
    share, rest = divmod(batch_size, get_world_size())
    if rest or not share:
        raise PipelineError(f"{get_world_size()} processes cannot share a batch of {batch_size} evenly")
    return share


def loader(
    root: Path, split: str, settings: dict[str, Any], classes: int, workers: int, output: str = "image"
) -> dict[str, Any]:
    """Return a split's dataloader config; a batch is shared out among the processes.

    output: what workers put out of a packed set (pipelines.packed.reader).
    """
    train = split == "train"
    mixup = settings["mixup"] if train else 0.0
    return {
        "batch_size": share_of(settings["batch_size"]),
        "num_workers": workers,
        "pin_memory": torch.cuda.is_available(),
        "sampler": {"type": "DefaultSampler", "shuffle": train, "seed": settings["seed"]},
        **full_data.dataset(root, split, settings["image_size"], mixup, classes, output),
        "worker_init_fn": {"type": "torch_worker_seed"},
        "drop_last": train,
    }


def runner_config(
    row: str, model: torch.nn.Module, root: Path, settings: dict[str, Any], work_dir: Path, options: argparse.Namespace,
    classes: int,
) -> dict[str, Any]:  # fmt: skip
    """Return the Runner's arguments: SGD, cosine to 0 a step, validation an epoch (section 5.1)."""
    optimizer = {
        "type": "SGD", "lr": settings["lr"], "momentum": settings["momentum"], "weight_decay": settings["weight_decay"]
    }  # fmt: skip
    extra = [{"type": "EMAHook", "momentum": 1e-4}] if options.ema else []
    output = packed.worker_output(options.decode, options.resize)
    return {
        "model": model,
        "work_dir": str(work_dir),
        "train_dataloader": loader(root, "train", settings, classes, options.workers, output),
        "train_cfg": {"by_epoch": True, "max_epochs": settings["epochs"], "val_interval": 1},
        "val_dataloader": loader(root, "val", settings, classes, options.workers),
        "val_cfg": {},
        "val_evaluator": {"type": "TopK"},
        "optim_wrapper": {"type": "AmpOptimWrapper" if options.amp else "OptimWrapper", "optimizer": optimizer},
        "param_scheduler": {
            "type": "CosineAnnealingLR", "T_max": settings["epochs"], "by_epoch": True, "convert_to_iter_based": True,
            "eta_min": 0,
        },
        "default_hooks": {
            "checkpoint": {"type": "CheckpointHook", "interval": 1, "max_keep_ckpts": 2},
            "logger": None,
            "sampler_seed": {"type": "DistSamplerSeedHook"},
        },
        "custom_hooks": [
            {"type": "SyncBuffersHook"},
            {"type": "SeedEachEpoch", "seed": settings["seed"]},
            {"type": "KeepCurve"},
            *([{"type": "ProgressBar", "label": row}] if is_main_process() else []),
            *extra,
        ],
        "launcher": options.launcher,
        "randomness": {"seed": settings["seed"], "diff_rank_seed": True},
        "env_cfg": {"cudnn_benchmark": True},
        "log_level": "ERROR",
        "visualizer": {"type": "Visualizer", "vis_backends": None},
        "default_scope": "mmengine",
        "cfg": {} if torch.cuda.is_available() or options.launcher == "none" else {"model_wrapper_cfg": ON_CPU},
        "experiment_name": f"{row}-{time.time_ns()}",
    }  # fmt: skip


def train(row: str, root: Path, settings: dict[str, Any], pin: str, options: argparse.Namespace, out: Path) -> dict:
    """Train by the recipe and return the validation's metrics; weights, curve and evidence are filed under `out`.

    out: the repository's root, or a dry run's folder.
    """
    table = table_of(row)
    stem = f"{row}.{settings['recipe']}.s{settings['seed']}"
    inputs = config_inputs(ROOT, config_path(row))
    stated, code = {"train": settings}, CODE
    if full_data.is_packed(root):
        stated["input"] = packed.stated(root, packed.worker_output(options.decode, options.resize))
        code = (*CODE, *packed.CODE)
    digest = config_hash(inputs, stated)
    classes = full_data.class_count(root)
    key = {"config": digest, "code": hash_files(code, ROOT), "data": pin, "amp": options.amp, "ema": options.ema}
    work_dir = out / "work_dirs/paper" / stem
    resume_from = agreed(prepare_work_dir(work_dir, key) if is_main_process() else None)
    quiet()
    if not torch.cuda.is_available():
        torch.set_num_threads(max(1, min(2, os.cpu_count() or 1) // get_world_size()))
    hooks.set_random_seed(settings["seed"])
    model = build_model(row, classes)
    if "input" in stated:
        model.data_preprocessor = packed.PackedPreprocessor(settings["image_size"], settings["mixup"], classes)
    runner = hooks.AtomicRunner(
        **runner_config(row, model, root, settings, work_dir, options, classes),
        load_from=None if resume_from is None else str(resume_from),
        resume=resume_from is not None,
    )
    if resume_from is not None and is_main_process():
        print(f"{row}: resuming from {resume_from.name}", file=sys.stderr)
    started = time.monotonic()
    runner.train()
    seconds = round(time.monotonic() - started, 1)
    curve = next(h for h in runner.hooks if isinstance(h, hooks.KeepCurve)).rows
    values = {key: round(float(curve[-1][key]), 6) for key in ("top1", "top5")}
    if not is_main_process():
        return values
    file_full_run(
        out, Path("results") / ledger_of(row) / "paper" / table, runner.model, curve, options.amp, row=row, table=table,
        values=values, stated=stated, data=("imagenet", pin), seconds=seconds,
        command=f"python -m pipelines full --row {row} --recipe {settings['recipe']} --seed {settings['seed']}"
        + full_data.packed_arguments(options, "input" in stated),
    )  # fmt: skip
    shutil.rmtree(work_dir, ignore_errors=True)
    return values


def agreed(path: Path | None) -> Path | None:
    """Return the first process's path on every process."""
    shared = [None if path is None else str(path)]
    broadcast_object_list(shared)  # does nothing for one process
    return None if shared[0] is None else Path(shared[0])


def launch_all(options: argparse.Namespace, module: str, argv: list[str]) -> None:
    """Turn --launcher auto into one process for each GPU that the environment offers: this one, or torchrun's."""
    if options.launcher != "auto":
        return
    options.launcher = "none"
    # a dry run shows the launch on a machine without a GPU too
    seen = max(torch.cuda.device_count(), (launch.offered_gpus() or 0) if options.dry_run else 0)
    if (count := launch.processes(seen)) > 1:
        launch.torchrun(module, argv, count)


def start_processes(launcher: str) -> None:
    """Join the other processes of a launch: NCCL between GPUs, gloo between CPUs."""
    if launcher == "none":
        return
    if torch.cuda.is_available():
        init_dist(launcher, backend="nccl")
    elif launcher == "pytorch":  # mmengine's own asks for a GPU whatever the backend
        torch.distributed.init_process_group("gloo")
    else:
        raise PipelineError(f"--launcher {launcher} finds no GPU in this process; ask Slurm for them (--gres=gpu:N)")


def dry_run(row: str, options: argparse.Namespace, keep: Path | None = None) -> dict[str, float]:
    """Run the whole path of a row's recipe on a tiny folder of ILSVRC2012's layout, a few steps an epoch.

    Batch and epochs shrink, all else is the recipe's. The weights are loaded back.
    """
    settings = {**recipe_settings(row, options.recipe, options.seed), **DRY}
    out = agreed((keep or Path(tempfile.mkdtemp(prefix="micronet-dry-"))) if is_main_process() else None)
    try:
        root = options.data or out / "imagenet"
        if not options.data and is_main_process():
            imagenet.draw_tiny(root)
            if options.packed:
                full_data.pack(root, out / "packed")
        root = out / "packed" if options.packed and not options.data else root
        barrier()
        full_data.check_layout(root)
        values = train(row, root, settings, "dry-run", options, out)
        if is_main_process():
            stem = f"{row}.{settings['recipe']}.s{settings['seed']}"
            classes = full_data.class_count(root)
            weights = out / "checkpoints/paper" / f"{stem}.pth"
            load_weights(build_model(row, classes, deployed=True), weights, {"pin": "dry-run"})
        barrier()
        return values
    finally:  # no barrier here: a process that failed must not wait for the others
        if keep is None and is_main_process():
            shutil.rmtree(out, ignore_errors=True)


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    out = base_parser("Train a classification row by the paper's recipe on ImageNet.")
    out.add_argument("--recipe", choices=sorted(RECIPES), default="paper", help="learning rate 0.02 or 0.2")
    out.add_argument("--data", type=Path, help="image folder or packed set; default: data/imagenet, or $IMAGENET_ROOT")
    packed_set = os.environ.get(launch.PACKED) == "1"
    out.add_argument("--packed", action="store_true", default=packed_set,
                     help=f"read data/imagenet_packed (or {launch.PACKED}=1)")  # fmt: skip
    where = {"choices": ("workers", "device"), "default": "workers"}
    out.add_argument("--decode", **where, help="where a packed set's JPEGs are decoded (device: and resized)")
    out.add_argument("--resize", **where, help="where a packed set's crops are resized and flipped")
    out.add_argument("--ema", action="store_true", help="keep an average of the weights; no recipe of the paper has it")
    return out


def base_parser(description: str) -> argparse.ArgumentParser:
    """Return a parser of what every full-size run has."""
    out = argparse.ArgumentParser(description=description)
    out.add_argument("--row", required=True, help="row id, as in the ledger")
    out.add_argument("--seed", type=int, default=0)
    out.add_argument("--workers", type=int, default=8, help="loading processes a process (default 8)")
    out.add_argument("--launcher", choices=("none", "auto", "pytorch", "slurm"), default="none")
    amp = os.environ.get(launch.AMP) == "1"
    out.add_argument("--amp", action="store_true", default=amp, help=f"mixed precision (or {launch.AMP}=1)")
    out.add_argument("--dry-run", action="store_true", help="a few steps on a tiny set; files nothing")
    out.add_argument("--local-rank", "--local_rank", type=int, default=0, help=argparse.SUPPRESS)
    return out


def main(argv: list[str] | None = None) -> int:
    """Check the data, then train; or make a dry run."""
    argv = sys.argv[1:] if argv is None else argv
    options = parser().parse_args(argv)
    settings = recipe_settings(options.row, options.recipe, options.seed)
    launch_all(options, "pipelines.training.full", argv)
    if options.dry_run:
        options.workers = min(options.workers, 2)
        start_processes(options.launcher)
        values = dry_run(options.row, options)
        if not is_main_process():
            return 0
        print(f"{options.row}: dry run of recipe {options.recipe} done (top-1 {values['top1']:.1f} % of the tiny set, "
              f"{get_world_size()} processes)")  # fmt: skip
        return 0
    root, pin = full_data.checked(options)
    start_processes(options.launcher)
    values = train(options.row, root, settings, pin, options, ROOT)
    if is_main_process():
        print(f"{options.row}: top-1 {values['top1']:.2f} %, top-5 {values['top5']:.2f} %")
    return 0


if __name__ == "__main__":
    raise SystemExit(guard(main))
