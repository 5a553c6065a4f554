"""Compare libraries for the input pipeline on the same images: whole loaders, and decoders alone.

python -m studies.compare_input [--photos FOLDER_OR_ZIP] [--rounds 3] [--out results/input/libraries.json]

What is not installed is skipped and said so; what an earlier run measured elsewhere stays in the file, with its
versions. Every loader is read in this process with one thread, in an order drawn anew each round where it can be, and
measured in images per CPU second against the image folder of the same run. `size_mb` is what the library's own
distribution and those that come with it alone add to this project's environment.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import json
import os
import random
import statistics
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader
from torchvision.io import ImageReadMode, decode_jpeg
from torchvision.transforms import v2
from tqdm import tqdm

from papertally.evidence.io import write_json_atomic
from papertally.evidence.revision import code_revision
from pipelines.bench import input as bench_input
from pipelines.bench.input import BATCH, FOLDER, SIZE
from pipelines.common import ROOT, PipelineError, guard
from pipelines.packed import format as packed_format
from pipelines.packed import pack
from pipelines.packed.shard import libraries

#: Distributions that a library adds, and what importing it is called.
ADDS = {
    "pyarrow": ("pyarrow", ["pyarrow"]),
    "litdata": ("litdata", ["litdata", "lightning-utilities", "obstore", "tifffile"]),
    "webdataset": ("webdataset", ["webdataset", "braceexpand"]),
    "mosaicml-streaming": (
        "streaming",
        [
            "mosaicml-streaming",
            "transformers",
            "tokenizers",
            "oci",
            "google-cloud-storage",
            "azure-storage-blob",
        ],
    ),
    "DALI": (
        "nvidia.dali",
        [
            "nvidia-dali-cuda130",
            "nvidia-nvjpeg",
            "nvidia-nvimgcodec-cu13",
            "nvidia-nvjpeg2k-cu13",
            "nvidia-nvtiff-cu13",
            "nvidia-libnvcomp-cu13",
            "nvtx",
            "optree",
        ],
    ),
    "simplejpeg": ("simplejpeg", ["simplejpeg"]),
    "PyTurboJPEG": ("turbojpeg", ["PyTurboJPEG"]),
    "OpenCV": ("cv2", []),
}
Read = Callable[[], Iterator[Any]]
CROP = v2.Compose([v2.RandomResizedCrop(SIZE, antialias=True), v2.RandomHorizontalFlip()])


def present(name: str) -> bool:
    """Tell whether a library can be imported."""
    try:
        importlib.import_module(ADDS[name][0])
        return True
    except (ImportError, RuntimeError, OSError) as error:
        print(f"{name}: skipped ({type(error).__name__}: {str(error).splitlines()[0]})", file=sys.stderr)
        return False


def adds(name: str) -> dict[str, Any]:
    """Return a library's version and the megabytes that its distributions hold here."""
    total, version = 0, None
    for distribution in ADDS[name][1]:
        try:
            found = importlib.metadata.distribution(distribution)
        except importlib.metadata.PackageNotFoundError:
            continue
        version = version or found.version
        paths = [Path(str(found.locate_file(file))) for file in found.files or ()]
        total += sum(path.stat().st_size for path in paths if path.suffix != ".pyc" and path.is_file())
    return {"version": version, "size_mb": round(total / 1e6, 1)}


def train(data: bytes | np.ndarray) -> torch.Tensor:
    """Return a JPEG decoded whole, cropped, resized and flipped: what a container alone leaves to do."""
    return CROP(decode(data))


def decode(data: bytes | np.ndarray) -> torch.Tensor:
    """Return a JPEG's pixels (3, H, W) by torchvision."""
    return decode_jpeg(torch.from_numpy(np.frombuffer(data, np.uint8).copy()), ImageReadMode.RGB)


