"""Pin a full-size dataset: check archives, counts and annotations, and hold every later run to the first one's files.

python -m pipelines verify coco [--root data/coco]
python -m pipelines verify cityscapes [--root data/cityscapes]
python -m pipelines verify imagenet [--root data/imagenet]
python -m pipelines verify imagenet_val [--root data/imagenet]     # the validation images alone

What the first verified run finds is written to results/manifests/DATASET.json (small, to be committed) and, file by
file, to ROOT.sha256 beside the data; from then on a changed, missing or added file is an error. Links count as what
they point to; hidden files, and others that are no data, are in no pin.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from papertally.evidence.io import write_bytes_atomic, write_json_atomic
from papertally.evidence.revision import code_revision
from papertally.evidence.schema import ManifestEvidence, formed
from pipelines import arguments
from pipelines.common import ROOT, PipelineError, guard
from pipelines.data import imagenet
from pipelines.data.folders import data_root
from pipelines.data.imagenet_labels import check_labels
from pipelines.data.manifests import check_writable, listing_of, manifest_path, parse_listing, read_listing
from registry.inputs.files import IMAGES, files_in, is_data, missing, shown
from registry.inputs.images import content_fault

MANIFESTS = Path("results/manifests")
#: Files that a run compares with the manifest, beside all names and all annotation files.
SAMPLED = 500


@dataclass(frozen=True)
class Pin:
    """State what a dataset is: its title, archives' MD5, what is counted in it, its folders, and how to get it.

    suffixes: its files', lower case. check: what else must hold, given the root and the counts.
    """

    title: str
    archives: Mapping[str, str]
    counts: Mapping[str, int]
    folders: tuple[str, ...]
    count: Callable[[Path], dict[str, int]]
    get: str
    suffixes: tuple[str, ...] = IMAGES
    check: Callable[[Path, Mapping[str, int]], None] | None = None

    def files(self, root: Path, folders: tuple[str, ...] | None = None) -> list[Path]:
        """Return the set's files in its folders, or in those named, sorted. Raises PipelineError for an empty one."""
        found = []
        for folder in folders or self.folders:
            if not (root / folder).is_dir():
                raise PipelineError(f"{shown(root / folder)}: {missing(root / folder)}; {self.get}")
            files = files_in(root / folder, self.suffixes)
            if not files:
                raise PipelineError(f"{shown(root / folder)}: holds no data; {self.get}")
            found += files
        return sorted(found)


def count_coco(root: Path) -> dict[str, int]:
    """Return what COCO 2017's keypoint files hold, counting images on disk too. Raises DataError for broken files."""
    from registry.pose.coco import DETECTIONS, check_coco

    out: dict[str, int] = {}
    for split in ("train", "val"):
        folder = root / f"{split}2017"
        detections = str(root / DETECTIONS) if split == "val" else None
        annotations = str(root / f"annotations/person_keypoints_{split}2017.json")
        data = check_coco(annotations, str(folder), detections, every_size=True)
        labelled = [a for a in data["annotations"] if a.get("num_keypoints", 0) > 0]
        out |= {
            f"{split}_images": len(data["images"]),
            f"{split}_files": len(files_in(folder, (".jpg",))),
            f"{split}_instances": len(data["annotations"]),
            f"{split}_labelled_instances": len(labelled),
            f"{split}_labelled_images": len({a["image_id"] for a in labelled}),
        }
    out["detections"] = len(json.loads((root / DETECTIONS).read_text("utf-8")))
    return out


