"""Packing CIFAR-100: a folder of its 100 classes, a first pin that later ones are held to, and nothing else taken."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from papertally.evidence.settings import SettingsError
from pipelines.common import PipelineError, guard
from pipelines.data import cifar
from pipelines.data.cifar import CIFAR10, CIFAR100
from pipelines.data.cifar_images import CifarImages
from report.settings import data_pins


def draw(root: Path, known: cifar.CifarSet, each: int = 1) -> Path:
    """Write a set's folder: some images a class and split, each of its own noise."""
    rng = np.random.default_rng(0)
    for split in ("train", "test"):
        for name in known.classes:
            (root / split / name).mkdir(parents=True)
            for i in range(each):
                image = Image.fromarray(rng.integers(0, 256, (32, 32, 3), np.uint8))
                image.save(root / split / name / f"{i}.png")
    return root


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """Return an empty checkout in which CIFAR-100 has an image a class and split."""
    monkeypatch.setattr(cifar, "COUNTS", {"train": 100, "test": 100})
    monkeypatch.setattr(cifar, "ROOT", tmp_path)
    params = (Path(__file__).resolve().parents[3] / "params.yaml").read_text("utf-8")
    (tmp_path / "params.yaml").write_text(params, "utf-8")
    draw(tmp_path / "source", CIFAR100)
    return tmp_path


def pack(*argv: object) -> int:
    return guard(lambda: cifar.main([str(a) for a in argv]))


def test_the_first_packing_pins_and_the_next_is_held_to_it(checkout, capsys):
    assert pack("--data", "cifar100", "--source", checkout / "source") == 0
    told = capsys.readouterr().out
    assert told.count("\n") == 1
    assert "results/manifests/cifar100.json" in told
    manifest = json.loads((checkout / CIFAR100.manifest).read_text())
    data, pin = cifar.load_pinned(CIFAR100, checkout, ("train_images", "train_labels", "test_labels"))
    assert manifest["sha256"] == pin
    assert manifest["counts"] == {"train_images": 100, "test_images": 100}
    assert data_pins(checkout)["cifar100"] == {pin}
    assert sorted(data["train_labels"].tolist()) == sorted(data["test_labels"].tolist()) == list(range(100))
    # the label is the class's place among the sorted names: found again by the pixels
    apple = np.asarray(Image.open(checkout / "source/train/apple/0.png"))
    worm = np.asarray(Image.open(checkout / "source/train/worm/0.png"))
    labels = {image.tobytes(): label for image, label in zip(data["train_images"], data["train_labels"], strict=True)}
    assert (labels[apple.tobytes()], labels[worm.tobytes()]) == (0, 99)

    before = (checkout / CIFAR100.packed).read_bytes()
    assert pack("--data", "cifar100", "--source", checkout / "source") == 0
    assert "as pinned" in capsys.readouterr().out
    assert (checkout / CIFAR100.packed).read_bytes() == before
    Image.new("RGB", (32, 32)).save(checkout / "source/test/worm/0.png")
    assert pack("--data", "cifar100", "--source", checkout / "source") == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "results/manifests/cifar100.json pins" in said
    assert (checkout / CIFAR100.packed).read_bytes() == before


def _rename(source: Path) -> None:
    (source / "train/apple").rename(source / "train/apples")


def _move(source: Path) -> None:
    (source / "train/worm/0.png").rename(source / "train/apple/1.png")
    Image.new("RGB", (32, 32)).save(source / "train/worm/2.png")
    (source / "train/bear/0.png").rename(source / "train/bee/2.png")
    Image.new("RGB", (32, 32)).save(source / "train/bear/3.png")


