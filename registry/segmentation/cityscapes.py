"""Cityscapes' layout checked before a framework reads it: one clear line for what is missing or malformed."""

from __future__ import annotations

import io
import struct
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from ..inputs.errors import DataError
from ..inputs.files import files_in, missing, shown
from ..inputs.images import check_image, decode_fault, reason

IMAGE, LABEL, LABEL_IDS = "_leftImg8bit.png", "_gtFine_labelTrainIds.png", "_gtFine_labelIds.png"
IGNORE = 255
CLASSES = 19
#: Cityscapes' label ids that are evaluated, in the order of their train ids; every other id up to 33 is ignored.
EVALUATED_IDS = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
TRY_WITHOUT = "to try without it, run `python -m pipelines streets data/streets` and set CITYSCAPES_ROOT=data/streets"
TRAIN_IDS = "make the train ids: `python -m pipelines cityscapes` with the data's folder"
UNPACK = "unpack gtFine_trainvaltest.zip anew"
PNG = b"\x89PNG\r\n\x1a\n"


def pairs(images: str | Path, labels: str | Path) -> list[tuple[Path, Path]]:
    """Return a split's (image, train-id label) files, sorted. Raises DataError naming what is missing and the mend."""
    images, labels = Path(images), Path(labels)
    for folder, archive in ((images, "leftImg8bit"), (labels, "gtFine")):
        if not folder.is_dir():
            tilde = "; '~' is not expanded here: write the whole path" if str(folder).startswith("~") else ""
            raise DataError(
                f"error: {shown(folder)}: {missing(folder)}. Put Cityscapes there (leftImg8bit/ and gtFine/ with "
                f"train/ and val/, from {archive}_trainvaltest.zip) or set CITYSCAPES_ROOT to its folder; "
                f"{TRY_WITHOUT}{tilde}"
            )
    found = files_in(images, (IMAGE.lower(),))
    if not found:
        raise DataError(f"error: {shown(images)}: holds no *{IMAGE}; unpack leftImg8bit_trainvaltest.zip there")
    there = files_in(labels, (LABEL.lower(),))
    known, places = set(there), {path.name: path for path in there}
    out = []
    for image in found:
        label = labels / image.relative_to(images).with_name(image.name[: -len(IMAGE)] + LABEL)
        if label not in known:
            raise DataError(f"error: {shown(label)}: missing, though {shown(image)} is there; {_mend(label, places)}")
        out.append((image, label))
    if stray := sorted(known - {label for _, label in out}):
        raise DataError(
            f"error: {shown(stray[0])}: a label without its image; unpack leftImg8bit_trainvaltest.zip anew"
        )
    return out


def _mend(label: Path, places: dict[str, Path]) -> str:
    """Return what brings a missing label."""
    if label.name in places:
        return f"move it there from {shown(places[label.name])}"
    ids = label.with_name(label.name.removesuffix(LABEL) + LABEL_IDS)
    if ids.is_file():
        return TRAIN_IDS
    if label.parts[-3:-2] == ("test",):
        return "the test split has no labels: train on train/ and test on val/"
    return UNPACK


def check_headers(found: list[tuple[Path, Path]]) -> None:
    """Check images and labels by first and last bytes: whole, of one size, labels of one channel of 8 bits.

    Raises DataError naming the first file at fault.
    """
    with ThreadPoolExecutor() as pool:
        for _ in pool.map(_check_pair, found):
            pass


def _check_pair(pair: tuple[Path, Path]) -> None:
    image, label = pair
    check_image(image)
    check_image(label)
    sizes = []
    for path, is_label in ((image, False), (label, True)):
        with path.open("rb") as file:
            head = file.read(26)
        if head.startswith(PNG) and len(head) == 26:
            width, height, depth, colour = struct.unpack(">IIBB", head[16:26])
            if is_label:
                _check_form(path, depth, colour)
        elif is_label:
            raise DataError(f"error: {shown(path)}: is no PNG, and other files do not keep ids; {UNPACK}")
        else:
            try:
                with Image.open(path) as opened:
                    width, height = opened.size
            except (OSError, SyntaxError, ValueError) as error:
                raise unreadable(path, error) from None
        sizes.append((height, width))
    check_size(label, *reversed(sizes))


