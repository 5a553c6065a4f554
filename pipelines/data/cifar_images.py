"""CIFAR-10 and CIFAR-100 for mmengine: whole batches from memory, cropped and flipped at random in training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.registry import DATASETS
from torch import Tensor
from torch.nn import functional
from torch.utils.data import Dataset

from papertally.evidence.datasets import OWN
from pipelines.data.cifar import CIFAR10, CifarSet, find_set, load
from pipelines.data.images import batched  # noqa: F401  its collate function registers itself

PADDING = 4


def normalized(images: np.ndarray, known: CifarSet = CIFAR10) -> Tensor:
    """Return uint8 images (N, 32, 32, 3) of a set as normalized floats (N, 3, 32, 32)."""
    x = torch.from_numpy(images).permute(0, 3, 1, 2).float().div_(255)
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (known.mean, known.std))
    return x.sub_(mean).div_(std).contiguous()


def augment(x: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Crop each image of a batch (N, 3, H, W) at random after zero padding by 4, and flip half of them."""
    n, _, h, w = x.shape
    padded = functional.pad(x, (PADDING,) * 4)
    top, left = (torch.randint(0, 2 * PADDING + 1, (n,), generator=generator) for _ in range(2))
    flip = torch.rand(n, generator=generator) < 0.5
    rows = top[:, None] + torch.arange(h)
    columns = left[:, None] + torch.arange(w)
    columns = torch.where(flip[:, None], columns.flip(1), columns)
    batch = torch.arange(n)[:, None, None]
    return padded.permute(0, 2, 3, 1)[batch, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2).contiguous()


@DATASETS.register_module()
class CifarImages(Dataset):
    """Serve batches of a packed set as {'inputs': (N, 3, 32, 32) float, 'data_samples': (N,) labels}.

    data: the set's name. first: so many images alone, in the order of their hashes. size: what they
    are scaled to after cropping. Raises PipelineError where the
    file is missing or damaged.
    """

    METAINFO: dict[str, Any] = {}

    def __init__(self, path: str, split: str, first: int | None = None, data: str = OWN, size: int = 32) -> None:
        self.known = find_set(data)
        found, self.pin = load(Path(path), (f"{split}_images", f"{split}_labels"), data)
        self.images = found[f"{split}_images"][:first]
        self.labels = torch.from_numpy(found[f"{split}_labels"][:first].astype(np.int64))
        self.train, self.size = split == "train", size
        self.metainfo: dict[str, Any] = {}

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self.__getitems__([index])

    def __getitems__(self, indices: Sequence[int]) -> dict[str, Any]:
        chosen = np.asarray(indices)
        images = normalized(self.images[chosen], self.known)
        images = augment(images) if self.train else images
        if self.size != images.shape[-1]:
            images = functional.interpolate(images, size=(self.size, self.size), mode="bilinear", align_corners=False)
        return {"inputs": images, "data_samples": self.labels[chosen]}
