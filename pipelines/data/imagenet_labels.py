"""Whether ImageNet's images lie in their own classes: by counts, by names, and by the official list.

A list is looked for in the data's folder, its devkit/ or ILSVRC2012_devkit_t12/ and their data/:
    meta.bin                                    torchvision.datasets.ImageNet's own: (classes by wnid, wnids in order)
    imagenet_2012_validation_synset_labels.txt  a wnid a line, in the images' order
    LOC_val_solution.csv                        ImageId,PredictionString: ILSVRC2012_val_00000001,n01751748 1 2 3 4 ...
    valprep.sh                                  mv ILSVRC2012_val_00000001.JPEG n01751748/
    ILSVRC2012_validation_ground_truth.txt      an ILSVRC2012_ID a line, in order; meta.mat beside it has their wnids
    ILSVRC2012_devkit_t12.tar.gz                holds those two
Without any, the whole assignment is compared with a checksum of the official one.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

from pipelines.common import PipelineError
from registry.inputs.files import IMAGES, files_in, folders_in, shown

VAL_IMAGE = re.compile(r"ILSVRC2012_val_(\d{8})", re.IGNORECASE)
TRAIN_IMAGE = re.compile(r"(n\d{8})_\d+")
WNID = re.compile(r"n\d{8}")
JPEG = (".jpeg", ".jpg")
#: sha256 over the 50,000 validation images' wnids in order, as all published lists have them.
VAL_LABELS = "e2906441518f24c111e7f86af7d738ca9d618db8186c702845cc8081eddff707"
VAL_IMAGES = 50_000
#: Images of the smallest and the largest training class.
TRAIN_CLASS = (732, 1300)
TRAIN_IMAGES = 1_281_167
GROUND_TRUTH, META, DEVKIT = "ILSVRC2012_validation_ground_truth.txt", "meta.mat", "ILSVRC2012_devkit_t12.tar.gz"
SORT = (
    "sort them anew: move val/ away, put ILSVRC2012_img_val.tar and ILSVRC2012_devkit_t12.tar.gz beside it, and run "
    "torchvision.datasets.ImageNet(ROOT, 'val')"
)


def check_labels(root: Path, splits: tuple[str, ...], counts: Mapping[str, int]) -> None:
    """Check that each image lies in its own class, as far as counts, names and the official list tell.

    counts: the pin's. Raises PipelineError naming the first image or class at fault.
    """
    for split in splits:
        folder = root / split
        classes = {name: files_in(folder / name, IMAGES) for name in folders_in(folder)}
        _check_names(classes)
        if split == "train":
            _check_train(classes, counts)
        else:
            _check_val(root, classes, counts)


def _check_names(classes: Mapping[str, list[Path]]) -> None:
    """Check for empty classes, files but JPEGs, and images that are there twice."""
    seen: dict[str, Path] = {}
    for paths in classes.values():
        for path in paths:
            if path.suffix.lower() not in JPEG:
                raise PipelineError(f"{shown(path)}: is no .JPEG, and ImageNet has no other images; remove it")
            official = TRAIN_IMAGE.fullmatch(path.stem) or VAL_IMAGE.fullmatch(path.stem)
            name = path.stem.casefold() if official else str(path.with_suffix("")).casefold()
            if (before := seen.setdefault(name, path)) is not path:
                raise PipelineError(f"{shown(path)}: is there twice, as {shown(before)} too; remove the wrong one")


def _check_train(classes: Mapping[str, list[Path]], counts: Mapping[str, int]) -> None:
    wrong = [
        (path, found[1])
        for name, paths in classes.items()
        for path in paths
        if (found := TRAIN_IMAGE.fullmatch(path.stem)) and found[1] != name
    ]
    if wrong:
        path, wnid = wrong[0]
        raise PipelineError(
            f"{shown(path)}: by its name an image of {wnid}, in another class's folder ({len(wrong)} such images); "
            "unpack ILSVRC2012_img_train.tar anew"
        )
    least, most = TRAIN_CLASS if counts.get("train_images") == TRAIN_IMAGES else (1, float("inf"))
    for paths, name in ((paths, name) for name, paths in classes.items() if not least <= len(paths) <= most):
        raise PipelineError(
            f"train/{shown(name)}: {len(paths)} images, and a class has {least} to {most:g}; "
            "unpack ILSVRC2012_img_train.tar anew"
        )


def _check_val(root: Path, classes: Mapping[str, list[Path]], counts: Mapping[str, int]) -> None:
    each, rest = divmod(counts.get("val_images", 0), max(1, counts.get("val_classes", 0)))
    odd = [name for name, paths in classes.items() if (not paths if rest else len(paths) != each)]
    if odd:
        raise PipelineError(
            f"{root / 'val' / odd[0]}: {len(classes[odd[0]])} images, and each class has {each} "
            f"({len(odd)} such classes); {SORT}"
        )
    placed = {
        int(found[1]): (path, name)
        for name, paths in classes.items()
        for path in paths
        if (found := VAL_IMAGE.fullmatch(path.stem))
    }
    full = counts.get("val_images") == VAL_IMAGES
    if full and sorted(placed) != list(range(1, VAL_IMAGES + 1)):
        strange = [p for paths in classes.values() for p in paths if not VAL_IMAGE.fullmatch(p.stem)]
        raise PipelineError(
            f"{shown(strange[0]) if strange else root / 'val'}: not ILSVRC2012_val_00000001 to _00050000; {SORT}"
        )
    lists = official_lists(root)
    for path, wnids in lists:
        if lost := sorted(placed.keys() - wnids.keys()):
            raise PipelineError(
                f"{shown(path)}: does not name ILSVRC2012_val_{lost[0]:08d}, which val/ holds; fetch the list anew or "
                "remove it"
            )
        wrong = sorted(number for number, (_, name) in placed.items() if wnids[number] != name)
        if wrong:
            raise PipelineError(
                f"{shown(placed[wrong[0]][0])}: is of class {wnids[wrong[0]]} by {shown(path.name)} "
                f"({len(wrong)} of {len(placed)} images lie in a wrong class); {SORT}"
            )
    if full and not lists:
        found = hashlib.sha256("".join(placed[i][1] for i in sorted(placed)).encode()).hexdigest()
        if found != VAL_LABELS:
            raise PipelineError(
                f"{root / 'val'}: its images do not lie in their official classes (put {DEVKIT} into {shown(root)} to "
                f"learn which); {SORT}"
            )


def official_lists(root: Path) -> list[tuple[Path, dict[int, str]]]:
    """Return each official list at hand with the wnid by image number. Raises PipelineError for a malformed one."""
    tops = [root, root / "devkit", root / "ILSVRC2012_devkit_t12"]
    if root.name == "CLS-LOC":  # Kaggle's ILSVRC/Data/CLS-LOC
        tops.append(root.parents[2])
    found = []
    for folder in [folder for top in tops for folder in (top, top / "data")]:
        for name, read in READERS.items():
            path = folder / name
            if path.is_file():
                try:
                    found.append((path, read(path)))
                except PipelineError:
                    raise
                except Exception as error:  # of text, zip, MATLAB and tar: nearly every kind
                    raise PipelineError(
                        f"{shown(path)}: no list of validation classes ({(str(error) or repr(error)).splitlines()[0]})"
                        "; fetch it anew or remove it"
                    ) from None
    return found


def _numbered(path: Path, wnids: list[str]) -> dict[int, str]:
    for i, wnid in enumerate(wnids, 1):
        if not WNID.fullmatch(str(wnid)):
            raise PipelineError(f"{shown(path)}: line {i}: {wnid!r:.40} is no class; fetch it anew or remove it")
    return {i: str(wnid) for i, wnid in enumerate(wnids, 1)}


def _synset_labels(path: Path) -> dict[int, str]:
    return _numbered(path, path.read_text("utf-8").split())


def _kaggle(path: Path) -> dict[int, str]:
    out = {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            found, wnid = VAL_IMAGE.fullmatch(row["ImageId"]), row["PredictionString"].split()[0]
            if not found or not WNID.fullmatch(wnid):
                raise ValueError(f"{row['ImageId']!r:.40} of class {wnid!r:.40}")
            out[int(found[1])] = wnid
    return out


def _moves(path: Path) -> dict[int, str]:
    found = re.findall(r"ILSVRC2012_val_(\d{8})\.JPEG\s+\S*?(n\d{8})", path.read_text("utf-8"))
    if not found:
        raise ValueError("moves no image")
    return {int(number): wnid for number, wnid in found}


def _torchvision(path: Path) -> dict[int, str]:
    import torch

    try:
        wnids = list(torch.load(path, weights_only=True)[1])
    except Exception:  # whose message would advise to load it unsafely
        raise ValueError("torchvision wrote no such file") from None
    return _numbered(path, wnids)


def _ground_truth(path: Path) -> dict[int, str]:
    meta = path.with_name(META)
    if not meta.is_file():
        raise PipelineError(f"{shown(path)}: needs the devkit's {META} beside it; put it there or remove the list")
    return _by_id(path, path.read_text("utf-8"), meta.read_bytes())


def _devkit(path: Path) -> dict[int, str]:
    parts = {}
    with tarfile.open(path) as tar:
        for member in tar:
            name = Path(member.name).name
            if name in (GROUND_TRUTH, META) and member.isfile():
                parts[name] = tar.extractfile(member).read()
    if len(parts) < 2:
        raise ValueError(f"it lacks {GROUND_TRUTH} or {META}")
    return _by_id(path, parts[GROUND_TRUTH].decode("utf-8"), parts[META])


def _by_id(path: Path, text: str, meta: bytes) -> dict[int, str]:
    """Return wnids by image number of ILSVRC2012_IDs, which meta.mat turns into wnids."""
    import numpy as np
    from scipy.io import loadmat

    synsets = np.atleast_1d(loadmat(io.BytesIO(meta), squeeze_me=True)["synsets"])
    wnids = {int(entry["ILSVRC2012_ID"]): str(entry["WNID"]) for entry in synsets}
    return _numbered(path, [wnids.get(int(number), f"ID {number}") for number in text.split()])


READERS: dict[str, Callable[[Path], dict[int, str]]] = {
    "meta.bin": _torchvision,
    "imagenet_2012_validation_synset_labels.txt": _synset_labels,
    "LOC_val_solution.csv": _kaggle,
    "valprep.sh": _moves,
    GROUND_TRUTH: _ground_truth,
    DEVKIT: _devkit,
}