def _check_form(path: Path, depth: int, colour: int) -> None:
    """Check a label PNG's bit depth and colour type: ids are grey values of 8 bits, or a palette's indices."""
    if colour == 3 or (depth, colour) == (8, 0):
        return
    channels = {0: 1, 2: 3, 4: 2, 6: 4}.get(colour)
    if channels == 1:
        # 2 and 4 bits too: every decoder spreads them over 0 to 255
        raise DataError(f"error: {shown(path)}: has {depth} bits a pixel, and ids need 8; {_REMAKE}")
    raise DataError(f"error: {shown(path)}: has {channels} channels, not one: it holds colours, no ids; {_REMAKE}")


_REMAKE = "make it anew from gtFine (delete it and run `python -m pipelines cityscapes`)"


def read_label(path: str | Path) -> np.ndarray:
    """Return a label file's ids (H, W) uint8. Raises DataError naming a file that is cut off or cannot hold ids."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"error: {shown(path)}: cannot be read ({error.strerror}); {UNPACK}") from None
    if fault := decode_fault(content) if not content.startswith(PNG) or len(content) < 26 else None:
        raise DataError(f"error: {shown(path)}: {fault}; {UNPACK}")
    if not content.startswith(PNG):
        raise DataError(f"error: {shown(path)}: is no PNG, and other files do not keep ids; {UNPACK}")
    _check_form(Path(path), content[24], content[25])
    try:
        with Image.open(io.BytesIO(content)) as image:
            return np.array(image, np.uint8)
    except Exception as error:  # Pillow's decoders raise nearly every kind
        raise unreadable(path, error) from None


def check_size(label: str | Path, shape: tuple[int, ...], image: tuple[int, ...]) -> None:
    """Check that a label's (height, width) is its image's. Raises DataError naming it."""
    if tuple(shape) != tuple(image):
        raise DataError(
            f"error: {shown(label)}: is {shape[1]} x {shape[0]}, its image {image[1]} x {image[0]}; unpack both anew"
        )


def check_ids(label: np.ndarray, path: str | Path) -> None:
    """Check a label map (H, W) of train ids. Raises DataError naming the file and the first wrong id."""
    if label.ndim != 2:
        raise DataError(
            f"error: {shown(path)}: has shape {label.shape}, not one channel; it is no label file: make it anew"
        )
    if label.dtype.kind not in "ui" or int(label.max(initial=0)) > IGNORE or int(label.min(initial=0)) < 0:
        raise DataError(f"error: {shown(path)}: holds {label.dtype} values that are no ids of 8 bits; {_REMAKE}")
    counts = np.bincount(label.ravel(), minlength=IGNORE + 1)
    counts[:CLASSES] = 0
    counts[IGNORE] = 0
    if counts.any():
        raw = " (are these the raw ids of labelIds?)" if not counts[34:].any() else ""
        raise DataError(
            f"error: {shown(path)}: holds id {int(counts.argmax())}, but train ids are 0 to {CLASSES - 1} and "
            f"{IGNORE}{raw}; {_REMAKE}"
        )


def train_id_table() -> np.ndarray:
    """Return the train id of every label id, (256,) uint8."""
    table = np.full(256, IGNORE, np.uint8)
    table[list(EVALUATED_IDS)] = np.arange(CLASSES)
    return table


def unreadable(path: str | Path, error: Exception) -> DataError:
    """Return the error for a file that cannot be decoded."""
    return DataError(f"error: {shown(path)}: cannot be read as an image ({reason(error)}); unpack it anew")
