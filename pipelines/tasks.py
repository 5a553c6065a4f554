"""What a task's rows share: where their data lies, and which metrics stand for which columns."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.common import load_config
from report.rows import Row


@dataclass(frozen=True)
class Task:
    """Name what a task's rows share.

    root_variable: the environment's name for the data folder. data: the paper's set. metrics: an evaluator's result by
    the column of the table. image_size: (height, width) that the paper prints costs for.
    """

    name: str
    root_variable: str
    data: str
    metrics: Mapping[str, str]
    image_size: tuple[int, int]


TASKS = {
    "classification": Task("classification", "IMAGENET_ROOT", "imagenet", {"top1": "top1", "top5": "top5"}, (224, 224)),
    "pose": Task(
        "pose",
        "COCO_ROOT",
        "coco",
        {"coco/AP": "AP", "coco/AP .5": "AP50", "coco/AP .75": "AP75", "coco/AP (M)": "APM", "coco/AP (L)": "APL"},
        (256, 192),
    ),
    "segmentation": Task("segmentation", "CITYSCAPES_ROOT", "cityscapes", {"mIoU": "miou"}, (1024, 2048)),
}


@contextmanager
def data_root(task: Task, folder: Path | None) -> Iterator[None]:
    """Let configs that are loaded inside read their data from `folder`; None: from their own default."""
    before = os.environ.pop(task.root_variable, None)
    if folder is not None:
        os.environ[task.root_variable] = str(folder)
    try:
        yield
    finally:
        os.environ.pop(task.root_variable, None)
        if before is not None:
            os.environ[task.root_variable] = before


def row_config(row: Row, root: Path, folder: Path | None = None) -> Any:
    """Return a row's own mmengine config, its data in `folder`. Raises PipelineError naming a malformed one."""
    with data_root(TASKS[row.task], folder):
        return load_config(row.id, root)
