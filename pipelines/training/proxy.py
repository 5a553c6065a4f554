"""Stages of proxy/dvc.yaml: train one row with one seed on CIFAR-10 by the fixed protocol, and file its evidence.

python -m pipelines proxy --row t5_relu --seed 0

The protocol (params.yaml, proxy.train): whole images at their own 32 x 32, random crop with padding 4, flip, SGD with
momentum 0.9 and a cosine to 0, the row's own model with ten outputs, label smoothing and mixup off for every row. It
answers orderings between rows, never the paper's numbers. A CUDA device is used where there is one.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.registry import MODELS
from mmengine.runner import set_random_seed
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

import registry  # noqa: F401  registers the models
from pipelines.common import ROOT, PipelineError, guard, load_config, load_params, section
from pipelines.data.cifar import PACKED, load
from pipelines.training.filing import file_training
from pipelines.training.hooks import diverged
from pipelines.training.train import quiet

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
PADDING = 4


def normalized(images: np.ndarray, device: torch.device) -> Tensor:
    """Return uint8 images (N, 32, 32, 3) as normalized floats (N, 3, 32, 32)."""
    x = torch.from_numpy(images).to(device).permute(0, 3, 1, 2).float().div_(255)
    mean, std = (torch.tensor(v, device=device).view(1, 3, 1, 1) for v in (MEAN, STD))
    return x.sub_(mean).div_(std).contiguous()


def augment(x: Tensor, generator: torch.Generator) -> Tensor:
    """Crop each image of a batch (N, 3, H, W) at random after zero padding by 4, and flip half of them."""
    n, _, h, w = x.shape
    padded = F.pad(x, (PADDING,) * 4)
    top, left = (torch.randint(0, 2 * PADDING + 1, (n,), generator=generator).to(x.device) for _ in range(2))
    flip = (torch.rand(n, generator=generator) < 0.5).to(x.device)
    rows = top[:, None] + torch.arange(h, device=x.device)
    columns = left[:, None] + torch.arange(w, device=x.device)
    columns = torch.where(flip[:, None], columns.flip(1), columns)
    batch = torch.arange(n, device=x.device)[:, None, None]
    return padded.permute(0, 2, 3, 1)[batch, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2).contiguous()


def build(row: str, classes: int) -> nn.Module:
    """Return a row's model with `classes` outputs and plain cross entropy."""
    model = load_config(row).model
    model["head"]["classes"] = classes
    model.pop("label_smoothing", None)
    model = MODELS.build(model)
    model.init_weights()
    return model


def run(row: str, seed: int, data: dict[str, np.ndarray], settings: dict[str, Any]) -> tuple[dict[str, float], float]:
    """Train and test one row; returns top-1 and top-5 in percent and the seconds that training took."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    set_random_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    model = build(row, 10).to(device)
    images = normalized(data["train_images"], device)
    labels = torch.from_numpy(data["train_labels"].astype(np.int64)).to(device)
    size, epochs = settings["batch_size"], settings["epochs"]
    steps = len(images) // size
    if not steps:
        fault = f"batch_size {size} is more than the {len(images)} training images"
        raise PipelineError(f"params.yaml: proxy.train.{fault}; lower it")
    optimizer = torch.optim.SGD(
        model.parameters(), settings["lr"], momentum=0.9, weight_decay=settings["weight_decay"]
    )  # fmt: skip
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: 0.5 * (1 + math.cos(math.pi * step / (steps * epochs)))
    )
    started = time.monotonic()
    bar = tqdm(total=steps * epochs, desc=f"{row} seed {seed}", file=sys.stderr, mininterval=20)
    model.train()
    for epoch in range(1, epochs + 1):
        order = torch.randperm(len(images), generator=generator).to(device)
        for step in range(steps):
            chosen = order[step * size : (step + 1) * size]
            losses = model(augment(images[chosen], generator), labels[chosen], mode="loss")
            loss = sum(value for key, value in losses.items() if "loss" in key)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            bar.update()
        if not math.isfinite(last := float(loss.detach())):  # once lost, never finite again: a look an epoch will do
            bar.close()
            raise diverged(f"{row} seed {seed}", "loss", last, epoch, steps * epoch, "lower proxy.train.lr")
    bar.close()
    seconds = time.monotonic() - started
    return test(model, data, device), seconds


@torch.no_grad()
def test(model: nn.Module, data: dict[str, np.ndarray], device: torch.device) -> dict[str, float]:
    """Return top-1 and top-5 in percent on the test images. Raises PipelineError for scores that are not finite."""
    model.eval()
    images = normalized(data["test_images"], device)
    labels = torch.from_numpy(data["test_labels"].astype(np.int64)).to(device)
    hits = torch.zeros(2)
    for start in range(0, len(images), 500):
        logits = model(images[start : start + 500], mode="tensor")
        if not torch.isfinite(logits).all():
            raise PipelineError("training diverged: the scores are not finite; lower proxy.train.lr")
        best = logits.topk(5, dim=1).indices == labels[start : start + 500, None]
        hits += torch.stack([best[:, 0].sum(), best.sum()]).cpu()
    top1, top5 = (100 * hits / len(images)).tolist()
    return {"top1": round(top1, 6), "top5": round(top5, 6)}


def evidence_path(table: str, row: str, seed: int) -> Path:
    """Return where a run's evidence lies, relative to the root."""
    return Path("results/proxy") / table / f"{row}.s{seed}.json"


def main(argv: list[str] | None = None) -> int:
    """Train one row with one seed and write results/proxy/TABLE/ROW.sSEED.json."""
    parser = argparse.ArgumentParser(description="Train one row with one seed on CIFAR-10.")
    parser.add_argument("--row", required=True, help="row id, as in the ledger")
    parser.add_argument("--seed", required=True, type=int)
    args = parser.parse_args(argv)
    params = load_params()
    entry = section(params, "proxy", "rows").get(args.row)
    if entry is None:
        raise PipelineError(f"params.yaml: no row {args.row!r} under proxy.rows; add it")
    settings = dict(section(params, "proxy", "train"))
    data, pin = load(ROOT / PACKED)
    if pin != section(params, "proxy", "pin"):
        raise PipelineError(f"{PACKED}: its pin is not params.yaml's; run `python -m pipelines cifar` anew")
    torch.set_num_threads(settings["threads"])
    quiet()
    values, seconds = run(args.row, args.seed, data, settings)
    file_training(
        ROOT / evidence_path(entry["table"], args.row, args.seed), row=args.row, table=entry["table"], profile="proxy",
        seed=args.seed, values=values, stated={"train": settings}, data=(settings["data"], pin),
        epochs=settings["epochs"], seconds=round(seconds, 1),
        command=f"dvc repro proxy/dvc.yaml:table{entry['table']}@{args.row}-{args.seed}",
    )  # fmt: skip
    print(f"{args.row} seed {args.seed}: top1 {values['top1']:.2f} %, {seconds:.0f} s")
    return 0


if __name__ == "__main__":
    raise SystemExit(guard(main))
