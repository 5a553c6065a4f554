"""Pin a full-size dataset: check archives, counts and annotations, and hold every later run to the first one's files.

python -m pipelines.verify coco [--root data/coco]
python -m pipelines.verify cityscapes [--root data/cityscapes]
python -m pipelines.verify imagenet [--root data/imagenet]
python -m pipelines.verify imagenet_val [--root data/imagenet]     # the validation images alone

What the first verified run finds is written to results/manifests/DATASET.json (small, to be committed) and, file by
file, to ROOT.sha256 beside the data; from then on a changed, missing or added file is an error.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from pipelines import imagenet
from pipelines.common import ROOT, PipelineError, guard
from report.evidence import code_revision, write_json_atomic, write_text_atomic

MANIFESTS = Path("results/manifests")
#: Files that a run compares with the manifest, beside all names and all annotation files.
SAMPLED = 500


@dataclass(frozen=True)
class Pin:
    """State what a dataset is: its title, archives' MD5, what is counted in it, its folders, and how to get it."""

    title: str
    archives: Mapping[str, str]
    counts: Mapping[str, int]
    folders: tuple[str, ...]
    count: Callable[[Path], dict[str, int]]
    get: str


def count_coco(root: Path) -> dict[str, int]:
    """Return what COCO 2017's keypoint files hold, counting images on disk too. Raises DataError for broken files."""
    from registry.dense.coco import DETECTIONS, check_coco

    out: dict[str, int] = {}
    for split in ("train", "val"):
        folder = root / f"{split}2017"
        detections = str(root / DETECTIONS) if split == "val" else None
        data = check_coco(str(root / f"annotations/person_keypoints_{split}2017.json"), str(folder), detections)
        labelled = [a for a in data["annotations"] if a.get("num_keypoints", 0) > 0]
        out |= {
            f"{split}_images": len(data["images"]),
            f"{split}_files": sum(1 for _ in folder.glob("*.jpg")),
            f"{split}_instances": len(data["annotations"]),
            f"{split}_labelled_instances": len(labelled),
            f"{split}_labelled_images": len({a["image_id"] for a in labelled}),
        }
    out["detections"] = len(json.loads((root / DETECTIONS).read_text("utf-8")))
    return out


def count_cityscapes(root: Path) -> dict[str, int]:
    """Return Cityscapes' numbers of pairs, every label file read. Raises DataError for missing or broken ones."""
    from PIL import Image

    from registry.dense.cityscapes import check_ids, pairs, unreadable

    def check(label: Path) -> None:
        try:
            check_ids(np.asarray(Image.open(label)), label)
        except (OSError, SyntaxError) as error:
            raise unreadable(label, error) from None

    out = {}
    for split in ("train", "val"):
        found = pairs(root / "leftImg8bit" / split, root / "gtFine" / split)
        with ThreadPoolExecutor() as pool:
            list(tqdm(pool.map(check, (label for _, label in found)), total=len(found), unit="label", disable=None))
        out[f"{split}_pairs"] = len(found)
    return out


PINS = {
    "coco": Pin(
        title="COCO 2017",
        archives={
            "train2017.zip": "cced6f7f71b7629ddf16f17bbcfab6b2",
            "val2017.zip": "442b8da7639aecaf257c1dceb8ba8c80",
            "annotations_trainval2017.zip": "f4bbac642086de4f52a3fdda2de5fa2c",
        },
        counts={
            "train_images": 118287, "train_files": 118287, "train_instances": 262465,
            "val_images": 5000, "val_files": 5000, "val_instances": 11004, "detections": 104125,
        },
        folders=("annotations", "train2017", "val2017", "person_detection_results"),
        count=count_coco,
        get="download train2017.zip, val2017.zip and annotations_trainval2017.zip of COCO 2017 and the "
        "simple-baselines release's COCO_val2017_detections_AP_H_56_person.json, and unpack them there",
    ),
    "cityscapes": Pin(
        title="Cityscapes",
        archives={},  # they need a login, and no checksum is published
        counts={"train_pairs": 2975, "val_pairs": 500},
        folders=("leftImg8bit/train", "leftImg8bit/val", "gtFine/train", "gtFine/val"),
        count=count_cityscapes,
        get="unpack leftImg8bit_trainvaltest.zip and gtFine_trainvaltest.zip of Cityscapes there, then make the train "
        "ids: `python -m pipelines.cityscapes`",
    ),
    "imagenet": Pin(
        title="ImageNet",
        archives=imagenet.ARCHIVES, counts=imagenet.COUNTS, folders=("train", "val"), count=imagenet.count,
        get=imagenet.GET,
    ),
    "imagenet_val": Pin(
        title="ImageNet",
        archives={k: v for k, v in imagenet.ARCHIVES.items() if "val" in k},
        counts={k: v for k, v in imagenet.COUNTS.items() if k.startswith("val")},
        folders=("val",), count=lambda root: imagenet.count(root, ("val",)), get=imagenet.GET,
    ),
}  # fmt: skip


def manifest_path(root: Path, name: str) -> Path:
    """Return where a dataset's file-by-file manifest lies: beside its folder."""
    return root.with_name(root.name + (".val.sha256" if name == "imagenet_val" else ".sha256"))


