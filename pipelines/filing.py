"""Write what a trained run achieved as evidence: one form for every task, profile and recipe."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines.common import ROOT, config_path, environment
from report.evidence import code_revision, config_hash, config_inputs, seal, write_json_atomic


def file_training(
    path: Path, *, row: str, table: str, profile: str, seed: int | None, values: Mapping[str, float],
    stated: Mapping[str, Any], data: tuple[str, str], epochs: int | None, seconds: float, command: str,
    root: Path = ROOT, more_environment: Mapping[str, str] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Write a run's evidence to `path`, atomically, and return it.

    values: metrics in percent. stated: the parameters that decide the result. data: the set's name and pin. seconds:
    what training took. seed, epochs: None where nobody tells (a released checkpoint). Raises EvidenceError.
    """
    inputs = config_inputs(root, config_path(row))
    evidence = {
        "schema": 1,
        "kind": "training",
        "profile": profile,
        "row": row,
        "table": table,
        "seed": seed,
        "values": dict(values),
        "config": config_path(row).as_posix(),
        "config_hash": config_hash(inputs, stated),
        "inputs": inputs,
        "params": dict(stated),
        "data": {"name": data[0], "pin": data[1]},
        "code_revision": code_revision(root),
        "environment": {**environment(), **(more_environment or {})},
        "epochs": epochs,
        "duration_s": float(seconds),
        "command": command,
    }
    evidence = seal(evidence)
    write_json_atomic(path, evidence)
    return evidence
