"""Measure the input pipelines side by side: the image folder against the packed set (part of `make bench`).

python -m pipelines bench_input [--rounds 7] [--images 512] [--photos FOLDER]

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
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset, RandomSampler
from torchvision.datasets.folder import default_loader
from torchvision.transforms import v2
from tqdm import tqdm

from pipelines.bench.networks import Bencher
from pipelines.common import PipelineError, guard
from pipelines.data import photos
from pipelines.data.imagenet import ImageNetFolder, mixup_collate
from pipelines.data.images import MEAN, STD
from pipelines.packed import pack
from pipelines.packed.reader import OUTPUTS, PackedImages, PackedPreprocessor, batched

#: A batch is the recipe's 512 as eight processes share it.
SIZE, BATCH, PARTS_IMAGES = 224, 64, 48
#: The step that a GPU's loader must keep up with: the smallest MicroNet's, at the paper's batch.
WAIT_ROW, WAIT_BATCH = "t2_micronet_m0", 512
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
        dataset,
        BATCH,
        shuffle=True,
        num_workers=workers,
        collate_fn=Stamp(collate),
        drop_last=True,
        prefetch_factor=len(dataset) // BATCH,
    )
    stamps = [batch["cpu"] for batch in loader]
    if len(stamps) < 2 or stamps[-1] <= stamps[0]:
        raise PipelineError(f"{len(dataset)} images are too few to measure; give --images {2 * BATCH} or more")
    return BATCH * (len(stamps) - 1) / (stamps[-1] - stamps[0])


@contextmanager
def drawn(images: int, source: Path | None, jobs: int = 1) -> Iterator[tuple[Path, Path]]:
    """Hold a folder of generated images and the set packed of it."""
    with tempfile.TemporaryDirectory(prefix="micronet-bench-") as there:
        folder, packed = Path(there) / "folder", Path(there) / "packed"
        photos.draw_folder(folder, photos.photographs(source), images, val=4)
        pack.pack(folder, packed, jobs=jobs)
        yield folder, packed


def rates(folder: Path, packed: Path, rounds: int) -> dict[str, float]:
    """Return every pipeline's median images per core-second; all take turns."""
    found = pipelines(folder, packed)
    out: dict[str, list[float]] = {name: [] for name in found}
    for _ in tqdm(range(rounds), unit="round", file=sys.stderr, disable=None):
        for name, (dataset, collate) in found.items():
            out[name].append(rate(dataset, collate))
    return {name: round(statistics.median(values), 1) for name, values in out.items()}


def breakdown(folder: Path, packed: Path, rounds: int) -> dict[str, float]:
    """Return CPU milliseconds an image of each part of both pipelines, in this process with one thread."""
    files = sorted((folder / "train").rglob("*.JPEG"))[:PARTS_IMAGES]
    out: dict[str, list[float]] = {}

    def timed(name: str, call: Callable[[Any], Any], items: list[Any]) -> list[Any]:
        started = time.process_time()
        done = [call(item) for item in items]
        out.setdefault(name, []).append(1000 * (time.process_time() - started) / len(files))
        return done

    crop = v2.Compose([v2.RandomResizedCrop(SIZE, antialias=True), v2.RandomHorizontalFlip()])
    convert = v2.Compose([v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)])
    sets = {output: PackedImages(str(packed), "train", SIZE, True, output) for output in OUTPUTS}
    finish = PackedPreprocessor(SIZE)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for _ in range(rounds):
            decoded = timed("folder: open, decode", default_loader, files)
            tensors = timed("folder: to tensor", v2.functional.pil_to_tensor, decoded)
            resized = timed("folder: crop, resize, flip", crop, tensors)
            timed("folder: to float, normalize", convert, resized)
            batches = {}
            for output, what in PARTS.items():
                batches[output] = timed(f"packed: {what}", sets[output].__getitems__, [range(len(files))])[0]
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


