"""Measure the input pipelines side by side: the image folder against the packed set (part of `make bench`).

python -m pipelines.bench_input [--rounds 3] [--images 192] [--photos FOLDER]

Every pipeline runs in one worker process with one thread, all taking turns, on the same generated images in ImageNet's
sizes. The unit is images per CPU second of that worker, which is images/s per core whatever else the machine does. On
a GPU the share of a training step that waits for the loader is measured too.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, RandomSampler
from torchvision.datasets.folder import default_loader
from torchvision.transforms import v2
from tqdm import tqdm

from pipelines import pack, photos
from pipelines.common import PipelineError, guard
from pipelines.imagenet import ImageNetFolder, mixup_collate
from pipelines.packed import OUTPUTS, PackedImages, PackedPreprocessor, batched

SIZE, BATCH = 224, 32
FOLDER = "folder"
NAMES = {
    "image": "packed / folder, images per core-second, all but conversion on workers",
    "crop": "packed / folder, images per core-second, resize and flip on the device",
    "jpeg": "packed / folder, images per core-second, decode, resize and flip on the device",
}
PARTS = {"jpeg": "cut", "crop": "cut, decode", "image": "cut, decode, resize, flip"}


class Stamp:
    """Collate, and note this process's CPU seconds beside the batch."""

    def __init__(self, collate: Callable[[Any], dict[str, Any]]) -> None:
        self.collate = collate

    def __call__(self, items: Any) -> dict[str, Any]:
        batch = self.collate(items)
        return {**batch, "cpu": time.process_time()}


def plain_collate(items: list[dict[str, Any]]) -> dict[str, Any]:
    """Collate as the recipe does without mixup."""
    return mixup_collate(items, alpha=0.0, classes=1000)


def pipelines(folder: Path, packed: Path) -> dict[str, tuple[Dataset, Callable]]:
    """Return the training pipelines by name, each a dataset and its collate function."""
    out: dict[str, tuple[Dataset, Callable]] = {
        FOLDER: (ImageNetFolder(str(folder / "train"), SIZE, train=True), plain_collate)
    }
    for output in OUTPUTS:
        out[output] = (PackedImages(str(packed), "train", SIZE, train=True, output=output), batched)
    return out


def rate(dataset: Dataset, collate: Callable, workers: int = 1) -> float:
    """Return a pipeline's images per CPU second of its worker, its first batch left out."""
    loader = DataLoader(
        dataset, BATCH, shuffle=True, num_workers=workers, collate_fn=Stamp(collate), drop_last=True,
        prefetch_factor=len(dataset) // BATCH,
    )  # fmt: skip
    stamps = [batch["cpu"] for batch in loader]
    if len(stamps) < 2 or stamps[-1] <= stamps[0]:
        raise PipelineError(f"{len(dataset)} images are too few to measure; give --images {2 * BATCH} or more")
    return BATCH * (len(stamps) - 1) / (stamps[-1] - stamps[0])


