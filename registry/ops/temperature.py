"""Softmax temperatures that fall during the first epochs, so that attention learns before it sharpens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from torch import Tensor, nn


class Annealed(nn.Module):
    """Hold a softmax temperature as a buffer, so that a checkpoint evaluates with the one it was trained at."""

    start_temperature = 1.0
    temperature: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("temperature", torch.tensor(float(self.start_temperature)))

    def anneal(self, progress: float) -> None:
        """Set the temperature between its start (progress 0) and 1 (progress 1), linearly."""
        progress = min(max(progress, 0.0), 1.0)
        self.temperature.fill_(self.start_temperature + (1.0 - self.start_temperature) * progress)


@HOOKS.register_module()
class AnnealTemperature(Hook):
    """Anneal every Annealed module over the first `epochs` epochs (Dynamic convolution: 10 of the training's)."""

    def __init__(self, epochs: int = 10) -> None:
        if epochs < 1:
            raise ValueError(f"AnnealTemperature: epochs is {epochs}; it must be at least 1")
        self.epochs = epochs

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Sequence[dict] | None = None) -> None:
        """Set the temperatures from the share of the annealing epochs that has passed."""
        progress = runner.iter / (self.epochs * len(runner.train_dataloader))
        if progress > 1 and batch_idx > 0:
            return  # settled; once an epoch serves a run resumed later
        for module in runner.model.modules():
            if isinstance(module, Annealed):
                module.anneal(progress)
