"""CIFAR-10 and CIFAR-100 at small scale: found, checked against the pin, and packed into one file each.

python -m pipelines cifar [--data cifar100] [--source FOLDER]

FOLDER is an ImageFolder (train/CLASS/*, test/CLASS/*, lossless); without it torchvision downloads the set. The pin is
over pixels and labels, so that both give the same file. CIFAR-10's stands in params.yaml. Nobody has published
CIFAR-100's: whoever packs it first files it in results/manifests/cifar100.json, to which every later file and run is
held.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import zipfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from papertally.evidence.datasets import OWN, TITLES, pack_command
from papertally.evidence.io import EvidenceError, write_bytes_atomic, write_json_atomic
from papertally.evidence.revision import code_revision
from papertally.evidence.schema import ManifestEvidence, formed, read_form
from pipelines.common import ROOT, PipelineError, guard, load_params, section

MANIFESTS = Path("results/manifests")
COUNTS = {"train": 50_000, "test": 10_000}
#: Formats in which an image may have lost pixels.
LOSSY = ("JPEG", "MPO", "WEBP")
Split = tuple[np.ndarray, np.ndarray]
Channels = tuple[float, float, float]


@dataclass(frozen=True)
class CifarSet:
    """Hold what a set is: its name, its classes in the order of their labels, its channels' mean and deviation."""

    name: str
    classes: tuple[str, ...]
    mean: Channels
    std: Channels

    @property
    def title(self) -> str:
        """Return the set's name for a reader."""
        return TITLES[self.name]

    @property
    def packed(self) -> Path:
        """Return where the packed set lies, relative to the root."""
        return Path("data") / f"{self.name}.npz"

    @property
    def manifest(self) -> Path:
        """Return the file that pins the set, relative to the root; CIFAR-10 has none."""
        return MANIFESTS / f"{self.name}.json"

    @property
    def pinned_in(self) -> str:
        """Return the name of the file that pins the set."""
        return "params.yaml" if self.name == OWN else self.manifest.as_posix()


CIFAR10 = CifarSet(
    OWN,
    ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    (0.4914, 0.4822, 0.4465),
    (0.2470, 0.2435, 0.2616),
)
#: CIFAR-100's fine labels, as its own `meta` file spells and orders them.
FINE = (
    "apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can "
    "castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin "
    "elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard "
    "lobster man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear "
    "pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark "
    "shrew skunk skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone "
    "television tiger tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm"
)
CIFAR100 = CifarSet("cifar100", tuple(FINE.split()), (0.5071, 0.4867, 0.4408), (0.2675, 0.2565, 0.2761))
SETS = {known.name: known for known in (CIFAR10, CIFAR100)}


def find_set(name: str) -> CifarSet:
    """Return a set by its name. Raises PipelineError for one that there is not."""
    if name not in SETS:
        raise PipelineError(f"--data {name}: no such small set; there are {' and '.join(SETS)}")
    return SETS[name]


def sort_split(images: np.ndarray, labels: np.ndarray) -> tuple[Split, str]:
    """Return images (N, 32, 32, 3) and labels in the order of their hashes, and the sha256 over all of those."""
    keys = [
        hashlib.sha256(bytes([label]) + image.tobytes()).digest() for image, label in zip(images, labels, strict=True)
    ]
    order = sorted(range(len(keys)), key=keys.__getitem__)
    digest = hashlib.sha256(b"".join(keys[i] for i in order)).hexdigest()
    return (images[order], labels[order]), digest


def _folder(known: CifarSet, root: Path, split: str) -> Split:
    from pipelines.data.folders import ImageFolder

    found = ImageFolder(root / split, "name an image folder with train/ and test/, or unpack it anew")
    for what, names in (
        ("lacks class", [name for name in known.classes if name not in found.classes]),
        ("has the unknown class", [name for name in found.classes if name not in known.classes]),
    ):
        if names:
            more = f" and {len(names) - 1} more" if names[1:] else ""
            raise PipelineError(
                f"{root / split}: {what} {names[0]!r}{more}; its folders are to be {known.title}'s {len(known.classes)}"
            )
    images = []
    for i, (path, _) in enumerate(found.samples):
        image = np.asarray(found[i][0])
        if image.shape != (32, 32, 3):
            raise PipelineError(f"{path}: is {image.shape[1]} x {image.shape[0]}, not 32 x 32; unpack it anew")
        with Image.open(path) as file:
            if file.format in LOSSY:
                raise PipelineError(f"{path}: {file.format} can lose pixels; write the set's own as PNG")
        images.append(image)
    return np.stack(images), np.array(found.targets, np.uint8)


def _downloaded(known: CifarSet, root: Path, split: str) -> Split:
    from torchvision import datasets

    source = {"cifar10": datasets.CIFAR10, "cifar100": datasets.CIFAR100}[known.name]
    try:
        found = source(str(root), train=split == "train", download=True)
    except (OSError, RuntimeError) as error:
        raise PipelineError(
            f"{root}: torchvision cannot fetch {known.title} ({str(error).splitlines()[0]}); download it elsewhere and "
            f"run `{pack_command(known.name)} --source FOLDER`"
        ) from None
    if tuple(found.classes) != known.classes:
        raise PipelineError(f"{root}: its classes are not {known.title}'s; delete it, and download it anew")
    return found.data, np.array(found.targets, np.uint8)


