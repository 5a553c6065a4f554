"""Label images of every kind: what cannot hold ids is named in one line, before training where headers tell."""

from __future__ import annotations

import shutil
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope
from PIL import Image

from pipelines.common import ROOT, PipelineError, guard
from pipelines.data import cityscapes
from pipelines.data.streets import generate
from pipelines.data.verify import count_cityscapes
from registry.inputs.errors import DataError
from registry.segmentation.cityscapes import IMAGE, LABEL, LABEL_IDS, check_headers, pairs, read_label, train_id_table


@pytest.fixture(scope="module")
def streets(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("scenes") / "streets"
    generate(folder, train=4, val=3, seed=5)
    return folder


@pytest.fixture
def root(streets, tmp_path) -> Path:
    return shutil.copytree(streets, tmp_path / "streets")


def first(root: Path, kind: str, split: str = "val") -> Path:
    top = "leftImg8bit" if kind == IMAGE else "gtFine"
    return sorted((root / top / split).rglob(f"*{kind}"))[0]


def _resave(change):
    def spoil(path: Path) -> None:
        with Image.open(path) as image:
            image.load()
        change(image).save(path, "PNG")

    return spoil


def _array(change):
    return _resave(lambda image: Image.fromarray(change(np.array(image))))


def _depth(bits: int):
    """Save grey PNGs of few bits, as tools that shrink files do."""

    def spoil(path: Path) -> None:
        ids = np.minimum(np.array(Image.open(path)), 2**bits - 1)
        if bits == 1:
            cv2.imwrite(str(path), ids * 255, [cv2.IMWRITE_PNG_BILEVEL, 1])
            return
        height, width = ids.shape
        shifts = np.arange(8 - bits, -1, -bits)
        rows = (ids.reshape(height, -1, 8 // bits) << shifts).sum(2).astype(np.uint8)
        raw = b"".join(b"\0" + row.tobytes() for row in rows)

        def chunk(kind: bytes, content: bytes) -> bytes:
            return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

        header = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
        parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + parts)

    return spoil


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _jpeg(path: Path) -> None:
    Image.open(path).save(path, "JPEG")


def _lost(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere.png")


LABELS = [
    (_depth(1), "has 1 bits a pixel, and ids need 8; make it anew"),
    (_resave(lambda i: i.convert("1")), "has 1 bits a pixel"),
    (_depth(2), "has 2 bits a pixel"),
    (_depth(4), "has 4 bits a pixel"),
    (_array(lambda a: a.astype(np.uint16)), "has 16 bits a pixel"),
    (_array(lambda a: a.astype(np.uint16) + 1000), "has 16 bits a pixel"),
    (_resave(lambda i: i.convert("RGB")), "has 3 channels, not one: it holds colours, no ids"),
    (_resave(lambda i: i.convert("RGBA")), "has 4 channels, not one"),
    (_resave(lambda i: i.convert("LA")), "has 2 channels, not one"),
    (_resave(lambda i: i.resize((10, 12))), "is 10 x 12, its image 256 x 128; unpack both anew"),
    (_jpeg, "is no PNG, and other files do not keep ids"),
    (_cut, "cannot be read as an image ("),
    (lambda p: p.write_bytes(b""), "is empty"),
    (lambda p: p.write_bytes(b"<html>"), "cannot be read as an image ("),
    (_lost, "is a link to nowhere.png, which is not there"),
]
IDS = [
    (_array(lambda a: np.full_like(a, 33)), "holds id 33, but train ids are 0 to 18 and 255 (are these the raw ids"),
    (_array(lambda a: np.full_like(a, 200)), "holds id 200, but train ids are 0 to 18 and 255; make it anew"),
]


@pytest.mark.parametrize(("spoil", "message"), LABELS + IDS)
def test_a_wrong_label_is_named(root, spoil, message, capsys):
    path = first(root, LABEL)
    spoil(path)
    early = not any(message is m for _, m in IDS)
    check = (lambda: check_headers(pairs(root / "leftImg8bit/val", root / "gtFine/val"))) if early else (
        lambda: count_cityscapes(root)
    )  # fmt: skip
    with pytest.raises(DataError) as error:
        check()
    text = str(error.value)
    assert text.startswith(f"error: {path}: ")
    assert message in text
    assert "\n" not in text
    assert guard(lambda: count_cityscapes(root)) == 1
    assert capsys.readouterr().err.strip().splitlines()[-1] == text


@pytest.mark.parametrize(("spoil", "message"), LABELS[:13] + IDS)
@pytest.mark.slow
def test_a_label_that_breaks_in_training_is_one_line(root, monkeypatch, spoil, message):
    from mmengine.runner import Runner

    monkeypatch.setenv("CITYSCAPES_ROOT", str(root))
    loader = Config.fromfile(ROOT / "configs/segmentation/micronet_m0.py").val_dataloader
    loader.update(batch_size=1, num_workers=0, persistent_workers=False)
    with DefaultScope.overwrite_default_scope("mmseg"):
        built = Runner.build_dataloader(loader)
        spoil(first(root, LABEL))
        with pytest.raises(DataError) as error:
            list(built)
    assert str(error.value).startswith(f"error: {first(root, LABEL)}: ")
    assert message in str(error.value)


def test_a_palettes_indices_are_ids(root):
    path = first(root, LABEL)
    before = read_label(path)
    palette = Image.new("P", before.shape[::-1])
    palette.putdata(list(before.ravel()))
    palette.putpalette([i % 256 for i in range(768)])
    palette.save(path)
    assert Image.open(path).mode == "P"
    assert np.array_equal(read_label(path), before)
    count_cityscapes(root)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_cut, "cannot be read as an image"),
        (lambda p: p.write_bytes(b""), "is empty"),
        (lambda p: p.write_bytes(b"no"), "cannot be read as an image"),
    ],
)
def test_a_wrong_image_is_named_before_training(root, spoil, message):
    path = first(root, IMAGE)
    spoil(path)
    with pytest.raises(DataError, match=message) as error:
        check_headers(pairs(root / "leftImg8bit/val", root / "gtFine/val"))
    assert str(error.value).startswith(f"error: {path}: ")


