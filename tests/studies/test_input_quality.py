"""The measure of quality tells sharp crops from blurred ones, and the default packing passes its own bar."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from pipelines.data import imagenet, photos
from pipelines.packed import pack
from pipelines.packed import reader as packed
from pipelines.packed.format import Parameters
from registry import official
from studies import input_quality


def test_measures_know_noise_and_blur():
    rng = np.random.default_rng(0)
    image = np.asarray(photos.photographs()[0].crop((100, 100, 196, 196)))
    assert input_quality.psnr(image, image) > 100
    assert input_quality.ssim(image, image) == pytest.approx(1)
    noisy = image + rng.normal(0, 10, image.shape)
    assert input_quality.psnr(noisy, image) == pytest.approx(20 * np.log10(255 / 10), abs=0.1)
    assert input_quality.ssim(noisy, image) < 0.95
    rolled = np.roll(image, 3, axis=1)
    assert input_quality.ssim(rolled, image) < input_quality.ssim(noisy, image)


def test_the_reference_is_the_recipes_crop_unrounded():
    image = np.array(photos.photographs()[1])
    box = (40, 30, 340, 310)
    assert input_quality.psnr(input_quality.recipe(image, box), input_quality.reference(image, box)) > 48


@pytest.mark.slow
def test_default_packing_equals_the_recipes_quality_and_a_smaller_one_does_not(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(input_quality, "networks", lambda _: {})
    side, quality = pack.DEFAULTS.short_side, pack.DEFAULTS.quality
    monkeypatch.setattr(input_quality, "PACKED", ((side, quality), (128, 80)))
    out = tmp_path / "quality.json"
    assert input_quality.main(["--images", "8", "--crops", "2", "--out", str(out)]) == 0
    found = json.loads(out.read_text())
    assert found["equal"] == {
        f"packed, short side {side}, quality {quality}": True, "packed, short side 128, quality 80": False
    }  # fmt: skip
    assert found["rows"]["folder"]["psnr"] > 48
    assert "(equal)" in capsys.readouterr().out


def test_networks_answers_are_compared():
    a = torch.tensor([[5.0, 0.0], [0.0, 5.0]])
    assert input_quality.compare(a, a) == {"top1_agreement": 100.0, "total_variation": 0.0}
    flipped = input_quality.compare(a, a.flip(1))
    assert flipped["top1_agreement"] == 0
    assert flipped["total_variation"] > 0.9


def test_a_released_network_answers_packed_evaluation_images_alike(shared, tmp_path):
    """Real photographs; the weights at hand are random, but the images are the same bit for bit."""
    root = photos.draw_folder(tmp_path / "imagenet", photos.photographs(shared / "data/coco_kpts.zip"), 2, 8, classes=2)
    pack.pack(root, tmp_path / "packed", Parameters(short_side=64, quality=50, eval_short_side=256, shard_images=8))
    net = official.load(shared / "golden/official_6M.pt", "6M")
    plain = imagenet.ImageNetFolder(str(root / "val"), 224, train=False)
    images = torch.stack([plain[i]["inputs"] for i in range(8)])
    data = packed.PackedImages(str(tmp_path / "packed"), "val", 224, train=False).__getitems__(range(8))
    with torch.no_grad():
        assert torch.equal(net(packed.PackedPreprocessor(224)(data)["inputs"]), net(images))
