"""The full-size recipe on a tiny folder of ILSVRC2012's layout, and its errors without the data."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys

import pytest
import torch
from full_runs import check_resume

from pipelines.common import PipelineError, configured_rows
from pipelines.data import imagenet
from pipelines.data.verify import PINS, verify
from pipelines.training import full


@pytest.fixture
def tiny(tmp_path):
    return imagenet.draw_tiny(tmp_path / "data/imagenet", classes=3, train=4, val=2)


def test_recipes_are_section_5_1s():
    m3 = full.recipe_settings("t2_micronet_m3", "paper", 0)
    assert (m3["epochs"], m3["batch_size"], m3["lr"], m3["weight_decay"], m3["mixup"]) == (600, 512, 0.02, 4e-5, 0.2)
    relu = full.recipe_settings("t5_relu", "official", 0)
    assert (relu["epochs"], relu["lr"], relu["weight_decay"], relu["mixup"]) == (300, 0.2, 3e-5, 0.0)
    for row in configured_rows(tasks=("classification",)):
        assert full.recipe_settings(row, "paper", 1)["image_size"] == 224


def test_without_imagenet_it_stops_before_training(tmp_path):
    with pytest.raises(PipelineError, match="ImageNet is not there; download ILSVRC2012_img_train.tar"):
        full.main(["--row", "t2_micronet_m0", "--data", str(tmp_path / "none")])


def test_data_is_verified_once_and_held_to_it(tiny, tmp_path):
    with pytest.raises(PipelineError, match="not verified yet; run `python -m pipelines verify imagenet"):
        imagenet.check_verified(tiny, tmp_path)
    with pytest.raises(PipelineError, match="12 train images, not 1281167"):
        verify("imagenet", tiny, PINS["imagenet"], tmp_path)
    verify("imagenet", tiny, dataclasses.replace(PINS["imagenet"], counts=imagenet.count(tiny)), tmp_path)
    assert imagenet.check_verified(tiny, tmp_path)
    image = next((tiny / "train").glob("*/*.JPEG"))
    content = image.read_bytes()
    image.write_bytes(content + b"x")
    with pytest.raises(PipelineError, match="altered since it was verified"):
        imagenet.check_verified(tiny, tmp_path)
    image.unlink()
    with pytest.raises(PipelineError, match="is missing"):
        imagenet.check_verified(tiny, tmp_path)
    image.write_bytes(content)
    (tiny / "val/strange").mkdir()
    with pytest.raises(PipelineError, match="strange: is no class folder"):
        imagenet.count(tiny)


def test_mixup_mixes_labels_as_images():
    torch.manual_seed(0)
    items = [{"inputs": torch.full((3, 2, 2), float(i)), "data_samples": i} for i in range(4)]
    batch = imagenet.mixup_collate(items, alpha=0.2, classes=4)
    assert batch["data_samples"].shape == (4, 4)
    assert torch.allclose(batch["data_samples"].sum(1), torch.ones(4))
    expected = batch["data_samples"] @ torch.arange(4.0)
    assert torch.allclose(batch["inputs"][:, 0, 0, 0], expected)
    assert imagenet.mixup_collate(items, alpha=0.0, classes=4)["data_samples"].tolist() == [0, 1, 2, 3]


@pytest.mark.slow
@pytest.mark.parametrize(
    "row", ["t2_micronet_m0", "t3_static", "t4a_g4", "t4b_l0_5", "t4c_low_high", "t5_relu", "t6_a1", "t7_j1_k2"]
)
def test_a_row_of_each_table_runs_end_to_end(row, tiny, tmp_path):
    options = full.parser().parse_args(["--row", row, "--data", str(tiny), "--workers", "0", "--dry-run"])
    out = tmp_path / "out"
    values = full.dry_run(row, options, keep=out)
    evidence = json.loads(next(out.glob(f"results/paper/*/{row}.paper.s0.json")).read_text())
    assert evidence["values"] == values
    assert evidence["params"]["train"]["lr"] == 0.02
    assert evidence["environment"]["precision"] == "fp32"
    assert json.loads((out / f"checkpoints/paper/{row}.paper.s0.json").read_text()) == evidence  # what `dvc push` sends
    assert (out / f"results/curves/paper/{row}.paper.s0.csv").read_text().count("\n") == 3


RUN = """
import pathlib, sys
from pipelines.training import full
row, data, out = sys.argv[1:]
options = full.parser().parse_args(["--row", row, "--workers", "1"])
settings = {**full.recipe_settings(row, "paper", 0), "batch_size": 4, "epochs": 3}
full.train(row, pathlib.Path(data), settings, "pin", options, pathlib.Path(out))
"""


@pytest.mark.slow
def test_a_killed_run_resumes_to_the_unkilled_result(tiny, tmp_path, forks):
    row = "t2_micronet_m3"  # its recipe has mixup, label smoothing and the stronger dropout
    check_resume(forks, RUN, row, tiny, tmp_path)


def test_mixed_precision_comes_from_the_environment_too(monkeypatch):
    assert not full.parser().parse_args(["--row", "x"]).amp
    monkeypatch.setenv("MICRONET_AMP", "1")
    assert full.parser().parse_args(["--row", "x"]).amp


@pytest.mark.slow
@pytest.mark.xdist_group("torchrun")
def test_two_gpus_of_the_environment_are_two_processes_that_share_a_batch():
    """A dry run takes the environment's word for GPUs: here torchrun starts two processes on the CPU."""
    command = [
        sys.executable, "-m", "pipelines.training.full", "--row", "t2_micronet_m0", "--dry-run", "--launcher", "auto",
        "--workers", "0",
    ]  # fmt: skip
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "2,5"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("dry run of recipe paper done") == 1
    assert "2 processes" in done.stdout


def test_gpus_that_torch_does_not_see_stop_the_training(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(PipelineError, match="offers 2 GPUs, torch sees 0"):
        full.main(["--row", "t2_micronet_m0", "--launcher", "auto"])