def file_hash(path: Path, algorithm: str = "sha256") -> str:
    """Return a file's digest, reading it in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def manifest_of(root: Path, folders: tuple[str, ...]) -> str:
    """Return 'sha256  path' lines, sorted, of every file in the folders."""
    files = sorted(p for folder in folders for p in (root / folder).rglob("*") if p.is_file())
    with ThreadPoolExecutor() as pool:
        hashes = list(tqdm(pool.map(file_hash, files), total=len(files), unit="file", disable=None))
    return "".join(f"{h}  {p.relative_to(root).as_posix()}\n" for h, p in zip(hashes, files, strict=True))


def verify(name: str, root: Path, pin: Pin, repository: Path = ROOT) -> dict[str, Any]:
    """Check a dataset against its pin and its manifest; returns what results/manifests/NAME.json holds.

    Raises PipelineError naming what is missing or altered.
    """
    if not root.is_dir():
        raise PipelineError(f"{root}: no such folder; {pin.get}")
    for archive, md5 in pin.archives.items():
        path = root / archive
        if path.is_file() and (found := file_hash(path, "md5")) != md5:
            raise PipelineError(f"{path}: its MD5 is {found}, the published one {md5}; download it anew")
    counts = pin.count(root)
    for key, expected in pin.counts.items():
        if counts[key] != expected:
            raise PipelineError(f"{root}: {counts[key]} {key.replace('_', ' ')}, not {expected}; {pin.get}")
    listing = manifest_of(root, pin.folders)
    summary = hashlib.sha256(listing.encode()).hexdigest()
    stored, record = manifest_path(root, name), repository / MANIFESTS / f"{name}.json"
    if record.is_file() and _recorded(record) != summary:
        raise PipelineError(f"{root}: {_difference(stored, listing)} since it was first verified; restore the data")
    write_text_atomic(stored, listing)
    evidence = {
        "schema": 1, "kind": "manifest", "dataset": name, "files": listing.count("\n"), "sha256": summary,
        "counts": counts, "code_revision": code_revision(repository),
    }  # fmt: skip
    write_json_atomic(record, evidence)
    return evidence


def _recorded(record: Path) -> str:
    try:
        return json.loads(record.read_text("utf-8"))["sha256"]
    except (ValueError, KeyError, TypeError) as error:
        raise PipelineError(f"{record}: corrupt ({error}); restore it from the repository") from None


def check_verified(root: Path, repository: Path, names: tuple[str, ...], folders: tuple[str, ...] | None = None) -> str:
    """Return the sha256 over a verified dataset's manifest, after comparing all names and a sample of files with it.

    names: the sets that `root` may have been verified as. folders: those to look at, if not all of the set's.
    Raises PipelineError before any training: what is missing, altered or never verified.
    """
    pin = PINS[names[0]]
    if not root.is_dir():
        raise PipelineError(f"{root}: {pin.title} is not there; {pin.get}. Without it: add --dry-run")
    records = {n: repository / MANIFESTS / f"{n}.json" for n in names}
    verified = [n for n in names if manifest_path(root, n).is_file() and records[n].is_file()]
    if not verified:
        raise PipelineError(f"{root}: not verified yet; run `python -m pipelines.verify {names[0]} --root {root}` once")
    stored, record = manifest_path(root, verified[0]), records[verified[0]]
    folders = folders or PINS[verified[0]].folders
    text = stored.read_text("utf-8")
    digest = hashlib.sha256(text.encode()).hexdigest()
    if _recorded(record) != digest:
        raise PipelineError(f"{stored}: is not the manifest that {record.name} names; verify {root} anew")
    lines = (line.split("  ", 1) for line in text.splitlines())
    known = {path: sha for sha, path in lines if path.startswith(tuple(f"{f}/" for f in folders))}
    found = {p.relative_to(root).as_posix() for f in folders for p in (root / f).rglob("*") if p.is_file()}
    if difference := sorted(found ^ known.keys()):
        what = "is missing" if difference[0] in known else "was added"
        raise PipelineError(f"{root / difference[0]}: {what} ({len(difference)} such files); restore the data")
    sample = set(random.Random(0).sample(sorted(known), min(SAMPLED, len(known))))
    sample |= {path for path in known if path.endswith(".json")}  # few, and each decides all
    for path in sorted(sample):
        if file_hash(root / path) != known[path]:
            raise PipelineError(f"{root / path}: altered since it was verified; restore the data")
    return digest


def _difference(stored: Path, listing: str) -> str:
    if not stored.is_file():
        return "its files changed"
    before = dict(reversed(line.split("  ", 1)) for line in stored.read_text("utf-8").splitlines())
    now = dict(reversed(line.split("  ", 1)) for line in listing.splitlines())
    changed = sorted(k for k in before.keys() | now.keys() if before.get(k) != now.get(k))
    return f"{len(changed)} files changed, first {changed[0]}" if changed else "its files changed"


def main(argv: list[str] | None = None) -> int:
    """Verify one dataset."""
    parser = argparse.ArgumentParser(description="Check a full-size dataset against its pin.")
    parser.add_argument("dataset", choices=sorted(PINS))
    parser.add_argument("--root", type=Path, help="default: data/DATASET")
    args = parser.parse_args(argv)
    root = args.root or ROOT / "data" / args.dataset.removesuffix("_val")
    found = verify(args.dataset, root, PINS[args.dataset])
    print(f"{root}: {found['files']} files as pinned")
    return 0


if __name__ == "__main__":
    raise SystemExit(guard(main))
