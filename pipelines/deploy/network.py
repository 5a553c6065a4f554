"""Build a row's network as it is used at test time: images in, logits or heatmaps out."""

from __future__ import annotations

from pathlib import Path

import torch
from mmengine.registry import MODELS
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

import registry  # noqa: F401  registers the models
from pipelines.analysis.structure import deployed, scope
from pipelines.common import PipelineError, load_config
from registry.checkpoints import CheckpointError, fill_model, read_file, sound_tensors, unwrap
from registry.export import varied


class Network(nn.Module):
    """Map images (N, 3, H, W), normalized, to a framework's model's logits or heatmaps."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        return self.model(images, None, mode="tensor")


def settle(net: nn.Module, seed: int = 0) -> None:
    """Give each BatchNorm the statistics of its inputs, of random images, one after another.

    By those that a fresh one has, signals die out on their way: the output is the last bias, and any two forms of the
    network agree on that.
    """
    norms = [module for module in net.modules() if isinstance(module, _BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
        norm.train()
    with torch.no_grad():
        net(varied(16, 96, 128, torch.Generator().manual_seed(seed)))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()


def row_network(row: str, weights: Path | None = None, seed: int = 0) -> Network:
    """Return a row's network in eval mode, with weights from a file, or random ones and `settle`'s statistics.

    Raises PipelineError naming a file whose weights do not fit.
    """
    config = load_config(row)
    config.model.data_preprocessor = None
    torch.manual_seed(seed)
    with scope(config):
        model = MODELS.build(deployed(config.model))
    if weights is not None:
        try:
            fill_model(model, sound_tensors(unwrap(read_file(weights))[0], strip=False))
        except CheckpointError as error:
            raise PipelineError(f"{weights}: {error}") from None
    net = Network(model.eval())
    if weights is None:
        settle(net, seed)
    return net
