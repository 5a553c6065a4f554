"""The images that a COCO file lists: each must be there and whole before training, and as large as stated."""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ..inputs.errors import DataError
from ..inputs.files import missing, shown
from ..inputs.images import file_fault, reason, sizes_of

#: Images whose size is compared before training; `python -m pipelines verify coco` compares all.
SIZES = 2000
AT_ONCE = 500


def check_images(annotations: str, folder: str, images: list[dict[str, Any]], every_size: bool = False) -> None:
    """Check that every listed image is there, whole by its first and last bytes, and of its stated size.

    every_size: compare all sizes, not a sample of SIZES. Raises DataError naming the first at fault.
    """
    if not Path(folder).is_dir():
        why = "no such image folder" if not Path(folder).is_symlink() else missing(Path(folder))
        raise DataError(f"error: {shown(folder)}: {why}; unpack the images of {shown(Path(annotations).name)} there")
    step = 1 if every_size else -(-len(images) // SIZES)

    def faults(start: int) -> list[tuple[int, str]]:
        found = []
        for i in range(start, min(start + AT_ONCE, len(images))):
            path = os.path.join(folder, images[i]["file_name"])
            fault = file_fault(path) or (_size_fault(path, images[i]) if i % step == 0 else None)
            if fault:
                found.append((i, fault))
        return found

    with ThreadPoolExecutor() as pool:
        parts: Iterable[list[tuple[int, str]]] = pool.map(faults, range(0, len(images), AT_ONCE))
        bad = [item for part in parts for item in part]
    if bad:
        i, fault = bad[0]
        more = f" ({len(bad)} such images)" if len(bad) > 1 else ""
        path = shown(os.path.join(folder, images[i]["file_name"]))
        raise DataError(
            f"error: {path}: {fault}{more}, though {shown(annotations)} lists it as images[{i}] "
            f"(id {images[i]['id']}); unpack the images anew"
        )


def _size_fault(path: str, image: dict[str, Any]) -> str | None:
    try:
        sizes = sizes_of(path)
    except Exception as error:  # a damaged header or EXIF block raises nearly every kind
        return f"cannot be read as an image ({reason(error)})"
    stated = (image["width"], image["height"])
    if stated in sizes:
        return None
    width, height = sorted(sizes)[0]
    return f"is {width} x {height}, not {stated[0]} x {stated[1]}"
