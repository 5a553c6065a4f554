"""Recipes by name: each an overlay over a row's own config, which is the recipe `paper`; no training here.

`official`: all that the authors' released scripts do otherwise (scripts/train_micronet_mN_4gpu.sh and main.py of
github.com/liyunsheng13/micronet, commit ed89b26). Its four networks are this paper's M0 (6M) and M1 (12M) and two of
the later version; other rows get what all four scripts share. Epochs stay the row's: ablations have no script.
`hrnet`: keypoints with scale and rotation as the code of reference [28] draws them.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.common import ROOT, PipelineError
from pipelines.tasks import row_config
from report.rows import Row


@dataclass(frozen=True)
class Script:
    """Hold what one network's script sets by itself; warmup: epochs in which the learning rate rises from 0."""

    weight_decay: float
    dropout: float
    warmup: int = 0


#: By a row's architecture.
SCRIPTS = {
    "iccv2021_m0": Script(3e-5, 0.05),
    "m0": Script(3e-5, 0.05),
    "iccv2021_m1": Script(3e-5, 0.05),
    "m1": Script(3e-5, 0.1),
    "iccv2021_m2": Script(3e-5, 0.1),
    "iccv2021_m3": Script(4e-5, 0.1, 5),
}
#: Of all scripts: learning rate at 512 images, GPUs that share them, each with BatchNorm statistics of its own.
RATE, GPUS = 0.2, 4
#: Epochs in which main.py lets mixup's alpha rise from 0.
RAMP = 100
#: What the networks of 4M, 6M and 12M share, where the paper's differ.
ACTIVATION = {"shift": "group_channel", "first_a1": False, "relu_max": 6.0}


def official(config: Any) -> None:
    """Put the released scripts' recipe into a classification row's config."""
    model, loader = config.model, config.train_dataloader
    arch = model.get("backbone", {}).get("arch")
    script = SCRIPTS.get(arch) if isinstance(arch, str) else None
    config.optim_wrapper.optimizer.lr = RATE
    if script is not None:
        config.optim_wrapper.optimizer.weight_decay = script.weight_decay
        model.head.dropout = script.dropout
    if "backbone" in model and model.backbone.get("wiring") != "official":
        model.backbone.wiring = "official"
        model.backbone.activation = {**model.backbone.get("activation", {}), **ACTIVATION}
    if smoothing := model.get("label_smoothing"):
        # main.py shares it out among the wrong classes alone, torch among all
        model.label_smoothing = smoothing * model.head.classes / (model.head.classes - 1)
    model.parts = GPUS
    loader.drop_last = False
    hooks = [{"type": "FirstBuffersHook"}, {"type": "KeepBest"}]
    if alpha := loader.collate_fn.alpha:
        hooks.append({"type": "RampMixup", "alpha": alpha, "epochs": RAMP})
    config.custom_hooks = [h for h in config.custom_hooks if h["type"] != "SyncBuffersHook"] + hooks
    if script is not None and script.warmup:
        cosine = dict(config.param_scheduler)
        rise = {
            "type": "LinearLR",
            "start_factor": 1e-6,
            "begin": 0,
            "end": script.warmup,
            "by_epoch": True,
            "convert_to_iter_based": True,
        }
        config.param_scheduler = [rise, {**cosine, "begin": script.warmup}]


def hrnet(config: Any) -> None:
    """Put [28]'s code's augmentation into a keypoint row's config: clipped normals for truncated ones."""
    for step in config.train_dataloader.dataset.pipeline:
        if step["type"] == "RandomBBoxTransform":
            step["type"] = "ClippedBBoxTransform"


@dataclass(frozen=True)
class Recipe:
    """Hold a recipe: the task that it is of, "" for every one, why, and its overlay."""

    task: str
    why: str
    put: Callable[[Any], None]


RECIPES: Mapping[str, Recipe] = {
    "paper": Recipe("", "", lambda config: None),
    "official": Recipe("classification", "the released scripts train classification only", official),
    "hrnet": Recipe("pose", "is of pose only", hrnet),
}


def recipes_of(row: Row) -> list[str]:
    """Return the names of the recipes that a row has beside its own config's."""
    return [name for name, recipe in RECIPES.items() if recipe.task == row.task]


def recipe_config(row: Row, recipe: str, root: Path = ROOT, folder: Path | None = None) -> Any:
    """Return a row's mmengine config by a recipe, its data in `folder`.

    Raises PipelineError where the recipe is of other rows, or naming a malformed config.
    """
    if RECIPES[recipe].task not in ("", row.task):
        raise PipelineError(f"--recipe {recipe}: {RECIPES[recipe].why}; leave it out")
    return by_recipe(row_config(row, root, folder), recipe)


def by_recipe(own: Any, recipe: str) -> Any:
    """Return a copy of a row's own config with a recipe of its task put in."""
    config = copy.deepcopy(own)
    RECIPES[recipe].put(config)
    return config
