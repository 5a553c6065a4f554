"""Stage `data`: write scikit-learn's digits, real scans that its package embeds, as an image folder, and pin them.

python -m pipelines data
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pipelines import arguments
from pipelines.common import ROOT, PipelineError, guard, load_params, section

#: Of every class, each fifth image is for validation: fixed, balanced, and independent of any generator.
VAL_EVERY = 5


def pixels_pin(images: list[tuple[str, np.ndarray]]) -> str:
    """Return the sha256 over names and pixels (uint8): unlike a file's hash, free of the PNG encoder's version."""
    digest = hashlib.sha256()
    for name, image in sorted(images, key=lambda pair: pair[0]):
        digest.update(f"{name} {image.shape[0]}x{image.shape[1]}\n".encode())
        digest.update(np.ascontiguousarray(image, dtype=np.uint8).tobytes())
    return digest.hexdigest()


def digits() -> list[tuple[str, np.ndarray]]:
    """Return scikit-learn's 1,797 digits as (split/class/number.png, 8x8 uint8) pairs."""
    from sklearn.datasets import load_digits

    data = load_digits()
    seen = dict.fromkeys(range(10), 0)
    out = []
    for image, label in zip(data.images, data.target, strict=True):
        number, seen[int(label)] = seen[int(label)], seen[int(label)] + 1
        split = "val" if number % VAL_EVERY == 0 else "train"
        out.append((f"{split}/{label}/{number:03d}.png", np.round(image * (255 / 16)).astype(np.uint8)))
    return out


def write(folder: Path, images: list[tuple[str, np.ndarray]], pin: str) -> None:
    """Write the images and manifest.json to `folder`, replacing it only once all is written.

    Raises PipelineError where the images are not the pinned ones.
    """
    from PIL import Image

    found = pixels_pin(images)
    if found != pin:
        raise PipelineError(
            f"params.yaml: data.digits.pin is {pin[:12]}…, but scikit-learn's digits hash to {found[:12]}…: "
            "install the locked scikit-learn, or set the pin if the change is meant"
        )
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    for name, image in images:
        path = partial / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    counts = {s: sum(name.startswith(s + "/") for name, _ in images) for s in ("train", "val")}
    manifest = {"schema": 1, "name": "digits", "pin": pin, "images": counts}
    (partial / "manifest.json").write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n")
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)


def read_manifest(folder: Path) -> dict:
    """Return a data folder's manifest. Raises PipelineError where it is missing or corrupt."""
    path = folder / "manifest.json"
    try:
        manifest = json.loads(path.read_text("utf-8"))
        return {"name": str(manifest["name"]), "pin": str(manifest["pin"]), "images": dict(manifest["images"])}
    except OSError:
        raise PipelineError(f"{path}: missing; run `dvc repro data` to make the folder") from None
    except (ValueError, KeyError, TypeError) as error:
        raise PipelineError(f"{path}: corrupt ({error}); delete the folder and run `dvc repro data`") from None


def check_batch(settings: Mapping[str, Any], manifest: Mapping[str, Any]) -> None:
    """Raise PipelineError for a batch of more images than a set has, which would train nothing."""
    images = manifest["images"].get("train", 0)
    if settings["batch_size"] > images:
        raise PipelineError(
            f"params.yaml: batch_size {settings['batch_size']} is more than the {images} training images of "
            f"{manifest['name']}; lower it"
        )


def main(argv: list[str] | None = None) -> int:
    """Write data/digits."""
    arguments.digits().parse_args(argv)
    images = digits()
    write(ROOT / "data/digits", images, section(load_params(), "data", "digits", "pin"))
    print(f"data/digits: {len(images)} images")
    return 0


if __name__ == "__main__":
    raise SystemExit(guard(main))