def arrow(files: list[bytes], there: Path) -> Read:
    """Write files as an Arrow IPC file and return a reader through its memory map."""
    import pyarrow as pa

    table = pa.table({"image": pa.array(files, pa.large_binary())})
    with pa.OSFile(str(there / "images.arrow"), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    column = pa.ipc.open_file(pa.memory_map(str(there / "images.arrow"))).read_all()["image"]
    return lambda: (np.frombuffer(column[i].as_buffer(), np.uint8) for i in order(len(files)))


def litdata(files: list[bytes], there: Path) -> Read:
    """Write files as litdata's chunks and return a reader."""
    from litdata import StreamingDataset
    from litdata.streaming.writer import BinaryWriter

    (there / "litdata").mkdir()
    writer = BinaryWriter(str(there / "litdata"), chunk_bytes=1 << 26)
    for i, file in enumerate(files):
        writer.add_item(i, file)
    writer.done()
    writer.merge()
    return lambda: iter(StreamingDataset(str(there / "litdata"), shuffle=True))


def webdataset(files: list[bytes], there: Path) -> Read:
    """Write files as one WebDataset tar and return a reader with a shuffle buffer."""
    import io

    import webdataset as wds

    with tarfile.open(there / "wds.tar", "w") as tar:
        for i, file in enumerate(files):
            member = tarfile.TarInfo(f"{i:06d}.jpg")
            member.size = len(file)
            tar.addfile(member, io.BytesIO(file))
    data = wds.WebDataset(str(there / "wds.tar"), shardshuffle=False).shuffle(1000)
    return lambda: (sample["jpg"] for sample in data)


def streaming(files: list[bytes], there: Path) -> Read:
    """Write files as MosaicML's shards and return a reader by index."""
    from streaming import LocalDataset, MDSWriter

    with MDSWriter(out=str(there / "mds"), columns={"image": "bytes"}, hashes=["sha1"]) as writer:
        for file in files:
            writer.write({"image": file})
    data = LocalDataset(str(there / "mds"))
    return lambda: (data[i]["image"] for i in order(len(files)))


def dali(folder: Path) -> Callable[[], Iterator[int]]:
    """Return a reader of a folder by DALI on the CPU: decoded by the crop, resized, flipped; yields images a batch."""
    from nvidia.dali import fn, pipeline_def, types

    @pipeline_def(batch_size=BATCH, num_threads=1, device_id=None, seed=0)
    def pipeline() -> Any:
        jpegs, labels = fn.readers.file(file_root=str(folder), random_shuffle=True)
        crop = fn.decoders.image_random_crop(
            jpegs, device="cpu", random_area=[0.08, 1.0], random_aspect_ratio=[0.75, 4 / 3]
        )
        crop = fn.resize(crop, size=[SIZE, SIZE], interp_type=types.INTERP_LINEAR, antialias=True)
        return fn.flip(crop, horizontal=fn.random.coin_flip()), labels

    built = pipeline()
    built.build()
    many = sum(1 for _ in folder.rglob("*.JPEG"))

    def read() -> Iterator[int]:
        for _ in range(many // BATCH):
            built.run()
            yield BATCH

    return read


def order(many: int) -> list[int]:
    """Return indices in a new random order."""
    return random.sample(range(many), many)


def loaders(folder: Path, packed: Path, there: Path) -> dict[str, Callable[[], Iterator[int]]]:
    """Return every loader at hand by name; each yields numbers of images as they are done."""
    images = packed_format.Images(packed, "train", packed_format.read_manifest(packed))
    files = [images[i][1].tobytes() for i in range(len(images))]

    def whole(read: Read) -> Callable[[], Iterator[int]]:
        def done() -> Iterator[int]:
            for data in read():
                train(data)
                yield 1

        return done

    def batches(dataset: Any, collate: Callable) -> Callable[[], Iterator[int]]:
        return lambda: (len(b["data_samples"]) for b in DataLoader(dataset, BATCH, shuffle=True, collate_fn=collate))

    found = {n: batches(*parts) for n, parts in bench_input.pipelines(folder, packed).items() if n in (FOLDER, "image")}
    out = {
        FOLDER: found[FOLDER],
        "ours, decoded by the crop": found["image"],
        "ours, decoded whole": whole(lambda: (images[i][1] for i in order(len(images)))),
    }
    makers = {"pyarrow": arrow, "litdata": litdata, "webdataset": webdataset, "mosaicml-streaming": streaming}
    for name, make in makers.items():
        if present(name):
            out[f"{name}, decoded whole"] = whole(make(files, there))
    if present("DALI"):
        try:
            out["DALI on the CPU, decoded by the crop, original files"] = dali(folder / "train")
            unpacked = there / "unpacked"
            for path in sorted((packed / "train").glob("*.tar")):
                with tarfile.open(path) as tar:
                    tar.extractall(unpacked, filter="data")
            out["DALI on the CPU, decoded by the crop, packed files"] = dali(unpacked / "train")
        except Exception as error:  # DALI raises RuntimeError and its own kinds
            print(f"DALI: skipped ({str(error).splitlines()[0]})", file=sys.stderr)
    return out


def decoders() -> dict[str, Callable[[bytes], Any]]:
    """Return decoders at hand by name, each from a JPEG's bytes to RGB pixels."""
    import io

    from PIL import Image

    out: dict[str, Callable[[bytes], Any]] = {
        "Pillow": lambda data: np.asarray(Image.open(io.BytesIO(data)).convert("RGB")),
        "torchvision": decode,
    }
    if present("OpenCV"):
        import cv2

        cv2.setNumThreads(1)
        out["OpenCV"] = lambda data: cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    if present("simplejpeg"):
        import simplejpeg

        out["simplejpeg"] = lambda data: simplejpeg.decode_jpeg(data, "RGB")
    if present("PyTurboJPEG"):
        import turbojpeg

        try:
            turbo = turbojpeg.TurboJPEG(os.environ.get("TURBOJPEG_LIBRARY"))
            out["PyTurboJPEG"] = lambda data: turbo.decode(data, pixel_format=turbojpeg.TJPF_RGB)
        except (RuntimeError, OSError) as error:  # it brings no library of its own
            print(f"PyTurboJPEG: skipped ({str(error).splitlines()[0]})", file=sys.stderr)
    return out


def measure(rounds: int, images: int, source: Path | None) -> dict[str, Any]:
    """Return loaders' images per CPU second and decoders' CPU milliseconds an image."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with bench_input.drawn(images, source) as (folder, packed), tempfile.TemporaryDirectory() as there:
            found = loaders(folder, packed, Path(there))
            rates: dict[str, list[float]] = {name: [] for name in found}
            for r in tqdm(range(rounds + 1), unit="round", file=sys.stderr, disable=None):
                for name, read in found.items():
                    started = time.process_time()
                    done = sum(read())
                    if r:  # the first warms up
                        rates[name].append(done / (time.process_time() - started))
            stored = packed_format.Images(packed, "train", packed_format.read_manifest(packed))
            files = [stored[i][1].tobytes() for i in range(len(stored))]
            at_hand = decoders()
            seconds: dict[str, list[float]] = {name: [] for name in at_hand}
            for _ in range(rounds + 1):
                for name, call in at_hand.items():
                    started = time.process_time()
                    for data in files:
                        call(data)
                    seconds[name].append((time.process_time() - started) / len(files))
    finally:
        torch.set_num_threads(threads)
    medians = {name: statistics.median(values) for name, values in rates.items()}
    return {
        "loaders": {
            n: {"images_per_core_second": round(v, 1), "to_folder": round(v / medians[FOLDER], 3)}
            for n, v in medians.items()
        },
        "decoders_ms": {name: round(1000 * statistics.median(values[1:]), 4) for name, values in seconds.items()},
        "adds": {name: adds(name) for name in ADDS if ADDS[name][1] and present(name)},
    }


def main(argv: list[str] | None = None) -> int:
    """Measure what is installed, print it and file it beside what earlier runs measured."""
    parser = argparse.ArgumentParser(description="Compare libraries for the input pipeline.")
    parser.add_argument("--photos", type=Path, help="folder or zip file of JPEGs; default: scikit-learn's two")
    parser.add_argument("--rounds", type=int, default=3, help="measured rounds (default 3)")
    parser.add_argument("--images", type=int, default=4 * BATCH, help=f"generated images (default {4 * BATCH})")
    parser.add_argument("--out", type=Path, default=ROOT / "results/input/libraries.json")
    args = parser.parse_args(argv)
    if args.rounds < 1 or args.images < BATCH:
        raise PipelineError(f"--rounds must be at least 1 and --images at least {BATCH}")
    found = measure(args.rounds, args.images, args.photos)
    try:
        before = json.loads(args.out.read_text("utf-8")) if args.out.is_file() else {}
    except ValueError as error:
        raise PipelineError(f"{args.out}: corrupt ({error}); delete it and measure anew") from None
    merged = {key: {**before.get(key, {}), **found[key]} for key in found}
    write_json_atomic(
        args.out,
        {
            "schema": 1,
            "kind": "input-libraries",
            **merged,
            "parameters": pack.DEFAULTS.model_dump(),
            "libraries": libraries(),
            "code_revision": code_revision(ROOT),
        },
    )
    for name, r in merged["loaders"].items():
        print(f"{r['images_per_core_second']:>8.0f} images per core-second, {r['to_folder']:>5.2f} x folder: {name}")
    for name, milliseconds in merged["decoders_ms"].items():
        print(f"{milliseconds:>8.3f} ms to decode a packed image whole: {name}")
    for name, r in merged["adds"].items():
        print(f"{r['size_mb']:>8.0f} MB: {name} {r['version']}")
    print(f"written: {args.out}")
    return 0


if __name__ == "__main__":
    raise SystemExit(guard(main))
