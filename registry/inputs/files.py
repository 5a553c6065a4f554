"""A data folder's files as every reader counts them: links are what they point to, clutter is never there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from .errors import DataError

#: What file managers, network disks and archivers leave beside the data; so is every name that begins with a dot.
CLUTTER = frozenset(
    {
        "thumbs.db",
        "ehthumbs.db",
        "desktop.ini",
        "__macosx",
        "@eadir",
        "#recycle",
        "@recycle",
        "$recycle.bin",
        "system volume information",
        "lost+found",
        "__pycache__",
        "icon\r",
    }
)
IMAGES = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")  # torchvision's ImageFolder's


def is_clutter(name: str) -> bool:
    """Tell whether a file's or folder's name is hidden (AppleDouble's ._x.JPEG too) or a system's own."""
    return name.startswith(".") or name.casefold() in CLUTTER


def is_data(path: str, suffixes: tuple[str, ...]) -> bool:
    """Tell whether a relative path with slashes is data: it has one of the suffixes, and no part of it is clutter."""
    return path.lower().endswith(suffixes) and not any(map(is_clutter, path.split("/")))


def shown(path: object) -> str:
    """Return a path for a message of one line: what cannot be printed is escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(path))


def missing(path: Path) -> str:
    """Return why nothing is at a path: a link's target is gone, or it was never there."""
    if path.is_symlink():
        return f"is a link to {shown(os.readlink(path))}, which is not there"
    return "is no folder" if path.exists() else "no such folder"


def folders_in(folder: str | Path) -> list[str]:
    """Return the names of the folders in a folder, sorted. Raises DataError for what cannot be listed or followed."""
    return sorted(entry.name for entry in _entries(folder) if _is_folder(entry, ()))


def files_beside(folder: str | Path, suffixes: tuple[str, ...]) -> list[Path]:
    """Return the files of the suffixes that lie in a folder itself, beside its folders, sorted. Raises DataError."""
    return sorted(Path(e.path) for e in _entries(folder) if e.name.lower().endswith(suffixes) and e.is_file())


def files_in(folder: str | Path, suffixes: tuple[str, ...]) -> list[Path]:
    """Return the files of the suffixes (lower case) at any depth, sorted by path.

    Raises DataError naming a link that leads nowhere or back to a folder above it, or a folder that cannot be listed.
    """
    return sorted(Path(path) for path in _walk(os.fspath(folder), suffixes, ()))


def _walk(folder: str, suffixes: tuple[str, ...], above: tuple[tuple[int, int], ...]) -> Iterator[str]:
    entries = _entries(folder)
    state = os.stat(folder)
    here = (state.st_dev, state.st_ino)
    if here in above:
        raise DataError(f"error: {shown(folder)}: is a link back to a folder that it lies in; remove the link")
    for entry in entries:
        if _is_folder(entry, suffixes):
            yield from _walk(entry.path, suffixes, (*above, here))
        elif entry.name.lower().endswith(suffixes) and entry.is_file():
            yield entry.path


def _entries(folder: str | Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if not is_clutter(entry.name)]
    except FileNotFoundError:
        raise DataError(f"error: {shown(folder)}: {missing(Path(folder))}; restore the data") from None
    except OSError as error:
        raise DataError(f"error: {shown(folder)}: cannot be listed ({error.strerror}); mend its permissions") from None


def _is_folder(entry: os.DirEntry[str], suffixes: tuple[str, ...]) -> bool:
    """Tell whether an entry is a folder; suffixes: of the files whose links must lead somewhere too."""
    try:
        if entry.is_dir():
            return True
        lost = entry.is_symlink() and not entry.is_file()
        why = f"is a link to {shown(os.readlink(entry.path))}, which is not there" if lost else ""
    except OSError as error:  # a link to itself, for one
        lost, why = True, f"cannot be followed ({error.strerror})"
    # a link with another suffix, as of a text, would not be read anyway
    if lost and (entry.name.lower().endswith(suffixes) or not Path(entry.name).suffix):
        raise DataError(f"error: {shown(entry.path)}: {why}; mend or remove the link")
    return False
