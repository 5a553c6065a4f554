"""ILSVRC2012 for the full-size recipe: its layout checked, its images augmented as section 5.1's baseline does, mixup.

Layout: ROOT/train/WNID/*.JPEG and ROOT/val/WNID/*.JPEG, as torchvision's ImageNet unpacks the archives.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from mmengine.registry import DATASETS, FUNCTIONS
from torch.utils.data import Dataset, default_collate
from torchvision.datasets.imagenet import ARCHIVE_META
from torchvision.transforms import v2

from pipelines.common import PipelineError
from pipelines.data.drawn import draw_tiny  # noqa: F401  for a dry run
from pipelines.data.folders import ImageFolder
from pipelines.data.imagenet_labels import JPEG, SORT, WNID
from pipelines.data.images import MEAN, STD
from registry.inputs.files import IMAGES, files_beside, files_in, folders_in, missing, shown

CLASSES = 1000
SPLITS = ("train", "val")
COUNTS = {"train_images": 1_281_167, "val_images": 50_000, "train_classes": CLASSES, "val_classes": CLASSES}
ARCHIVES = dict(ARCHIVE_META.values())
GET = (
    "download ILSVRC2012_img_train.tar, ILSVRC2012_img_val.tar and ILSVRC2012_devkit_t12.tar.gz (a free account at "
    "image-net.org), put them there and unpack them with torchvision.datasets.ImageNet"
)


def count(root: Path, splits: tuple[str, ...] = SPLITS) -> dict[str, int]:
    """Return images and classes of the splits. Raises PipelineError naming a folder that is missing or no class.

    Links count as what they point to; hidden files, and files that are no JPEG by name, are not counted.
    """
    out, classes = {}, {}
    for split in splits:
        folder = root / split
        if not folder.is_dir():
            raise PipelineError(f"{shown(folder)}: {missing(folder)}; {GET}")
        names = classes[split] = folders_in(folder)
        if not names:
            raise PipelineError(f"{shown(folder)}: {_unsorted(folder, split)}")
        if strange := [name for name in names if not WNID.fullmatch(name)]:
            raise PipelineError(
                f"{shown(folder / strange[0])}: is no class folder (n and eight digits, a wnid: no label and no number)"
                f"; {GET}"
            )
        if stray := files_beside(folder, IMAGES):
            raise PipelineError(
                f"{shown(stray[0])}: lies in no class folder ({len(stray)} such images); "
                f"{SORT if split == 'val' else 'move each into the folder of its name, up to the underscore'}"
            )
        out[f"{split}_classes"] = len(names)
        out[f"{split}_images"] = sum(len(files_in(folder / name, JPEG)) for name in names)
    if odd := sorted(set.symmetric_difference(*map(set, classes.values()))) if len(classes) == 2 else []:
        lacks, has = ("val", "train") if odd[0] in classes["train"] else ("train", "val")
        raise PipelineError(
            f"{shown(root / lacks)}: has no class {odd[0]}, which {has}/ has ({len(odd)} such classes); {GET}"
        )
    return out


def _unsorted(folder: Path, split: str) -> str:
    """Return what is wrong with a split that has no class folders, and the mend."""
    if images := files_in(folder, IMAGES):
        mend = SORT if split == "val" else "move each into the folder of its name's first part (n and eight digits)"
        return f"holds {len(images)} images and no class folders; {mend}"
    if archives := list(folder.glob("n*.tar")):
        return f"holds {len(archives)} archives still packed; unpack each into a folder of its name"
    return f"holds no class folders; {GET}"


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
        self.folder = ImageFolder(root, "unpack it anew")
        self.transforms = transforms(size, train)
        self.metainfo = {"classes": tuple(self.folder.classes)}

    def __len__(self) -> int:
        return len(self.folder)

    def __getitem__(self, index: int) -> dict[str, Any]:
        image, label = self.folder[index]
        return {"inputs": self.transforms(image), "data_samples": label}


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
