"""The images of an ImageNet run: a folder in ILSVRC2012's layout, or a packed set, told apart by its manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipelines.data import imagenet
from pipelines.packed import reader as packed
from pipelines.packed.format import check_files, is_packed, read_manifest
from registry.inputs.files import folders_in


def class_count(root: Path) -> int:
    """Return the number of classes of an image folder or a packed set."""
    if is_packed(root):
        return len(read_manifest(root).classes)
    return len(folders_in(root / "train"))


def read_packed(config: Any, root: Path, settings: dict[str, Any], output: str) -> None:
    """Let a config read a packed set: workers put out `output`, the rest of the augmentation runs on the device."""
    for name, split in (("train_dataloader", "train"), ("val_dataloader", "val"), ("test_dataloader", "val")):
        train = split == "train"
        loader = config[name]
        loader.pop("dataset")
        loader.pop("collate_fn")
        loader.update(
            dataset={
                "type": "PackedImages",
                "root": str(root),
                "split": split,
                "size": settings["image_size"],
                "train": train,
                "output": output if train else "image",
            },
            collate_fn={"type": "batched"},
        )
    config.model.pop("data_preprocessor", None)
    config.model["data_preprocessor"] = {
        "type": "PackedPreprocessor",
        "size": settings["image_size"],
        "mixup": settings["mixup"],
        "classes": class_count(root),
    }


def check_layout(root: Path) -> None:
    """Check what a dry run reads. Raises PipelineError naming a file or folder that is missing."""
    if is_packed(root):
        check_files(root, read_manifest(root))
    else:
        imagenet.count(root)


__all__ = ["check_layout", "class_count", "is_packed", "packed", "read_packed"]