def count_cityscapes(root: Path) -> dict[str, int]:
    """Return Cityscapes' numbers of pairs, every label file read. Raises DataError for missing or broken ones."""
    from registry.segmentation.cityscapes import (
        IGNORE,
        LABEL,
        LABEL_IDS,
        check_headers,
        check_ids,
        pairs,
        read_label,
        train_id_table,
    )

    def check(label: Path) -> bool:
        ids = read_label(label)
        check_ids(ids, label)
        source = label.with_name(label.name.removesuffix(LABEL) + LABEL_IDS)
        if source.is_file() and not np.array_equal(ids, train_id_table()[read_label(source)]):
            raise PipelineError(
                f"{shown(label)}: has not the train ids of {source.name}; delete it and run `python -m "
                "pipelines.data.cityscapes` with the data's folder"
            )
        return bool((ids != IGNORE).any())

    out = {}
    for split in ("train", "val"):
        found = pairs(root / "leftImg8bit" / split, root / "gtFine" / split)
        check_headers(found)
        with ThreadPoolExecutor() as pool:
            labels = pool.map(check, (label for _, label in found))
            if not any(list(tqdm(labels, total=len(found), unit="label", disable=None))):
                raise PipelineError(
                    f"{shown(root / 'gtFine' / split)}: every pixel is ignored, as in the test split; unpack "
                    "gtFine_trainvaltest.zip anew"
                )
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
            "train_images": 118287,
            "train_files": 118287,
            "train_instances": 262465,
            "val_images": 5000,
            "val_files": 5000,
            "val_instances": 11004,
            "detections": 104125,
        },
        folders=("annotations", "train2017", "val2017", "person_detection_results"),
        suffixes=(".json", ".jpg"),
        count=count_coco,
        get="download train2017.zip, val2017.zip and annotations_trainval2017.zip of COCO 2017 and the "
        "simple-baselines release's COCO_val2017_detections_AP_H_56_person.json, and unpack them there",
    ),
    "cityscapes": Pin(
        title="Cityscapes",
        archives={},  # they need a login, and no checksum is published
        counts={"train_pairs": 2975, "val_pairs": 500},
        folders=("leftImg8bit/train", "leftImg8bit/val", "gtFine/train", "gtFine/val"),
        suffixes=(".json", ".png"),
        count=count_cityscapes,
        get="unpack leftImg8bit_trainvaltest.zip and gtFine_trainvaltest.zip of Cityscapes there, then make the train "
        "ids: `python -m pipelines cityscapes`",
    ),
    "imagenet": Pin(
        title="ImageNet",
        archives=imagenet.ARCHIVES,
        counts=imagenet.COUNTS,
        folders=("train", "val"),
        count=imagenet.count,
        get=imagenet.GET,
        check=lambda root, counts: check_labels(root, ("train", "val"), counts),
    ),
    "imagenet_val": Pin(
        title="ImageNet",
        archives={k: v for k, v in imagenet.ARCHIVES.items() if "val" in k},
        counts={k: v for k, v in imagenet.COUNTS.items() if k.startswith("val")},
        folders=("val",),
        count=lambda root: imagenet.count(root, ("val",)),
        get=imagenet.GET,
        check=lambda root, counts: check_labels(root, ("val",), counts),
    ),
}


def file_hash(path: Path, algorithm: str = "sha256") -> str:
    """Return a file's digest, reading it in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def inspect(path: Path) -> str:
    """Return a file's sha256. Raises PipelineError naming a file that cannot be read, or an image that is none."""
    try:
        if not path.name.lower().endswith(IMAGES):
            return file_hash(path)
        content = path.read_bytes()
    except OSError as error:
        raise PipelineError(f"{shown(path)}: cannot be read ({error.strerror}); restore the data") from None
    if fault := content_fault(content):
        raise PipelineError(f"{shown(path)}: {fault}; unpack it anew")
    return hashlib.sha256(content).hexdigest()


def manifest_of(root: Path, files: list[Path]) -> str:
    """Return 'sha256  path' lines of the files, which are read whole."""
    with warnings.catch_warnings(), ThreadPoolExecutor() as pool:
        warnings.simplefilter("ignore")  # Pillow's, about EXIF data that nobody reads
        try:
            hashes = list(tqdm(pool.map(inspect, files), total=len(files), unit="file", disable=None))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return listing_of({p.relative_to(root).as_posix(): h for h, p in zip(hashes, files, strict=True)})


def verify(name: str, root: Path, pin: Pin, repository: Path = ROOT) -> dict[str, Any]:
    """Check a dataset against its pin and its manifest; returns what results/manifests/NAME.json holds.

    Raises PipelineError naming what is missing or altered, or where nothing can be written, before files are hashed.
    """
    root = data_root(root)
    if not root.is_dir():
        raise PipelineError(f"{shown(root)}: {missing(root)}; {pin.get}")
    stored, record = manifest_path(root, name), repository / MANIFESTS / f"{name}.json"
    check_writable(record, "mend its permissions, or free space")
    check_writable(stored, f"mend its permissions, or verify a link that lies elsewhere: `ln -s {shown(root)} LINK`")
    for archive, md5 in pin.archives.items():
        path = root / archive
        if path.is_file() and (found := file_hash(path, "md5")) != md5:
            raise PipelineError(f"{shown(path)}: its MD5 is {found}, the published one {md5}; download it anew")
    counts = pin.count(root)
    for key, expected in pin.counts.items():
        if counts[key] != expected:
            raise PipelineError(f"{shown(root)}: {counts[key]} {key.replace('_', ' ')}, not {expected}; {pin.get}")
    if pin.check:
        pin.check(root, pin.counts)
    files = pin.files(root)
    check_writable(stored, "free space", listing_of(dict.fromkeys((str(f.relative_to(root)) for f in files), "0" * 64)))
    listing = manifest_of(root, files)
    content = listing.encode("utf-8", "surrogateescape")
    summary = hashlib.sha256(content).hexdigest()
    if record.is_file() and _recorded(record) != summary:
        raise PipelineError(_difference(root, stored, record, parse_listing(listing), pin))
    write_bytes_atomic(stored, content)
    evidence = formed(
        ManifestEvidence,
        {
            "schema": 1,
            "kind": "manifest",
            "dataset": name,
            "files": len(files),
            "sha256": summary,
            "counts": counts,
            "code_revision": code_revision(repository),
        },
    )
    write_json_atomic(record, evidence)
    return evidence


