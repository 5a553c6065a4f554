"""Read a packed set in training: crops decoded alone from memory maps, the rest of the augmentation on the device.

What a worker puts out is one of three (`--decode`, `--resize` of `pipelines train`):
    image   crops resized to the net's size and flipped, uint8: conversion, normalization and mixup run on the device
    crop    crops decoded only: the resize and the flip run on the device too
    jpeg    crops cut out of the JPEG only: decoding runs on the device too (nvJPEG on a GPU)
All three draw the same crops and give the same pixels on a CPU. The draws depend on the run's seed, the epoch and the
batch's images alone, so neither the number of workers nor a kill changes them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.model import BaseDataPreprocessor
from mmengine.registry import DATASETS, MODELS
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from torch.utils.data import Dataset, get_worker_info
from torchvision.io import ImageReadMode, decode_jpeg
from torchvision.transforms import v2

from pipelines.common import PipelineError
from pipelines.data.images import MEAN, STD, batched  # noqa: F401  batched registers itself
from pipelines.data.verify import MANIFESTS
from pipelines.packed.format import MEND, Images, Record, check_files, check_sample, identity, read_manifest
from pipelines.packed.jpeg_cut import cut

OUTPUTS = ("image", "crop", "jpeg")
#: A crop's row in a batch's `crops`: elements in `inputs`, decoded height and width, the crop in it, whether flipped.
FIELDS = ("elements", "decoded_height", "decoded_width", "top", "left", "height", "width", "flip")


def check_packed(root: Path, repository: Path) -> tuple[str, str]:
    """Return the sha256 of the set's source and of its manifest, after checking files' sizes and a sample of images.

    Raises PipelineError before any training where the set is damaged or no packed ImageNet as verified here.
    """
    manifest = read_manifest(root)
    check_files(root, manifest)
    check_sample(root, manifest)
    record = repository / MANIFESTS / "imagenet.json"
    try:
        known = json.loads(record.read_text("utf-8"))["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        known = None
    if not manifest.source.verified or manifest.source.sha256 != known:
        raise PipelineError(
            f"{root}: was not packed from the ImageNet that {MANIFESTS / 'imagenet.json'} names; verify the images "
            "(`python -m pipelines verify imagenet`) and pack them (`python -m pipelines pack`)"
        )
    return manifest.source.sha256, identity(root)


def stated(root: Path, output: str) -> dict[str, Any]:
    """Return what a run's evidence states of a packed input: its pixels differ slightly from the folder's."""
    manifest = read_manifest(root)
    return {
        "pipeline": "packed",
        "sha256": identity(root),
        "worker_output": output,
        "short_side": manifest.parameters.short_side,
        "quality": manifest.parameters.quality,
    }


@DATASETS.register_module()
class PackedImages(Dataset):
    """Serve batches of a packed split for PackedPreprocessor: {'inputs': uint8, 'data_samples': labels (N,)}.

    inputs: images (N, size, size, 3), or the crops' pixels or JPEGs laid end to end, with 'crops' (N, len(FIELDS)).
    Training images are cropped and flipped at random, others are the recipe's middle crop. Raises PipelineError naming
    a file that is missing, short or broken.
    """

    METAINFO: dict[str, Any] = {}

    def __init__(self, root: str, split: str, size: int, train: bool, output: str = "image") -> None:
        if output not in OUTPUTS:
            raise PipelineError(f"unknown worker output {output!r}; known: {', '.join(OUTPUTS)}")
        manifest = read_manifest(Path(root))
        check_files(Path(root), manifest, (split,))
        codec, needed = manifest.splits[split].codec, round(size * 256 / 224)
        if train != (codec == "jpeg"):
            raise PipelineError(f"{root}: {split}/ is packed for {'evaluation' if train else 'training'} alone")
        if not train and manifest.parameters.eval_short_side != needed:
            side = manifest.parameters.eval_short_side
            raise PipelineError(f"{root}: val/ is packed with short side {side}, and crops of {size} need {needed}")
        self.images = Images(Path(root), split, manifest)
        self.size, self.train, self.output = size, train, output
        self.crop = v2.RandomResizedCrop(size, antialias=True)
        self.metainfo = {"classes": tuple(manifest.classes)}

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self.__getitems__([index])

    def __getitems__(self, indices: Sequence[int]) -> dict[str, Any]:
        records = [self.images[i] for i in indices]
        labels = torch.tensor([record.label for record, _, _ in records])
        if not self.train:
            out = shared((len(records), self.size, self.size, 3))
            for i, row, item in zip(indices, out, records, strict=True):
                row.copy_(self._middle(i, *item[:2]))
            return {"inputs": out, "data_samples": labels}
        draws = self._draw(indices, records)
        cuts = [self._cut(i, *item, *draw) for i, item, draw in zip(indices, records, draws, strict=True)]
        crops = [crop for _, crop in cuts]
        if self.output == "jpeg":
            out = shared((sum(len(jpeg) for jpeg, _ in cuts),))
            torch.cat([torch.from_numpy(jpeg) for jpeg, _ in cuts], out=out)
        elif self.output == "crop":
            out = shared((sum(crop[0] for crop in crops),))
            # one decoded image at a time: memory that is used again at once costs no page faults
            for i, (jpeg, _), part in zip(indices, cuts, out.split([crop[0] for crop in crops]), strict=True):
                part.copy_(self._decode(i, jpeg).reshape(-1))
        else:
            out = shared((len(records), self.size, self.size, 3))
            for i, (jpeg, crop), row in zip(indices, cuts, out, strict=True):
                row.copy_(self._resize(self._decode(i, jpeg), crop))
            return {"inputs": out, "data_samples": labels}
        return {"inputs": out, "data_samples": labels, "crops": torch.tensor(crops)}

    def _middle(self, i: int, record: Record, data: NDArray[np.uint8]) -> Tensor:
        """Return the middle crop (size, size, 3) of a losslessly kept, resized image."""
        try:
            pixels = data[record.header :].reshape(record.height, record.width, 3)
            # as v2.CenterCrop rounds
            top, left = (int(round((side - self.size) / 2.0)) for side in (record.height, record.width))
            middle = pixels[top : top + self.size, left : left + self.size]
            return torch.from_numpy(np.ascontiguousarray(middle)).reshape(self.size, self.size, 3)
        except (ValueError, RuntimeError) as error:
            raise self._broken(i, error) from None

    def _draw(self, indices: Sequence[int], records: list[tuple]) -> list[tuple[dict[str, int], bool]]:
        """Return a random crop of each image and whether it is flipped, by the recipe's own transform."""
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(batch_seed(indices))  # the CPU's alone
            return [
                (
                    self.crop.make_params([torch.empty((3, record.height, record.width), device="meta")]),
                    bool(torch.rand(()) < 0.5),
                )
                for record, _, _ in records
            ]

    def _cut(
        self, i: int, record: Record, data: NDArray[np.uint8], mcus: NDArray[np.uint16], box: dict[str, int], flip: bool
    ) -> tuple[NDArray[np.uint8], tuple[int, ...]]:
        """Return the JPEG of an image's crop and its FIELDS."""
        height, width = box["height"], box["width"]
        try:
            jpeg, top, left, rows, columns = cut(data, record.frame, mcus, box["top"], box["left"], height, width)
        except (ValueError, IndexError) as error:
            raise self._broken(i, error) from None
        elements = 3 * rows * columns
        if self.output == "jpeg":
            elements, rows, columns = len(jpeg), 0, 0  # marks JPEGs for the preprocessor
        return jpeg, (elements, rows, columns, top, left, height, width, flip)

    def _decode(self, i: int, jpeg: NDArray[np.uint8]) -> Tensor:
        """Return pixels (H, W, 3)."""
        try:
            return decode_jpeg(torch.from_numpy(jpeg), ImageReadMode.RGB).permute(1, 2, 0)
        except RuntimeError as error:
            raise self._broken(i, error) from None

    def _resize(self, pixels: Tensor, crop: tuple[int, ...]) -> Tensor:
        """Return a crop of pixels (H, W, 3) resized and flipped (size, size, 3)."""
        top, left, height, width, flip = crop[3:]
        resized = resized_crop(pixels.permute(2, 0, 1), top, left, height, width, self.size)
        return (resized.flip(-1) if flip else resized).permute(1, 2, 0)

    def _broken(self, i: int, error: Exception) -> PipelineError:
        return PipelineError(f"{self.images.where(i)}: broken ({error}); {MEND}")


