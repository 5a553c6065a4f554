"""Every row that has a network, built as its framework builds it: what the contract's tests share."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

import torch
from mmengine.registry import MODELS, DefaultScope
from torch import Tensor, nn

import registry  # noqa: F401  registers the models
from pipelines.common import configured_rows, find_row, load_config

ROWS = [*configured_rows(), *configured_rows(ledger="iccv2021")]
#: The first row of each table and kind of network: what `make test` holds to the contract; `make test-long` all.
FIRST = frozenset({tuple(row.split("_")[:2]): row for row in reversed(ROWS)}.values())
SCOPES = {"pose": "mmpose", "segmentation": "mmseg"}
#: Small inputs: every stage still has more than one position.
SIZES = {"classification": (64, 64), "pose": (64, 96), "segmentation": (64, 96)}


@dataclass
class Built:
    """Hold a row's model, its config and the size of the contract's images."""

    row: str
    task: str
    config: Any
    model: nn.Module

    @property
    def size(self) -> tuple[int, int]:
        """Return the images' height and width."""
        return SIZES[self.task]

    def images(self, count: int = 2) -> Tensor:
        """Return the same random images (N, 3, H, W) every time."""
        return torch.randn(count, 3, *self.size, generator=torch.Generator().manual_seed(0))

    def outputs(self, images: Tensor) -> Tensor:
        """Return logits or heatmaps."""
        if self.task == "classification":
            return self.model(images)
        return self.model(images, None, mode="tensor")

    def loss(self, images: Tensor) -> Tensor:
        """Return a loss that every parameter has a part in."""
        if self.task == "classification":
            return sum(self.model(images, torch.arange(len(images)), mode="loss").values())
        return self.outputs(images).square().mean()


def build(row: str, seed: int = 0) -> Built:
    """Return a row's network with random weights, as its framework builds it."""
    task, config = find_row(row).task, load_config(row)
    config.model.data_preprocessor = None
    torch.manual_seed(seed)
    if task == "classification":
        return Built(row, task, config.model, MODELS.build(config.model))
    scope = SCOPES[task]
    models = importlib.import_module(f"{scope}.registry").MODELS
    with DefaultScope.overwrite_default_scope(scope):
        return Built(row, task, config.model, models.build(config.model))


def without_partner(model: nn.Module) -> nn.Module:
    """Return a model as it is used at test time."""
    for name in ("partner_backbone", "partner_head"):
        if hasattr(model, name):
            delattr(model, name)
    return model
