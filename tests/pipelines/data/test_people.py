"""The drawn people: a COCO keypoint set that is the same every time and means what it says."""

from __future__ import annotations

import json

import numpy as np
import pytest

from pipelines.common import PipelineError
from pipelines.data.people import DETECTIONS, HEIGHT, NAMES, WIDTH, draw, generate


def test_the_same_seed_draws_the_same_set(tmp_path):
    first = generate(tmp_path / "a", train=3, val=2, seed=5)
    assert generate(tmp_path / "b", train=3, val=2, seed=5) == first
    assert generate(tmp_path / "c", train=3, val=2, seed=6) != first
    with pytest.raises(PipelineError, match="data.people.pin"):
        generate(tmp_path / "a", train=3, val=2, seed=5, pin="0" * 64)
    assert (tmp_path / "a/manifest.json").is_file()  # the old set is whole


def test_it_never_replaces_a_folder_of_something_else(tmp_path):
    (tmp_path / "photo.jpg").write_text("mine")
    with pytest.raises(PipelineError, match="no generated set"):
        generate(tmp_path, train=1, val=1, seed=0)
    assert (tmp_path / "photo.jpg").is_file()


def test_annotations_are_coco(tmp_path):
    from pycocotools.coco import COCO

    generate(tmp_path / "set", train=6, val=3, seed=1)
    coco = COCO(str(tmp_path / "set/annotations/person_keypoints_train2017.json"))
    assert len(coco.imgs) == 6
    for item in coco.anns.values():
        points = np.array(item["keypoints"]).reshape(17, 3)
        x, y, w, h = item["bbox"]
        assert item["num_keypoints"] == (points[:, 2] > 0).sum()
        assert min(x, y) >= 0
        assert (x + w, y + h) <= (WIDTH, HEIGHT)
        assert y + h <= HEIGHT
        assert item["area"] <= w * h
        own = points[points[:, 2] == 2]
        assert ((own[:, 0] >= x - 1) & (own[:, 0] <= x + w + 1)).all()
    boxes = json.loads((tmp_path / "set" / DETECTIONS).read_text())
    assert {"image_id", "category_id", "bbox", "score"} == set(boxes[0])


def test_the_figures_left_is_on_the_images_right():
    people = [p for i in range(20) for p in draw(np.random.default_rng(i)).people]
    points = np.array([p["keypoints"] for p in people]).reshape(-1, 17, 3)
    left, right = points[:, NAMES.index("left_hip")], points[:, NAMES.index("right_hip")]
    both = (left[:, 2] > 0) & (right[:, 2] > 0)
    assert both.sum() > 10
    assert (left[both, 0] > right[both, 0]).all()
