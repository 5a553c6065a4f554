"""Build a row's network as it is used at test time: images in, logits or heatmaps out."""

from __future__ import annotations

import importlib
from pathlib import Path

import torch
from mmengine.registry import MODELS, DefaultScope
from torch import Tensor, nn

import registry  # noqa: F401  registers the models
from pipelines.common import PipelineError, find_row, load_config
from registry.checkpoints import CheckpointError, fill_model, read_file, sound_tensors, unwrap

SCOPES = {"pose": "mmpose", "segmentation": "mmseg"}
#: The images' height and width of the paper.
IMAGE_SIZES = {"classification": (224, 224), "pose": (256, 192), "segmentation": (1024, 2048)}


class Network(nn.Module):
    """Map images (N, 3, H, W), normalized, to a framework's model's logits or heatmaps."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        return self.model(images, None, mode="tensor")


def row_network(row: str, weights: Path | None = None, seed: int = 0) -> Network:
    """Return a row's network in eval mode, with weights from a file or random ones.

    Raises PipelineError naming a file whose weights do not fit.
    """
    task, config = find_row(row).task, load_config(row).model
    config.data_preprocessor = None
    torch.manual_seed(seed)
    if task == "classification":
        model = MODELS.build(config)
    else:
        scope = SCOPES[task]
        models = importlib.import_module(f"{scope}.registry").MODELS
        with DefaultScope.overwrite_default_scope(scope):
            model = models.build(config)
    for name in ("partner_backbone", "partner_head"):  # mutual learning's, which trains along
        if hasattr(model, name):
            delattr(model, name)
    if weights is not None:
        try:
            fill_model(model, sound_tensors(unwrap(read_file(weights))[0], strip=False))
        except CheckpointError as error:
            raise PipelineError(f"{weights}: {error}") from None
    return Network(model.eval())