def measure(rounds: int, images: int, source: Path | None = None) -> dict[str, float]:
    """Return every pipeline's median images per core-second on generated images."""
    with tempfile.TemporaryDirectory(prefix="micronet-bench-") as there:
        folder = photos.draw_folder(Path(there) / "folder", photos.photographs(source), images, BATCH // 4)
        pack.pack(folder, Path(there) / "packed")
        found = pipelines(folder, Path(there) / "packed")
        rates: dict[str, list[float]] = {name: [] for name in found}
        for _ in tqdm(range(rounds), unit="round", file=sys.stderr, disable=None):
            for name, (dataset, collate) in found.items():
                rates[name].append(rate(dataset, collate))
    return {name: statistics.median(values) for name, values in rates.items()}


def breakdown(rounds: int, images: int = 48, source: Path | None = None) -> dict[str, float]:
    """Return CPU milliseconds an image of each part of both pipelines, in this process."""
    out: dict[str, list[float]] = {}

    def timed(name: str, call: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
        items = list(items)
        started = time.process_time()
        done = [call(item) for item in items]
        out.setdefault(name, []).append(1000 * (time.process_time() - started) / images)
        return done

    convert = v2.Compose([v2.ToDtype(torch.float32, scale=True), v2.Normalize((0.5,) * 3, (0.2,) * 3)])
    crop = v2.Compose([v2.RandomResizedCrop(SIZE, antialias=True), v2.RandomHorizontalFlip()])
    finish = PackedPreprocessor(SIZE)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with tempfile.TemporaryDirectory(prefix="micronet-bench-") as there:
            folder = photos.draw_folder(Path(there) / "folder", photos.photographs(source), images, 4)
            pack.pack(folder, Path(there) / "packed")
            sets = {o: PackedImages(str(Path(there) / "packed"), "train", SIZE, True, o) for o in OUTPUTS}
            files = sorted((folder / "train").rglob("*.JPEG"))
            for _ in range(rounds):
                decoded = timed("folder: open, decode (Pillow)", default_loader, files)
                tensors = timed("folder: to tensor", v2.functional.pil_to_tensor, decoded)
                resized = timed("folder: crop, resize, flip", crop, tensors)
                timed("folder: to float, normalize", convert, resized)
                batches = {
                    o: timed(f"packed: {what}", sets[o].__getitems__, [range(images)])[0] for o, what in PARTS.items()
                }
                timed("packed, device: to float, normalize", finish, [batches["image"]])
                timed("packed, device: resize, flip, to float, normalize", finish, [batches["crop"]])
    finally:
        torch.set_num_threads(threads)
    return {name: round(min(values), 4) for name, values in out.items()}


def loader_wait(loader: Iterable[Any], step: Callable[[Any], object], synchronize: Callable[[], object]) -> float:
    """Return the share of the time, in percent, that the steps of one pass wait for their batches.

    The first batch, for which the workers start, is left out.
    """
    waited = busy = 0.0
    iterator, first = iter(loader), True
    while True:
        asked = time.perf_counter()
        batch = next(iterator, None)
        got = time.perf_counter()
        if batch is None:
            return 100 * waited / (waited + busy)
        step(batch)
        synchronize()
        if not first:
            waited, busy = waited + got - asked, busy + time.perf_counter() - got
        first = False


def gpu_waits(
    bencher: Any, batch: int, workers: int, steps: int = 40, images: int = 512, source: Path | None = None
) -> dict[str, float]:
    """Return every pipeline's loader wait in percent of a training step on a GPU.

    bencher: of pipelines.bench, whose network trains. The generated images are drawn again and again.
    """
    device = bencher.device
    finish = PackedPreprocessor(SIZE).to(device)

    def step(data: dict[str, Any]) -> None:
        labels: Tensor = data["data_samples"].to(device, non_blocking=True)
        on_device = data["inputs"].dtype == torch.float32
        bencher.images = data["inputs"].to(device, non_blocking=True) if on_device else finish(data)["inputs"]
        bencher.labels = labels
        bencher.train_step()

    out = {}
    with tempfile.TemporaryDirectory(prefix="micronet-bench-") as there:
        folder = photos.draw_folder(Path(there) / "folder", photos.photographs(source), images, BATCH // 4)
        pack.pack(folder, Path(there) / "packed", jobs=workers)
        for name, (dataset, collate) in pipelines(folder, Path(there) / "packed").items():
            loader = DataLoader(
                dataset, batch, sampler=RandomSampler(dataset, replacement=True, num_samples=batch * steps),
                num_workers=workers, collate_fn=collate, pin_memory=True, drop_last=True,
            )  # fmt: skip
            out[name] = round(loader_wait(loader, step, torch.cuda.synchronize), 2)
    return out


def ratios(rates: dict[str, float]) -> dict[str, float]:
    """Return the packed pipelines' rates over the folder's, by the names that the bench files."""
    return {f"input, {NAMES[o]}": round(rates[o] / rates[FOLDER], 3) for o in OUTPUTS}


def input_ratios(rounds: int, source: Path | None = None) -> dict[str, float]:
    """Return the ratios for pipelines.bench, on the photographs of `source` or scikit-learn's."""
    return ratios(measure(rounds, 2 * BATCH * min(rounds + 1, 4), source))


def show(rates: dict[str, float], parts: dict[str, float]) -> str:
    """Return the figures as a table."""
    lines = [f"{'images per core-second':>24} {'/ folder':>9}"]
    lines += [f"{value:>24.0f} {value / rates[FOLDER]:>9.2f} {name}" for name, value in rates.items()]
    lines += [f"{'CPU ms an image':>24}"]
    lines += [f"{value:>24.3f} {name}" for name, value in parts.items()]
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure the image folder against the packed set.")
    parser.add_argument("--rounds", type=int, default=5, help="measured rounds (default 5)")
    parser.add_argument("--images", type=int, default=8 * BATCH, help=f"generated images (default {8 * BATCH})")
    parser.add_argument(
        "--photos", type=Path, help="folder of JPEGs to make the images of; default: scikit-learn's two"
    )
    parser.add_argument("--row", default="t2_micronet_m0", help="row whose step the loader must keep up with (GPU)")
    parser.add_argument("--batch-size", type=int, default=512, help="of that step (default 512)")
    parser.add_argument("--workers", type=int, default=min(8, os.cpu_count() or 1), help="for that step")
    args = parser.parse_args(argv)
    if args.rounds < 1 or args.images < 2 * BATCH:
        raise PipelineError(f"--rounds must be at least 1 and --images at least {2 * BATCH}")
    if args.photos and not any(args.photos.rglob("*.jpg")):
        raise PipelineError(f"{args.photos}: holds no .jpg; give a folder of photographs")
    print(show(measure(args.rounds, args.images, args.photos), breakdown(args.rounds, source=args.photos)))
    if torch.cuda.is_available():
        from pipelines.bench import Bencher

        bencher = Bencher(args.row, args.batch_size, torch.device("cuda"))
        for name, percent in gpu_waits(bencher, args.batch_size, args.workers, source=args.photos).items():
            print(f"{percent:>23.1f} % of a step waits for the loader: {name}, {args.workers} workers")
    return 0


if __name__ == "__main__":
    raise SystemExit(guard(main))
