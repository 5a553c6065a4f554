"""The paper's recipes on tiny sets of the real layouts, and their errors without the data."""

from __future__ import annotations

import csv
import dataclasses
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from full_runs import check_resume

from papertally.evidence.read import read_evidence
from pipelines.common import ROOT, PipelineError, configured_rows
from pipelines.data import imagenet, people
from pipelines.data.verify import PINS, check_imagenet, check_verified, count_coco, verify
from pipelines.training import __main__ as cli
from pipelines.training.job import DRY, recipe_settings
from report.rows import find_row


@pytest.fixture
def tiny(tmp_path):
    return imagenet.draw_tiny(tmp_path / "data/imagenet", classes=3, train=4, val=2)


def options_for(row, *more):
    return cli.parser().parse_args(["--row", row, "--profile", "paper", "--workers", "0", *more])


def settings_of(row, recipe="paper", seed=0):
    return recipe_settings(find_row(row), recipe, seed)


@pytest.mark.slow
def test_recipes_are_section_5_1s():
    m3 = settings_of("t2_micronet_m3")
    assert (m3["epochs"], m3["batch_size"], m3["lr"], m3["weight_decay"], m3["mixup"]) == (600, 512, 0.02, 4e-5, 0.2)
    relu = settings_of("t5_relu", "official")
    assert (relu["epochs"], relu["lr"], relu["weight_decay"], relu["mixup"]) == (300, 0.2, 3e-5, 0.0)
    for row in configured_rows(tasks=("classification",)):
        assert settings_of(row, seed=1)["image_size"] == 224


@pytest.mark.slow
def test_recipes_are_section_6s():
    for row in configured_rows(tasks=("pose",)):
        pose = settings_of(row, seed=1)
        assert (pose["epochs"], pose["lr"], pose["batch_size"], pose["seed"]) == (250, 1e-3, 128, 1)
    for row in configured_rows(tasks=("segmentation",)):
        streets = settings_of(row)
        assert (streets["epochs"], streets["lr"], streets["batch_size"]) == (240, 0.2, 16)
    with pytest.raises(PipelineError, match="--recipe official: the released scripts train classification only"):
        settings_of("t8_micronet_m0", "official")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("t2_micronet_m0", "ImageNet is not there; download ILSVRC2012_img_train.tar"),
        ("t8_micronet_m0", "COCO 2017 is not there; download train2017.zip.*add --dry-run"),
        ("t9_micronet_m0", "Cityscapes is not there; unpack leftImg8bit_trainvaltest.zip.*add --dry-run"),
    ],
)
def test_without_data_it_stops_before_training(row, message, tmp_path, monkeypatch):
    with pytest.raises(PipelineError, match=message):
        cli.main(["--row", row, "--profile", "paper", "--data", str(tmp_path / "none")])
    monkeypatch.setenv("COCO_ROOT", str(tmp_path / "gone"))
    assert cli.data_folder(find_row("t8_micronet_m0")) == tmp_path / "gone"


def test_options_that_do_not_fit_are_named(tmp_path):
    with pytest.raises(PipelineError, match="--packed: only ImageNet is packed; leave it out for t8_micronet_m0"):
        cli.main(["--row", "t8_micronet_m0", "--profile", "paper", "--packed", "--data", str(tmp_path)])
    with pytest.raises(PipelineError, match="--dry-run: of --profile paper only"):
        cli.main(["--row", "t8_micronet_m0", "--dry-run"])


def test_imagenet_is_verified_once_and_held_to_it(tiny, tmp_path):
    with pytest.raises(PipelineError, match="not verified yet; run `python -m pipelines verify imagenet"):
        check_imagenet(tiny, tmp_path)
    with pytest.raises(PipelineError, match="12 train images, not 1281167"):
        verify("imagenet", tiny, PINS["imagenet"], tmp_path)
    verify("imagenet", tiny, dataclasses.replace(PINS["imagenet"], counts=imagenet.count(tiny)), tmp_path)
    assert check_imagenet(tiny, tmp_path)
    image = next((tiny / "train").glob("*/*.JPEG"))
    content = image.read_bytes()
    image.write_bytes(content + b"x")
    with pytest.raises(PipelineError, match="altered since it was verified"):
        check_imagenet(tiny, tmp_path)
    image.unlink()
    with pytest.raises(PipelineError, match="is missing"):
        check_imagenet(tiny, tmp_path)
    image.write_bytes(content)
    (tiny / "val/strange").mkdir()
    with pytest.raises(PipelineError, match="strange: is no class folder"):
        imagenet.count(tiny)


