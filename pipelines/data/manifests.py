"""A dataset's file-by-file manifest beside its folder: where it lies, how it is written and read.

One 'sha256  path' line a file, as sha256sum writes and `sha256sum -c` reads it: a line whose path has a backslash or a
line break begins with a backslash, and those are escaped.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from pipelines.common import PipelineError
from pipelines.data.folders import data_root
from registry.inputs.files import shown

ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r"}
LINE = re.compile(r"(\\?)([0-9a-f]{64})  (.+)")


def manifest_path(root: Path, name: str) -> Path:
    """Return where a dataset's manifest lies: beside its folder, or beside what that is a link to, if it is there."""
    suffix = ".val.sha256" if name == "imagenet_val" else ".sha256"
    root = data_root(root)
    if not root.name:
        raise PipelineError(f"{root}: is no dataset's folder; name the folder that holds the data")
    beside = root.with_name(root.name + suffix)
    target = root.resolve()
    other = target.with_name(target.name + suffix)
    return other if not beside.is_file() and other.is_file() else beside


def listing_of(hashes: Mapping[str, str]) -> str:
    """Return the manifest of files' sha256 by path, in the mapping's order."""
    lines = []
    for path, sha in hashes.items():
        escaped = "".join(ESCAPES.get(c, c) for c in path)
        lines.append(f"{sha}  {path}\n" if escaped == path else f"\\{sha}  {escaped}\n")
    return "".join(lines)


def parse_listing(text: str) -> dict[str, str]:
    """Return sha256 by path of a manifest. Raises ValueError naming the first line that is none."""
    out = {}
    for i, line in enumerate(text.split("\n")[:-1], 1):
        if not (found := LINE.fullmatch(line)):
            raise ValueError(f"line {i} is no sha256 and path")
        path = found[3]
        if found[1]:
            path = re.sub(r"\\(.)", lambda m: {"n": "\n", "r": "\r"}.get(m[1], m[1]), path)
        out[path] = found[2]
    return out


def read_listing(path: Path) -> dict[str, str]:
    """Return sha256 by path of a manifest file. Raises PipelineError naming one that cannot be read or is none."""
    try:
        return parse_listing(path.read_bytes().decode("utf-8", "surrogateescape"))
    except OSError as error:
        raise PipelineError(f"{shown(path)}: cannot be read ({error.strerror}); verify the data anew") from None
    except ValueError as error:
        raise PipelineError(f"{shown(path)}: corrupt ({error}); delete it and verify the data anew") from None


def check_writable(path: Path, mend: str, content: str = "") -> None:
    """Check that a file can be written, and has the space for its content; leaves nothing behind.

    Raises PipelineError naming it and the reason.
    """
    folder = path.parent
    while not folder.exists() and not folder.is_symlink():
        folder = folder.parent
    try:
        if path.is_dir():
            raise IsADirectoryError(None, "is a folder")
        with tempfile.TemporaryFile(dir=folder):
            pass
        if content and (free := shutil.disk_usage(folder).free) < (need := len(content.encode("utf-8", "replace"))):
            raise OSError(None, f"needs {need} bytes, {free} are free")
    except OSError as error:
        raise PipelineError(f"{shown(path)}: cannot be written ({error.strerror}); {mend}") from None
