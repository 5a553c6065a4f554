"""ILSVRC2012 for the full-size recipe: its layout checked, its images augmented as section 5.1's baseline does, mixup.

Layout: ROOT/train/WNID/*.JPEG and ROOT/val/WNID/*.JPEG, as torchvision's ImageNet unpacks the archives.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from mmengine.registry import DATASETS, FUNCTIONS
from torch.utils.data import Dataset, default_collate
from torchvision.datasets import ImageFolder
from torchvision.datasets.imagenet import ARCHIVE_META
from torchvision.transforms import v2

from pipelines.common import PipelineError
from pipelines.datasets import MEAN, STD
from pipelines.drawn import draw_tiny  # noqa: F401  for a dry run

CLASSES = 1000
SPLITS = ("train", "val")
COUNTS = {"train_images": 1_281_167, "val_images": 50_000, "train_classes": CLASSES, "val_classes": CLASSES}
ARCHIVES = dict(ARCHIVE_META.values())
GET = (
    "download ILSVRC2012_img_train.tar, ILSVRC2012_img_val.tar and ILSVRC2012_devkit_t12.tar.gz (a free account at "
    "image-net.org), put them there and unpack them with torchvision.datasets.ImageNet"
)
WNID = re.compile(r"n\d{8}")


def count(root: Path, splits: tuple[str, ...] = SPLITS) -> dict[str, int]:
    """Return images and classes of the splits. Raises PipelineError naming a folder that is missing or no class."""
    out = {}
    for split in splits:
        folder = root / split
        if not folder.is_dir():
            raise PipelineError(f"{folder}: no such folder; {GET}")
        classes = sorted(p for p in folder.iterdir() if p.is_dir())
        if strange := [p.name for p in classes if not WNID.fullmatch(p.name)]:
            raise PipelineError(f"{folder / strange[0]}: is no class folder (n and eight digits); {GET}")
        out[f"{split}_classes"] = len(classes)
        out[f"{split}_images"] = sum(1 for folder in classes for _ in folder.glob("*.JPEG"))
    return out


def check_verified(root: Path, repository: Path, val_only: bool = False) -> str:
    """Return the sha256 over the verified manifest, after comparing all names and a sample of files with it.

    val_only: the validation images suffice, verified alone or with the rest.
    Raises PipelineError before any training: what is missing, altered or never verified.
    """
    from pipelines import verify

    names = ("imagenet_val", "imagenet") if val_only else ("imagenet",)
    return verify.check_verified(root, repository, names, ("val",) if val_only else SPLITS)


def transforms(size: int, train: bool) -> v2.Compose:
    """Return the usual ImageNet transforms: random resized crop and flip, or the middle of 256/224 of the size."""
    shape = (
        [v2.RandomResizedCrop(size, antialias=True), v2.RandomHorizontalFlip()]
        if train
        else [v2.Resize(round(size * 256 / 224), antialias=True), v2.CenterCrop(size)]
    )
    return v2.Compose([v2.PILToTensor(), *shape, v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)])


@DATASETS.register_module()
class ImageNetFolder(Dataset):
    """Serve root/class/image files as {'inputs': (3, size, size) float, 'data_samples': label}.

    Raises PipelineError naming a missing folder or an image that cannot be decoded.
    """

    METAINFO: dict[str, Any] = {}

    def __init__(self, root: str, size: int, train: bool) -> None:
        if not Path(root).is_dir():
            raise PipelineError(f"{root}: no such folder; {GET}")
        try:
            self.folder = ImageFolder(root)
        except FileNotFoundError as error:
            raise PipelineError(f"{root}: no images in class folders ({error}); {GET}") from None
        self.transforms = transforms(size, train)
        self.metainfo = {"classes": tuple(self.folder.classes)}

    def __len__(self) -> int:
        return len(self.folder)

    def __getitem__(self, index: int) -> dict[str, Any]:
        path, label = self.folder.samples[index]
        try:
            return {"inputs": self.transforms(self.folder.loader(path)), "data_samples": label}
        except (OSError, SyntaxError) as error:
            raise PipelineError(f"{path}: cannot be decoded ({error}); unpack it anew") from None


@FUNCTIONS.register_module()
def mixup_collate(items: list[dict[str, Any]], alpha: float, classes: int) -> dict[str, Any]:
    """Collate a batch and mix it with itself: labels become distributions (N, classes). alpha 0 mixes nothing."""
    batch = default_collate(items)
    if alpha:
        batch["inputs"], batch["data_samples"] = v2.MixUp(alpha=alpha, num_classes=classes)(
            batch["inputs"], batch["data_samples"]
        )
    return batch


@FUNCTIONS.register_module()
def torch_worker_seed(worker_id: int) -> None:
    """Leave a worker torch's own seed: drawn from the main process, it differs an epoch and survives a resume.

    mmengine's default would seed every epoch's workers alike.
    """
