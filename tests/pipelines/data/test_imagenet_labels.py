"""Validation and training images in a wrong class, and layouts that are not ILSVRC2012's."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import savemat

from pipelines.common import PipelineError
from pipelines.data import imagenet, imagenet_labels
from pipelines.data.imagenet_labels import GROUND_TRUTH, META, check_labels, official_lists
from pipelines.data.verify import PINS, verify

COUNTS = {"train_images": 12, "val_images": 6, "train_classes": 3, "val_classes": 3}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return imagenet.draw_tiny(tmp_path / "data/imagenet", classes=3, train=4, val=2)


def places(root: Path) -> dict[int, str]:
    """Return the class by image number, with the numbers made 1 to 6."""
    paths = sorted((root / "val").glob("*/*.JPEG"))
    out = {}
    for i, path in enumerate(paths, 1):
        path.rename(path.with_name(f"ILSVRC2012_val_{i:08d}.JPEG"))
        out[i] = path.parent.name
    return out


def run(root: Path, tmp_path: Path, name: str = "imagenet"):
    counts = {key: value for key, value in imagenet.count(root).items() if key in PINS[name].counts}
    return verify(name, root, dataclasses.replace(PINS[name], counts=counts), tmp_path)


def _devkit_parts(truth: dict[int, str]) -> tuple[bytes, bytes]:
    wnids = sorted(set(truth.values()), reverse=True)  # IDs are in no order of the wnids
    kind = [("ILSVRC2012_ID", object), ("WNID", object), ("words", object), ("num_children", object)]
    synsets = np.array([(i, w, "a, b", 0) for i, w in enumerate(wnids, 1)], dtype=kind)
    file = io.BytesIO()
    savemat(file, {"synsets": synsets.reshape(-1, 1)})
    return "".join(f"{wnids.index(truth[i]) + 1}\n" for i in sorted(truth)).encode(), file.getvalue()


def _text(name: str, form):
    def write(root: Path, truth: dict[int, str]) -> None:
        (root / name).write_text(form(truth))

    write.__name__ = name
    return write


def _meta(root: Path, truth: dict[int, str]) -> None:
    torch.save((dict.fromkeys(truth.values(), ("a",)), [truth[i] for i in sorted(truth)]), root / "meta.bin")


def _devkit_folder(root: Path, truth: dict[int, str]) -> None:
    folder = root / "ILSVRC2012_devkit_t12/data"
    folder.mkdir(parents=True)
    numbers, meta = _devkit_parts(truth)
    (folder / "ILSVRC2012_validation_ground_truth.txt").write_bytes(numbers)
    (folder / "meta.mat").write_bytes(meta)


def _devkit_archive(root: Path, truth: dict[int, str]) -> None:
    with tarfile.open(root / "ILSVRC2012_devkit_t12.tar.gz", "w:gz") as tar:
        for name, content in zip((GROUND_TRUTH, META), _devkit_parts(truth), strict=True):
            info = tarfile.TarInfo(f"ILSVRC2012_devkit_t12/data/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


LISTS = [
    _text("imagenet_2012_validation_synset_labels.txt", lambda t: "".join(f"{t[i]}\n" for i in sorted(t))),
    _text("LOC_val_solution.csv", lambda t: "ImageId,PredictionString\n" + "".join(
        f"ILSVRC2012_val_{i:08d},{t[i]} 85 1 499 272 {t[i]} 1 2 3 4 \n" for i in sorted(t, reverse=True))),
    _text("valprep.sh", lambda t: "#!/bin/bash\n" + "".join(
        f"mv ILSVRC2012_val_{i:08d}.JPEG {t[i]}/\n" for i in sorted(t))),
    _meta, _devkit_folder, _devkit_archive,
]  # fmt: skip


@pytest.mark.parametrize("write", LISTS, ids=lambda f: f.__name__)
def test_each_official_list_finds_swapped_classes(root, write):
    truth = places(root)
    write(root, truth)
    assert [found for _, found in official_lists(root)] == [truth]
    check_labels(root, ("train", "val"), COUNTS)
    a, b = sorted((root / "val").iterdir())[:2]
    a.rename(root / "val/x")
    b.rename(a)
    (root / "val/x").rename(b)
    with pytest.raises(PipelineError, match=r"is of class n\d+ by .*\(4 of 6 images lie in a wrong class\); sort") as e:
        check_labels(root, ("val",), COUNTS)
    assert "\n" not in str(e.value)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("imagenet_2012_validation_synset_labels.txt", b"n01440764\ngoldfish\n"),
        ("imagenet_2012_validation_synset_labels.txt", b"n01440764\n"),
        ("imagenet_2012_validation_synset_labels.txt", b"\xff\xfe\0"),
        ("LOC_val_solution.csv", b"a,b\n1,2\n"),
        ("LOC_val_solution.csv", b"ImageId,PredictionString\nILSVRC2012_val_00000001,\n"),
        ("valprep.sh", b"echo\n"),
        ("meta.bin", b"no"),
        ("ILSVRC2012_validation_ground_truth.txt", b"1\n"),
        ("ILSVRC2012_devkit_t12.tar.gz", b"cut off"),
    ],
)
def test_a_broken_list_is_named(root, name, content):
    (root / name).write_bytes(content)
    places(root)
    with pytest.raises(PipelineError, match=name) as error:
        check_labels(root, ("val",), COUNTS)
    assert "\n" not in str(error.value)
    assert "remove" in str(error.value)
    assert "weights_only" not in str(error.value)  # no advice to load it unsafely


def test_all_validation_images_in_one_class_are_refused(root, tmp_path):
    first = sorted((root / "val").iterdir())[0]
    for path in list((root / "val").glob("*/*.JPEG")):
        path.rename(first / path.name)
    with pytest.raises(PipelineError, match=r"n01440764: 6 images, and each class has 2 \(3 such classes\); sort"):
        run(root, tmp_path)
    with pytest.raises(PipelineError, match="each class has 2"):
        run(root, tmp_path, "imagenet_val")
    assert not (tmp_path / "results").exists()


def test_one_misplaced_image_is_refused(root, tmp_path):
    classes = sorted((root / "val").iterdir())
    image = next(classes[0].glob("*"))
    image.rename(classes[1] / image.name)
    with pytest.raises(PipelineError, match=r": 1 images, and each class has 2 \(2 such classes\)"):
        run(root, tmp_path)


def test_training_images_are_held_to_their_names(root, tmp_path):
    a, b = sorted((root / "train").iterdir())[:2]
    a.rename(root / "train/x")
    b.rename(a)
    (root / "train/x").rename(b)
    with pytest.raises(PipelineError, match=r"by its name an image of n\d+, in another class's folder \(8 such"):
        run(root, tmp_path)


def test_duplicates_and_strangers_are_refused(root, tmp_path):
    image = next((root / "train").glob("*/*.JPEG"))
    twin = image.with_suffix(".jpg")
    twin.write_bytes(image.read_bytes())
    with pytest.raises(PipelineError, match="is there twice, as"):
        run(root, tmp_path)
    twin.rename(image.with_name("n01440764_77.png"))
    with pytest.raises(PipelineError, match="_77.png: is no .JPEG, and ImageNet has no other images; remove it"):
        run(root, tmp_path)


@pytest.mark.long
def test_the_full_sets_classes_are_held_to_bounds_and_checksum(monkeypatch):
    train = {"n01440764": [Path(f"n01440764_{i}.JPEG") for i in range(731)]}
    with pytest.raises(PipelineError, match="train/n01440764: 731 images, and a class has 732 to 1300"):
        imagenet_labels._check_train(train, imagenet.COUNTS)
    wnids = [f"n{i:08d}" for i in range(1000)]
    val = {w: [Path(f"ILSVRC2012_val_{50 * i + k + 1:08d}.JPEG") for k in range(50)] for i, w in enumerate(wnids)}
    with pytest.raises(PipelineError, match=r"do not lie in their official classes \(put ILSVRC2012_devkit_t12.tar.gz"):
        imagenet_labels._check_val(Path("nowhere"), val, imagenet.COUNTS)
    placed = "".join(w for w in wnids for _ in range(50))
    monkeypatch.setattr(imagenet_labels, "VAL_LABELS", hashlib.sha256(placed.encode()).hexdigest())
    imagenet_labels._check_val(Path("nowhere"), val, imagenet.COUNTS)
    val["n00000000"][0] = Path("image.JPEG")
    with pytest.raises(PipelineError, match="image.JPEG: not ILSVRC2012_val_00000001 to _00050000"):
        imagenet_labels._check_val(Path("nowhere"), val, imagenet.COUNTS)


def _flatten(folder: Path) -> None:
    for path in list(folder.glob("*/*")):
        path.rename(folder / path.name)
    for path in list(folder.iterdir()):
        if path.is_dir():
            path.rmdir()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda r: _flatten(r / "val"), r"val: holds 6 images and no class folders; sort them anew: .*ImageNet\(ROOT"),
        (lambda r: _flatten(r / "train"), r"train: holds 12 images and no class folders; move each into the folder"),
        (lambda r: (r / "val/n01440764").rename(r / "val/tench"), "val/tench: is no class folder .*no label"),
        (lambda r: (r / "train/n01440764").rename(r / "train/0"), "train/0: is no class folder"),
        (lambda r: (r / "train/n01440764").rename(r / "train/N01440764"), "train/N01440764: is no class folder"),
        (lambda r: (r / "val").rename(r / "validation"), "val: no such folder; download"),
    ],
)
def test_other_layouts_are_named_with_their_mend(root, tmp_path, spoil, message):
    spoil(root)
    with pytest.raises(PipelineError, match=message) as error:
        verify("imagenet", root, PINS["imagenet"], tmp_path)
    assert "\n" not in str(error.value)


def test_archives_that_are_still_packed_are_named(tmp_path):
    (tmp_path / "train").mkdir()
    (tmp_path / "train/n01440764.tar").write_bytes(b"")
    with pytest.raises(PipelineError, match="train: holds 1 archives still packed; unpack each"):
        imagenet.count(tmp_path, ("train",))


def test_other_suffixes_are_counted_in_either_case(root):
    for path in list((root / "val").glob("*/*.JPEG")):
        path.rename(path.with_suffix(".jpg" if "1" in path.name else ".jpeg"))
    for path in list((root / "train").glob("*/*.JPEG")):
        path.rename(path.with_suffix(".JPG"))
    assert imagenet.count(root) == COUNTS
    check_labels(root, ("train", "val"), COUNTS)
