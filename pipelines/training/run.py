"""Train and evaluate a job: one path for the drawn sets, CIFAR and the paper's recipes, and for every task.

A killed run resumes from its last epoch and ends in the unkilled one's weights, bit for bit on one machine. A finished
one is not trained again.
"""

from __future__ import annotations

import contextlib
import io
import logging
import math
import shutil
import sys
import time
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock, Timeout
from mmengine.dist import broadcast_object_list, get_world_size, is_main_process
from mmengine.logging import MMLogger
from mmengine.registry import MODELS
from torch import nn

from papertally.evidence.io import write_json_atomic
from papertally.evidence.provenance import snapshot
from pipelines.analysis.overlays import recipe_config
from pipelines.analysis.structure import deployed, model_hash, recipe_hash
from pipelines.common import PipelineError, cores
from pipelines.tasks import TASKS
from pipelines.training import batchnorm, hooks
from pipelines.training.checkpoints import START, finished, load_weights, newest_checkpoint, open_work_dir, save_weights
from pipelines.training.filing import compiled_operators, file_run
from pipelines.training.hooks import correct
from pipelines.training.job import Job
from pipelines.training.official import KeepBest, bare
from pipelines.training.profiles import OVERLAYS
from registry.ops import native

#: mmengine would name a GPU to each process.
ON_CPU = {"type": "MMDistributedDataParallel", "device_ids": None, "forward_sync_buffers": False}
#: Seconds of waiting for another process after which processes hear of each other: within the backends' timeouts.
TURN = 60.0
#: Epochs from which a run on a CPU has Shift-Max compiled first: seconds that it earns back in its first epoch.
LONG = 20
MEND = "run `python -m pipelines fingerprint`"


def share_of(batch_size: int) -> int:
    """Return a process's share of a batch. Raises PipelineError where it cannot be shared out evenly."""
    share, rest = divmod(batch_size, get_world_size())
    if rest or not share:
        raise PipelineError(f"{get_world_size()} processes cannot share a batch of {batch_size} evenly")
    return share


def parts_of(batch_size: int, norm_batch: int) -> int:
    """Return into how many parts a process divides its share of a batch, each with BatchNorm statistics of its own.

    Raises PipelineError where its share is no multiple of a part.
    """
    parts, rest = divmod(share_of(batch_size), norm_batch)
    if rest or not parts:
        raise PipelineError(
            f"the recipe's BatchNorm takes {norm_batch} images of a batch of {batch_size}, which {get_world_size()} "
            f"processes cannot share so; start a number of them that divides {batch_size // norm_batch}"
        )
    return parts


def synced(job: Job) -> bool:
    """Tell whether a job's processes synchronise BatchNorm: of a recipe that does not say how many images it takes."""
    return "norm_batch" not in job.settings and batchnorm.synchronised(share_of(job.settings["batch_size"]))


def run_seed(seed: int) -> int:
    """Return a seed for samplers that is near no other run's: they add the epoch to it."""
    return int(np.random.SeedSequence(seed).generate_state(1)[0]) >> 2


def recipe_of(job: Job) -> str:
    """Return the name of a job's recipe; other profiles change a row's own, and may name their schedules so."""
    return str(job.settings["recipe"]) if job.profile == "paper" else "paper"


def resolve(job: Job, work_dir: Path) -> Any:
    """Return the row's own mmengine config with the profile, the launch and what a killed run needs put in."""
    config = recipe_config(job.row, recipe_of(job), job.root, job.folder)
    OVERLAYS[job.profile](config, job.row, job.settings, job.folder)
    options = job.options
    if job.profile == "paper":
        loaders = {"train_dataloader": options.workers, "val_dataloader": min(options.workers, 4)}
        for name, workers in {**loaders, "test_dataloader": loaders["val_dataloader"]}.items():
            config[name].update(num_workers=workers, persistent_workers=False)
        config.train_dataloader.update(
            batch_size=share_of(job.settings["batch_size"]),
            worker_init_fn={"type": "torch_worker_seed"},
            pin_memory=torch.cuda.is_available(),
        )
        if "norm_batch" in job.settings:
            config.model.parts = parts_of(job.settings["batch_size"], job.settings["norm_batch"])
        elif synced(job):
            config.sync_bn = "torch"
        if "input" in job.stated:
            from pipelines.training.imagenet_input import packed, read_packed

            read_packed(config, job.folder, dict(job.settings), packed.worker_output(options.decode, options.resize))
    config.train_dataloader.sampler["seed"] = run_seed(job.random_seed)
    if options.amp:
        config.optim_wrapper.type = "AmpOptimWrapper"
    config.custom_hooks += [
        {"type": "SeedEachEpoch", "seed": job.random_seed},
        {"type": "KeepCurve"},
        *([{"type": "ProgressBar", "label": job.stem}] if is_main_process() else []),
    ]
    config.default_hooks.pop("evidence", None)  # filed here
    config.default_hooks.logger = None
    config.default_hooks["checkpoint"] = {"type": "CheckpointHook", "interval": 1, "max_keep_ckpts": 2}
    if options.launcher != "none" and not torch.cuda.is_available():
        config.model_wrapper_cfg = ON_CPU
    config.launcher = options.launcher
    config.randomness = {"seed": job.random_seed, "diff_rank_seed": True}
    config.visualizer = {"type": "Visualizer", "vis_backends": None}
    config.log_level = "ERROR"
    config.work_dir = str(work_dir)
    config.experiment_name = f"{job.stem}-{time.time_ns()}"  # mmengine keeps loggers by name
    return config