@pytest.mark.slow
def test_coco_is_verified_once_and_held_to_it(tmp_path):
    root = tmp_path / "data/coco"
    root.parent.mkdir()
    people.generate(root, train=4, val=3, seed=2)
    with pytest.raises(PipelineError, match="not verified yet; run `python -m pipelines verify coco"):
        check_verified(root, tmp_path, ("coco",))
    found = verify("coco", root, dataclasses.replace(PINS["coco"], counts=count_coco(root)), tmp_path)
    assert check_verified(root, tmp_path, ("coco",)) == found["sha256"]
    annotations = root / "annotations/person_keypoints_val2017.json"
    content = annotations.read_text()
    annotations.write_text(content + " ")
    with pytest.raises(PipelineError, match="person_keypoints_val2017.json: altered since it was verified"):
        check_verified(root, tmp_path, ("coco",))
    annotations.write_text(content)
    (root / "val2017/000000000001.jpg").rename(root / "val2017/other.jpg")
    with pytest.raises(PipelineError, match=r"is missing \(2 such files\)|was added \(2 such files\)"):
        check_verified(root, tmp_path, ("coco",))
    (tmp_path / "results/manifests/coco.json").write_text("{")
    with pytest.raises(PipelineError, match="coco.json: corrupt"):
        check_verified(root, tmp_path, ("coco",))


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
@pytest.mark.long
@pytest.mark.parametrize(
    ("row", "column"),
    [("t2_micronet_m0_ml", "top1"), ("t4a_g4", "top1"), ("t8_micronet_m0", "AP"), ("t9_micronet_m0", "miou")],
)
def test_a_row_of_each_kind_runs_end_to_end(row, column, tmp_path):
    out, task = tmp_path / "out", find_row(row).task
    values = cli.dry_run(options_for(row, "--dry-run"), keep=out)
    evidence = json.loads((out / f"results/paper/{row}.paper.s0.json").read_text())
    assert evidence["values"] == values
    assert column in values
    assert evidence["params"]["train"] == {**settings_of(row), **DRY[task]}
    assert evidence["environment"]["precision"] == "fp32"
    assert evidence["changed"] == []
    assert json.loads((out / f"checkpoints/paper/{row}.paper.s0.json").read_text()) == evidence  # what `dvc push` sends
    for named in evidence.get("examples", {}).values():
        kept = out / f"checkpoints/paper/{Path(named['file']).name}"
        assert kept.read_bytes() == (out / "results" / named["file"]).read_bytes()
    assert list(evidence.get("examples", [])) == (["top1", "top5"] if task == "classification" else [])
    curve = list(csv.DictReader((out / f"results/curves/paper/{row}.paper.s0.csv").open()))
    assert [line["epoch"] for line in curve] == ["1", "2"]
    assert (curve[0][column] == "") == (task != "classification")  # validated each tenth epoch and the last
    assert float(curve[1][column]) == pytest.approx(values[column])
    # the report takes it as evidence of the row
    shutil.copytree(ROOT / "fingerprints", out / "fingerprints")
    found = read_evidence(out)
    assert not found.problems
    assert found.runs["paper"][row][0].recipe == "paper"


@pytest.mark.slow
@pytest.mark.long
def test_a_killed_run_resumes_to_the_unkilled_result(tiny, tmp_path, forks):
    # its recipe has mixup, label smoothing and the stronger dropout
    check_resume(forks, {"batch_size": 4, "epochs": 3}, "t2_micronet_m3", tiny, tmp_path)


@pytest.mark.slow
@pytest.mark.long
def test_a_killed_pixel_level_run_resumes_to_the_unkilled_result(tmp_path, forks):
    people.generate(tmp_path / "coco", train=3, val=3, seed=2)
    check_resume(forks, {"batch_size": 2, "epochs": 3}, "t8_micronet_m0", tmp_path / "coco", tmp_path)


def test_mixed_precision_comes_from_the_environment_too(monkeypatch):
    assert not cli.parser().parse_args(["--row", "x"]).amp
    monkeypatch.setenv("MICRONET_AMP", "1")
    assert cli.parser().parse_args(["--row", "x"]).amp


@pytest.mark.slow
@pytest.mark.long
def test_two_processes_share_a_batch_of_boxes(forks):
    command = ["-m", cli.MODULE, "--row", "t8_micronet_m0", "--profile", "paper", "--dry-run", "--launcher", "pytorch"]
    done = forks.run_together(2, *command, "--workers", "0", cwd=ROOT)
    assert [one.returncode for one in done] == [0, 0], done[0].stderr[-2000:] + done[1].stderr[-2000:]
    assert sorted(one.stdout.count("dry run of recipe paper done (2 processes)") for one in done) == [0, 1]


@pytest.mark.slow
@pytest.mark.xdist_group("torchrun")
@pytest.mark.long
def test_two_gpus_of_the_environment_are_two_processes_that_share_a_batch():
    """A dry run takes the environment's word for GPUs: here torchrun starts two processes on the CPU."""
    command = [
        sys.executable, "-m", "pipelines.training", "--row", "t2_micronet_m0", "--profile", "paper", "--dry-run",
        "--launcher", "auto", "--workers", "0",
    ]  # fmt: skip
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "2,5"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("dry run of recipe paper done (2 processes)") == 1


def test_gpus_that_torch_does_not_see_stop_the_training(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(PipelineError, match="offers 2 GPUs, torch sees 0"):
        cli.main(["--row", "t2_micronet_m0", "--profile", "paper", "--launcher", "auto"])
