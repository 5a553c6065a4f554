"""Image folders as they lie on people's disks: links, clutter, odd names and broken images."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from PIL import Image
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder as Torchvisions
from tqdm import tqdm

from pipelines.common import PipelineError, guard
from pipelines.data import cifar, imagenet
from pipelines.data.folders import ImageFolder, data_root, open_rgb
from pipelines.data.images import FolderClassification
from pipelines.packed import pack
from registry.inputs.errors import DataError
from registry.inputs.files import files_in, is_clutter, shown

CLUTTER = (
    ".DS_Store", "Thumbs.db", "desktop.ini", "._a.JPEG", "._n01440764_0.JPEG", ".hidden.png", "notes.txt",
    ".ipynb_checkpoints/n-checkpoint.JPEG", "__MACOSX/._x.JPEG", "@eaDir/x.JPEG/SYNOPHOTO_THUMB_M.jpg", ".git/x.png",
)  # fmt: skip


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return imagenet.draw_tiny(tmp_path / "data/imagenet", classes=3, train=4, val=2)


def litter(folder: Path) -> None:
    """Leave in a folder what systems leave."""
    for name in CLUTTER:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"\0\1clutter")


def names(root: Path) -> list[str]:
    return [Path(path).relative_to(root).as_posix() for path, _ in ImageFolder(root, "mend").samples]


def line(error: pytest.ExceptionInfo) -> str:
    text = str(error.value)
    assert "\n" not in text
    assert "Traceback" not in text
    return text


def test_a_sound_folder_is_read_as_torchvision_reads_it(root):
    (root / "train/n01440764/more").mkdir()
    shutil.copy(next((root / "train/n01440764").glob("*.JPEG")), root / "train/n01440764/more/Z.PNG")
    ours, theirs = ImageFolder(root / "train", "mend"), Torchvisions(str(root / "train"))
    assert ours.samples == theirs.samples
    assert (ours.classes, ours.class_to_idx, ours.targets) == (theirs.classes, theirs.class_to_idx, theirs.targets)
    assert all(a[0].tobytes() == b[0].tobytes() for a, b in zip(ours, theirs, strict=True))


def test_clutter_is_in_no_folder(root):
    before = names(root / "train"), imagenet.count(root)
    for folder in (root, root / "train", root / "val", *(root / "train").iterdir()):
        litter(folder)
    assert (names(root / "train"), imagenet.count(root)) == before
    assert len(FolderClassification(str(root / "train"), 32, train=False)) == 12


@examples(max_examples=60)
@given(st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=20))
def test_hidden_names_are_clutter_and_messages_are_lines(name):
    assert is_clutter("." + name)
    assert shown(name).isprintable()


def test_links_are_what_they_point_to(root, tmp_path):
    before = names(root / "train"), imagenet.count(root)
    for i, folder in enumerate(sorted((root / "train").iterdir())):
        folder.rename(tmp_path / f"class{i}")
        (tmp_path / f"link{i}").symlink_to(tmp_path / f"class{i}")
        folder.symlink_to(tmp_path / f"link{i}")  # a chain
    image = next((root / "val").glob("*/*.JPEG"))
    image.rename(tmp_path / "elsewhere.bin")
    image.symlink_to("../../../../elsewhere.bin")
    (root / "val").rename(tmp_path / "val")
    (root / "val").symlink_to(tmp_path / "val")
    (tmp_path / "root").symlink_to(root)
    image = tmp_path / "val" / image.parent.name / image.name
    image.unlink()
    image.symlink_to(tmp_path / "elsewhere.bin")
    for place in (root, tmp_path / "root"):
        assert (names(place / "train"), imagenet.count(place)) == before


def _circle(folder: Path) -> None:
    (folder / "again").symlink_to(folder.parent)


def _itself(folder: Path) -> None:
    (folder / "x.JPEG").symlink_to(folder / "x.JPEG")


def _each_other(folder: Path) -> None:
    (folder / "a").symlink_to(folder / "b")
    (folder / "b").symlink_to(folder / "a")


def _lost_image(folder: Path) -> None:
    (folder / "x.JPEG").symlink_to("/nowhere/x.JPEG")


def _lost_class(folder: Path) -> None:
    (folder.parent / "n01999999").symlink_to("nowhere")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_circle, "again.*: is a link back to a folder that it lies in; remove the link"),
        (_itself, "x.JPEG: cannot be followed .*; mend or remove the link"),
        (_each_other, "[ab]: cannot be followed"),
        (_lost_image, "x.JPEG: is a link to /nowhere/x.JPEG, which is not there; mend or remove"),
        (_lost_class, "n01999999: is a link to nowhere, which is not there"),
    ],
)
def test_links_that_lead_nowhere_are_named(root, spoil, message, capsys):
    spoil(root / "train/n01440764")
    for read in (lambda: imagenet.count(root), lambda: ImageFolder(root / "train", "mend")):
        with pytest.raises(DataError, match=message) as error:
            read()
        assert line(error).startswith("error: ")
        assert guard(read) == 1
        assert capsys.readouterr().err.count("\n") == 1


def test_a_lost_link_to_what_is_not_read_stops_nothing(root):
    (root / "train/n01440764/notes.txt").symlink_to("nowhere.txt")
    (root / "train/n01440764/.cache").symlink_to("nowhere")
    assert imagenet.count(root)["train_images"] == 12


def _save(path: Path, mode: str, **more) -> None:
    Image.new(mode, (40, 30), 1).save(path, **more)


@pytest.mark.parametrize(
    ("mode", "kind"),
    [("CMYK", "JPEG"), ("P", "PNG"), ("1", "PNG"), ("I;16", "PNG"), ("LA", "PNG"), ("RGBA", "WEBP"), ("L", "JPEG")],
)
def test_every_usual_kind_of_image_is_read(tmp_path, mode, kind):
    _save(tmp_path / "x.JPEG", mode, format=kind)
    assert open_rgb(tmp_path / "x.JPEG").mode == "RGB"


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


BROKEN = [
    (_cut, r"cannot be decoded \(.*truncated"),
    (lambda path: path.write_bytes(b""), "is empty"),
    (lambda path: path.write_bytes(b"<html>404 not found</html>"), r"cannot be decoded \("),
    (lambda path: Image.new("1", (20_000, 10_000)).save(path, "PNG"), "beyond|decompression bomb"),
    (lambda path: Image.new("1", (10_000, 10_000)).save(path, "PNG"), "10000 x 10000 pixels are beyond Pillow's limit"),
    (lambda path: path.unlink(), r"cannot be read \(No such file or directory\)"),
]


@pytest.mark.parametrize(("spoil", "message"), BROKEN)
@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.slow
def test_a_broken_image_is_one_line_in_training(root, spoil, message, workers):
    data = imagenet.ImageNetFolder(str(root / "val"), 32, train=False)
    image = Path(data.folder.samples[3][0])
    spoil(image)
    with pytest.raises(PipelineError, match=message) as error:
        for _ in DataLoader(data, 2, num_workers=workers):
            pass
    assert line(error).startswith(f"{image}: ")
    assert line(error).endswith("; unpack it anew")


@pytest.mark.parametrize(("spoil", "message"), BROKEN[:5])
@pytest.mark.slow
def test_a_broken_image_is_one_line_in_packing(root, tmp_path, spoil, message):
    image = sorted((root / "train").glob("*/*.JPEG"))[3]
    spoil(image)
    with pytest.raises(PipelineError, match=message) as error:
        pack.pack(root, tmp_path / "out", pack.DEFAULTS)
    assert line(error).startswith(f"{image}: ")


def test_names_of_every_kind_are_read_and_shown_in_one_line(root, tmp_path):
    folder = root / "train/n01440764"
    odd = ["with space.JPEG", "über.jpeg", "line\nbreak.JPG", b"\xff\xfe.JPEG", "-rf.PNG", "a\\b.jpg", "\u2028.JPEG"]
    for name in odd:
        shutil.copy(next(folder.glob("n*.JPEG")), os.path.join(os.fsencode(folder), os.fsencode(name)))
    assert len(files_in(folder, (".jpg", ".jpeg", ".png"))) == 4 + len(odd)
    (folder / "line\nbreak.JPG").write_bytes(b"")
    data = imagenet.ImageNetFolder(str(root / "train"), 32, train=True)
    with pytest.raises(PipelineError, match=r"line\\nbreak.JPG: is empty") as error:
        list(map(data.__getitem__, range(len(data))))
    line(error)


def test_an_error_has_a_line_of_its_own_below_a_progress_bar(capsys):
    def stop() -> None:
        bar = tqdm(total=2)
        bar.update()
        raise PipelineError("x.JPEG: is empty; unpack it anew")

    assert guard(stop) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1] == "error: x.JPEG: is empty; unpack it anew"
    assert "1/2" in lines[-2]


def test_empty_and_missing_classes_are_named(root, tmp_path):
    shutil.rmtree(root / "val/n01440764")
    with pytest.raises(PipelineError, match=r"val: has no class n01440764, which train/ has \(1 such classes\)"):
        imagenet.count(root)
    (root / "val/n01440764").mkdir()
    with pytest.raises(PipelineError, match="n01440764: no images in class folders"):
        imagenet.ImageNetFolder(str(root / "val"), 32, train=False)
    (tmp_path / "gone").symlink_to("nowhere")
    with pytest.raises(PipelineError, match="gone: is a link to nowhere, which is not there"):
        FolderClassification(str(tmp_path / "gone"), 32, train=True)


def test_an_image_in_no_class_folder_is_named(root):
    for split, mend in (("val", "sort them anew"), ("train", "move each into the folder of its name")):
        image = next((root / split).glob("*/*.JPEG"))
        stray = root / split / image.name
        image.rename(stray)
        with pytest.raises(PipelineError, match=rf"{stray}: lies in no class folder \(1 such images\); {mend}"):
            imagenet.count(root, (split,))
        with pytest.raises(PipelineError, match=f"{stray}: lies in no class folder"):
            ImageFolder(root / split, "mend")


def test_a_roots_path_is_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for given_path, found in ((".", ""), ("x/", "x"), ("./a/../b", "b"), ("~/d", "home/d")):
        assert data_root(given_path) == tmp_path / found


def test_cifars_folder_is_read_by_the_same_rules(tmp_path):
    for name in cifar.CIFAR10.classes:
        (tmp_path / "real" / name).mkdir(parents=True)
        Image.new("RGB", (32, 32), (len(name), 0, 0)).save(tmp_path / "real" / name / "0.png")
    (tmp_path / "cifar/train").mkdir(parents=True)
    for name in cifar.CIFAR10.classes:
        (tmp_path / "cifar/train" / name).symlink_to(tmp_path / "real" / name)
    litter(tmp_path / "cifar/train")
    litter(tmp_path / "cifar/train/cat")
    images, labels = cifar._folder(cifar.CIFAR10, tmp_path / "cifar", "train")
    assert images.shape == (10, 32, 32, 3)
    assert labels.tolist() == list(range(10))
    Image.new("RGB", (64, 64)).save(tmp_path / "real/cat/1.png")
    with pytest.raises(PipelineError, match="cat/1.png: is 64 x 64, not 32 x 32"):
        cifar._folder(cifar.CIFAR10, tmp_path / "cifar", "train")
