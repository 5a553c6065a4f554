"""A packed set: the same bytes for the same input whatever the jobs and kills, and no damage passes unseen."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tarfile

import numpy as np
import psutil
import pytest
import torch
from helpers import ROOT
from hold import until
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from PIL import Image
from torchvision.io import ImageReadMode, decode_jpeg

from pipelines.common import PipelineError, guard
from pipelines.data import imagenet, photos
from pipelines.data.verify import PINS, check_imagenet, verify
from pipelines.packed import format as packed_format
from pipelines.packed import pack
from pipelines.packed import reader as packed
from pipelines.packed import shard as pack_shard
from pipelines.packed.format import MANIFEST, Parameters
from pipelines.packed.jpeg_cut import cut, scan

SMALL = Parameters(short_side=160, quality=90, eval_short_side=256, shard_images=5)


def tree(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    root = tmp_path_factory.mktemp("source") / "imagenet"
    photos.draw_folder(root, photos.photographs(None), train=12, val=4, classes=2)
    odd = root / "train/n01440764"
    Image.new("L", (90, 300), 77).save(odd / "grey.JPEG")
    Image.new("RGBA", (400, 200), (9, 99, 199, 128)).save(odd / "is_png.JPEG", "PNG")
    Image.new("CMYK", (200, 300), (9, 99, 199, 12)).save(odd / "cmyk.JPEG", "JPEG")
    return root


@pytest.fixture(scope="module")
def whole(source, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole") / "packed"
    pack.pack(source, out, SMALL)
    return out


@pytest.fixture
def copy(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "packed")


@examples(max_examples=40)
@given(st.data())
def test_a_cut_decodes_to_the_whole_images_pixels(data):
    width, height = data.draw(st.integers(1, 90)), data.draw(st.integers(1, 90))
    noise = np.random.default_rng(width * 91 + height).integers(0, 256, (height, width, 3), np.uint8)
    file = io.BytesIO()
    sampling = data.draw(st.sampled_from(["4:4:4", "4:2:0"]))
    Image.fromarray(noise).save(file, **pack_shard.JPEG, quality=data.draw(st.integers(5, 100)), subsampling=sampling)
    jpeg = file.getvalue()
    top, left = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    h, w = data.draw(st.integers(1, height - top)), data.draw(st.integers(1, width - left))
    frame, lengths = scan(jpeg)
    assert (frame.height, frame.width) == (height, width)
    part, y, x, rows, columns = cut(np.frombuffer(jpeg, np.uint8), frame, lengths, top, left, h, w)
    pixels = decode_jpeg(torch.from_numpy(part), ImageReadMode.RGB)
    assert pixels.shape[1:] == (rows, columns)
    expected = decode_jpeg(torch.frombuffer(bytearray(jpeg), dtype=torch.uint8), ImageReadMode.RGB)
    assert torch.equal(pixels[:, y : y + h, x : x + w], expected[:, top : top + h, left : left + w])


@examples(max_examples=60)
@given(st.integers(0, 10**6), st.integers(0, 255))
def test_scan_refuses_what_is_no_packed_jpeg(at, byte):
    file = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").resize((40, 40)).save(file, **pack_shard.JPEG)
    jpeg = bytearray(file.getvalue())
    truncated = bytes(jpeg[: at % len(jpeg)])
    with pytest.raises(ValueError):
        scan(truncated)
    jpeg[at % len(jpeg)] = byte
    with contextlib.suppress(ValueError):  # an altered byte may leave a sound structure: checksums see to those
        scan(bytes(jpeg))
    plain = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").save(plain, "JPEG", progressive=bool(at % 2))
    with pytest.raises(ValueError):
        scan(plain.getvalue())


def test_the_manifest_states_what_was_packed(source, whole):
    manifest = packed_format.verify(whole)
    assert manifest.classes == ["n01440764", "n01440765"]
    assert manifest.parameters == SMALL
    assert manifest.splits["train"].images == 15
    assert [s.images for s in manifest.splits["train"].shards] == [5, 5, 5]
    assert not manifest.source.verified
    assert manifest.libraries == pack_shard.libraries()
    folder = imagenet.ImageNetFolder(str(source / "train"), 224, train=True).folder
    images = packed_format.Images(whole, "train", manifest)
    assert images.labels().tolist() == folder.targets
    sides = [min(images[i][0].height, images[i][0].width) for i in range(len(images))]
    originals = [min(Image.open(path).size) for path, _ in folder.samples]
    assert sides == [min(160, side) for side in originals]
    assert "train/n01440764/cmyk.JPEG" in images.where(0)


def test_tar_unpacks_a_shard_to_an_image_folder(source, whole, tmp_path):
    for path in sorted(whole.glob("*/*.tar")):
        with tarfile.open(path) as tar:
            tar.extractall(tmp_path, filter="data")
    names = [p for p, _ in imagenet.ImageNetFolder(str(source / "val"), 224, train=False).folder.samples]
    found = imagenet.ImageNetFolder(str(tmp_path / "val"), 224, train=False).folder.samples
    assert [os.path.basename(p)[:-4] for p, _ in found] == [os.path.basename(p)[:-5] for p in names]
    assert imagenet.count(tmp_path) == {**imagenet.count(source), "val_images": 0}  # those are .ppm


def test_an_image_that_needs_no_resize_keeps_its_quantization():
    photo = photos.photographs(None)[0].crop((0, 0, 150, 140))
    file = io.BytesIO()
    photo.save(file, "JPEG", quality=80, subsampling="4:2:0")
    again = Image.open(io.BytesIO(pack_shard.encode_train(file.getvalue(), SMALL)))
    first = Image.open(io.BytesIO(file.getvalue()))
    assert again.quantization == first.quantization
    error = np.asarray(again, float) - np.asarray(first, float)
    assert 10 * np.log10(255**2 / (error**2).mean()) > 45
    fine = io.BytesIO()
    photo.save(fine, "JPEG", quality=99, subsampling="4:2:0")
    assert Image.open(io.BytesIO(pack_shard.encode_train(fine.getvalue(), SMALL))).quantization != first.quantization


@pytest.mark.slow
@examples(max_examples=5)
@given(st.integers(1, 20), st.integers(0, 3))
def test_kills_and_damage_leave_the_bytes_the_same(source, whole, tmp_path_factory, shard_images, seed):
    rng = random.Random(seed)
    parameters = SMALL.model_copy(update={"shard_images": shard_images})
    out = tmp_path_factory.mktemp("property") / "packed"
    pack.pack(source, out, parameters)
    first = tree(out)
    # as a kill may leave it: no manifest, a shard without its note, another half-written
    names = [n for n in first if n != MANIFEST]
    (out / rng.choice(names)).unlink()
    damaged = out / rng.choice([n for n in names if (out / n).is_file()])
    damaged.write_bytes(damaged.read_bytes()[:-1])
    (out / "train/00000.tar.77.partial").write_bytes(b"half")
    if rng.random() < 0.5:
        (out / MANIFEST).unlink()
    pack.pack(source, out, parameters)
    assert tree(out) == first


def test_finished_shards_are_kept(source, copy, monkeypatch):
    packed_again = []
    original = pack_shard._write_tar
    monkeypatch.setattr(
        pack_shard, "_write_tar", lambda task, file: packed_again.append(task.name) or original(task, file)
    )
    before = tree(copy)
    pack.pack(source, copy, SMALL)
    assert packed_again == []
    tar = copy / "train/00001.tar"
    tar.write_bytes(tar.read_bytes()[:1000])
    pack.pack(source, copy, SMALL)
    assert packed_again == ["train/00001"]
    assert tree(copy) == before


@examples(max_examples=60)
@given(st.integers(0, 10**9), st.integers(1, 255))
@pytest.mark.slow
def test_verify_finds_any_altered_byte(whole, place, change):
    names = sorted(n for n in tree(whole) if n != MANIFEST)
    path = whole / names[place % len(names)]
    content = bytearray(path.read_bytes())
    content[place % len(content)] ^= change
    original = path.read_bytes()
    try:
        path.write_bytes(content)
        with pytest.raises(PipelineError, match=f"{path.name}: altered since it was packed; run `python -m"):
            packed_format.verify(whole)
    finally:
        path.write_bytes(original)


def test_the_check_on_opening_names_the_file_and_the_mend(copy):
    manifest = packed_format.read_manifest(copy)
    tar = copy / "train/00002.tar"
    content = tar.read_bytes()
    tar.write_bytes(content[:-512])
    with pytest.raises(PipelineError, match=r"00002.tar: has \d+ bytes, not \d+; run `python -m pipelines pack`"):
        packed.PackedImages(str(copy), "train", 224, train=True)
    record = packed_format.Images(copy, "train", manifest)[12][0]
    altered = bytearray(content)
    altered[record.offset + record.size // 2] ^= 1
    tar.write_bytes(altered)
    with pytest.raises(PipelineError, match=r"00002.tar: train/n\d+/.*: altered since it was packed"):
        packed_format.check_sample(copy, manifest)
    tar.unlink()
    with pytest.raises(PipelineError, match=r"00002.tar: is missing"):
        packed_format.check_files(copy, manifest)
    (copy / MANIFEST).write_text("{")
    with pytest.raises(PipelineError, match="manifest.json: corrupt JSON"):
        packed_format.read_manifest(copy)
    (copy / MANIFEST).unlink()
    with pytest.raises(PipelineError, match="holds no manifest.json"):
        packed_format.read_manifest(copy)


def test_a_corrupt_image_is_named(source, tmp_path, capsys):
    root = shutil.copytree(source, tmp_path / "imagenet")
    image = next((root / "train/n01440765").glob("*.JPEG"))
    image.write_bytes(image.read_bytes()[:400])
    out = tmp_path / "packed"
    command = ["--source", str(root), "--out", str(out), "--jobs", "1", "--unverified"]
    assert guard(lambda: pack.main(command)) == 1
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith(f"error: {image}: cannot be decoded")
    assert not (out / MANIFEST).exists()


def test_a_full_disk_is_one_error_and_loses_nothing(source, whole, tmp_path, capsys):
    out = tmp_path / "packed"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    largest = max(p.stat().st_size for p in whole.glob("train/*.tar"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest - 1, hard))
    try:
        with pytest.raises(PipelineError, match=r"train/0000\d.tar: cannot be written .*free space"):
            pack.pack(source, out, SMALL)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list(out.rglob("*.partial"))
    assert not (out / MANIFEST).exists()
    pack.pack(source, out, SMALL)
    assert tree(out) == tree(whole)


def test_nobody_elses_files_are_touched(source, copy, tmp_path):
    with pytest.raises(PipelineError, match="is no part of a packed set; choose an empty --out"):
        pack.pack(source, source, SMALL)
    (copy / "train/notes.txt").write_text("mine")
    with pytest.raises(PipelineError, match="notes.txt: is no part"):
        pack.pack(source, copy, SMALL)
    (copy / "train/notes.txt").unlink()
    with pytest.raises(PipelineError, match="packed with other parameters"):
        pack.pack(source, copy, SMALL.model_copy(update={"quality": 50}))
    with pack.locked(tmp_path / "busy"), pytest.raises(PipelineError, match="another process packs into it"):
        pack.pack(source, tmp_path / "busy", SMALL)
    with pytest.raises(PipelineError, match="none/train: no images in class folders"):
        pack.pack(tmp_path / "none", tmp_path / "out", SMALL)


def test_who_waited_for_the_lock_holds_it_alone(tmp_path):
    fcntl = pytest.importorskip("fcntl")
    with pack.locked(tmp_path / "out"):
        waiting = (tmp_path / "out.lock").open("r+")
    with waiting:
        fcntl.flock(waiting, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with pytest.raises(PipelineError, match="another process packs into it"), pack.locked(tmp_path / "out"):
            pass
    with pack.locked(tmp_path / "out"):
        pass


def test_only_verified_images_are_packed_for_real_runs(tmp_path, monkeypatch):
    root = imagenet.draw_tiny(tmp_path / "data/imagenet", classes=2, train=3, val=1)
    out = tmp_path / "packed"
    monkeypatch.setattr(pack, "ROOT", tmp_path)
    command = ["--source", str(root), "--out", str(out), "--jobs", "1"]
    with pytest.raises(PipelineError, match="not verified yet"):
        pack.main(command)
    verify("imagenet", root, dataclasses.replace(PINS["imagenet"], counts=imagenet.count(root)), tmp_path)
    assert pack.main(command) == 0
    assert pack.main(["--verify", str(out)]) == 0
    assert packed.check_packed(out, tmp_path)[0] == check_imagenet(root, tmp_path)
    with pytest.raises(PipelineError, match="was not packed from the ImageNet that results/manifests/imagenet.json"):
        packed.check_packed(out, tmp_path / "elsewhere")
    image = next((root / "train").glob("*/*.JPEG"))
    known = pack.verified_files(root)
    image.write_bytes(image.read_bytes() + b"x")
    with pytest.raises(PipelineError, match="altered since it was verified"):
        pack.pack(root, tmp_path / "other", pin="0" * 64, known=known)


PACK = """
import pathlib, sys
import hold
from pipelines.packed import pack
from pipelines.packed.format import Parameters
if __name__ == "__main__":
    pack.pack_shard = hold.pack_first_shards
    source, out = map(pathlib.Path, sys.argv[1:3])
    pack.pack(source, out, Parameters.model_validate_json(sys.argv[3]), jobs=2)
"""


@pytest.mark.slow
@pytest.mark.long
def test_a_killed_pack_resumes_to_the_same_bytes(source, whole, tmp_path):
    out = tmp_path / "packed"
    command = [sys.executable, "-c", PACK, str(source), str(out), SMALL.model_dump_json()]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
    process = subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL)
    until(lambda: list(out.glob("*/*.json")) or process.poll() is not None, 120, "no shard ends")
    workers = psutil.Process(process.pid).children()
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert workers
    assert not psutil.wait_procs(workers, 30)[1], "they outlive the pack"
    assert not (out / MANIFEST).exists()
    shards = json.loads((whole / MANIFEST).read_text())["splits"]["train"]["shards"]
    assert 0 < len(list(out.glob("train/*.json"))) < len(shards)
    pack.pack(source, out, SMALL)
    assert tree(out) == tree(whole)
