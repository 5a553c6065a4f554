"""COCO through mmpose: one clear error for what is wrong, figures equal to pycocotools', and the mim commands."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from mim_tools import as_mim, check_filed, mim

from pipelines.common import ROOT
from pipelines.data.people import generate
from registry.inputs.errors import DataError
from registry.pose.coco import DETECTIONS, check_coco

TRAIN = "annotations/person_keypoints_train2017.json"
VAL = "annotations/person_keypoints_val2017.json"


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    folder = tmp_path_factory.mktemp("coco") / "people"
    generate(folder, train=8, val=6, seed=3)
    return folder


def edited(people: Path, tmp_path: Path, change) -> str:
    data = json.loads((people / VAL).read_text())
    change(data)
    path = tmp_path / "person_keypoints_val2017.json"
    path.write_text(json.dumps(data))
    return str(path)


def test_sound_files_pass(people):
    data = check_coco(str(people / VAL), str(people / "val2017"), str(people / DETECTIONS))
    assert len(data["images"]) == 6


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.pop("images"), "no list 'images'"),
        (lambda d: d["images"][0].pop("height"), "lacks id, file_name"),
        (lambda d: d["annotations"][0].update(keypoints=[1, 2, 3]), "annotations[0] (id 1): has no 17 keypoints"),
        (lambda d: d["annotations"][1].update(image_id=99), "annotations[1] (id 2): is of image 99, which"),
        (lambda d: d["annotations"][0].update(bbox=[1, 2]), "no box of four numbers"),
        (lambda d: d["images"][0].update(file_name="gone.jpg"), "gone.jpg: no such image"),
    ],
)
def test_malformed_annotations_are_named(people, tmp_path, change, message):
    path = edited(people, tmp_path, change)
    with pytest.raises(DataError) as error:
        check_coco(path, str(people / "val2017"))
    text = str(error.value)
    assert message in text
    assert "\n" not in text
    assert path in text


def test_missing_and_truncated_files_are_named(people, tmp_path):
    with pytest.raises(DataError, match="no such annotation file.*COCO_ROOT.*pipelines people"):
        check_coco(str(tmp_path / "none.json"), str(people / "val2017"))
    cut = tmp_path / "cut.json"
    cut.write_bytes((people / VAL).read_bytes()[:500])
    with pytest.raises(DataError, match="cut.json: truncated or malformed"):
        check_coco(str(cut), str(people / "val2017"))
    with pytest.raises(DataError, match="no such image folder"):
        check_coco(str(people / VAL), str(tmp_path / "val2017"))
    with pytest.raises(DataError, match="no such detection file.*56.4 AP"):
        check_coco(str(people / VAL), str(people / "val2017"), str(tmp_path / "boxes.json"))
    boxes = tmp_path / "boxes.json"
    boxes.write_text('[{"image_id": 77, "category_id": 1, "bbox": [0, 0, 1, 1], "score": 1}]')
    with pytest.raises(DataError, match="1 boxes are of images"):
        check_coco(str(people / VAL), str(people / "val2017"), str(boxes))


def pose_metric_and_pycocotools(annotations: Path, tmp_path: Path) -> tuple[dict[str, float], list[float]]:
    """Score shaken true keypoints by mmpose's CocoMetric, and what it wrote by pycocotools alone."""
    import registry.pose.estimator  # noqa: F401  prepares mmpose's imports

    # isort: split
    from mmpose.datasets.datasets.utils import parse_pose_metainfo
    from mmpose.evaluation import CocoMetric
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    rng = np.random.default_rng(0)
    metric = CocoMetric(str(annotations), outfile_prefix=str(tmp_path / "out"))
    metric.dataset_meta = parse_pose_metainfo({"from_file": "configs/_base_/datasets/coco.py"})
    truth = COCO(str(annotations))
    labelled = [a for a in truth.anns.values() if a.get("num_keypoints", 0) > 0]
    for item in labelled:
        points = np.array(item["keypoints"], float).reshape(1, 17, 3)
        shake = rng.normal(0, 0.05 * np.sqrt(item["area"]), (1, 17, 2))
        prediction = {
            "keypoints": points[..., :2] + shake, "keypoint_scores": rng.uniform(0.2, 1, (1, 17)),
            "bbox_scores": rng.uniform(0.3, 1, 1), "bboxes": np.array([item["bbox"]], float),
        }  # fmt: skip
        sample = {
            "id": item["id"], "img_id": item["image_id"], "pred_instances": prediction, "category_id": 1,
            "gt_instances": {"bbox_scales": np.ones((1, 2)), "bbox_scores": np.ones(1), "bboxes": prediction["bboxes"]},
        }  # fmt: skip
        metric.process(None, [sample])
    found = metric.evaluate(len(labelled))
    judge = COCOeval(truth, truth.loadRes(str(tmp_path / "out.keypoints.json")), "keypoints")
    judge.evaluate()
    judge.accumulate()
    judge.summarize()
    return found, list(judge.stats)