def _elsewhere(root: Path) -> None:
    label = first(root, LABEL)
    (label.parent.parent / "bochum").mkdir()
    label.rename(label.parent.parent / "bochum" / label.name)


def _only_ids(root: Path) -> None:
    label = first(root, LABEL)
    label.rename(label.with_name(label.name.replace(LABEL, LABEL_IDS)))


def _as_test(root: Path) -> None:
    for top in ("leftImg8bit", "gtFine"):
        (root / top / "val").rename(root / top / "test")
        (root / top / "val").symlink_to("test")
    shutil.rmtree(root / "gtFine/test")
    (root / "gtFine/test").mkdir()


LAYOUTS = [
    (lambda r: first(r, LABEL).unlink(), "labelTrainIds.png: missing, though .*; unpack gtFine_trainvaltest.zip anew"),
    (lambda r: first(r, IMAGE).unlink(), "a label without its image; unpack leftImg8bit_trainvaltest.zip anew"),
    (_elsewhere, "labelTrainIds.png: missing, though .*; move it there from .*/bochum/"),
    (_only_ids, "labelTrainIds.png: missing, though .*; make the train ids: `python -m pipelines cityscapes`"),
    (_as_test, "labelTrainIds.png: missing, though"),
    (lambda r: shutil.rmtree(r / "gtFine"), "gtFine/val: no such folder. Put Cityscapes there"),
    (lambda r: shutil.rmtree(r / "leftImg8bit"), "leftImg8bit/val: no such folder. Put Cityscapes there"),
    (lambda r: (r / "gtFine").rename(r / "gtCoarse"), "gtFine/val: no such folder"),
]


@pytest.mark.parametrize(("spoil", "message"), LAYOUTS)
def test_layouts_are_named_with_their_mend(root, spoil, message):
    spoil(root)
    with pytest.raises(DataError, match=message) as error:
        pairs(root / "leftImg8bit/val", root / "gtFine/val")
    assert "\n" not in str(error.value)


def test_links_and_clutter_change_nothing(root, tmp_path):
    before = [(a.name, b.name) for a, b in pairs(root / "leftImg8bit/val", root / "gtFine/val")]
    for top in ("leftImg8bit", "gtFine"):
        for i, city in enumerate(sorted((root / top / "val").iterdir())):
            city.rename(tmp_path / f"{top}{i}")
            city.symlink_to(tmp_path / f"{top}{i}")
            for name in ("._x" + IMAGE, ".DS_Store", "._x" + LABEL, "Thumbs.db", ".ipynb_checkpoints/x" + IMAGE):
                (city / name).parent.mkdir(exist_ok=True)
                (city / name).write_bytes(b"\0")
    assert [(a.name, b.name) for a, b in pairs(root / "leftImg8bit/val", root / "gtFine/val")] == before
    count_cityscapes(root)


def _ids(root: Path) -> list[Path]:
    """Write labelIds beside the train ids, as Cityscapes has them."""
    back = np.full(256, 0, np.uint8)
    for i, train_id in enumerate(train_id_table()):
        if train_id != 255:
            back[train_id] = i
    out = []
    for path in sorted((root / "gtFine").rglob(f"*{LABEL}")):
        out.append(path.with_name(path.name.replace(LABEL, LABEL_IDS)))
        Image.fromarray(back[np.array(Image.open(path))]).save(out[-1])
    return out


def test_train_ids_are_made_of_linked_folders_and_held_to_their_ids(root, tmp_path, capsys):
    ids = _ids(root)
    labels = [path.with_name(path.name.replace(LABEL_IDS, LABEL)) for path in ids]
    before = [read_label(path) for path in labels]
    for path in labels:
        path.unlink()
    (root / "gtFine/train").rename(tmp_path / "far")
    (root / "gtFine/train").symlink_to(tmp_path / "far")
    ids[0].with_name("._x" + LABEL_IDS).write_bytes(b"\0")
    assert cityscapes.main([str(root)]) == 0
    assert f"{len(ids)} made, 0 there before" in capsys.readouterr().out
    assert all(np.array_equal(read_label(path), old) for path, old in zip(labels, before, strict=True))
    count_cityscapes(root)
    shutil.copy(labels[0], labels[1])
    with pytest.raises(PipelineError, match=f"{labels[1].name}: has not the train ids of .*labelIds.png; delete it"):
        count_cityscapes(root)


@pytest.mark.parametrize(("spoil", "message"), [LABELS[0], LABELS[4], LABELS[6], LABELS[10], LABELS[11], LABELS[12]])
def test_ids_that_are_none_are_named(root, spoil, message, capsys):
    path = _ids(root)[0]
    path.with_name(path.name.replace(LABEL_IDS, LABEL)).unlink()
    spoil(path)
    assert guard(lambda: cityscapes.main([str(root)])) == 1
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith(f"error: {path}: ")
    assert message.partition(";")[0] in error


def test_labels_without_ids_are_refused(root):
    for path in (root / "gtFine/val").rglob(f"*{LABEL}"):
        _array(lambda a: np.full_like(a, 255))(path)
    with pytest.raises(PipelineError, match="gtFine/val: every pixel is ignored, as in the test split"):
        count_cityscapes(root)