def quiet() -> None:
    """Keep mmengine to errors: it logs each parameter's initialization and warns of its own deprecations."""
    if not MMLogger.check_instance_created("quiet"):
        MMLogger.get_instance("quiet", log_level="ERROR")
    logging.getLogger("mmengine").setLevel(logging.ERROR)


@contextlib.contextmanager
def hushed() -> Any:
    """Keep what the frameworks and pycocotools print off the terminal."""
    quiet()
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


def build_runner(config: Any) -> hooks.AtomicRunner:
    """Return a runner, its frameworks kept quiet. Raises PipelineError for a model that cannot be built."""
    with hushed():
        try:
            return hooks.AtomicRunner.from_cfg(config)
        except (ValueError, TypeError, KeyError) as error:
            raise PipelineError(f"{config.filename}: cannot be built: {error}") from None


def check_fingerprint(job: Job) -> None:
    """Raise PipelineError where fingerprints/ROW.json is not of today's network and config."""
    config = recipe_config(job.row, recipe_of(job), job.root)
    today = {"model": model_hash(config)}
    if "recipe" in job.fingerprint:
        today["recipe"] = recipe_hash(config)
    if any(job.fingerprint[name] != value for name, value in today.items()):
        raise PipelineError(f"{job.row.fingerprint}: is not of today's config and network; {MEND}")


def run(job: Job) -> dict[str, float]:
    """Train a job where it is not trained, and return its metrics in percent; weights, curve and evidence are filed.

    A run that another process trains is waited for. Raises PipelineError: a set, config or batch that does not fit, a
    run that diverged, a full disk.
    """
    with alone(job):
        return run_held(job)


@contextlib.contextmanager
def alone(job: Job, wait: bool = True) -> Iterator[bool]:
    """Hold a run's files alone, whoever else starts it: a stage of DVC, a task of a cluster, somebody by hand.

    Waits for the other, and says so; it then finds the run finished, or goes on from where it was killed. Yields
    whether they are held: without `wait` not where another has them.
    """
    lock = FileLock(job.out / job.work.with_name(f"{job.stem}.lock"))
    waits = False
    while not agreed([not is_main_process() or _acquired(lock, TURN if waits else 0)])[0]:
        if not wait:
            yield False
            return
        if is_main_process() and not waits:
            print(f"{job.stem}: another process trains it (it holds {lock.lock_file}); waiting for it", file=sys.stderr)
        waits = True
    try:
        yield True  # the file stays: others may have it open, and would lock what nobody sees
    finally:
        lock.release()


def _acquired(lock: FileLock, wait: float) -> bool:
    Path(lock.lock_file).parent.mkdir(parents=True, exist_ok=True)
    try:
        lock.acquire(timeout=wait)
    except Timeout:
        return False
    return True


