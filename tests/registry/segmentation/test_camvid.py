"""On real street scenes the whole path learns: M0 beats the majority class on the val split (minutes on a CPU)."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest
from PIL import Image

from pipelines.training import hooks
from pipelines.training.job import Job
from pipelines.training.run import build_runner, hushed, resolve
from registry.segmentation.cityscapes import IGNORE, pairs
from report.rows import find_row


def majority_miou(root) -> float:
    """Return the mIoU in percent, over the classes present, of always answering the most frequent class."""
    counts = np.zeros(256)
    for _, label in pairs(root / "leftImg8bit/val", root / "gtFine/val"):
        counts += np.bincount(np.asarray(Image.open(label)).ravel(), minlength=256)
    counts[IGNORE] = 0
    return 100 * counts.max() / counts.sum() / (counts > 0).sum()


@pytest.mark.slow
def test_m0_learns_real_streets(tmp_path, shared):
    with zipfile.ZipFile(shared / "data/camvid_cityscapes_layout.zip") as archive:
        archive.extractall(tmp_path / "camvid")
    root = tmp_path / "camvid"
    settings = {"input_size": [480, 360], "batch_size": 8, "epochs": 40, "anneal_epochs": 1000, "lr": 0.1, "seed": 0}
    job = Job(find_row("t9_micronet_m0"), "mini", 0, settings, root, "sample", "pin", {}, out=tmp_path)
    config = resolve(job, tmp_path / "work")
    for step in config.train_dataloader.dataset.pipeline:
        if step["type"] == "RandomCrop":
            step["crop_size"] = (256, 256)
    config.model.data_preprocessor["size"] = (256, 256)
    for loader in (config.val_dataloader, config.test_dataloader):
        loader.batch_size = 2
    hooks.set_random_seed(0)
    runner = build_runner(config)
    with hushed():
        runner.train()
        found = runner.test()["mIoU"]
    print(f"mIoU {found:.2f}, majority class {majority_miou(root):.2f}")
    assert found > 3 * majority_miou(root)
