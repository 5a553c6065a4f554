"""Numbers of another kind (shares, corners, too large) and files named twice or elsewhere stop before training."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines.data.people import generate
from registry.inputs.errors import DataError
from registry.pose.coco import DETECTIONS, check_coco

VAL = "annotations/person_keypoints_val2017.json"


@pytest.fixture(scope="module")
def people(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("coco") / "people"
    generate(folder, train=1, val=6, seed=3)
    return folder


def every(change):
    return lambda d: [change(entry) for entry in d["annotations"]]


def person(**values):
    return lambda d: d["annotations"][1].update(values)


def image(**values):
    return lambda d: d["images"][1].update(values)


def point(x):
    return lambda d: d["annotations"][1]["keypoints"].__setitem__(0, x)


def _scale(entry):
    entry["keypoints"] = [v / 400 if i % 3 < 2 else v for i, v in enumerate(entry["keypoints"])]


def _shares(entry):
    _scale(entry)
    entry["bbox"] = [v / 400 for v in entry["bbox"]]


def _corners(entry):
    x, y, w, h = entry["bbox"]
    entry["bbox"] = [x, y, x + w, y + h]


def _twice(data):
    data["images"][1]["file_name"] = "./" + data["images"][0]["file_name"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (image(width=10**400), "images[1] (id 2): 'width' is 1000000000"), (image(height=2**60), "beyond 2**53"),
        (person(id=10**400), "'id' is 10000"), (person(image_id=-(10**30)), "'image_id' is -1000"),
        (person(category_id=2**54), "'category_id' is"),
        (_twice, "images[1] (id 2): is the file of images[0] again"),
        *[(image(file_name=name), "not a file's name in the image folder") for name in (
            "/etc/x.jpg", "../train2017/000000000001.jpg", "a/../../x.jpg", "..", "\ud800.jpg", "a\0.jpg")],
        (image(file_name="a" * 5000 + ".jpg"), "cannot be read (File name too long)"),
        *[(point(x), "annotations[1] (id 2): has a keypoint at ") for x in (1e7, -1e7, 1e308, -401)],
        (every(_scale), "all its keypoints lie apart from its box"),
        (every(_shares), "has labelled keypoints in a box of less than a pixel"),
        (every(_corners), "ends beyond its image, as [x1, y1, x2, y2] would"),
        *[(person(bbox=[10, 10, *side]), "in a box of less than a pixel") for side in ([0, 0], [0, 50], [0.1, 0.2])],
        *[(person(bbox=[10, 10, *side]), "is larger than its image") for side in ([1e6, 5], [1e308, 1e308])],
        *[(person(area=area), "has labelled keypoints on an 'area' of ") for area in (0, 0.0, 1e-300, 0.5)],
        (person(area=1e15), "'area' is 1e+15, more than the 128000 pixels of its image"),
    ],
)  # fmt: skip
def test_a_number_of_another_kind_is_named(people, tmp_path, change, message):
    data = json.loads((people / VAL).read_text())
    change(data)
    (tmp_path / "x.json").write_text(json.dumps(data))
    with pytest.raises(DataError) as error:
        check_coco(str(tmp_path / "x.json"), str(people / "val2017"))
    assert message in str(error.value)
    assert str(tmp_path / "x.json") in str(error.value)
    assert str(error.value).isprintable()


BOX = {"image_id": 1, "category_id": 1, "bbox": [0, 0, 9, 9], "score": 1}


@pytest.mark.parametrize(
    ("boxes", "message"),
    [
        ([{**BOX, "score": 71.5}], "'score' is 71.5, no finite number from 0 to 1"),
        ([{**BOX, "score": -1}], "'score'"),
        ([{**BOX, "bbox": [9000, 9000, 5, 5]}], "lies outside its image"),
        ([{**BOX, "bbox": [0, 0, 1e308, 1e308]}], "is larger than its image"),
        ([{**BOX, "bbox": [300, 200, 350, 310]}], "ends beyond its image"),
        ([BOX], "has no box in 5 of the 6 images with labelled persons, first image 2"),
    ],
)  # fmt: skip
def test_boxes_of_another_kind_are_named(people, tmp_path, boxes, message):
    (tmp_path / "boxes.json").write_text(json.dumps(boxes))
    with pytest.raises(DataError) as error:
        check_coco(str(people / VAL), str(people / "val2017"), str(tmp_path / "boxes.json"))
    assert message in str(error.value)
    assert str(tmp_path / "boxes.json") in str(error.value)


def test_what_one_entry_may_have_passes(people, tmp_path):
    """A crowd without size, one person whose keypoints lie beside its box, one box that ends beyond its image."""
    data = json.loads((people / VAL).read_text())
    crowd, beside, over = data["annotations"][:3]
    crowd.update(iscrowd=1, bbox=[0, 0, 0, 0], area=0)
    _scale(beside)
    over["bbox"][2] += 300
    data["images"][0]["file_name"] = "./" + data["images"][0]["file_name"]
    (tmp_path / "x.json").write_text(json.dumps(data))
    check_coco(str(tmp_path / "x.json"), str(people / "val2017"), str(people / DETECTIONS))
