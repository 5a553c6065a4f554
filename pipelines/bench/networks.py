"""A classification network's steps on random images, for measurements."""

from __future__ import annotations

import time
from typing import Any

import torch
from torch import nn

from pipelines.analysis.structure import classifier

SIZE = 224


class Bencher:
    """Run one network's training and inference steps on random images."""

    def __init__(self, row: str, batch: int, device: torch.device) -> None:
        self.model: nn.Module = classifier(row, 1000).to(device)
        self.optimizer = torch.optim.SGD(self.model.parameters(), 1e-3, momentum=0.9)
        self.images = torch.randn(batch, 3, SIZE, SIZE, device=device)
        self.labels = torch.randint(0, 1000, (batch,), device=device)
        self.device, self.batch = device, batch
        self.scaler = torch.amp.GradScaler("cuda", enabled=device.type == "cuda")

    def train_step(self) -> None:
        """Take one step: forward, backward, SGD."""
        self.model.train()
        with torch.autocast("cuda", enabled=self.device.type == "cuda"):
            losses = self.model(self.images, self.labels, mode="loss")
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(losses["loss"]).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()

    @torch.no_grad()
    def inference_step(self) -> None:
        """Score one batch."""
        self.model.eval()
        with torch.autocast("cuda", enabled=self.device.type == "cuda"):
            self.model(self.images, mode="tensor")

    def rate(self, step: Any, repeats: int) -> float:
        """Return images a second over some steps."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        started = time.perf_counter()
        for _ in range(repeats):
            step()
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        return self.batch * repeats / (time.perf_counter() - started)
