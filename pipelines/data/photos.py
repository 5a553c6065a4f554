"""Image folders of photographs in ImageNet's sizes, to measure input pipelines on: made, since ImageNet is not free.

The photographs are the two that scikit-learn holds, or those of a folder. Sizes and qualities are drawn so that the
means come near ILSVRC2012's training set, 469 x 387 pixels and 108 KB a file (here 473 x 404, 98 to 105 KB).
"""

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from pipelines.common import PipelineError

#: Common sizes, and how often each is drawn; the rest are smaller or larger.
COMMON = {(500, 375): 34, (500, 333): 23, (375, 500): 12, (333, 500): 6}
SMALLER, LARGER = (150, 400), (600, 1000)
QUALITIES = (94, 96, 97, 98, 99)


def photographs(source: Path | None = None) -> list[Image.Image]:
    """Return photographs: the JPEGs of a folder or a zip file, or scikit-learn's two. Raises PipelineError for none."""
    if source is None:
        from sklearn.datasets import load_sample_images

        return [Image.fromarray(array) for array in load_sample_images().images]
    try:
        if source.is_dir():
            found = [path.read_bytes() for path in sorted(source.rglob("*.jpg"))]
        else:
            with zipfile.ZipFile(source) as archive:
                found = [archive.read(name) for name in sorted(archive.namelist()) if name.endswith(".jpg")]
        images = [Image.open(io.BytesIO(content)).convert("RGB") for content in found]
    except (OSError, zipfile.BadZipFile) as error:
        raise PipelineError(f"{source}: cannot be read ({error}); give a folder or a zip file of JPEGs") from None
    if not images:
        raise PipelineError(f"{source}: holds no .jpg; give a folder or a zip file of JPEGs")
    return images


def size(rng: random.Random) -> tuple[int, int]:
    """Draw a width and a height."""
    kind = rng.random()
    if kind < 0.75:
        return rng.choices(list(COMMON), list(COMMON.values()))[0]
    low, high = SMALLER if kind < 0.88 else LARGER
    long = rng.uniform(low, high)
    shape = (round(long), round(long * rng.choice((0.67, 0.75, 0.75, 1.0))))
    return shape if rng.random() < 0.8 else shape[::-1]


def draw(photo: Image.Image, rng: random.Random) -> bytes:
    """Return a JPEG (4:2:0) of a random part of a photograph, mirrored or not, in a drawn size."""
    width, height = size(rng)
    scale = min(photo.width / width, photo.height / height) * rng.uniform(0.8, 1.0)
    w, h = scale * width, scale * height
    left, top = rng.uniform(0, photo.width - w), rng.uniform(0, photo.height - h)
    box = (left, top, left + w, top + h)
    image = photo.resize((width, height), Image.Resampling.LANCZOS, box=box)
    if rng.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=rng.choice(QUALITIES), subsampling="4:2:0")
    return file.getvalue()


def draw_folder(
    root: Path, photos: Sequence[Image.Image], train: int, val: int, classes: int = 4, seed: int = 0
) -> Path:
    """Write root/train and root/val in ILSVRC2012's layout; the same arguments give the same files. Returns root."""
    rng = random.Random(seed)
    for split, many in (("train", train), ("val", val)):
        for i in range(many):
            folder = root / split / f"n{1440764 + i % classes:08d}"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{folder.name}_{i}.JPEG").write_bytes(draw(photos[i % len(photos)], rng))
    return root