def pack(known: CifarSet, source: Path | None, root: Path, pin: str | None) -> str:
    """Write the packed set under `root`, atomically; returns its pin. pin: what it must be, None where nobody knows.

    Raises PipelineError where counts or pixels are not the pinned ones.
    """
    arrays: dict[str, Any] = {}
    digests = []
    shown = source or known.title
    for split, count in COUNTS.items():
        if source:
            images, labels = _folder(known, source, split)
        else:
            images, labels = _downloaded(known, root / "data" / known.name, split)
        if len(images) != count:
            raise PipelineError(f"{shown}: {len(images)} {split} images, not {count}; unpack it anew")
        each = count // len(known.classes)
        for name, mine in zip(known.classes, np.bincount(labels, minlength=len(known.classes)), strict=True):
            if mine != each:
                raise PipelineError(f"{shown}: {mine} {split} images of {name!r}, not {each}; unpack it anew")
        (images, labels), digest = sort_split(images, labels)
        arrays |= {f"{split}_images": images, f"{split}_labels": labels}
        digests.append(digest)
    found = hashlib.sha256("".join(digests).encode()).hexdigest()
    if pin is not None and found != pin:
        raise PipelineError(f"{shown}: its pixels hash to {found[:12]}…, {known.pinned_in} pins {pin[:12]}…")
    buffer = io.BytesIO()
    np.savez(buffer, pin=np.array(found), **arrays)
    write_bytes_atomic(root / known.packed, buffer.getvalue())
    return found


def load(path: Path, names: Collection[str], data: str = OWN) -> tuple[dict[str, np.ndarray], str]:
    """Return named arrays of the packed set and its pin. Raises PipelineError where it is missing or damaged."""
    command = pack_command(data)
    try:
        with np.load(path, allow_pickle=False) as found:
            return {name: found[name] for name in names}, str(found["pin"])
    except FileNotFoundError:
        raise PipelineError(
            f"{path}: missing; make it by `{command}` (downloads) or `{command} --source FOLDER`"
        ) from None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise PipelineError(f"{path}: damaged ({error}); delete it and run `{command}`") from None


def pin_of(known: CifarSet, root: Path) -> str | None:
    """Return a set's pin, None where nobody has packed it yet. Raises PipelineError for a corrupt manifest."""
    if known.name == OWN:
        return str(section(load_params(root), "proxy", "pin"))
    if not (root / known.manifest).exists():
        return None
    try:
        found = read_form(root / known.manifest, known.manifest.as_posix(), ManifestEvidence)
    except EvidenceError as error:
        raise PipelineError(f"{error}; restore it from the repository") from None
    if found.dataset != known.name:
        raise PipelineError(f"{known.manifest}: is of {found.dataset!r}; restore it from the repository")
    return found.sha256


def stated_pin(known: CifarSet, root: Path) -> str:
    """Return a set's pin. Raises PipelineError where nothing pins it."""
    pin = pin_of(known, root)
    if pin is None:
        fault = f"nothing pins it, for there is no {known.pinned_in}"
        raise PipelineError(f"{known.packed}: {fault}; run `{pack_command(known.name)}`")
    return pin


def load_pinned(known: CifarSet, root: Path, names: Collection[str]) -> tuple[dict[str, np.ndarray], str]:
    """Return what `load` does of the packed set under `root`. Raises PipelineError where its pin is not today's."""
    data, pin = load(root / known.packed, names, known.name)
    if pin != stated_pin(known, root):
        fault = f"its pin is not {known.pinned_in}'s"
        raise PipelineError(f"{known.packed}: {fault}; run `{pack_command(known.name)}` anew")
    return data, pin


def file_pin(known: CifarSet, pin: str, root: Path) -> None:
    """File a set's first pin, to which all later ones are held."""
    write_json_atomic(
        root / known.manifest,
        formed(
            ManifestEvidence,
            {
                "schema": 1,
                "kind": "manifest",
                "dataset": known.name,
                "files": sum(COUNTS.values()),
                "sha256": pin,
                "counts": {f"{split}_images": count for split, count in COUNTS.items()},
                "code_revision": code_revision(root),
            },
        ),
    )


def main(argv: list[str] | None = None) -> int:
    """Pack CIFAR-10 or CIFAR-100."""
    parser = argparse.ArgumentParser(
        prog="micronet cifar", description="Check CIFAR-10 or CIFAR-100 against its pin and pack it."
    )
    parser.add_argument("--data", choices=sorted(SETS), default=OWN, help=f"the set (default {OWN})")
    parser.add_argument("--source", type=Path, help="an ImageFolder; default: torchvision's download")
    args = parser.parse_args(argv)
    known, source = SETS[args.data], args.source and args.source.expanduser()
    pin = pin_of(known, ROOT)
    found = pack(known, source, ROOT, pin)
    counts = f"{known.packed}: {COUNTS['train']} training and {COUNTS['test']} test images"
    if pin is not None:
        print(f"{counts}, as pinned")
        return 0
    file_pin(known, found, ROOT)
    held = "its archive's MD5 is the published one" if source is None else "counts and class names are right"
    print(
        f"{counts}; {held}, and nobody had pinned it: {known.manifest} pins it from now on ({found[:12]}…); commit it"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(guard(main))
