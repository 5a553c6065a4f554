"""Train and evaluate a row: `python -m pipelines train`.

python -m pipelines train --row t2_micronet_m0                                  # mini: minutes, on drawn data
python -m pipelines train --row t5_relu --profile proxy --seed 0                # CIFAR-10: orderings only
python -m pipelines train --row t5_relu --profile proxy --seed 0 --data cifar100    # the same on CIFAR-100
python -m pipelines train --row t2_micronet_m3 --profile paper --recipe paper   # ImageNet, COCO or Cityscapes
python -m pipelines train --row t8_micronet_m0 --profile paper --launcher auto  # a process for each GPU offered
torchrun --nproc_per_node 8 -m pipelines.training --row t2_micronet_m3 --profile paper --launcher pytorch
srun ... python -m pipelines.training --row t2_micronet_m3 --profile paper --launcher slurm
python -m pipelines train --row t9_micronet_m3 --profile paper --dry-run        # a few steps on a tiny set
python -m pipelines train --row t2_micronet_m3 --profile paper --packed         # data/imagenet_packed (pipelines pack)

Recipes: `paper` is as printed, `official` (classification) the released scripts' whole recipe: learning rate 0.2 for
0.02, their wiring, BatchNorm over 128 images, the best epoch and more; `hrnet` (keypoints) has scale and rotation as
the code of reference [28] draws them, wider than printed. `python -m pipelines recipes` lists what differs. A batch is
the recipe's whatever the number of processes. A killed run resumes from its last epoch. A packed set's pixels differ
slightly from the folder's, so the evidence states which was read; `--data` recognizes either.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

import torch
from mmengine.dist import barrier, get_world_size, init_dist, is_main_process

import registry  # noqa: F401  registers the models
from pipelines import arguments
from pipelines.common import ROOT, PipelineError, guard
from pipelines.data import cifar_images, imagenet, images, people, streets  # noqa: F401  their sets register themselves
from pipelines.data.folders import data_root
from pipelines.data.verify import check_imagenet, check_verified
from pipelines.tasks import TASKS
from pipelines.training import hooks, imagenet_input, launch  # noqa: F401  hooks register themselves
from pipelines.training.checkpoints import load_weights
from pipelines.training.job import DRY, Job, Options, mini_job, paper_job, proxy_job
from pipelines.training.run import agreed, deployed_network, run
from report.rows import Row, find_row

MODULE = "pipelines.training"
DRAW = {"pose": people.generate, "segmentation": streets.generate}


def data_folder(row: Row, given: Path | None = None, root: Path = ROOT, packed: bool = False) -> Path:
    """Return where a row's dataset lies: as given, as its variable says (IMAGENET_ROOT ...), or data/NAME."""
    task = TASKS[row.task]
    default = root / f"data/{task.data}_packed" if packed else os.environ.get(task.root_variable)
    return data_root(given or default or root / "data" / task.data)


def checked(row: Row, folder: Path, options: argparse.Namespace) -> str:
    """Return the sha256 of the verified set in a folder. Raises PipelineError before any training."""
    if row.task != "classification":
        if options.packed:
            raise PipelineError(f"--packed: only ImageNet is packed; leave it out for {row.id}")
        return check_verified(folder, ROOT, (TASKS[row.task].data,))
    if options.packed or imagenet_input.is_packed(folder):
        return imagenet_input.packed.check_packed(folder, ROOT)[0]
    if (options.decode, options.resize) != ("workers", "workers"):
        raise PipelineError(f"{folder}: --decode and --resize need a packed set; pack it (python -m pipelines pack)")
    return check_imagenet(folder, ROOT)


def launch_all(options: argparse.Namespace, argv: list[str]) -> None:
    """Turn --launcher auto into one process for each GPU that the environment offers: this one, or torchrun's."""
    if options.launcher != "auto":
        return
    options.launcher = "none"
    # a dry run shows the launch on a machine without a GPU too
    seen = max(torch.cuda.device_count(), (launch.offered_gpus() or 0) if options.dry_run else 0)
    if (count := launch.processes(seen)) > 1:
        launch.torchrun(MODULE, argv, count)


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


