"""What a network computes, in two losses: a changed operator shows, an equal faster form does not.

Weights, buffers and images come from integers, in float64, so that every CPU agrees in far more than the six digits
that are kept; torch's own normal numbers already differ in the seventh between instruction sets.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from mmengine.registry import MODELS
from torch import Tensor, nn

from registry.ops.fused import use_backend

SIZE, BATCH, STEPS, RATE = 64, 4, 2, 0.01
#: Attributes by which networks drop activations by a function, not by a module.
DROPS = ("drop_rate", "drop_path_rate", "drop")


def fill(model: nn.Module, rng: np.random.Generator) -> None:
    """Set all weights to integers over 1000, scaled by fan-in, and drop nothing."""
    with torch.no_grad():
        for name, value in model.named_parameters():
            fan_in = max(1, math.prod(value.shape[1:]))
            numbers = torch.from_numpy(rng.integers(-1000, 1001, tuple(value.shape))).to(value.dtype) / 1000
            scale = math.sqrt(3 / fan_in) if value.ndim > 1 else 0.1
            one = 1.0 if value.ndim == 1 and name.endswith("weight") else 0.0
            value.copy_(numbers * scale + one)
    for module in model.modules():
        if isinstance(module, nn.modules.dropout._DropoutNd):
            module.p = 0.0
        for name in DROPS:
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, 0.0)


def images(rng: np.random.Generator) -> Tensor:
    """Return a batch (4, 3, 64, 64) of thousandths within two of 0, float64."""
    return torch.from_numpy(rng.integers(-2000, 2001, (BATCH, 3, SIZE, SIZE))).double() / 1000


def _labels(rng: np.random.Generator, model: nn.Module) -> Tensor:
    return torch.from_numpy(rng.integers(0, 1000, BATCH))


def _poses(rng: np.random.Generator, model: nn.Module) -> list[Any]:
    from mmengine.structures import InstanceData, PixelData
    from mmpose.structures import PoseDataSample

    out, side = [], SIZE // 4
    for _ in range(BATCH):
        sample = PoseDataSample()
        heatmaps = torch.from_numpy(rng.integers(0, 1001, (17, side, side))).double() / 1000
        sample.gt_fields = PixelData(heatmaps=heatmaps)
        sample.gt_instance_labels = InstanceData(keypoint_weights=torch.ones(1, 17, dtype=torch.float64))
        out.append(sample)
    return out


def _scenes(rng: np.random.Generator, model: nn.Module) -> list[Any]:
    from mmengine.structures import PixelData
    from mmseg.structures import SegDataSample

    out = []
    for _ in range(BATCH):
        sample = SegDataSample()
        sample.gt_sem_seg = PixelData(data=torch.from_numpy(rng.integers(0, 19, (1, SIZE, SIZE))))
        out.append(sample)
    return out


TARGETS = {"classification": _labels, "pose": _poses, "segmentation": _scenes}


@contextmanager
def _quietly() -> Iterator[None]:
    """Compute on one thread by the straightforward forms, and leave torch's random state as it was."""
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    torch.set_num_threads(1)
    try:
        with use_backend("eager"):
            yield
    finally:
        torch.set_num_threads(threads)
        torch.set_rng_state(state)


def probe(model: Mapping[str, Any], task: str) -> list[str]:
    """Return the loss of a model config's network at the first and after one step of SGD, in six digits.

    In training mode, on integers: forward and backward of every operator decide the second.
    """
    rng = np.random.default_rng(0)
    with _quietly():
        net = MODELS.build(dict(model)).double().train()
        fill(net, rng)
        inputs = images(rng)
        optimizer = torch.optim.SGD(net.parameters(), lr=RATE)
        out = []
        for _ in range(STEPS):
            losses = net(inputs, TARGETS[task](np.random.default_rng(1), net), mode="loss")
            parts = [v for key, v in losses.items() if "loss" in key]
            loss = sum(p.mean() if isinstance(p, Tensor) else sum(x.mean() for x in p) for p in parts)
            out.append(f"{float(loss.detach()):.5e}")
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return out
