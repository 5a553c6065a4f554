"""A verified folder's pin: links and clutter leave it as it is, and what cannot be pinned is said before hashing."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_folders import BROKEN, litter

from pipelines.common import PipelineError, guard
from pipelines.data import imagenet, manifests, streets
from pipelines.data import verify as module
from pipelines.data.manifests import listing_of, manifest_path, parse_listing
from pipelines.data.verify import PINS, check_imagenet, check_verified, count_cityscapes, verify
from pipelines.packed import pack
from pipelines.training import __main__ as cli
from report.rows import find_row


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return imagenet.draw_tiny(tmp_path / "data/imagenet", classes=3, train=4, val=2)


def run(root: Path, repository: Path):
    return verify("imagenet", root, dataclasses.replace(PINS["imagenet"], counts=imagenet.count(root)), repository)


def test_a_sound_folders_manifest_is_as_it_ever_was(root, tmp_path):
    found = run(root, tmp_path)
    files = sorted(p for split in ("train", "val") for p in (root / split).rglob("*") if p.is_file())
    text = "".join(f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.relative_to(root).as_posix()}\n" for p in files)
    assert (tmp_path / "data/imagenet.sha256").read_text() == text
    assert found["sha256"] == hashlib.sha256(text.encode()).hexdigest()
    assert found["files"] == 18
    subprocess.run(["sha256sum", "-c", "--quiet", "../imagenet.sha256"], cwd=root, check=True)


@pytest.mark.parametrize("before", [True, False])
def test_clutter_changes_no_pin_before_or_after(root, tmp_path, before):
    clean = run(root, tmp_path / "clean")["sha256"]
    (tmp_path / "data/imagenet.sha256").unlink()

    def leave() -> None:
        for folder in (root, root / "train", root / "val", *(root / "val").glob("n0*"), *(root / "train").glob("n0*")):
            litter(folder)

    if before:
        leave()
    assert run(root, tmp_path)["sha256"] == clean
    if not before:
        leave()
    assert run(root, tmp_path)["sha256"] == clean
    assert check_imagenet(root, tmp_path) == clean
    assert pack.tasks(root, tmp_path / "out", pack.DEFAULTS, pack.verified_files(root))[1] == imagenet_classes(root)


def imagenet_classes(root: Path) -> list[str]:
    return sorted(p.name for p in (root / "train").glob("n0*"))


def test_linked_folders_have_the_pin_of_their_targets(root, tmp_path):
    plain = run(root, tmp_path)["sha256"]
    for folder in [*(root / "train").iterdir(), *(root / "val").iterdir()]:
        target = tmp_path / "far" / folder.parent.name / folder.name
        target.parent.mkdir(parents=True, exist_ok=True)
        folder.rename(target)
        folder.symlink_to(target)
    assert run(root, tmp_path)["sha256"] == plain
    assert check_imagenet(root, tmp_path) == plain
    image = next((tmp_path / "far/val").glob("*/*"))
    image.write_bytes(image.read_bytes() + b"x")
    with pytest.raises(PipelineError, match="altered since it was verified"):
        check_imagenet(root, tmp_path)
    with pytest.raises(PipelineError, match=f"1 files changed, first val/{image.parent.name}/{image.name} since"):
        run(root, tmp_path)


def test_what_an_earlier_version_pinned_wrongly_is_named(root, tmp_path):
    """It pinned clutter, and nothing of linked folders."""
    run(root, tmp_path)
    stored, record = tmp_path / "data/imagenet.sha256", tmp_path / "results/manifests/imagenet.json"
    sound = stored.read_text()
    for text, why in ((f"{'0' * 64}  train/.DS_Store\n{sound}", "names train/.DS_Store, which is no data"),
                      ("", "lacks train/")):  # fmt: skip
        stored.write_text(text)
        record.write_text(json.dumps({"sha256": hashlib.sha256(text.encode()).hexdigest()}))
        with pytest.raises(PipelineError, match=f"imagenet.sha256: {why}, as an earlier version .*verify anew"):
            run(root, tmp_path)


def test_a_relative_root_is_its_absolute_one(root, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setitem(PINS, "imagenet", dataclasses.replace(PINS["imagenet"], counts=imagenet.count(root)))
    monkeypatch.setattr(verify, "__defaults__", (tmp_path,))
    for place, given_root in ((root, "."), (root / "train", ".."), (tmp_path, "data/imagenet/"), (root, "../imagenet")):
        monkeypatch.chdir(place)
        assert module.main(["imagenet", "--root", given_root]) == 0
        assert check_imagenet(Path(given_root), tmp_path)
    assert [p.name for p in (tmp_path / "data").iterdir() if p.is_file()] == ["imagenet.sha256"]
    (tmp_path / "link").symlink_to(root)
    assert check_imagenet(tmp_path / "link", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IMAGENET_ROOT", "data/imagenet/")
    monkeypatch.setattr(cli, "ROOT", tmp_path)
    assert cli.data_folder(find_row("t2_micronet_m0"), None, tmp_path) == root
    with pytest.raises(PipelineError, match="/: is no dataset's folder"):
        manifest_path(Path("/"), "imagenet")


def never(*_: object) -> str:
    raise AssertionError("hashed before it was known that the manifest can be written")


def _file_for_folder(root: Path, repository: Path) -> None:
    repository.mkdir(exist_ok=True)
    (repository / "results").write_text("no folder")


def _folder_for_file(root: Path, repository: Path) -> None:
    (root.parent / "imagenet.sha256").mkdir()


@pytest.mark.parametrize(
    ("spoil", "named"), [(_file_for_folder, "imagenet.json"), (_folder_for_file, "imagenet.sha256")]
)
def test_a_manifest_that_cannot_be_written_is_said_first(root, tmp_path, monkeypatch, spoil, named):
    repository = tmp_path / "repository"
    spoil(root, repository)
    monkeypatch.setattr(module, "inspect", never)
    with pytest.raises(PipelineError, match=f"{named}: cannot be written .*mend its permissions"):
        run(root, repository)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root writes wherever it likes")
@pytest.mark.parametrize("folder", ["data", "repository"])
def test_a_folder_without_permission_is_said_first(root, tmp_path, monkeypatch, folder):
    (tmp_path / "repository").mkdir()
    monkeypatch.setattr(module, "inspect", never)
    (tmp_path / folder).chmod(0o555)
    try:
        with pytest.raises(PipelineError, match=r"cannot be written \(Permission denied\); mend its permissions"):
            run(root, tmp_path / "repository")
    finally:
        (tmp_path / folder).chmod(0o755)


def test_no_space_is_said_first(root, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "inspect", never)
    monkeypatch.setattr(manifests.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1, 1, 0))
    with pytest.raises(PipelineError, match=r"imagenet.sha256: cannot be written \(needs \d+ bytes, 0 are free\)"):
        run(root, tmp_path)
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(("spoil", "message"), BROKEN[:5])
def test_a_broken_image_is_never_pinned(root, tmp_path, spoil, message, capsys):
    image = sorted((root / "val").glob("*/*.JPEG"))[2]
    spoil(image)
    assert guard(lambda: run(root, tmp_path)) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith(f"error: {image}: ")
    assert "unpack it anew" in error
    assert not (tmp_path / "results").exists()


def test_a_file_that_vanishes_meanwhile_is_named(root, tmp_path, monkeypatch):
    listed = PINS["imagenet"].files(root)
    listed[5].unlink()
    with pytest.raises(PipelineError, match=rf"{listed[5].name}: cannot be read \(No such file or directory\)"):
        module.manifest_of(root, listed)


@pytest.mark.slow
@given(st.dictionaries(st.text(st.characters(exclude_characters="\0"), min_size=1), st.just("0" * 64)))
def test_manifests_keep_every_name(hashes):
    text = listing_of(hashes)
    assert parse_listing(text.encode("utf-8", "surrogateescape" if text.isascii() else "surrogatepass").decode(
        "utf-8", "surrogatepass")) == hashes  # fmt: skip


def test_odd_names_are_pinned_and_held_to(root, tmp_path):
    folder = os.fsencode(root / "train/n01440764")
    content = next((root / "train").glob("*/*.JPEG")).read_bytes()
    for name in (b"two\nlines.JPEG", b"\xff\xfe.JPEG", "ü \u2028.JPEG".encode(), b"back\\slash.JPEG"):
        Path(os.fsdecode(os.path.join(folder, name))).write_bytes(content)
    found = run(root, tmp_path)
    assert found["files"] == 22
    assert check_imagenet(root, tmp_path) == found["sha256"] == run(root, tmp_path)["sha256"]
    assert pack.tasks(root, tmp_path / "out", pack.DEFAULTS, pack.verified_files(root))
    Path(os.fsdecode(os.path.join(folder, b"two\nlines.JPEG"))).unlink()
    with pytest.raises(PipelineError, match=r"two\\nlines.JPEG: is missing \(1 such files\)") as error:
        check_imagenet(root, tmp_path)
    assert "\n" not in str(error.value)


def test_a_corrupt_manifest_is_named(root, tmp_path):
    run(root, tmp_path)
    (tmp_path / "data/imagenet.sha256").write_text("not a line\n")
    with pytest.raises(PipelineError, match="is not the manifest that imagenet.json names"):
        check_imagenet(root, tmp_path)
    with pytest.raises(PipelineError, match=r"imagenet.sha256: corrupt \(line 1"):
        pack.verified_files(root)


@pytest.mark.parametrize("content", ['{"sha256": 5}', '{"sha256": "abc"}', "[]", "{}", '{"sha256": null}', "\xff", ""])
def test_a_corrupt_record_is_no_change_of_the_data(root, tmp_path, content):
    record = tmp_path / "results/manifests/imagenet.json"
    record.parent.mkdir(parents=True)
    record.write_text(content, "latin-1")
    with pytest.raises(PipelineError, match=r"imagenet.json: corrupt \(.*restore it from the repository"):
        run(root, tmp_path)


def test_linked_label_folders_are_pinned_with_their_labels(tmp_path):
    root = tmp_path / "data/cityscapes"
    root.parent.mkdir()
    streets.generate(root, train=3, val=2, seed=1)
    pin = dataclasses.replace(PINS["cityscapes"], counts=count_cityscapes(root))
    plain = verify("cityscapes", root, pin, tmp_path)
    for i, folder in enumerate([*root.glob("gtFine/*/*"), root / "gtFine/val", root / "leftImg8bit"]):
        target = tmp_path / f"far{i}"
        folder.rename(target)
        folder.symlink_to(target)
    for folder in (root / "gtFine/val", *(root / "gtFine/train").iterdir()):
        litter(folder)
    assert verify("cityscapes", root, pin, tmp_path) == plain
    assert check_verified(root, tmp_path, ("cityscapes",)) == plain["sha256"]