def _jpeg(source: Path) -> None:
    Image.new("RGB", (32, 32)).save(source / "test/bear/0.png", "JPEG")


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (_rename, "train: lacks class 'apple'; its folders are to be CIFAR-100's 100"),
        (lambda source: draw(source / "train", CIFAR10), "train: has the unknown class 'test'; its"),
        (lambda source: (source / "test/worm/0.png").unlink(), "worm: no images in class folders"),
        (_move, "102 train images, not 100"),
        (_jpeg, "bear/0.png: JPEG can lose pixels"),
    ],
)
def test_a_folder_that_is_not_the_set_is_one_line_and_pins_nothing(checkout, capsys, change, fault):
    change(checkout / "source")
    assert pack("--data", "cifar100", "--source", checkout / "source") == 1
    said = capsys.readouterr().err
    assert fault in said
    assert said.count("\n") == 1
    assert not (checkout / CIFAR100.manifest).exists()
    assert not (checkout / CIFAR100.packed).exists()


def test_classes_of_unlike_size_are_named_though_their_sum_is_right(checkout, capsys):
    source = checkout / "source"
    (source / "train/worm/0.png").rename(source / "train/apple/1.png")
    Image.new("RGB", (32, 32)).save(source / "train/worm/2.png")
    cifar.COUNTS["train"] = 101
    assert pack("--data", "cifar100", "--source", source) == 1
    assert "2 train images of 'apple', not 1" in capsys.readouterr().err


def test_neither_set_is_taken_for_the_other(checkout, tmp_path, capsys):
    draw(tmp_path / "ten", CIFAR10, 10)
    assert pack("--data", "cifar100", "--source", tmp_path / "ten") == 1
    assert "lacks class 'apple' and 99 more" in capsys.readouterr().err
    assert pack("--source", checkout / "source") == 1
    assert "lacks class 'airplane' and 9 more" in capsys.readouterr().err
    # a packed CIFAR-10 under the other's name: nothing pins it, and the pin of CIFAR-100 is another
    cifar.pack(CIFAR10, tmp_path / "ten", checkout, None)
    (checkout / CIFAR10.packed).rename(checkout / CIFAR100.packed)
    with pytest.raises(PipelineError, match=r"cifar100.npz: nothing pins it.*cifar100.json; run .*--data cifar100"):
        cifar.load_pinned(CIFAR100, checkout, ())
    cifar.file_pin(CIFAR100, "1" * 64, checkout)
    with pytest.raises(PipelineError, match=r"its pin is not results/manifests/cifar100.json's"):
        cifar.load_pinned(CIFAR100, checkout, ())


@pytest.mark.parametrize("content", ["{", '{"sha256": "x"}', "[]"])
def test_a_corrupt_manifest_is_one_line(checkout, content):
    (checkout / CIFAR100.manifest).parent.mkdir(parents=True)
    (checkout / CIFAR100.manifest).write_text(content)
    with pytest.raises(PipelineError, match=r"^results/manifests/cifar100.json: .*restore it") as found:
        cifar.pin_of(CIFAR100, checkout)
    assert "\n" not in str(found.value)
    if content != '{"sha256": "x"}':
        with pytest.raises(SettingsError, match="pipelines cifar --data cifar100"):
            data_pins(checkout)


def test_each_set_is_centred_by_its_own_constants(checkout):
    pack("--data", "cifar100", "--source", checkout / "source")
    images = CifarImages(str(checkout / CIFAR100.packed), "test", data="cifar100")
    found = images[0]["inputs"][0, :, 0, 0]
    raw = images.images[0, 0, 0] / 255
    expected = (raw - np.array([0.5071, 0.4867, 0.4408])) / np.array([0.2675, 0.2565, 0.2761])
    assert found.numpy() == pytest.approx(expected, abs=1e-5)


def test_the_class_names_are_the_published_ones():
    """Held to the hash of mmpretrain's own list (CIFAR100_CATEGORIES), in its order."""
    names = "\n".join(CIFAR100.classes)
    assert len(set(CIFAR100.classes)) == 100
    assert list(CIFAR100.classes) == sorted(CIFAR100.classes)
    assert (
        hashlib.sha256(names.encode()).hexdigest() == "fbe8ad23bbaf24969898a386833b49c3aaf6ad1119d43f7b41cdea1b3416d578"
    )