def waits(folder: Path, packed: Path, bencher: Any, workers: int, steps: int = 40) -> dict[str, float]:
    """Return every pipeline's loader wait in percent of a training step on the bencher's device.

    bencher: whose network trains. The images are drawn again and again.
    """
    device = bencher.device
    finish = PackedPreprocessor(SIZE).to(device)

    def step(data: dict[str, Any]) -> None:
        done = data if data["inputs"].dtype == torch.float32 else finish(data)
        bencher.images = done["inputs"].to(device, non_blocking=True)
        bencher.labels = done["data_samples"].to(device, non_blocking=True)
        bencher.train_step()

    cuda = device.type == "cuda"
    out = {}
    for name, (dataset, collate) in pipelines(folder, packed).items():
        loader = DataLoader(
            dataset,
            bencher.batch,
            sampler=RandomSampler(dataset, True, bencher.batch * steps),
            num_workers=workers,
            collate_fn=collate,
            pin_memory=cuda,
            drop_last=True,
        )
        out[name] = round(loader_wait(loader, step, torch.cuda.synchronize if cuda else lambda: None), 2)
    return out


def figures(rounds: int, source: Path | None = None, images: int | None = None) -> dict[str, Any]:
    """Return what the bench files of the input pipelines, all on generated images of the photographs of `source`."""
    with drawn(images or BATCH * min(rounds + 1, 8), source) as (folder, packed):
        return {
            "images_per_core_second": rates(folder, packed, rounds),
            "cpu_ms": breakdown(folder, packed, rounds),
            "loader_wait_percent": None,
        }


def gpu_figures(bencher: Any, workers: int, source: Path | None = None) -> dict[str, float]:
    """Return the loader waits on a GPU, each by `workers` processes on 512 generated images."""
    with drawn(512, source, jobs=workers) as (folder, packed):
        return waits(folder, packed, bencher, workers)


def ratios(found: dict[str, Any], of: str = "") -> dict[str, float]:
    """Return the packed pipelines' rates over the folder's, by the names that the bench files."""
    per_second = found["images_per_core_second"]
    return {f"input{of}, {NAMES[o]}": round(per_second[o] / per_second[FOLDER], 3) for o in OUTPUTS}


def section(rounds: int, device: torch.device) -> tuple[dict[str, float], dict[str, Any]]:
    """Return pipelines.bench.run's ratios and `input` figures, and print them.

    Where MICRONET_PHOTOS names a folder or zip file of photographs, the ratios on these are added.
    """
    found = figures(rounds)
    out = ratios(found)
    given = os.environ.get("MICRONET_PHOTOS")
    real = Path(given) if given else None
    if real is not None:
        out |= ratios(figures(rounds, real), f" ({real.stem.replace('_', ' ')})")
    if device.type == "cuda":
        workers = min(8, os.cpu_count() or 1)
        found["loader_wait_percent"] = gpu_figures(Bencher(WAIT_ROW, WAIT_BATCH, device), workers, real)
    print(show(found))
    return out, found


def show(found: dict[str, Any]) -> str:
    """Return the figures as a table."""
    per_second = found["images_per_core_second"]
    lines = [f"{'images per core-second':>26} {'/ folder':>9}"]
    lines += [f"{value:>26.0f} {value / per_second[FOLDER]:>9.2f} input: {name}" for name, value in per_second.items()]
    lines += [f"{'CPU ms an image':>26}"]
    lines += [f"{value:>26.3f} {name}" for name, value in found["cpu_ms"].items()]
    for name, percent in (found["loader_wait_percent"] or {}).items():
        lines.append(f"{percent:>24.1f} % of a step of {WAIT_ROW}, batch {WAIT_BATCH}, waits for the loader: {name}")
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure the image folder against the packed set.")
    parser.add_argument("--rounds", type=int, default=7, help="measured rounds (default 7)")
    parser.add_argument("--images", type=int, default=8 * BATCH, help=f"generated images (default {8 * BATCH})")
    parser.add_argument("--photos", type=Path, help="folder or zip file of JPEGs; default: scikit-learn's two")
    args = parser.parse_args(argv)
    if args.rounds < 1 or args.images < 2 * BATCH:
        raise PipelineError(f"--rounds must be at least 1 and --images at least {2 * BATCH}")
    found = figures(args.rounds, args.photos, args.images)
    if torch.cuda.is_available():
        bencher = Bencher(WAIT_ROW, WAIT_BATCH, torch.device("cuda"))
        found["loader_wait_percent"] = gpu_figures(bencher, min(8, os.cpu_count() or 1), args.photos)
    print(show(found))
    return 0


if __name__ == "__main__":
    raise SystemExit(guard(main))
