"""The tasks that go through an OpenMMLab framework: keypoints (mmpose) and segmentation (mmsegmentation)."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.common import PipelineError, load_config, section


@dataclass(frozen=True)
class Task:
    """Name a task, the variable that moves its data folder, its metrics (result key to column) and its mini changes."""

    name: str
    root_variable: str
    metrics: Mapping[str, str]
    shrink: Callable[[Any, Mapping[str, Any]], None]


def _walk(node: Any, visit: Callable[[dict], None]) -> None:
    """Visit every mapping of a config, inner ones after outer."""
    if isinstance(node, dict):
        visit(node)
        for value in list(node.values()):
            _walk(value, visit)
    elif isinstance(node, list | tuple):
        for value in node:
            _walk(value, visit)


def _shrink_pose(config: Any, settings: Mapping[str, Any]) -> None:
    """Set input and heatmap sizes (width, height) and the drops of the learning rate in proportion."""
    size = tuple(settings["input_size"])
    heatmap = (size[0] // 4, size[1] // 4)

    def visit(node: dict) -> None:
        if node.get("type") == "MSRAHeatmap":
            node.update(input_size=size, heatmap_size=heatmap, sigma=settings["sigma"])
        elif node.get("type") == "TopdownAffine":
            node["input_size"] = size

    _walk(config._cfg_dict, visit)
    epochs = settings["epochs"]
    config.param_scheduler = [
        {
            "type": "MultiStepLR", "begin": 0, "end": epochs, "by_epoch": True, "gamma": 0.1,
            "milestones": [round(epochs * 210 / 250), round(epochs * 240 / 250)],
        }
    ]  # fmt: skip


def _shrink_segmentation(config: Any, settings: Mapping[str, Any]) -> None:
    """Set the images' size (width, height), which crops have too, and end the cosine with the run."""
    width, height = settings["input_size"]

    def visit(node: dict) -> None:
        if node.get("type") == "RandomResize":
            node["scale"] = (width, height)
        elif node.get("type") == "RandomCrop":
            node["crop_size"] = (height, width)
        elif node.get("type") == "SegDataPreProcessor":
            node["size"] = (height, width)

    _walk(config._cfg_dict, visit)
    config.param_scheduler[0]["end"] = settings["epochs"]


TASKS = {
    "pose": Task(
        "pose",
        "COCO_ROOT",
        {"coco/AP": "AP", "coco/AP .5": "AP50", "coco/AP .75": "AP75", "coco/AP (M)": "APM", "coco/AP (L)": "APL"},
        _shrink_pose,
    ),
    "segmentation": Task("segmentation", "CITYSCAPES_ROOT", {"mIoU": "miou"}, _shrink_segmentation),
}


def find_row(params: Mapping[str, Any], profile: str, row: str) -> tuple[Task, dict[str, Any], dict[str, Any]]:
    """Return a row's task, its entry and its training parameters.

    Raises PipelineError for a row in no list, or with an unknown key.
    """
    for task in TASKS.values():
        mine = section(params, task.name)
        rows = section(params, task.name, "rows")
        entry = {**rows, **mine.get("more_rows", {})}.get(row)
        if entry is None:
            continue
        common = section(params, task.name, profile)
        own = {key: value for key, value in entry.items() if key != "table"}
        if unknown := set(own) - set(common):
            raise PipelineError(f"params.yaml: row {row} has unknown keys {sorted(unknown)}; known: {sorted(common)}")
        return task, entry, {**common, **own}
    raise PipelineError(f"params.yaml: no row {row!r} under {' or '.join(TASKS)}; add it")


def mini_config(row: str, task: Task, settings: Mapping[str, Any], folder: Path, work_dir: Path) -> Any:
    """Return a row's own mmengine config with the small profile's data, sizes and epochs put in."""
    before = os.environ.get(task.root_variable)
    os.environ[task.root_variable] = str(folder)
    try:
        config = load_config(row)
    finally:
        if before is None:
            del os.environ[task.root_variable]
        else:
            os.environ[task.root_variable] = before
    for name in ("train_dataloader", "val_dataloader", "test_dataloader"):
        config[name].update(num_workers=0, persistent_workers=False, batch_size=64)
    config.train_dataloader.batch_size = settings["batch_size"]
    config.train_cfg.update(max_epochs=settings["epochs"], val_interval=settings["epochs"] + 1)
    config.optim_wrapper.optimizer.lr = settings["lr"]
    for hook in config.custom_hooks:
        if hook["type"] == "AnnealTemperature":
            hook["epochs"] = settings["anneal_epochs"]
    task.shrink(config, settings)
    config.custom_hooks += [
        {"type": "SeedEachEpoch", "seed": settings["seed"]},
        {"type": "KeepCurve"},
        {"type": "ProgressBar", "label": row},
    ]
    config.default_hooks.update(
        checkpoint={"type": "CheckpointHook", "interval": max(1, settings["epochs"] // 4), "max_keep_ckpts": 2},
        logger=None,
    )
    config.visualizer = {"type": "Visualizer", "vis_backends": None}
    config.randomness = {"seed": settings["seed"]}
    config.log_level = "ERROR"
    config.work_dir = str(work_dir)
    return config
