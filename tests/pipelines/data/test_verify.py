"""Pinned data: counts, archives and every file, and the claims that rest on them."""

from __future__ import annotations

import dataclasses
import json

import pytest

from pipelines.analysis.claims import counted
from pipelines.common import PipelineError
from pipelines.data.people import generate
from pipelines.data.verify import PINS, count_coco, verify


@pytest.fixture
def coco(tmp_path):
    root = tmp_path / "data/coco"
    root.parent.mkdir()
    generate(root, train=4, val=3, seed=2)
    return root, dataclasses.replace(PINS["coco"], counts=count_coco(root))


def test_a_verified_set_is_held_to_its_files(coco, tmp_path):
    root, pin = coco
    first = verify("coco", root, pin, tmp_path)
    assert first["counts"]["val_images"] == 3
    assert verify("coco", root, pin, tmp_path) == first
    image = root / "val2017/000000000002.jpg"
    image.write_bytes(image.read_bytes() + b"x")
    with pytest.raises(PipelineError, match="1 files changed, first val2017/000000000002.jpg"):
        verify("coco", root, pin, tmp_path)


def test_the_full_pin_refuses_another_set(coco, tmp_path):
    root, _ = coco
    with pytest.raises(PipelineError, match="not 118287; download train2017.zip"):
        verify("coco", root, PINS["coco"], tmp_path)
    assert not (tmp_path / "results").exists()


def test_what_is_wrong_is_named(coco, tmp_path):
    root, pin = coco
    with pytest.raises(PipelineError, match="no such folder"):
        verify("coco", tmp_path / "none", pin, tmp_path)
    (root / "val2017.zip").write_bytes(b"cut off")
    with pytest.raises(PipelineError, match="val2017.zip: its MD5 is"):
        verify("coco", root, pin, tmp_path)


def test_claims_about_data_rest_on_the_manifest(coco, tmp_path):
    root, pin = coco
    assert counted("coco_val_images", "coco_val_images", tmp_path) is None
    verify("coco", root, pin, tmp_path)
    assert counted("coco_val_images", "coco_val_images", tmp_path)["computed"] == 3
    record = tmp_path / "results/manifests/coco.json"
    record.write_text(json.dumps({"counts": {}}))
    with pytest.raises(PipelineError, match="corrupt"):
        counted("coco_val_images", "coco_val_images", tmp_path)
