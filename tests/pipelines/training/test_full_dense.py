"""Section 6's full-size recipes on tiny sets of COCO's and Cityscapes' layout, and their errors without the data."""

from __future__ import annotations

import csv
import dataclasses
import json
import shutil
import sys

import pytest
from full_runs import check_resume

from evidence.read import read_evidence
from pipelines.common import ROOT, PipelineError, configured_rows
from pipelines.data import people
from pipelines.data.verify import PINS, check_verified, count_coco, verify
from pipelines.training import full, full_dense, launch


def options_for(row, *more):
    return full_dense.parser().parse_args(["--row", row, "--workers", "0", *more])


@pytest.mark.slow
def test_recipes_are_section_6s():
    for row in configured_rows(tasks=("pose",)):
        pose = full_dense.recipe_settings(row, 1)
        assert (pose["epochs"], pose["lr"], pose["batch_size"], pose["seed"]) == (250, 1e-3, 128, 1)
    for row in configured_rows(tasks=("segmentation",)):
        streets = full_dense.recipe_settings(row, 0)
        assert (streets["epochs"], streets["lr"], streets["batch_size"]) == (240, 0.2, 16)


def test_each_kind_of_row_has_its_command():
    with pytest.raises(
        PipelineError, match="t5_relu: is no row of Tables 8 and 9; train it by `python -m pipelines full`"
    ):
        full_dense.main(["--row", "t5_relu"])
    with pytest.raises(PipelineError, match="has no schedule; name a row of Tables 2 to 7"):
        full.main(["--row", "t8_micronet_m0"])


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("t8_micronet_m0", "COCO 2017 is not there; download train2017.zip.*add --dry-run"),
        ("t9_micronet_m0", "Cityscapes is not there; unpack leftImg8bit_trainvaltest.zip.*add --dry-run"),
    ],
)
def test_without_data_it_stops_before_training(row, message, tmp_path, monkeypatch):
    with pytest.raises(PipelineError, match=message):
        full_dense.main(["--row", row, "--data", str(tmp_path / "none")])
    monkeypatch.setenv("COCO_ROOT", str(tmp_path / "gone"))
    assert full_dense.data_folder("t8_micronet_m0") == tmp_path / "gone"


@pytest.mark.slow
def test_data_is_verified_once_and_held_to_it(tmp_path):
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


@pytest.mark.slow
@pytest.mark.parametrize(("row", "column"), [("t8_micronet_m0", "AP"), ("t9_micronet_m0", "miou")])
def test_a_row_of_each_table_runs_end_to_end(row, column, tmp_path):
    out = tmp_path / "out"
    values = full_dense.dry_run(row, options_for(row, "--dry-run"), keep=out)
    path = next(out.glob(f"results/paper/*/{row}.paper.s0.json"))
    evidence = json.loads(path.read_text())
    assert evidence["values"] == values
    assert column in values
    assert evidence["params"]["train"] == {
        **full_dense.recipe_settings(row, 0),
        **full_dense.DRY[full_dense.dense_task(row).name],
    }
    assert json.loads((out / f"checkpoints/paper/{row}.paper.s0.json").read_text()) == evidence  # what `dvc push` sends
    curve = list(csv.DictReader((out / f"results/curves/paper/{row}.paper.s0.csv").open()))
    assert [line["epoch"] for line in curve] == ["1", "2"]
    assert curve[0][column] == ""  # the recipe validates each tenth epoch and the last
    assert float(curve[1][column]) == pytest.approx(values[column])
    # the report takes it as evidence of the row
    shutil.copytree(ROOT / "configs", out / "configs")
    found = read_evidence(out)
    assert not found.problems
    assert found.runs["paper"][row][0].recipe == "paper"


RUN = """
import pathlib, sys
from pipelines.training import full_dense
row, data, out = sys.argv[1:]
options = full_dense.parser().parse_args(["--row", row, "--workers", "1"])
settings = {**full_dense.recipe_settings(row, 0), "batch_size": 2, "epochs": 3}
full_dense.train(row, pathlib.Path(data), settings, "pin", options, pathlib.Path(out))
"""


@pytest.mark.slow
def test_a_killed_run_resumes_to_the_unkilled_result(tmp_path, forks):
    row, data = "t8_micronet_m0", tmp_path / "coco"
    people.generate(data, train=3, val=3, seed=2)
    check_resume(forks, RUN, row, data, tmp_path)


@pytest.mark.slow
def test_two_gpus_of_the_environment_are_two_processes_that_share_a_batch(monkeypatch, forks):
    """test_full.py starts torchrun itself."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    handed = []
    monkeypatch.setattr(launch, "torchrun", lambda *what: handed.append(what) or sys.exit())
    with pytest.raises(SystemExit):
        full_dense.main(["--row", "t8_micronet_m0", "--dry-run", "--launcher", "auto", "--workers", "0"])
    [(module, argv, count)] = handed
    assert count == 2
    done = forks.run_together(2, "-m", module, *argv, "--launcher", "pytorch", cwd=ROOT)
    assert [one.returncode for one in done] == [0, 0], done[0].stderr[-2000:] + done[1].stderr[-2000:]
    assert sorted(one.stdout.count("dry run done (2 processes)") for one in done) == [0, 1]
