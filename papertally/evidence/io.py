"""Files that are written whole or not at all, and JSON read as this project writes it."""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Set
from pathlib import Path
from typing import Any

from papertally.evidence.revision import code_revision  # noqa: F401  for those who write evidence

#: Of JSON's brackets within each other; no file of ours has ten.
MAX_DEPTH = 60


class EvidenceError(Exception):
    """Say which evidence file is at fault and how to mend it."""


def write_text_atomic(path: Path, text: str) -> None:
    """Write a UTF-8 file so that a kill or a full disk leaves the old one whole. Raises EvidenceError naming it."""
    write_bytes_atomic(path, as_utf8(text).encode("utf-8"))


def write_bytes_atomic(path: Path, content: bytes) -> None:
    """Write a file so that a kill or a full disk leaves the old one whole. Raises EvidenceError naming it."""
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".tmp")
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise EvidenceError(f"{path}: cannot be written ({error.strerror}); free space or mend permissions") from None


def write_json_atomic(path: Path, value: Any) -> None:
    """Write sorted, indented JSON atomically; refuses NaN."""
    write_text_atomic(path, json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n")


def as_utf8(text: str) -> str:
    """Return text that UTF-8 can hold: what a command line or a file's name has in another encoding is escaped."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def json_form(value: Any) -> Any:
    """Return a value as JSON gives it back: tuples are lists, keys text."""
    return json.loads(json.dumps(value, allow_nan=False))


def listed(folder: Path, pattern: str = "*.json") -> list[Path]:
    """Return a folder's files, sorted; none where it is absent. Raises EvidenceError where it cannot be listed.

    A glob of a folder that cannot be read is empty, and its evidence would be "not run".
    """
    try:
        os.scandir(folder).close()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise EvidenceError(f"{folder}: cannot be listed ({error.strerror}); mend its permissions") from None
    return sorted(folder.glob(pattern))


def remove_others(folder: Path, known: Set[str]) -> list[str]:
    """Delete the JSON files of a folder whose stems are not known any more, and return their names."""
    old = sorted(path for path in folder.glob("*.json") if path.stem not in known)
    for path in old:
        path.unlink()
    return [path.name for path in old]


def read_json(path: Path) -> Any:
    """Return what a JSON file holds. Raises OSError, and ValueError for what this project would never write.

    Beside broken JSON: NaN and infinities, numbers of many digits, a key that stands twice, half a surrogate pair,
    hundreds of brackets within each other.
    """
    content = path.read_bytes()
    try:
        data = json.loads(
            content.decode(json.detect_encoding(content)),
            parse_constant=_no_number,
            parse_float=_finite,
            parse_int=_whole,
            object_pairs_hook=distinct,
        )
    except RecursionError:
        raise ValueError("nested too deep") from None
    level = [data]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for value in level
            if isinstance(value, dict | list)
            for child in (value.values() if isinstance(value, dict) else value)
        ]
        if not level:
            break
    else:
        raise ValueError("nested too deep")
    json.dumps(data, ensure_ascii=False).encode("utf-8")  # UnicodeEncodeError, a ValueError, names half a pair
    return data


def _no_number(text: str) -> float:
    raise ValueError(f"{text[:40]} is no number")


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _no_number(text)


def _whole(text: str) -> int:
    if len(text) > 19:
        raise ValueError(f"{text[:40]}… has too many digits")
    return int(text)


def distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object's pairs as a mapping. Raises ValueError naming a key that stands twice."""
    out = dict(pairs)
    if len(out) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"key {next(key for key in keys if keys.count(key) > 1)!r} stands twice")
    return out
