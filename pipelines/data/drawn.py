"""What the drawn sets share: portable arithmetic, a folder replaced only when whole, its pin, and the command line.

A set is the same byte for byte on every CPU, so whatever reaches a pixel or an annotation is drawn and computed in
integers: library code picks its floating-point kernels by the CPU (OpenCV's resize does, libm's sin, NumPy's exp), and
compilers fuse a multiplication and an addition on some. What OpenCV draws is drawn at integer coordinates, on uint8.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from pipelines.common import ROOT, PipelineError, load_params, section


def noise(rng: np.random.Generator, spread: int, shape: int | tuple[int, ...]) -> np.ndarray:
    """Draw bell-shaped integers (int16) about 0: each the sum of three even ones, a standard deviation of spread + 0.5.

    No more than 3 * spread from 0. Stands in for Generator.normal, whose values are floating-point.
    """
    shape = (shape,) if isinstance(shape, int) else shape
    return rng.integers(-spread, spread + 1, (3, *shape), np.int16).sum(0, np.int16)


def byte(values: np.ndarray) -> np.ndarray:
    """Return integers cut to 0..255 as uint8, laid out in rows as OpenCV wants them."""
    return np.ascontiguousarray(np.clip(values, 0, 255), np.uint8)


def enlarge(grid: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return a grid (h, w, C) of 0..255 interpolated linearly to (height, width, C) int32, rounded down.

    Up to two million pixels. Pixel centres correspond and borders are held, as in OpenCV's floating-point resize.
    """

    def places(few: int, many: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        centres = (2 * np.arange(many, dtype=np.int32) + 1) * few - many  # in 1 / (2 many) of a cell
        at = np.clip(centres, 0, 2 * many * (few - 1))
        low = at // (2 * many)
        return low, np.minimum(low + 1, few - 1), at % (2 * many)

    grid = grid.astype(np.int32)
    top, bottom, y = places(grid.shape[0], height)
    left, right, x = places(grid.shape[1], width)
    y, x = y[:, None, None], x[:, None]
    tall = grid[top] * (2 * height - y) + grid[bottom] * y
    return (tall[:, left] * (2 * width - x) + tall[:, right] * x) // (4 * height * width)


class Generate(Protocol):
    """Write a set of so many images by a seed; returns its pin."""

    def __call__(self, folder: Path, train: int, val: int, seed: int, pin: str | None = None) -> str: ...


def write_set(
    folder: Path, name: str, things: str, images: dict[str, int], pin: str | None, fill: Callable[[Path, Any], None]
) -> str:
    """Let `fill(partial folder, sha256)` write a set, then put it in `folder`'s place; returns the digest.

    name: the set's key under params.yaml's data; things: what is drawn, for the message. Raises PipelineError where
    `folder` is no generated set, or a pin is given and the set is not the pinned one; the old set stays whole.
    """
    if folder.exists() and not (folder / "manifest.json").is_file() and any(folder.iterdir()):
        raise PipelineError(f"{folder}: exists and is no generated set; name another folder or remove it")
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    digest = hashlib.sha256()
    fill(partial, digest)
    found = digest.hexdigest()
    if pin is not None and found != pin:
        raise PipelineError(
            f"params.yaml: data.{name}.pin is {pin[:12]}…, but the drawn {things} hash to {found[:12]}…: install the "
            "locked OpenCV and numpy, or set the pin if the change is meant"
        )
    manifest = {"schema": 1, "name": name, "pin": found, "images": images}
    (partial / "manifest.json").write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n")
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
    return found


def draw_tiny(root: Path, classes: int = 10, train: int = 4, val: int = 2, seed: int = 0) -> Path:
    """Write a tiny folder of exactly ILSVRC2012's layout, its images coloured noise of several sizes; returns it."""
    from PIL import Image

    rng = np.random.default_rng(seed)
    number = 0
    for c in range(classes):
        wnid = f"n{1440764 + 7919 * c:08d}"
        for split, many in (("train", train), ("val", val)):
            (root / split / wnid).mkdir(parents=True, exist_ok=True)
            for i in range(many):
                number += 1
                name = f"{wnid}_{i}.JPEG" if split == "train" else f"ILSVRC2012_val_{number:08d}.JPEG"
                h, w = (int(v) for v in rng.integers(120, 300, 2))
                small = byte(255 * (c + 1) // (classes + 1) + noise(rng, 40, (8, 8, 3)))
                Image.fromarray(byte(enlarge(small, h, w))).save(root / split / wnid / name, "JPEG")
    return root


def run(name: str, description: str, generate: Generate, argv: list[str] | None = None) -> int:
    """Draw the pinned set into data/NAME, or any other where the command line says so."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("folder", nargs="?", type=Path, help=f"default: data/{name}, checked against its pin")
    parser.add_argument("--train", type=int, help="training images")
    parser.add_argument("--val", type=int, help="validation images")
    parser.add_argument("--seed", type=int)
    args = parser.parse_args(argv)
    params = load_params()
    known = {key: section(params, "data", name, key) for key in ("train", "val", "seed", "pin")}
    asked = {key: getattr(args, key) for key in ("train", "val", "seed")}
    settings = {key: known[key] if value is None else value for key, value in asked.items()}
    pin = known["pin"] if all(v is None for v in asked.values()) else None
    folder = args.folder or ROOT / f"data/{name}"
    generate(folder, **settings, pin=pin)
    print(f"{folder}: {settings['train']} training and {settings['val']} validation images")
    return 0