def agree(annotations: Path, tmp_path: Path) -> None:
    found, stats = pose_metric_and_pycocotools(annotations, tmp_path)
    names = ["coco/AP", "coco/AP .5", "coco/AP .75", "coco/AP (M)", "coco/AP (L)"]
    assert [found[n] for n in names] == pytest.approx(stats[:5], abs=1e-9)
    assert 0.1 < found["coco/AP"] < 0.95


@pytest.mark.slow
def test_coco_metric_is_pycocotools_on_drawn_people(people, tmp_path):
    agree(people / VAL, tmp_path)


@pytest.mark.slow
def test_coco_metric_is_pycocotools_on_real_people(tmp_path, shared):
    import zipfile

    with zipfile.ZipFile(shared / "data/coco_kpts.zip") as archive:
        archive.extract(VAL, tmp_path)
    agree(tmp_path / VAL, tmp_path)


QUICK = [
    "train_dataloader.batch_size=8", "train_dataloader.num_workers=0", "train_dataloader.persistent_workers=False",
    "val_dataloader.num_workers=0", "val_dataloader.persistent_workers=False", "test_dataloader.num_workers=0",
    "test_dataloader.persistent_workers=False", "default_hooks.checkpoint.interval=1",
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.long
def test_mim_trains_resumes_and_tests_the_printed_recipe(people, tmp_path, forks):
    config = ROOT / "configs/micronet_m0.py"
    for epochs, more in ((1, []), (2, ["--resume"])):
        options = [*more, "--work-dir", "work", "--cfg-options", f"train_cfg.max_epochs={epochs}", *QUICK]
        done = as_mim(forks, "train", "mmpose", config, *options, cwd=tmp_path, COCO_ROOT=people)
        assert done.returncode == 0, done.stdout[-1500:] + done.stderr[-1500:]
    assert "resumed epoch: 1" in done.stdout + done.stderr
    check_filed(tmp_path, "t8_micronet_m0", "AP", "people", {"train": 2})
    shutil.rmtree(tmp_path / "results")
    done = mim("test", "mmpose", config, "--checkpoint", "work/epoch_2.pth", "--cfg-options", *QUICK,
               cwd=tmp_path, COCO_ROOT=people)  # fmt: skip
    assert done.returncode == 0, done.stdout[-1500:] + done.stderr[-1500:]
    assert "coco/AP" in done.stdout + done.stderr
    check_filed(tmp_path, "t8_micronet_m0", "AP", "people", {"test": 1})


@pytest.mark.slow
@pytest.mark.long
def test_without_coco_mim_stops_with_one_line(tmp_path, forks):
    config = ROOT / "configs/micronet_m3.py"
    done = as_mim(forks, "train", "mmpose", config, "--work-dir", "work", cwd=tmp_path, COCO_ROOT="data/coco")
    text = done.stdout + done.stderr
    assert done.returncode != 0
    assert "data/coco/annotations/person_keypoints_train2017.json: no such annotation file" in text
    assert text.count("error: ") == 1