def launched(options: argparse.Namespace) -> Options:
    """Return how a command line launches a run."""
    return Options(options.launcher, options.workers, options.amp, options.decode, options.resize)


def full_size(options: argparse.Namespace) -> Job:
    """Return the paper profile's job; one process checks the data, the others hear what it found."""
    row = find_row(options.row)
    folder = data_folder(row, options.data, packed=options.packed)
    found: list[str | None] = [None, None]
    if is_main_process():
        try:
            found = [checked(row, folder, options), None]
        except PipelineError as error:
            found = [None, str(error)]
    pin, fault = agreed(list(found))
    if fault is not None or pin is None:
        raise PipelineError(fault)
    return paper_job(row.id, options.recipe, options.seed, folder, pin, launched(options))


def small_job(options: argparse.Namespace) -> Job:
    """Return a small profile's job. Raises PipelineError for data that it does not take."""
    if options.profile == "proxy":
        return proxy_job(options.row, options.seed, data=None if options.data is None else str(options.data))
    if options.data is not None:
        raise PipelineError(f"--data {options.data}: profile mini has its own sets; leave it out, or name a --profile")
    return mini_job(options.row)


def dry_run(options: argparse.Namespace, keep: Path | None = None) -> dict[str, float]:
    """Run the whole path of a row's recipe on a tiny set of the real one's layout, a few steps an epoch.

    Batch and epochs shrink, all else is the recipe's. The weights are loaded back.
    """
    row = find_row(options.row)
    (out,) = agreed([(keep or Path(tempfile.mkdtemp(prefix="micronet-dry-"))) if is_main_process() else None])
    try:
        folder = options.data or out / TASKS[row.task].data
        if not options.data and is_main_process():
            if row.task == "classification":
                imagenet.draw_tiny(folder)
            else:
                DRAW[row.task](folder, DRY[row.task]["batch_size"] + 2, 4, 0)
        if options.packed and not options.data:
            if is_main_process():
                from pipelines.packed.pack import pack

                pack(folder, out / "packed")
            folder = out / "packed"
        barrier()
        if row.task == "classification":
            imagenet_input.check_layout(folder)
        job = paper_job(
            row.id, options.recipe, options.seed, folder, "dry-run", launched(options), ROOT, out, DRY[row.task]
        )
        values = run(job)
        if is_main_process():
            load_weights(deployed_network(job), out / job.weights, "run it anew")
        barrier()
        return values
    finally:  # no barrier here: a process that failed must not wait for the others
        if keep is None and is_main_process():
            shutil.rmtree(out, ignore_errors=True)


def main(argv: list[str] | None = None) -> int:
    """Check the data, then train; or make a dry run."""
    argv = sys.argv[1:] if argv is None else argv
    options = arguments.train().parse_args(argv)
    if options.profile != "paper":
        if options.dry_run:
            raise PipelineError(f"--dry-run: of --profile paper only; {options.profile} is small as it is")
        return told(options.row, run(small_job(options)))
    launch_all(options, argv)
    start_processes(options.launcher)
    if options.dry_run:
        options.workers = min(options.workers, 2)
        values = dry_run(options)
        note = f"dry run of recipe {options.recipe} done ({get_world_size()} processes), of the tiny set "
        return told(options.row, values, note)
    return told(options.row, run(full_size(options)))


def told(row: str, values: dict[str, float], note: str = "") -> int:
    """Print a run's metrics, once however many processes made it, and return the exit code."""
    if is_main_process():
        print(f"{row}: {note}{', '.join(f'{name} {value:.2f} %' for name, value in values.items())}")
    return 0


if __name__ == "__main__":
    raise SystemExit(guard(main))
