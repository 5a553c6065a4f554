"""What every stage shares: the repository's root, params.yaml, row configs and one-line errors."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from papertally.command import OTHER_ERRORS, guard, told
from papertally.command import CommandError as PipelineError
from report.rows import CONFIGS, MICRONET, ROOT, TASKS, configured_rows, find_row

__all__ = [
    "CONFIGS",
    "MICRONET",
    "ROOT",
    "TASKS",
    "PipelineError",
    "configured_rows",
    "cores",
    "find_row",
    "guard",
    "last_error",
    "load_config",
    "load_params",
    "section",
    "told",
]


def _data_error() -> type[Exception] | tuple[()]:
    """Return registry's DataError where it was imported; to import it here would import torch for every command."""
    module = sys.modules.get("registry.inputs.errors")
    return module.DataError if module else ()


OTHER_ERRORS.append(_data_error)


def load_params(root: Path = ROOT) -> dict[str, Any]:
    """Return params.yaml as a mapping, every value checked. Raises PipelineError naming the file and the line."""
    from report.params import read_params

    return read_params(root, PipelineError)


def section(params: Mapping[str, Any], *keys: str) -> Any:
    """Return params[key][key]...; raises PipelineError naming the missing key."""
    value: Any = params
    for i, key in enumerate(keys):
        if not isinstance(value, Mapping) or key not in value:
            raise PipelineError(f"params.yaml: no key {'.'.join(keys[: i + 1])!r}; add it or restore the file")
        value = value[key]
    return value


def load_config(row_id: str, root: Path = ROOT, plugins: bool = True) -> Any:
    """Return a row's mmengine Config; `plugins` imports what it names, such as mmpose.

    Raises PipelineError naming the file that is missing or malformed.
    """
    from mmengine.config import Config

    config = find_row(row_id, root).config
    path = root / config
    if not path.is_file():
        raise PipelineError(f"{config}: no such config; row {row_id!r} has no experiment of its own")
    try:
        return Config.fromfile(str(path), import_custom_modules=plugins, lazy_import=False)
    except Exception as error:  # mmengine raises many kinds for a malformed file
        raise PipelineError(f"{config}: malformed config: {error}") from None


def last_error(text: str) -> str:
    """Return the line of a log that says why it ended: a stage's own error line, else what stands before DVC's."""
    lines = [line.strip() for part in text.split("\n") if (line := part.split("\r")[-1]).strip()]
    own = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    if own:
        return own[-1]
    others = [line for line in lines if not line.startswith(("ERROR: failed to reproduce", "WARNING:", "+"))]
    return (others or lines or ["no message"])[-1]


def cores() -> int:
    """Return how many of the machine's cores this process may use."""
    allowed = getattr(os, "sched_getaffinity", None)  # Linux only
    return len(allowed(0)) if allowed else os.cpu_count() or 1
