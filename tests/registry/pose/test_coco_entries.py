"""Every kind of malformed COCO entry, image and person box stops in one line before training."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mim_tools import as_mim
from mmengine.registry import DefaultScope
from PIL import Image

from pipelines.common import ROOT
from pipelines.data.people import generate
from registry.inputs.errors import DataError
from registry.pose.coco import DETECTIONS, NAMES, check_coco

VAL = "annotations/person_keypoints_val2017.json"
NAN, INF = float("nan"), float("inf")


@pytest.fixture(scope="module")
def people(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("coco") / "people"
    generate(folder, train=4, val=6, seed=3)
    return folder


@pytest.fixture(scope="module")
def sound(people) -> str:
    return (people / VAL).read_text()


def refused(path: Path | str, people: Path, detections: Path | None = None) -> str:
    with pytest.raises(DataError) as error:
        check_coco(str(path), str(people / "val2017"), None if detections is None else str(detections))
    text = str(error.value)
    assert text.startswith("error: ")
    assert "\n" not in text
    return text


def edited(sound: str, tmp_path: Path, change) -> Path:
    data = json.loads(sound)
    change(data)
    path = tmp_path / "person_keypoints_val2017.json"
    path.write_text(json.dumps(data))
    return path


def item(i: int, **values):
    return lambda d: d["annotations"][i].update(values)


def without(i: int, key: str):
    return lambda d: d["annotations"][i].pop(key)


def everywhere(change):
    return lambda d: [change(entry) for entry in d["annotations"]]


def points(place: int, value):
    def change(d):
        d["annotations"][1]["keypoints"][place] = value

    return change


def category(**values):
    return lambda d: d["categories"][0].update(values)


def image(i: int, **values):
    return lambda d: d["images"][i].update(values)


SWAPPED = [NAMES[0], NAMES[2], NAMES[1], *NAMES[3:]]
FAULTS = [
    *[(without(2, key), f"annotations[2] (id 3): has no '{key}'; ") for key in
      ("area", "iscrowd", "num_keypoints", "category_id", "bbox", "image_id", "keypoints")],
    (without(2, "id"), "annotations[2]: has no 'id'; "),
    (everywhere(lambda a: a.pop("area")), "annotations[0] (id 1): has no 'area' (and "),
    (item(3, id=2), "annotations[3] (id 2): has the id of annotations[1]; give every entry an id of its own"),
    (everywhere(lambda a: a.update(id=7)), "annotations[1] (id 7): has the id of annotations[0] (and"),
    (item(0, id=0), "annotations[0] (id 0): 'id' is 0, below 1"),
    (item(0, id="1"), "annotations[0] (id '1'): 'id' is '1', not a whole number"),
    (item(0, id=1.0), "'id' is 1.0, not a whole number"),
    (item(0, id=True), "'id' is True, not a whole number"),
    (item(0, id=None), "'id' is None, not a whole number"),
    (item(0, image_id="1"), "'image_id' is '1', not a whole number"),
    (item(0, image_id=[1]), "'image_id' is [1], not a whole number"),
    (item(0, image_id=99), "is of image 99, which the file does not list"),
    (item(0, category_id=18), "is of category 18, which the file does not list"),
    (item(0, iscrowd=2), "'iscrowd' is 2, not 0 or 1"),
    (item(0, iscrowd=None), "'iscrowd' is None"),
    (item(0, iscrowd="0"), "'iscrowd' is '0'"),
    *[(item(0, area=v), "'area' is ") for v in (NAN, INF, -1, "12", None, True, [3], 10**400)],
    *[(item(4, bbox=v), "annotations[4] (id 5): has no box of four numbers") for v in (
        None, [], [1, 2, 3], [1, 2, 3, 4, 5], "1,2,3,4", {"x": 1}, 5, [NAN, 1, 2, 3], [1, INF, 2, 3], [1, 2, "3", 4],
        [1, 2, None, 4], [1, 2, 3, True], [[1], 2, 3, 4], [1, 2, 3, 10**400], ["a", "b", "c", "d"])],
    (item(0, bbox=[1, 2, -3, 4]), "its box [1.0, 2.0, -3.0, 4.0] has a side below 0"),
    (item(0, bbox=[5000, 2, 3, 4]), "its box [5000.0, 2.0, 3.0, 4.0] lies outside its image"),
    (item(0, bbox=[-50, 2, 3, 4]), "lies outside its image"),
    *[(item(1, keypoints=v), "annotations[1] (id 2): has no 17 keypoints of x, y and visibility") for v in (
        None, [], [0] * 50, [0] * 52, "0" * 51, [[0, 0, 0]] * 17, {"nose": [0, 0, 0]}, 51)],
    *[(points(0, v), "has no 17 keypoints of x, y and visibility: 'keypoints' holds ") for v in (
        NAN, -INF, "3", None, True, [1], 10**400)],
    *[(points(2, v), f"annotations[1] (id 2): has visibility {v:g}, not 0, 1 or 2") for v in (3, -1, 0.5)],
    *[(item(1, num_keypoints=v), "'num_keypoints' is ") for v in (0, -1, 18, "3", None, NAN, 4.0, True)],
    (everywhere(lambda a: a.update(keypoints=[0] * 51, num_keypoints=0)), "no person with a labelled keypoint"),
    (lambda d: d["annotations"].__setitem__(2, None), "annotations[2]: is no JSON object"),
    (lambda d: d["annotations"].__setitem__(2, [1]), "annotations[2]: is no JSON object"),
    (category(keypoints=SWAPPED), "categories[0] (id 1): keypoint 2 is 'right_eye', COCO's is 'left_eye'"),
    (category(keypoints=list(NAMES[:16])), "categories[0] (id 1): has no list of 17 'keypoints'"),
    (category(keypoints=[*NAMES, "neck"]), "has no list of 17 'keypoints'"),
    (category(keypoints=[None, *NAMES[1:]]), "keypoint 1 is None"),
    (lambda d: d["categories"][0].pop("keypoints"), "has no list of 17 'keypoints'"),
    (category(id=2), "categories[0] (id 2): is no person of id 1"),
    (lambda d: d["categories"].append({**d["categories"][0], "id": 2}), "categories[1] (id 2): has keypoints"),
    (lambda d: d["categories"].append(d["categories"][0]), "categories[1] (id 1): has the id of categories[0]"),
    (lambda d: d["categories"].clear(), "its list 'categories' is empty"),
    (image(2, id=1), "images[2] (id 1): has the id of images[0]"),
    (image(2, id="3"), "images[2] (id '3'): 'id' is '3', not a whole number"),
    (image(2, height=0), "images[2] (id 3): 'height' is 0, below 1"),
    (image(2, width="400"), "'width' is '400', not a whole number"),
    (image(2, width=400.0), "'width' is 400.0, not a whole number"),
    (image(2, file_name=3), "'file_name' is 3, not a file's name"),
    (image(2, file_name=""), "'file_name' is '', not a file's name"),
    (image(2, width=320, height=400), "is 400 x 320, not 320 x 400, though"),
    (image(2, file_name="gone.jpg"), "gone.jpg: no such image, though"),
    (lambda d: d.update(images={}), "has no list 'images'"),
    (lambda d: d.update(annotations=None), "has no list 'annotations'"),
    (lambda d: d["annotations"].clear(), "its list 'annotations' is empty"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "message"), FAULTS)
def test_each_fault_names_file_and_entry(people, sound, tmp_path, change, message):
    path = edited(sound, tmp_path, change)
    text = refused(path, people)
    assert message in text
    assert str(path) in text
    assert ";" in text


@pytest.mark.slow
@given(
    st.integers(0, 8),
    st.sampled_from(["bbox", "area", "iscrowd", "id", "keypoints"]),
    st.sampled_from([None, "x", NAN, [], {}, [None], -1.5, [[]], "NaN"]),
)
def test_no_value_gives_a_traceback(people, sound, tmp_path_factory, i, key, value):
    data = json.loads(sound)
    data["annotations"][i % len(data["annotations"])][key] = value
    path = tmp_path_factory.mktemp("any") / "x.json"
    path.write_text(json.dumps(data))
    refused(path, people)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda text: b"", "is empty"),
        (lambda text: b" \n", "is empty"),
        (lambda text: text[: len(text) // 2], "truncated or malformed JSON"),
        (lambda text: b"[]", "holds no COCO annotations"),
        (lambda text: b"null", "holds no COCO annotations"),
        (lambda text: gzip.compress(text), "is still compressed; unpack it"),
        (lambda text: b"\xef\xbb\xbf" + text, "begins with a byte order mark"),
        (lambda text: text.decode().encode("utf-16"), "begins with a byte order mark"),
        (lambda text: b"\xe9" + text, "truncated or malformed JSON"),
        (lambda text: b"[" * 100_000, "truncated or malformed JSON"),
        (lambda text: b"<html>", "truncated or malformed JSON"),
    ],
)
def test_what_is_no_coco_file_is_named(people, sound, tmp_path, content, message):
    path = tmp_path / "a.json"
    path.write_bytes(content(sound.encode()))
    assert message in refused(path, people)
    path.unlink()
    path.symlink_to("nowhere.json")
    assert "a.json: is a link to nowhere.json, which is not there" in refused(path, people)


BOX = {"image_id": 1, "category_id": 1, "bbox": [0, 0, 1, 1], "score": 1}
BOXES = [
    ([], "holds no boxes"),
    ({}, "is no list of detections"),
    ([BOX, {**BOX, "score": NAN}], "[1]: 'score' is nan, no finite number"),
    ([{**BOX, "score": "1"}], "[0]: 'score' is '1'"),
    ([{**BOX, "score": None}], "[0]: 'score' is None"),
    ([{**BOX, "bbox": [0, 0, NAN, 1]}], "[0]: has no box of four numbers"),
    ([{**BOX, "bbox": [0, 0, 1]}], "[0]: has no box of four numbers"),
    ([{**BOX, "bbox": [0, 0, -1, 1]}], "[0]: its box [0.0, 0.0, -1.0, 1.0] has a side below 0"),
    ([{**BOX, "image_id": 77}], "1 boxes are of images that the annotations lack, first 77"),
    ([{**BOX, "image_id": "1"}], "[0]: 'image_id' is '1', not a whole number"),
    ([{**BOX, "category_id": 2}], "holds no box of a person"),
    ([{k: v for k, v in BOX.items() if k != "score"}], "[0]: is no list of detections with bbox"),
    ([BOX, None], "[1]: is no list of detections"),
]


@pytest.mark.parametrize(("content", "message"), BOXES)
def test_person_boxes_are_checked(people, tmp_path, content, message):
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps(content))
    text = refused(people / VAL, people, path)
    assert message in text
    assert str(path) in text


def test_what_the_standard_allows_passes(people, sound, tmp_path):
    """Crowds with RLE, persons without labelled points, boxes without area, other categories without keypoints."""

    def change(d):
        crowd = {"counts": [3, 5, 128_000 - 8], "size": [320, 400]}
        d["annotations"][0].update(iscrowd=1, segmentation=crowd, num_keypoints=0, keypoints=[0] * 51, id=900100000001)
        d["annotations"][1].update(num_keypoints=0, keypoints=[0] * 51, bbox=[0, 0, 0, 0], area=0)
        d["annotations"][2].update(bbox=[-0.5, -0.5, 401, 321], area=17)
        d["annotations"][2].pop("segmentation", None)
        d["categories"].append({"id": 18, "name": "dog", "supercategory": "animal"})
        dog = {"id": 10**9, "image_id": 1, "category_id": 18, "bbox": [1, 2, 3, 4], "area": 12.5, "iscrowd": 0}
        d["annotations"].append(dog)
        d["info"] = {"year": 2017}

    path = edited(sound, tmp_path, change)
    data = check_coco(str(path), str(people / "val2017"), str(people / DETECTIONS), every_size=True)
    assert data["annotations"][0]["iscrowd"] == 1


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _link(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere.jpg")


IMAGES = [
    (Path.unlink, "000000000004.jpg: no such image, though"),
    (_cut, "000000000004.jpg: cannot be read as an image (image file is truncated"),
    (lambda p: p.write_bytes(b""), "000000000004.jpg: is empty, though"),
    (lambda p: p.write_bytes(b"<html>"), "000000000004.jpg: cannot be read as an image"),
    (lambda p: Image.new("RGB", (10, 20)).save(p), "000000000004.jpg: is 10 x 20, not 400 x 320, though"),
    (_link, "000000000004.jpg: is a link to nowhere.jpg, which is not there, though"),
]


@pytest.mark.parametrize(("spoil", "message"), IMAGES)
def test_a_broken_image_is_found_before_training(people, tmp_path, spoil, message):
    root = shutil.copytree(people, tmp_path / "people")
    spoil(root / "val2017/000000000004.jpg")
    assert message in refused(root / VAL, root)


def test_linked_folders_and_images_pass(people, tmp_path):
    root = tmp_path / "linked"
    root.mkdir()
    (root / "annotations").symlink_to(people / "annotations")
    (root / "val2017").mkdir()
    for path in (people / "val2017").iterdir():
        (root / "val2017" / path.name).symlink_to(path)
    (root / "val2017/._000000000001.jpg").write_bytes(b"\0")
    (root / "val2017/.DS_Store").write_bytes(b"\0")
    check_coco(str(root / VAL), str(root / "val2017"))


@pytest.mark.parametrize("spoil", [Path.unlink, _cut])
@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.slow
def test_an_image_that_breaks_in_training_is_one_line(people, tmp_path, monkeypatch, spoil, workers):
    from mmengine.config import Config
    from mmengine.runner import Runner

    root = shutil.copytree(people, tmp_path / "people")
    monkeypatch.setenv("COCO_ROOT", str(root))
    loader = Config.fromfile(ROOT / "configs/micronet_m0.py").train_dataloader
    loader.update(batch_size=2, num_workers=workers, persistent_workers=False)
    with DefaultScope.overwrite_default_scope("mmpose"):
        built = Runner.build_dataloader(loader)
        spoil(root / "train2017/000000000002.jpg")
        with pytest.raises(DataError) as error:
            list(built)
    text = str(error.value)
    assert text.startswith(f"error: {root}/train2017/000000000002.jpg: ")
    assert text.endswith("; unpack it anew")
    assert "\n" not in text


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize(
    ("change", "message"),
    [(without(1, "area"), "annotations[1] (id 2): has no 'area'"), (item(3, id=2), "has the id")],
)
def test_mim_train_stops_before_training_with_one_line(people, tmp_path, forks, change, message):
    root = shutil.copytree(people, tmp_path / "people")
    data = json.loads((root / VAL).read_text())
    change(data)
    (root / VAL).write_text(json.dumps(data))
    config = ROOT / "configs/micronet_m0.py"
    done = as_mim(forks, "train", "mmpose", config, "--work-dir", "w", cwd=tmp_path, COCO_ROOT=root)
    assert done.returncode != 0
    lines = [line for line in (done.stdout + done.stderr).splitlines() if "error: " in line]
    assert len(lines) == 1, lines
    assert message in lines[0]
    assert "Epoch(train)" not in done.stdout + done.stderr
    command = [
        "-m",
        "pipelines",
        "train",
        "--row",
        "t8_micronet_m0",
        "--profile",
        "paper",
        "--dry-run",
        "--workers",
        "0",
    ]
    done = forks.run(*command, "--data", root, cwd=ROOT)
    assert done.returncode == 1
    assert message in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
