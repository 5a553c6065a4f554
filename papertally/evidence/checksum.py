"""Seals: the digest by which a later edit of evidence shows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from papertally.evidence.io import json_form, read_json, write_json_atomic
from papertally.evidence.revision import code_revision  # noqa: F401  for those who write evidence


def seal(evidence: Mapping[str, Any]) -> dict[str, Any]:
    """Return evidence with `digest`, the sha256 over all its other keys, by which a later edit shows."""
    return {**evidence, "digest": digest_of(evidence)}


def digest(value: Any) -> str:
    """Return the sha256 of a value's JSON, keys sorted."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def digest_of(evidence: Mapping[str, Any]) -> str:
    return digest({key: value for key, value in evidence.items() if key != "digest"})


#: What tells where and when a result was computed, not what it is.
PROVENANCE = frozenset({"code_revision", "environment", "digest", "duration_s", "cpu_s", "changed"})


def file_computed(path: Path, evidence: Mapping[str, Any]) -> bool:
    """Write what a stage computed and sealed, atomically; returns whether anything but its provenance is new.

    A sound file that says the same stays as it is: a rerun elsewhere, or at a later commit, confirms it and changes no
    tracked file. For results that every machine computes alike; a trained run is always filed anew.
    """
    try:
        old = read_json(path)
        sound = isinstance(old, dict) and old.get("digest") == digest_of(old)
        same = sound and _bare(old) == _bare(json_form(evidence))
    except (OSError, ValueError):
        same = False
    if not same:
        write_json_atomic(path, evidence)
    return not same


def _bare(evidence: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in evidence.items() if key not in PROVENANCE}
