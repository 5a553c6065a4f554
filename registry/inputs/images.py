"""Image files judged without a framework: whole or cut, readable or not, and how large."""

from __future__ import annotations

import io
import os
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from .errors import DataError
from .files import shown

#: A whole file's marks: how it begins, and what stands within its last bytes.
MARKS = ((b"\xff\xd8\xff", b"\xff\xd9"), (b"\x89PNG\r\n\x1a\n", b"IEND"))
TAIL = 64


def check_pixels(image: Image.Image) -> None:
    """Raise ValueError for an image beyond Pillow's limit, which itself only warns up to twice the limit."""
    limit, pixels = Image.MAX_IMAGE_PIXELS, image.width * image.height
    if limit and pixels > limit:
        raise ValueError(f"{image.width} x {image.height} pixels are beyond Pillow's limit of {limit}")


def decode_fault(content: bytes) -> str | None:
    """Return why an image's bytes cannot be decoded, or None."""
    if not content:
        return "is empty"
    try:
        with Image.open(io.BytesIO(content)) as image:
            check_pixels(image)
            image.draft("RGB", (1, 1))  # a JPEG's is eight times smaller, and is read to its end all the same
            image.load()
    except MemoryError:
        raise
    except Exception as error:  # Pillow's decoders raise nearly every kind
        return f"cannot be read as an image ({reason(error)})"
    return None


def content_fault(content: bytes) -> str | None:
    """Return why an image's bytes are no whole image, or None; a JPEG that ends as it should is not decoded."""
    if content.startswith(MARKS[0][0]) and MARKS[0][1] in content[-TAIL:]:
        try:
            with Image.open(io.BytesIO(content)) as image:
                check_pixels(image)
            return None
        except Exception as error:
            return f"cannot be read as an image ({reason(error)})"
    return decode_fault(content)


def file_fault(path: str | Path) -> str | None:
    """Return why a file is missing, empty or cut off, or None: it is decoded only where its last bytes are unusual."""
    try:
        with open(path, "rb") as file:
            head = file.read(TAIL)
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - TAIL))
            tail = file.read()
            if any(head.startswith(first) and last in tail for first, last in MARKS):
                return None
            file.seek(0)
            return decode_fault(file.read())
    except OSError as error:
        return absence(path, error)


def absence(path: str | Path, error: OSError) -> str:
    """Return why a file cannot be opened."""
    if os.path.islink(path) and not os.path.exists(path):  # pathlib's raise where a name is too long
        return f"is a link to {shown(os.readlink(path))}, which is not there"
    return "no such image" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"


def check_image(path: str | Path) -> None:
    """Raise DataError naming an image file that is missing, empty or cut off."""
    if fault := file_fault(path):
        raise DataError(f"error: {shown(path)}: {fault}; unpack it anew")


def sizes_of(path: str | Path) -> set[tuple[int, int]]:
    """Return an image file's (width, height) by its header, and as its camera was held where EXIF says so.

    Raises OSError or ValueError where it has no header.
    """
    with Image.open(path) as image:
        turned = image.getexif().get(0x0112, 1) in (5, 6, 7, 8)
        return {image.size, image.size[::-1]} if turned else {image.size}


def reason(error: Exception) -> str:
    """Return the first line of what a decoder says."""
    if isinstance(error, UnidentifiedImageError):
        return "it is in no image's format"  # Pillow names a Python object
    return (str(error) or type(error).__name__).splitlines()[0]
