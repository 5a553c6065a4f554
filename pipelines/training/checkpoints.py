"""Checkpoints of running and finished rows: written whole, found again, never of another fingerprint."""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from papertally.evidence.io import read_json, write_json_atomic
from pipelines.common import PipelineError
from registry.checkpoints import CheckpointError, fill_model, read_file, sound_tensors
from registry.compat import training_types

UNREADABLE = (RuntimeError, EOFError, OSError, ValueError, KeyError, TypeError, pickle.UnpicklingError)
START = "start.json"


def newest_checkpoint(work_dir: Path) -> Path | None:
    """Return the newest epoch checkpoint that loads; says so on stderr when it passes over a damaged one."""
    found = sorted(work_dir.glob("epoch_*.pth"), key=lambda p: int(p.stem.split("_")[1]), reverse=True)
    for path in found:
        try:
            with training_types():
                torch.load(path, map_location="cpu", weights_only=True)
            return path
        except UNREADABLE as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            print(f"warning: {path}: damaged ({reason}); resuming from an earlier epoch", file=sys.stderr)
            path.unlink()
    return None


def open_work_dir(folder: Path, identity: str, started: Mapping[str, Any]) -> tuple[Path, dict[str, Any]]:
    """Return a run's folder under `folder`, made where it is new, and what was noted when the run first started.

    folder: of all runs of one row, seed and recipe; each has a folder named by its identity. Those of others are kept,
    and stderr says so.
    """
    mine = folder / identity[:12]
    others = sorted(p.name for p in folder.iterdir() if p.is_dir() and p != mine) if folder.is_dir() else []
    if others and not mine.is_dir():
        what = "another configuration, data or code"
        print(f"{folder}: keeps unfinished runs of {what} ({', '.join(others)}); starting anew", file=sys.stderr)
    mine.mkdir(parents=True, exist_ok=True)
    try:
        first = read_json(mine / START)
        if isinstance(first, dict):
            return mine, first
    except (OSError, ValueError):
        pass
    write_json_atomic(mine / START, dict(started))
    return mine, dict(started)


def finished(path: Path, identity: str) -> dict[str, Any] | None:
    """Return what a finished row's checkpoint says of its run where it is of this identity, else None."""
    try:
        meta = torch.load(path, map_location="cpu", weights_only=True)["meta"]
        return dict(meta) if meta["identity"] == identity else None
    except UNREADABLE:
        return None


def save_weights(model: nn.Module, path: Path, meta: Mapping[str, Any]) -> None:
    """Write the weights used at test time and `meta`, atomically. Raises PipelineError when the disk is full."""
    state = model.deployed_state_dict() if hasattr(model, "deployed_state_dict") else model.state_dict()
    save_whole({"state_dict": {k: v.cpu() for k, v in state.items()}, "meta": dict(meta)}, path)


def save_whole(data: Mapping[str, Any], path: Path) -> None:
    """Write a checkpoint atomically. Raises PipelineError when the disk is full."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    try:
        torch.save(dict(data), partial)
        os.replace(partial, path)
    except (OSError, RuntimeError) as error:
        partial.unlink(missing_ok=True)
        raise PipelineError(f"{path}: cannot be written ({error}); free disk space and run again") from None


def load_weights(model: nn.Module, path: Path, mend: str) -> dict[str, Any]:
    """Load a finished row's weights into a model and return what the checkpoint says of its run.

    Raises PipelineError where it is missing, corrupt, not finite or of another network; mend: what to do then.
    """
    try:
        if not path.exists():
            raise PipelineError(f"{path}: no checkpoint; {mend}")
        saved = read_file(path)
        found = [saved.get(key) for key in ("state_dict", "meta")] if isinstance(saved, Mapping) else []
        if not found or not all(isinstance(part, Mapping) for part in found):
            raise CheckpointError("it has no state_dict with meta beside it, as a row's training writes them")
        state = sound_tensors(found[0], strip=False)
    except CheckpointError as error:
        raise PipelineError(f"{path}: corrupt checkpoint ({error}); {mend}") from None
    try:
        fill_model(model, state)
    except CheckpointError as error:
        raise PipelineError(f"{path}: {error}; {mend}") from None
    return dict(found[1])
