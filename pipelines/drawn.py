"""What the drawn sets share: a folder replaced only when whole, held to its pin, and the command line."""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from pipelines.common import ROOT, PipelineError, load_params, section


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
