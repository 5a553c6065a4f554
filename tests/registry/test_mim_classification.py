"""`mim train mmpretrain` on a classification row's own config; mmpretrain is not in the lock (see docs/guide.md)."""

from __future__ import annotations

import os
import re
from importlib.util import find_spec

import pytest
from helpers import ROOT
from mim_tools import mim

from pipelines.data.imagenet import draw_tiny
from registry.checkpoints import read_file

ROW = "t2_micronet_m0"


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.skipif(
    find_spec("mmpretrain") is None, reason="mmpretrain is not installed (pip install --no-deps, or PYTHONPATH)"
)
def test_mim_trains_and_tests_a_row_in_mmpretrain(tmp_path):
    data = draw_tiny(tmp_path / "imagenet")  # ten classes of four images and two
    paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    config = ROOT / f"configs/classification/{ROW}.py"
    smaller = (
        "--cfg-options", "train_dataloader.batch_size=8", "train_cfg.max_epochs=2", "model.head.classes=10",
        "train_dataloader.num_workers=1", "val_dataloader.num_workers=1", "test_dataloader.num_workers=1",
    )  # fmt: skip

    def run(verb, *arguments):
        done = mim(verb, "mmpretrain", config, *arguments, "--work-dir", tmp_path / "work", *smaller, cwd=tmp_path,
                   IMAGENET_ROOT=data, PYTHONPATH=paths)  # fmt: skip
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        return done.stdout + done.stderr

    said = run("train")
    validated = re.findall(r"Epoch\(val\) \[(\d)\].*top1: ([\d.]+) +top5: ([\d.]+)", said)
    assert [epoch for epoch, *_ in validated] == ["1", "2"]
    saved = read_file(tmp_path / "work/epoch_2.pth")["state_dict"]
    assert saved["head.fc2.weight"].shape[0] == 10
    tested = re.search(
        r"Epoch\(test\).*top1: ([\d.]+) +top5: ([\d.]+)", run("test", "--checkpoint", tmp_path / "work/epoch_2.pth")
    )
    assert tested is not None
    assert tested.groups() == tuple(validated[-1][1:])
