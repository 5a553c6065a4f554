"""Cityscapes' layout checked before a framework reads it: one clear line for what is missing or malformed."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from registry.dense.errors import DataError

IMAGE, LABEL, LABEL_IDS = "_leftImg8bit.png", "_gtFine_labelTrainIds.png", "_gtFine_labelIds.png"
IGNORE = 255
CLASSES = 19
#: Cityscapes' label ids that are evaluated, in the order of their train ids; every other id up to 33 is ignored.
EVALUATED_IDS = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
TRY_WITHOUT = "to try without it, run `python -m pipelines.streets data/streets` and set CITYSCAPES_ROOT=data/streets"


def pairs(images: str | Path, labels: str | Path) -> list[tuple[Path, Path]]:
    """Return a split's (image, train-id label) files, sorted. Raises DataError naming what is missing and the mend."""
    images, labels = Path(images), Path(labels)
    if not images.is_dir():
        raise DataError(
            f"error: {images}: no such folder. Put Cityscapes there (leftImg8bit/ and gtFine/ with train/ and val/) or "
            f"set CITYSCAPES_ROOT to its folder; {TRY_WITHOUT}"
        )
    found = sorted(images.rglob(f"*{IMAGE}"))
    if not found:
        raise DataError(f"error: {images}: holds no *{IMAGE}; unpack leftImg8bit_trainvaltest.zip there")
    out = []
    for image in found:
        label = labels / image.relative_to(images).with_name(image.name.removesuffix(IMAGE) + LABEL)
        if not label.is_file():
            ids = label.with_name(label.name.removesuffix(LABEL) + LABEL_IDS)
            mend = (
                "make the train ids: `python -m pipelines.cityscapes` with the data's folder"
                if ids.is_file()
                else "unpack gtFine_trainvaltest.zip anew"
            )
            raise DataError(f"error: {label}: missing, though {image} is there; {mend}")
        out.append((image, label))
    names = {label for _, label in out}
    if stray := next((p for p in sorted(labels.rglob(f"*{LABEL}")) if p not in names), None):
        raise DataError(f"error: {stray}: a label without its image; unpack leftImg8bit_trainvaltest.zip anew")
    return out


def check_ids(label: np.ndarray, path: str | Path) -> None:
    """Check a label map (H, W) of train ids. Raises DataError naming the file and the first wrong id."""
    if label.ndim != 2:
        raise DataError(f"error: {path}: has shape {label.shape}, not one channel; it is no label file: make it anew")
    counts = np.bincount(label.ravel(), minlength=IGNORE + 1)
    counts[:CLASSES] = 0
    counts[IGNORE] = 0
    if counts.any():
        raise DataError(
            f"error: {path}: holds id {int(counts.argmax())}, but train ids are 0 to {CLASSES - 1} and {IGNORE}; "
            "make the labels anew from gtFine"
        )


def unreadable(path: str | Path, error: Exception) -> DataError:
    """Return the error for a file that cannot be decoded."""
    return DataError(f"error: {path}: cannot be read as an image ({error}); unpack it anew")