def _recorded(record: Path) -> str:
    try:
        found = json.loads(record.read_text("utf-8"))["sha256"]
        if not re.fullmatch(r"[0-9a-f]{64}", found):
            raise ValueError("its sha256 is none")
        return found
    except (ValueError, KeyError, TypeError) as error:
        raise PipelineError(f"{record}: corrupt ({error}); restore it from the repository") from None


def check_verified(root: Path, repository: Path, names: tuple[str, ...], folders: tuple[str, ...] | None = None) -> str:
    """Return the sha256 over a verified dataset's manifest, after comparing all names and a sample of files with it.

    names: the sets that `root` may have been verified as. folders: those to look at, if not all of the set's.
    Raises PipelineError before any training: what is missing, altered or never verified.
    """
    pin, root = PINS[names[0]], data_root(root)
    if not root.is_dir():
        why = f" ({missing(root)})" if root.is_symlink() else ""
        raise PipelineError(f"{shown(root)}: {pin.title} is not there{why}; {pin.get}. Without it: add --dry-run")
    records = {n: repository / MANIFESTS / f"{n}.json" for n in names}
    verified = [n for n in names if manifest_path(root, n).is_file() and records[n].is_file()]
    if not verified:
        raise PipelineError(
            f"{shown(root)}: not verified yet; run `python -m pipelines verify {names[0]} --root {shown(root)}` once"
        )
    stored, record = manifest_path(root, verified[0]), records[verified[0]]
    folders = folders or PINS[verified[0]].folders
    digest = file_hash(stored)
    if _recorded(record) != digest:
        raise PipelineError(f"{shown(stored)}: is not the manifest that {record.name} names; verify {shown(root)} anew")
    tops = tuple(f"{f}/" for f in folders)
    known = {p: sha for p, sha in read_listing(stored).items() if p.startswith(tops) and is_data(p, pin.suffixes)}
    found = {p.relative_to(root).as_posix() for p in pin.files(root, folders)}
    if difference := sorted(found ^ known.keys()):
        what = "is missing" if difference[0] in known else "was added"
        raise PipelineError(f"{shown(root / difference[0])}: {what} ({len(difference)} such files); restore the data")
    sample = set(random.Random(0).sample(sorted(known), min(SAMPLED, len(known))))
    sample |= {path for path in known if path.endswith(".json")}  # few, and each decides all
    for path in sorted(sample):
        try:
            sha = file_hash(root / path)
        except OSError as error:
            raise PipelineError(f"{shown(root / path)}: cannot be read ({error.strerror}); restore the data") from None
        if sha != known[path]:
            raise PipelineError(f"{shown(root / path)}: altered since it was verified; restore the data")
    return digest


def check_imagenet(root: Path, repository: Path, val_only: bool = False) -> str:
    """Return the sha256 over ImageNet's verified manifest, as check_verified does.

    val_only: the validation images suffice, verified alone or with the rest.
    """
    names = ("imagenet_val", "imagenet") if val_only else ("imagenet",)
    return check_verified(root, repository, names, ("val",) if val_only else imagenet.SPLITS)


def _difference(root: Path, stored: Path, record: Path, now: dict[str, str], pin: Pin) -> str:
    """Return what is not as it was first verified, and the mend."""
    if not stored.is_file():
        return f"{shown(root)}: its files changed since it was first verified; restore the data"
    before = read_listing(stored)
    data = {path: sha for path, sha in before.items() if is_data(path, pin.suffixes)}
    unsound = [f for f in pin.folders if not any(path.startswith(f"{f}/") for path in before)]
    if data == now or unsound:
        why = f"lacks {unsound[0]}/" if unsound else f"names {shown(min(before.keys() - now.keys()))}, which is no data"
        return (
            f"{shown(stored)}: {why}, as an earlier version of this project pinned; delete it and {shown(record)} and "
            "verify anew"
        )
    changed = sorted(k for k in before.keys() | now.keys() if before.get(k) != now.get(k))
    first = f"{len(changed)} files changed, first {shown(changed[0])}" if changed else "its files changed"
    return f"{shown(root)}: {first} since it was first verified; restore the data"


def main(argv: list[str] | None = None) -> int:
    """Verify one dataset."""
    args = arguments.verify().parse_args(argv)
    root = data_root(args.root or ROOT / "data" / args.dataset.removesuffix("_val"))
    found = verify(args.dataset, root, PINS[args.dataset])
    print(f"{shown(root)}: {found['files']} files as pinned")
    return 0


if __name__ == "__main__":
    raise SystemExit(guard(main))
