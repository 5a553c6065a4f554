"""On real COCO people the whole path learns: M0 fits the sample's training images (minutes on a CPU)."""

from __future__ import annotations

import zipfile

import pytest

from pipelines.training import hooks
from pipelines.training.job import Job
from pipelines.training.run import build_runner, hushed, resolve
from report.rows import find_row

TRAIN = "annotations/person_keypoints_train2017.json"


@pytest.mark.slow
def test_m0_overfits_real_people(tmp_path, shared):
    with zipfile.ZipFile(shared / "data/coco_kpts.zip") as archive:
        archive.extractall(tmp_path / "coco")
    root = tmp_path / "coco"
    settings = {
        "input_size": [96, 128], "sigma": 1.5, "batch_size": 16, "epochs": 60, "anneal_epochs": 1000, "lr": 3e-3,
        "seed": 0,
    }  # fmt: skip
    job = Job(find_row("t8_micronet_m0"), "mini", 0, settings, root, "sample", "pin", {}, out=tmp_path)
    config = resolve(job, tmp_path / "work")
    random = ("RandomFlip", "RandomHalfBody", "RandomBBoxTransform")
    data = config.train_dataloader.dataset
    data.pipeline = [step for step in data.pipeline if step["type"] not in random]
    for loader in (config.val_dataloader, config.test_dataloader):
        loader.dataset.update(ann_file=TRAIN, data_prefix={"img": "train2017/"}, bbox_file=None)
    config.val_evaluator.ann_file = config.test_evaluator.ann_file = str(root / TRAIN)
    hooks.set_random_seed(0)
    runner = build_runner(config)
    with hushed():
        runner.train()
        found = runner.test()
    print("AP on the training images:", found["coco/AP"])
    assert found["coco/AP"] > 0.5