def run_held(job: Job) -> dict[str, float]:
    """Do what `run` does where `alone` holds the job's files."""
    if not torch.cuda.is_available():
        torch.set_num_threads(int(job.settings.get("threads", 0)) or max(1, min(2, cores()) // get_world_size()))
        if job.settings["epochs"] >= LONG or job.profile == "cifar":
            native.prepare()
    started = snapshot(job.root)
    started["environment"] |= compiled_operators()
    if job.profile == "paper":
        started["environment"] |= batchnorm.told(synced(job))
        started["environment"]["precision"] = "mixed" if job.options.amp else "fp32"
    weights = job.out / job.weights
    found = finished(weights, job.identity) if is_main_process() else None
    (found,) = agreed([found])
    if found is None:
        with hushed():
            check_fingerprint(job)
        found = _train(job, started, weights)
    elif is_main_process():
        print(f"{job.stem}: trained already, by the same recipe on the same data", file=sys.stderr)
    if job.row.task == "classification" and "correct" not in found:  # trained before runs kept their bits
        found = {**found, **_evaluated(job)}
    if not is_main_process():
        return dict(found["values"])
    if job.picture and not (job.out / job.picture).is_file():
        _draw(job, weights)
    file_run(job, found)
    return dict(found["values"])


def _train(job: Job, started: Mapping[str, Any], weights: Path) -> dict[str, Any]:
    """Train, from the last epoch of a killed run on, save the weights and return what is to be filed."""
    work_dir, resume_from = None, None
    if is_main_process():
        folder = job.out / job.work
        work_dir, first = open_work_dir(folder, job.identity, started)
        resume_from = newest_checkpoint(work_dir)
        started = batchnorm.resumed(first, started) if resume_from else started
        write_json_atomic(work_dir / START, started)
    work_dir, resume_from = agreed([work_dir, resume_from])
    config = resolve(job, work_dir)
    if resume_from is not None:
        config.load_from, config.resume = str(resume_from), True
        if is_main_process():
            print(f"{job.stem}: resuming from {resume_from.name}", file=sys.stderr)
    hooks.set_random_seed(job.random_seed)  # the initial weights
    runner = build_runner(config)
    begun, worked = time.monotonic(), time.process_time()
    with hushed():
        runner.train()
    seconds, worked = round(time.monotonic() - begun, 1), round(time.process_time() - worked, 1)
    curve = in_columns(next(h for h in runner.hooks if isinstance(h, hooks.KeepCurve)).rows, job)
    best = next((h for h in runner.hooks if isinstance(h, KeepBest)), None)
    kept_epoch = curve[-1]["epoch"] if best is None else best.restore(runner)
    kept = next(epoch for epoch in curve if epoch["epoch"] == kept_epoch)
    values = {column: percent(kept.get(column), column, job) for column in TASKS[job.row.task].metrics.values()}
    found = {
        "values": values,
        "curve": curve,
        "seconds": seconds,
        "started": dict(started),
        "correct": correct(runner.val_loop),
        **({"cpu_seconds": worked} if job.profile == "cifar" and not torch.cuda.is_available() else {}),
    }
    if best is not None:
        found |= {"correct": best.correct, "best_epoch": kept_epoch}
    if is_main_process():
        model = bare(runner.model)
        meta = {
            "identity": job.identity,
            "row": job.row.id,
            "profile": job.profile,
            "seed": job.seed,
            "data": job.name,
            "pin": job.pin,
            **found,
        }
        if job.picture:
            _save_picture(job, runner)
        save_weights(model, weights, meta)
        shutil.rmtree(work_dir, ignore_errors=True)
        with contextlib.suppress(OSError):  # another run's folder lies there
            work_dir.parent.rmdir()
    return found


def _evaluated(job: Job) -> dict[str, Any]:
    """Return the metrics of a finished row's weights, and which images they get right."""
    runner = trained_runner(job)
    with hushed():
        found = runner.test()  # the same images; a validation would look for checkpoints to keep
    shutil.rmtree(runner.work_dir, ignore_errors=True)
    metrics = TASKS[job.row.task].metrics
    values = {column: percent(found.get(name), name, job) for name, column in metrics.items()}
    return {"values": values, "correct": correct(runner.test_loop)}


def agreed(values: list[Any]) -> list[Any]:
    """Return the first process's values on every process."""
    broadcast_object_list(values)  # does nothing for one process
    return values


def plain(value: Any) -> int | float:
    """Return a number as Python's own: checkpoints that hold numpy's load with weights_only=False alone."""
    return value if isinstance(value, int) else float(value)


def in_columns(curve: list[dict[str, float]], job: Job) -> list[dict[str, float]]:
    """Return a curve whose metrics are in percent under the table's column names."""
    metrics = TASKS[job.row.task].metrics
    return [
        {
            metrics.get(key, key): percent(epoch[key], key, job) if key in metrics else plain(value)
            for key, value in epoch.items()
        }
        for epoch in curve
    ]


def percent(value: float | None, name: str, job: Job) -> float:
    """Return one result in percent: mmpose reports shares, all others percents.

    Raises PipelineError where the evaluation gives none.
    """
    # pycocotools says -1 where no person of the size exists
    if value is None or not math.isfinite(value) or value < 0:
        raise PipelineError(
            f"{job.stem}: the evaluation gives no {name!r} (got {value}); check the validation annotations"
        )
    return round(float(value) * (100 if name.startswith("coco/") else 1), 6)


def trained_runner(job: Job) -> hooks.AtomicRunner:
    """Return a runner whose model has the job's finished weights. Raises PipelineError where none fit."""
    runner = build_runner(resolve(job, job.out / job.work.with_name(f"{job.stem}.test")))
    load_weights(runner.model, job.out / job.weights, f"remove it and run `{job.command}`")
    return runner


def _draw(job: Job, weights: Path) -> None:
    runner = trained_runner(job)
    _save_picture(job, runner)
    shutil.rmtree(runner.work_dir, ignore_errors=True)


def _save_picture(job: Job, runner: hooks.AtomicRunner) -> None:
    from pipelines.training.pictures import save, strip

    assert job.picture is not None
    with hushed():
        picture = strip(runner, job.row.task)
    save(picture, job.out / job.picture)


def deployed_network(job: Job) -> nn.Module:
    """Return a job's network as used at test time: of a mutual pair the MicroNet alone."""
    return MODELS.build(deployed(resolve(job, job.out).model))
