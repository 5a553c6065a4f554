"""The drawn streets: Cityscapes' layout, the same every time, all 19 classes, and train ids made where absent."""

from __future__ import annotations

import dataclasses
import json

import cv2
import numpy as np
import pytest

from pipelines.analysis.claims import counted
from pipelines.common import PipelineError, load_params
from pipelines.data import streets
from pipelines.data.cityscapes import main as make_all
from pipelines.data.cityscapes import make_train_ids, train_id_table
from pipelines.data.streets import HEIGHT, NAMES, WIDTH, draw, generate
from pipelines.data.verify import PINS, verify
from registry.inputs.errors import DataError
from registry.segmentation import cityscapes
from registry.segmentation.cityscapes import LABEL, LABEL_IDS, pairs


def test_the_same_seed_draws_the_same_set(tmp_path):
    first = generate(tmp_path / "a", train=3, val=2, seed=5)
    assert generate(tmp_path / "b", train=3, val=2, seed=5) == first
    assert generate(tmp_path / "c", train=3, val=2, seed=6) != first
    with pytest.raises(PipelineError, match="data.streets.pin"):
        generate(tmp_path / "a", train=3, val=2, seed=5, pin="0" * 64)
    assert len(pairs(tmp_path / "a/leftImg8bit/train", tmp_path / "a/gtFine/train")) == 3


def test_it_never_replaces_a_folder_of_something_else(tmp_path):
    (tmp_path / "photo.jpg").write_text("mine")
    with pytest.raises(PipelineError, match="no generated set"):
        generate(tmp_path, train=1, val=1, seed=0)
    assert (tmp_path / "photo.jpg").is_file()


def test_every_class_is_drawn_and_none_is_the_picture():
    seen = np.zeros(256)
    for i in range(12):
        scene = draw(np.random.default_rng(i))
        assert scene.image.shape == (HEIGHT, WIDTH, 3)
        seen += np.bincount(scene.label.ravel(), minlength=256)
    assert (seen[:19] > 0).all()
    assert seen[19:255].sum() == 0
    assert seen[:19].max() / seen.sum() < 0.4


def test_the_layout_is_what_the_checks_expect():
    assert (streets.IGNORE, streets.IMAGE, streets.LABEL) == (cityscapes.IGNORE, cityscapes.IMAGE, cityscapes.LABEL)


def test_names_are_mmsegmentations():
    from mmseg.datasets import CityscapesDataset

    assert CityscapesDataset.METAINFO["classes"] == NAMES


def test_train_ids_are_made_where_absent(tmp_path, capsys):
    folder = tmp_path / "gtFine/val/town"
    folder.mkdir(parents=True)
    ids = np.array([[7, 33, 0], [1, 26, 255]], np.uint8)
    source = folder / f"town_000000_000019{LABEL_IDS}"
    cv2.imwrite(str(source), ids)
    assert make_all([str(tmp_path)]) == 0
    made = source.with_name(source.name.removesuffix(LABEL_IDS) + LABEL)
    assert cv2.imread(str(made), cv2.IMREAD_UNCHANGED).tolist() == [[0, 18, 255], [255, 13, 255]]
    assert make_train_ids(source) is False  # one that is there stays
    assert "1 made" in capsys.readouterr().out
    assert sorted(set(train_id_table())) == [*range(19), 255]


@pytest.mark.parametrize("content", [b"no image", None])
def test_broken_label_ids_are_named(tmp_path, content):
    source = tmp_path / f"x{LABEL_IDS}"
    if content:
        source.write_bytes(content)
    else:
        cv2.imwrite(str(source), np.full((4, 4), 200, np.uint8))
    with pytest.raises(DataError, match=f"x{LABEL_IDS}"):
        make_train_ids(source)
    assert list(tmp_path.iterdir()) == [source]


def test_without_label_ids_it_says_what_to_unpack(tmp_path):
    with pytest.raises(PipelineError, match="unpack gtFine_trainvaltest.zip there"):
        make_all([str(tmp_path)])


def test_verified_counts_settle_the_claim(tmp_path):
    root = tmp_path / "data/cityscapes"
    root.parent.mkdir()
    generate(root, train=3, val=2, seed=1)
    with pytest.raises(PipelineError, match="3 train pairs, not 2975; unpack leftImg8bit"):
        verify("cityscapes", root, PINS["cityscapes"], tmp_path)
    pin = dataclasses.replace(PINS["cityscapes"], counts={"train_pairs": 3, "val_pairs": 2})
    assert verify("cityscapes", root, pin, tmp_path)["files"] == 10
    assert counted("cityscapes_counts", "cityscapes_counts", tmp_path)["computed"] == [3, 2]
    label = next((root / "gtFine/val").rglob(f"*{LABEL}"))
    cv2.imwrite(str(label), np.full((HEIGHT, WIDTH), 34, np.uint8))
    with pytest.raises(DataError, match="holds id 34"):
        verify("cityscapes", root, pin, tmp_path)
    json.loads((tmp_path / "results/manifests/cityscapes.json").read_text())


@pytest.mark.slow
def test_the_pinned_set_is_what_params_say():
    assert set(load_params()["data"]["streets"]) == {"train", "val", "seed", "pin"}
