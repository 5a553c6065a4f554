"""Image folders for mmengine: torchvision's ImageFolder and transforms, items as the models take them."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.registry import DATASETS, FUNCTIONS
from torch import Tensor
from torch.utils.data import Dataset
from torchvision.transforms import v2

from pipelines.data.folders import ImageFolder

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def small_transforms(size: int, train: bool) -> tuple[v2.Compose, v2.Transform]:
    """Return the small profiles' fixed transforms (done once) and random ones: a shift by up to an eighth."""
    fixed = v2.Compose(
        [v2.Resize((size, size), antialias=True), v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)]
    )
    return fixed, v2.RandomCrop(size, padding=max(1, size // 8)) if train else v2.Identity()


@DATASETS.register_module()
class FolderClassification(Dataset):
    """Serve folder/class/image files as {'inputs': (3, H, W) float, 'data_samples': label}.

    preload: decode and resize once and keep the images in memory, for small sets. Raises PipelineError for a
    missing, empty or undecodable folder, naming the file.
    """

    METAINFO: dict[str, Any] = {}

    def __init__(self, root: str, size: int, train: bool, preload: bool = True) -> None:
        self.folder = ImageFolder(root, "delete it and run `dvc repro data`")
        self.fixed, self.random = small_transforms(size, train)
        self.metainfo = {"classes": tuple(self.folder.classes)}
        self.images = [self._decode(i) for i in range(len(self.folder))] if preload else None

    def _decode(self, index: int) -> Tensor:
        return self.fixed(v2.functional.pil_to_tensor(self.folder[index][0]))

    def __len__(self) -> int:
        return len(self.folder)

    def __getitem__(self, index: int) -> dict[str, Any]:
        image = self._decode(index) if self.images is None else self.images[index]
        return {"inputs": self.random(image), "data_samples": self.folder.targets[index]}


@FUNCTIONS.register_module()
def batched(batch: dict[str, Any]) -> dict[str, Any]:
    """Return a batch that the dataset made whole already."""
    return batch