def resized_crop(image: Tensor, top: int, left: int, height: int, width: int, size: int) -> Tensor:
    """Return a crop of an image (3, H, W) uint8 resized to (3, size, size) uint8.

    On a CPU by torch's own uint8 resize: v2's computes the same, but copies into and out of channels-first memory, and
    on a CPU without AVX2 it goes through floats, so that pixels differ by one level.
    """
    if image.device.type != "cpu":  # which has no uint8 resize
        return v2.functional.resized_crop(image, top, left, height, width, [size, size], antialias=True)
    view = image[None, :, top : top + height, left : left + width]
    return functional.interpolate(view, (size, size), mode="bilinear", antialias=True)[0]


def batch_seed(indices: Sequence[int]) -> int:
    """Return the seed of a batch's draws: a function of the epoch's seed and of the batch's images."""
    worker = get_worker_info()
    epoch = torch.initial_seed() if worker is None else worker.seed - worker.id
    words = np.random.SeedSequence([epoch % 2**63, *map(int, indices)]).generate_state(2, np.uint32)
    return int(words[0]) << 31 ^ int(words[1])


def shared(shape: tuple[int, ...]) -> Tensor:
    """Return an uninitialized uint8 tensor, in a worker in the memory that it shares with the main process."""
    if get_worker_info() is None:
        return torch.empty(shape, dtype=torch.uint8)
    count = int(np.prod(shape))
    storage = torch.UntypedStorage._new_shared(count, device="cpu")  # as default_collate does
    return torch.empty(0, dtype=torch.uint8).set_(storage, 0, shape)


