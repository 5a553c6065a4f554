"""Hashes of a row's network and recipe: what a result depends on, not how its files are written."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any

import torch
from mmengine.registry import MODELS, DefaultScope
from torch import nn

from papertally.evidence.checksum import digest
from pipelines.common import PipelineError, find_row, load_config

#: Keys of a config that say nothing of how a row trains: notes, other readings, and how a run looks and is launched.
UNRELATED = (
    "notes",
    "variants",
    "construction",
    "custom_imports",
    "default_hooks",
    "env_cfg",
    "log_level",
    "log_processor",
    "vis_backends",
    "visualizer",
    "load_from",
    "resume",
    "default_scope",
    "data_root",
    "auto_scale_lr",
    "runner_type",
)
#: Of loaders: what decides speed alone.
SPEED = ("num_workers", "persistent_workers", "pin_memory", "prefetch_factor", "worker_init_fn")


def structure(model: nn.Module) -> list[list[Any]]:
    """Return, module by module, path, class, extra_repr, and shapes and dtypes of what it puts into a checkpoint.

    Buffers outside it are constants: what they do is the probe's to see.
    """
    out = []
    for name, module in model.named_modules():
        own = [
            [key, list(value.shape), str(value.dtype).removeprefix("torch.")]
            for found in (module._parameters, module._buffers)
            for key, value in found.items()
            if value is not None and key not in module._non_persistent_buffers_set
        ]
        out.append([name, type(module).__name__, module.extra_repr(), own])
    return out


def scope(config: Any) -> AbstractContextManager[None]:
    """Return a context in which a config's framework finds its own types."""
    return DefaultScope.overwrite_default_scope(config.default_scope)


def build(model: Mapping[str, Any]) -> nn.Module:
    """Return a model config's network on the meta device where that can be, else on the CPU."""
    state = torch.get_rng_state()
    try:
        with torch.device("meta"):
            return MODELS.build(dict(model))
    except (NotImplementedError, RuntimeError):
        return MODELS.build(dict(model))
    finally:
        torch.set_rng_state(state)


def model_hash(config: Any) -> str:
    """Return the sha256 over the structure of a config's network."""
    with scope(config):
        return digest(structure(build(config.model)))


def _plain(value: Any) -> Any:
    """Return a config's value as JSON has it."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, (list, tuple)) else value


def recipe_hash(config: Any) -> str:
    """Return the sha256 over a resolved config, without what does not change a result."""
    whole = {key: value for key, value in _plain(config.to_dict()).items() if key not in UNRELATED}
    for name in ("train_dataloader", "val_dataloader", "test_dataloader"):
        whole[name] = {key: value for key, value in whole.get(name, {}).items() if key not in SPEED}
    return digest(whole)


def flat(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every leaf of a config by its dotted key."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from flat(inner, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list | tuple):
        for i, inner in enumerate(value):
            yield from flat(inner, f"{key}.{i}")
    else:
        yield key, value


def deciding(config: Any, launch: Collection[str] = ()) -> dict[str, Any]:
    """Return the leaves of a config that decide a result, by dotted key; launch: further keys that do not."""
    out = {}
    for key, value in flat(config.to_dict()):
        names = key.split(".")
        speed = names[0].endswith("_dataloader") and names[1:2] and names[1] in SPEED
        if names[0] not in (*UNRELATED, *launch) and not speed:
            out[key] = value
    return out


def stated_hash(config: Any) -> str:
    """Return the sha256 over a config's construction, notes and variants, which its cost states."""
    return digest(
        [
            config.get("construction", ""),
            _plain(list(config.get("notes", []))),
            _plain(dict(config.get("variants", {}))),
        ]
    )


def deployed(model: Mapping[str, Any]) -> dict[str, Any]:
    """Return a model config as used at test time: of a mutual pair the MicroNet alone."""
    out = dict(model)
    if out["type"] == "MutualClassifier":
        out = {key: value for key, value in out.items() if key in ("backbone", "head", "data_preprocessor")}
        out["type"] = "Classifier"
    return out


def classifier(row: str, classes: int, alone: bool = False) -> nn.Module:
    """Return a classification row's network with `classes` outputs; alone: as `deployed` has it.

    Raises PipelineError for a model that cannot be built.
    """
    model = load_config(row).model
    model["head"]["classes"] = classes
    try:
        return MODELS.build(deployed(model) if alone else dict(model))
    except (ValueError, TypeError, KeyError) as error:
        raise PipelineError(f"{find_row(row).config}: the model cannot be built: {error}") from None
