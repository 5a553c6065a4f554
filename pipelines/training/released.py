"""Evaluate a released checkpoint on ImageNet's validation images and file the result as evidence for Table 2.

python -m pipelines released --checkpoint weights.pth --size 6M [--data data/imagenet]
python -m pipelines released --checkpoint weights.pth --size 21M --ledger micronet_iccv2021

6M is the stand-alone MicroNet-M0, 12M M1; the later version's ledger has all four sizes. The weights are the later
version's, wired as its code wires them; one checkpoint is one run of an unknown seed, so its verdict is never more than
consistent or inconsistent.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader
from tqdm import tqdm

from papertally.evidence.fingerprints import parts, read_fingerprint
from papertally.evidence.io import write_json_atomic
from papertally.evidence.provenance import snapshot
from pipelines import arguments
from pipelines.common import ROOT, PipelineError, guard
from pipelines.data import imagenet
from pipelines.data.folders import data_root
from pipelines.data.verify import check_imagenet, file_hash
from pipelines.training.filing import file_examples, training_evidence
from registry import official
from registry.classification.models import TopK
from report.rows import find_row

#: Each ledger's rows by released size.
ROWS = {
    "": {"6M": "t2_micronet_m0", "12M": "t2_micronet_m1"},
    "micronet_iccv2021": {size: f"iccv2021_m{i}" for i, size in enumerate(official.SIZES)},
}
IMAGE_SIZE = 224


@torch.no_grad()
def score(model: nn.Module, val: Path, batch_size: int, workers: int) -> tuple[dict[str, float], dict[str, list[bool]]]:
    """Return top-1 and top-5 in percent, and which images are right.

    On the middle 224 of images resized to 256 on their short side.
    """
    data = imagenet.ImageNetFolder(str(val), IMAGE_SIZE, train=False)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model, metric = model.eval().to(device), TopK()
    for batch in tqdm(DataLoader(data, batch_size, num_workers=workers), unit="batch", file=sys.stderr, disable=None):
        logits = model(batch["inputs"].to(device)).cpu()
        metric.process(batch, [{"scores": s, "label": y} for s, y in zip(logits, batch["data_samples"], strict=True)])
    return {key: round(value, 6) for key, value in metric.evaluate(len(data)).items()}, metric.correct


def evaluate(
    checkpoint: Path,
    size: str,
    root: Path,
    pin: str,
    out: Path,
    batch_size: int,
    workers: int,
    ledger: str = "",
    entry: str | None = None,
) -> Any:
    """Score a checkpoint and write results/paper/ROW.released.json (of a ledger) under `out`; returns it.

    entry: the checkpoint's entry to read, "state_dict_ema" say; else plain weights before averaged ones. The evidence
    names what was read. Raises CheckpointError for a file that is no released checkpoint of the size.
    """
    row = find_row(ROWS[ledger][size])
    provenance = snapshot(ROOT)
    model = official.load(checkpoint, size, entry)
    started = time.monotonic()
    values, correct = score(model, root / "val", batch_size, workers)
    stated = {
        "train": {
            "recipe": "released",
            "size": size,
            "checkpoint_sha256": file_hash(checkpoint),
            **({"entry": model.entry} if model.entry else {}),
        },
        "evaluate": {"image_size": IMAGE_SIZE, "wiring": "official", "seconds": round(time.monotonic() - started, 1)},
    }
    examples = file_examples(
        out / row.results, correct, profile="paper", row=row.id, seed=None, data=("imagenet", pin), recipe="released"
    )
    evidence = training_evidence(
        row=row,
        profile="paper",
        seed=None,
        values=values,
        params=stated,
        fingerprint=parts(read_fingerprint(ROOT, row.id), "released"),
        data=("imagenet", pin),
        epochs=None,
        seconds=0.0,
        started=provenance,
        now=snapshot(ROOT),
        examples=examples,
        command=f"python -m pipelines released --checkpoint {checkpoint.name} --size {size}"
        + (f" --ledger {ledger}" if ledger else "")
        + (f" --entry {entry}" if entry else ""),
    )
    write_json_atomic(out / row.results / "paper" / f"{row.id}.released.json", evidence)
    return evidence


def main(argv: list[str] | None = None) -> int:
    """Check the images, score the checkpoint and print the result."""
    args = arguments.released().parse_args(argv)
    root = data_root(args.data or os.environ.get("IMAGENET_ROOT") or ROOT / "data/imagenet")
    if not args.checkpoint.is_file():
        raise PipelineError(f"{args.checkpoint}: no such file; give the path of a released checkpoint")
    if args.size not in ROWS[args.ledger]:
        raise PipelineError(f"--size {args.size}: this paper has no such model; add --ledger micronet_iccv2021")
    pin = check_imagenet(root, ROOT, val_only=True)
    try:
        found = evaluate(
            args.checkpoint, args.size, root, pin, ROOT, args.batch_size, args.workers, args.ledger, args.entry
        )
    except official.CheckpointError as error:
        raise PipelineError(str(error)) from None
    values = found["values"]
    print(f"{found['row']} released: top-1 {values['top1']:.2f} %, top-5 {values['top5']:.2f} %")
    return 0


if __name__ == "__main__":
    raise SystemExit(guard(main))
