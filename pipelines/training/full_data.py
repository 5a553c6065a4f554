"""The images of a full-size run: a folder in ILSVRC2012's layout, or a packed set, told apart by its manifest."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from pipelines.common import ROOT, PipelineError
from pipelines.data import imagenet
from pipelines.data.folders import data_root
from pipelines.packed import reader as packed
from pipelines.packed.format import check_files, is_packed, read_manifest
from pipelines.packed.pack import pack  # noqa: F401  for a dry run
from registry.inputs.files import folders_in


def class_count(root: Path) -> int:
    """Return the number of classes of an image folder or a packed set."""
    if is_packed(root):
        return len(read_manifest(root).classes)
    return len(folders_in(root / "train"))


def dataset(root: Path, split: str, size: int, mixup: float, classes: int, output: str) -> dict[str, Any]:
    """Return a dataloader's `dataset` and `collate_fn`; output: what workers put out of a packed set."""
    train = split == "train"
    if is_packed(root):
        found = {"type": "PackedImages", "root": str(root), "split": split, "output": output}
        collate: dict[str, Any] = {"type": "batched"}
    else:
        found = {"type": "ImageNetFolder", "root": str(root / split)}
        collate = {"type": "mixup_collate", "alpha": mixup, "classes": classes}
    return {"dataset": {**found, "size": size, "train": train}, "collate_fn": collate}


def check_layout(root: Path) -> None:
    """Check what a dry run reads. Raises PipelineError naming a file or folder that is missing."""
    if is_packed(root):
        check_files(root, read_manifest(root))
    else:
        imagenet.count(root)


def checked(options: argparse.Namespace) -> tuple[Path, str]:
    """Return the images' folder, plain or packed, and the sha256 of the verified ImageNet that it is or is made of.

    Raises PipelineError before any training.
    """
    default = ROOT / "data/imagenet_packed" if options.packed else os.environ.get("IMAGENET_ROOT")
    root = data_root(options.data or default or ROOT / "data/imagenet")
    if options.packed or is_packed(root):
        return root, packed.check_packed(root, ROOT)[0]
    if (options.decode, options.resize) != ("workers", "workers"):
        raise PipelineError(f"{root}: --decode and --resize need a packed set; pack it (python -m pipelines pack)")
    return root, imagenet.check_verified(root, ROOT)


def packed_arguments(options: argparse.Namespace, packed_set: bool) -> str:
    """Return what a command adds to read a packed set as `options` say."""
    return f" --packed --decode {options.decode} --resize {options.resize}" if packed_set else ""
