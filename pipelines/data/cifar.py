"""CIFAR-10 for the proxy profile: found, checked against its pin, and packed into one file.

python -m pipelines cifar [--source FOLDER]

FOLDER is an ImageFolder (train/CLASS/*, test/CLASS/*, lossless); without it torchvision downloads the set. The pin is
over pixels and labels, so that both give the same file.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import zipfile
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from evidence.io import write_bytes_atomic
from pipelines.common import ROOT, PipelineError, guard, load_params, section

PACKED = Path("data/cifar10.npz")
COUNTS = {"train": 50_000, "test": 10_000}
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
Split = tuple[np.ndarray, np.ndarray]


def sort_split(images: np.ndarray, labels: np.ndarray) -> tuple[Split, str]:
    """Return images (N, 32, 32, 3) and labels in the order of their hashes, and the sha256 over all of those."""
    keys = [
        hashlib.sha256(bytes([label]) + image.tobytes()).digest() for image, label in zip(images, labels, strict=True)
    ]
    order = sorted(range(len(keys)), key=keys.__getitem__)
    digest = hashlib.sha256(b"".join(keys[i] for i in order)).hexdigest()
    return (images[order], labels[order]), digest


def _folder(root: Path, split: str) -> Split:
    from pipelines.data.folders import ImageFolder

    found = ImageFolder(root / split, "name an image folder with train/ and test/, or unpack it anew")
    if tuple(found.classes) != CLASSES:
        raise PipelineError(f"{root / split}: classes {found.classes}, not CIFAR-10's {list(CLASSES)}")
    images = []
    for i, (path, _) in enumerate(found.samples):
        image = np.asarray(found[i][0])
        if image.shape != (32, 32, 3):
            raise PipelineError(f"{path}: is {image.shape[1]} x {image.shape[0]}, not 32 x 32; unpack it anew")
        images.append(image)
    return np.stack(images), np.array(found.targets, np.uint8)


def _downloaded(root: Path, split: str) -> Split:
    from torchvision.datasets import CIFAR10

    try:
        found = CIFAR10(str(root), train=split == "train", download=True)
    except (OSError, RuntimeError) as error:
        raise PipelineError(
            f"{root}: torchvision cannot fetch CIFAR-10 ({str(error).splitlines()[0]}); download it elsewhere and run "
            "`python -m pipelines cifar --source FOLDER`"
        ) from None
    return found.data, np.array(found.targets, np.uint8)


def pack(source: Path | None, target: Path, pin: str) -> str:
    """Write the packed set to `target`, atomically; returns its pin.

    Raises PipelineError where counts or pixels are not the pinned ones.
    """
    arrays: dict[str, Any] = {}
    digests = []
    for split, count in COUNTS.items():
        images, labels = _folder(source, split) if source else _downloaded(ROOT / "data/cifar10", split)
        if len(images) != count:
            raise PipelineError(f"{source or 'CIFAR-10'}: {len(images)} {split} images, not {count}; unpack it anew")
        (images, labels), digest = sort_split(images, labels)
        arrays |= {f"{split}_images": images, f"{split}_labels": labels}
        digests.append(digest)
    found = hashlib.sha256("".join(digests).encode()).hexdigest()
    if found != pin:
        raise PipelineError(f"{source or 'CIFAR-10'}: its pixels hash to {found[:12]}…, params.yaml pins {pin[:12]}…")
    buffer = io.BytesIO()
    np.savez(buffer, pin=np.array(found), **arrays)
    write_bytes_atomic(target, buffer.getvalue())
    return found


def load(path: Path, names: Collection[str]) -> tuple[dict[str, np.ndarray], str]:
    """Return named arrays of the packed set and its pin. Raises PipelineError where it is missing or damaged."""
    try:
        with np.load(path, allow_pickle=False) as data:
            return {name: data[name] for name in names}, str(data["pin"])
    except FileNotFoundError:
        raise PipelineError(
            f"{path}: missing; make it by `python -m pipelines cifar` (downloads) or "
            "`python -m pipelines cifar --source FOLDER`"
        ) from None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise PipelineError(f"{path}: damaged ({error}); delete it and run `python -m pipelines cifar`") from None


def main(argv: list[str] | None = None) -> int:
    """Pack CIFAR-10."""
    parser = argparse.ArgumentParser(description="Check CIFAR-10 against its pin and pack it.")
    parser.add_argument("--source", type=Path, help="an ImageFolder; default: torchvision's download")
    args = parser.parse_args(argv)
    source = args.source and args.source.expanduser()
    pack(source, ROOT / PACKED, section(load_params(), "proxy", "pin"))
    print(f"{PACKED}: {COUNTS['train']} training and {COUNTS['test']} test images, as pinned")
    return 0


if __name__ == "__main__":
    raise SystemExit(guard(main))
