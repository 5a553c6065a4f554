"""What several tests of runs begin with: logs of one run in each form, and a few random images as CIFAR-10."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from helpers import ROOT

from papertally.evidence.registration import FILE
from pipelines.data import cifar

#: The same run in each form: best in its second epoch of three, after which a kill cut the last line off.
LOGS = {
    "20240101.log": "".join(
        f"2024/01/01 10:00:00 - mmengine - INFO - Epoch({line}\n" for line in (
            "train)  [3][100/100]  lr: 1.0e-01  loss: 2.0",
            "val) [1][79/79]    accuracy/top1: 40.0  accuracy/top5: 65.0  data_time: 0.1  time: 0.2",
            "val) [2][79/79]    accuracy/top1: 59.5000  accuracy/top5: 81.0000  data_time: 0.1  time: 0.2",
            "val) [3][79/79]    accuracy/top1: 59.2500  accuracy/top5: 80.7500  data_time: 0.1  time: 0.2", "val) [4",
        )
    ),
    "scalars.json": "\n".join([
        json.dumps({"lr": 0.1, "loss": 2.0, "epoch": 1, "step": 10}),
        json.dumps({"accuracy/top1": 40.0, "accuracy/top5": 65.0, "step": 1}),
        json.dumps({"accuracy/top1": 59.5, "accuracy/top5": 81.0, "step": 2}),
        json.dumps({"accuracy/top1": 59.25, "accuracy/top5": 80.75, "step": 3}), '{"lr": 0.',
    ]),
    "log.txt": "Epoch\tLearning Rate\tTrain Loss\tValid Loss\tTrain Acc.\tValid Acc.\tValid Acc5.\t\n"
    "1.000000\t0.2\t3.0\t2.0\t30.0\t40.0\t65.0\t\n2.000000\t0.1\t2.0\t2.0\t40.0\t59.5\t81.0\t\n"
    "3.000000\t0.0\t1.9\t1.9\t41.0\t59.25\t80.75\t\n4.00",
    "summary.csv": "epoch,train_loss,eval_loss,eval_top1,eval_top5\n0,3.0,2.0,40.0,65.0\n1,2.0,1.9,59.5,81.0\n"
    "2,1.9,1.8,59.25,80.75\n",
}  # fmt: skip
#: What `random_cifar` states as its pin.
PIN = "0" * 64
OTHER_PIN = "9" * 64


def random_cifar(root: Path, train: int, test: int, known: cifar.CifarSet = cifar.CIFAR10) -> None:
    """Write random images and labels as root's packed CIFAR-10 or CIFAR-100; the latter pinned by its manifest."""
    rng = np.random.default_rng(0)
    arrays = {}
    for split, n in (("train", train), ("test", test)):
        arrays[f"{split}_images"] = rng.integers(0, 256, (n, 32, 32, 3), np.uint8)
        arrays[f"{split}_labels"] = rng.integers(0, len(known.classes), n).astype(np.uint8)
    (root / known.packed).parent.mkdir(exist_ok=True)
    pin = PIN if known is cifar.CIFAR10 else OTHER_PIN
    np.savez(root / known.packed, pin=np.array(pin), **arrays)
    if known is not cifar.CIFAR10:
        cifar.file_pin(known, pin, root)


def registered_checkout(root: Path, proxy: dict[str, Any]) -> None:
    """Make root a checkout with a few random CIFAR-10 images and a registration of one schedule on them.

    proxy: what its params.yaml says of the proxy in place of ours.
    """
    for name in ("configs", "fingerprints", "papers"):
        shutil.copytree(ROOT / name, root / name)
    random_cifar(root, train=48, test=20)
    params = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
    params["proxy"] |= {"pin": PIN} | proxy
    (root / "params.yaml").write_text(yaml.safe_dump(params), "utf-8")
    raw = yaml.safe_load((ROOT / FILE).read_text("utf-8"))
    raw["train"] |= {"batch_size": 16, "test_images": 10}
    raw["schedules"] = {"i32e1": {"images": 32, "epochs": 1}}
    raw.pop("multiverse", None)
    (root / FILE).parent.mkdir()
    (root / FILE).write_text(yaml.safe_dump(raw), "utf-8")