@MODELS.register_module()
class PackedPreprocessor(BaseDataPreprocessor):
    """Finish PackedImages' batches on the model's device: {'inputs': (N, 3, size, size) float, 'data_samples'}.

    Decodes, resizes and flips what the workers left, converts, normalizes, and in training mixes the batch with itself
    (mixup > 0), whereupon labels are distributions (N, classes).
    """

    def __init__(self, size: int, mixup: float = 0.0, classes: int = 1000) -> None:
        super().__init__(non_blocking=True)
        self.size = size
        self.normalize = v2.Normalize(MEAN, STD, inplace=True)
        self.classes = classes
        self.set_mixup(mixup)

    def set_mixup(self, alpha: float) -> None:
        """Mix batches from now on by Beta(alpha, alpha); 0 mixes nothing."""
        self.mix = v2.MixUp(alpha=alpha, num_classes=self.classes) if alpha else None

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        labels = self.cast_data(data["data_samples"])
        if "crops" in data:
            images = self.resize(data["inputs"], data["crops"].tolist())
        else:
            images = self.cast_data(data["inputs"]).permute(0, 3, 1, 2)
        images = self.normalize(v2.functional.to_dtype(images.contiguous(), torch.float32, scale=True))
        if training and self.mix is not None:
            images, labels = self.mix(images, labels)
        return {"inputs": images, "data_samples": labels}

    def resize(self, flat: Tensor, crops: list[list[int]]) -> Tensor:
        """Return crops laid end to end, pixels or JPEGs, as images (N, 3, size, size), uint8."""
        parts = flat.split([crop[0] for crop in crops])
        if crops[0][1]:
            parts = self.cast_data(flat).split([crop[0] for crop in crops])
            decoded = [p.view(*crop[1:3], 3).permute(2, 0, 1) for p, crop in zip(parts, crops, strict=True)]
        else:  # JPEGs stay in the CPU's memory, where nvJPEG takes them from
            decoded = decode_jpeg(list(parts), ImageReadMode.RGB, device=self.device)
        out = [resized_crop(image, *crop[3:7], self.size) for image, crop in zip(decoded, crops, strict=True)]
        images = torch.stack(out)
        flips = torch.tensor([crop[7] for crop in crops], dtype=torch.bool).to(images.device)
        return torch.where(flips[:, None, None, None], v2.functional.horizontal_flip(images), images)


def worker_output(decode: str, resize: str) -> str:
    """Return what the workers put out when `decode` and `resize` run on "workers" or the "device"."""
    if decode == "device":
        return "jpeg"
    return "crop" if resize == "device" else "image"
