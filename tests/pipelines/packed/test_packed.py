"""A packed set's batches: the folder's pixels for the same crops, the same draws whatever the workers and device."""

from __future__ import annotations

import os
import pickle
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader
from torchvision.transforms import v2

from pipelines.common import PipelineError
from pipelines.data import imagenet, photos
from pipelines.data.images import MEAN, STD
from pipelines.packed import format as packed_format
from pipelines.packed import pack
from pipelines.packed import reader as packed

SIZE = 64
PARAMETERS = packed_format.Parameters(short_side=150, quality=92, eval_short_side=73, shard_images=5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("data") / "imagenet"
    return photos.draw_folder(root, photos.photographs(None), train=12, val=6, classes=2)


@pytest.fixture(scope="module")
def root(folder):
    out = folder.with_name("packed")
    pack.pack(folder, out, PARAMETERS)
    return out


def dataset(root, output="image", size=SIZE):
    return packed.PackedImages(str(root), "train", size, train=True, output=output)


def batch(root, output, indices=(3, 0, 7, 11), seed=5):
    torch.manual_seed(seed)
    return dataset(root, output).__getitems__(list(indices))


def finished(data, **kwargs):
    return packed.PackedPreprocessor(SIZE, **kwargs)(dict(data), training=bool(kwargs))


def test_a_crop_is_the_folder_pipelines_of_the_packed_image(root):
    """Within one level of 255, where decoders and resizes round."""
    found = batch(root, "image")["inputs"]
    data = dataset(root)
    torch.manual_seed(5)
    draws = data._draw([3, 0, 7, 11], [data.images[i] for i in (3, 0, 7, 11)])
    for i, pixels, (box, flip) in zip((3, 0, 7, 11), found, draws, strict=True):
        record, content, _ = data.images[i]
        path = root / "one.JPEG"
        path.write_bytes(content.tobytes())
        image = v2.functional.pil_to_tensor(Image.open(path).convert("RGB"))
        path.unlink()
        assert image.shape[1:] == (record.height, record.width)
        crop = v2.functional.resized_crop(image, *box.values(), [SIZE, SIZE], antialias=True)
        expected = v2.functional.horizontal_flip(crop) if flip else crop
        difference = (pixels.permute(2, 0, 1).int() - expected.int()).abs()
        assert difference.max() <= 2
        assert difference.float().mean() < 0.2


def test_draws_follow_the_recipes_transform(root):
    """With the same generator's state, the crop is the one that RandomResizedCrop itself takes of the whole image."""
    data = dataset(root)
    for i in range(len(data)):
        torch.manual_seed(i)
        (box, _), record = data._draw([i], [data.images[i]])[0], data.images[i][0]
        torch.manual_seed(packed.batch_seed([i]))
        image = torch.arange(record.height * record.width).reshape(1, record.height, record.width).float()
        expected = v2.RandomResizedCrop(SIZE, interpolation=v2.InterpolationMode.NEAREST)(image)
        found = v2.functional.resized_crop(
            image, *box.values(), [SIZE, SIZE], interpolation=v2.InterpolationMode.NEAREST
        )
        assert torch.equal(found, expected)


def test_evaluation_sees_the_folders_pixels_exactly(folder, root):
    packed_val = packed.PackedImages(str(root), "val", SIZE, train=False)
    plain = imagenet.ImageNetFolder(str(folder / "val"), SIZE, train=False)
    assert len(packed_val) == len(plain) == 6
    found = finished(packed_val.__getitems__(range(6)))
    assert torch.equal(found["inputs"], torch.stack([plain[i]["inputs"] for i in range(6)]))
    assert found["data_samples"].tolist() == [plain[i]["data_samples"] for i in range(6)]
    assert packed_val.metainfo == plain.metainfo


def test_workers_and_device_share_the_work_without_changing_a_pixel(root):
    whole = finished(batch(root, "image"))
    for output in ("crop", "jpeg"):
        data = batch(root, output)
        assert data["inputs"].dim() == 1
        assert len(data["crops"][0]) == len(packed.FIELDS)
        assert torch.equal(finished(data)["inputs"], whole["inputs"]), output
    assert whole["inputs"].dtype == torch.float32
    assert whole["inputs"].is_contiguous()
    assert torch.equal(
        whole["data_samples"], torch.tensor([int(dataset(root).images[i][0].label) for i in (3, 0, 7, 11)])
    )
    assert packed.worker_output("workers", "workers") == "image"
    assert packed.worker_output("workers", "device") == "crop"
    assert packed.worker_output("device", "workers") == "jpeg"


def epoch(root, workers, seed, output="image"):
    torch.manual_seed(seed)
    loader = DataLoader(dataset(root, output), 4, shuffle=True, num_workers=workers, collate_fn=packed.batched)
    return [(b["inputs"].clone(), b["data_samples"].clone()) for b in loader]


@pytest.mark.slow
def test_draws_depend_on_the_epochs_seed_but_not_on_the_workers(root):
    one, two, other = epoch(root, 1, 0), epoch(root, 2, 0), epoch(root, 1, 1)
    assert all(torch.equal(a, b) for x, y in zip(one, two, strict=True) for a, b in zip(x, y, strict=True))
    assert not all(torch.equal(x[0], y[0]) for x, y in zip(one, other, strict=True))
    here = epoch(root, 0, 0)
    assert len(here) == len(one)
    assert all(torch.equal(x[0], y[0]) for x, y in zip(here, epoch(root, 0, 0), strict=True))


def test_reading_leaves_the_random_state_alone(root):
    data = dataset(root)
    torch.manual_seed(3)
    state = torch.get_rng_state()
    data[0]
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(3)
    assert torch.equal(data[0]["inputs"], data[0]["inputs"])


def test_a_dataset_pickles_without_its_maps(root):
    data = dataset(root)
    data[0]
    assert data.images._open
    again = pickle.loads(pickle.dumps(data))
    assert not again.images._open
    assert len(pickle.dumps(data)) < 10_000
    torch.manual_seed(0)
    first = data[1]["inputs"]
    torch.manual_seed(0)
    assert torch.equal(again[1]["inputs"], first)


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")
def test_maps_hold_no_files_open(root):
    """ImageNet's 330 shards have three files each, and many systems let a process open 1,024."""
    data = dataset(root)
    before = len(os.listdir("/proc/self/fd"))
    data.__getitems__(range(len(data)))
    assert len(data.images._open) == 3
    assert len(os.listdir("/proc/self/fd")) == before


def test_the_device_normalizes_and_mixes(root):
    data = batch(root, "image")
    plain = finished(data)
    expected = (data["inputs"].permute(0, 3, 1, 2) / 255 - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[
        :, None, None
    ]
    torch.testing.assert_close(plain["inputs"], expected)
    torch.manual_seed(1)
    mixed = finished(data, mixup=0.2, classes=2)
    torch.manual_seed(1)
    items = [{"inputs": x, "data_samples": int(y)} for x, y in zip(plain["inputs"], plain["data_samples"], strict=True)]
    folder = imagenet.mixup_collate(items, alpha=0.2, classes=2)
    torch.testing.assert_close(mixed["inputs"], folder["inputs"])
    assert torch.equal(mixed["data_samples"], folder["data_samples"])
    unmixed = packed.PackedPreprocessor(SIZE, mixup=0.2, classes=2)(dict(data), training=False)
    assert torch.equal(unmixed["inputs"], plain["inputs"])


def test_a_broken_image_is_named(root, tmp_path):
    copy = shutil.copytree(root, tmp_path / "packed")
    images = dataset(copy).images
    record = images[6][0]
    tar = copy / "train/00001.tar"
    content = bytearray(tar.read_bytes())
    content[record.offset : record.offset + record.header] = bytes(record.header)
    tar.write_bytes(content)
    with pytest.raises(PipelineError, match=r"00001.tar: train/n\d+/.*JPEG: broken .*run `python -m pipelines pack`"):
        dataset(copy)[6]
    (copy / "train/00001.index").unlink()
    with pytest.raises(PipelineError, match="00001.index: is missing"):
        dataset(copy)


def test_a_set_serves_what_it_was_packed_for(root):
    with pytest.raises(PipelineError, match="packed for evaluation alone"):
        packed.PackedImages(str(root), "val", SIZE, train=True)
    with pytest.raises(PipelineError, match="short side 73, and crops of 224 need 256"):
        packed.PackedImages(str(root), "val", 224, train=False)
    with pytest.raises(PipelineError, match="unknown worker output"):
        dataset(root, "all")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("output", ["image", "crop", "jpeg"])
def test_a_gpu_gives_the_cpus_pixels(root, output):
    """nvJPEG interpolates chroma in its own way, and float sums round in theirs."""
    data = batch(root, output)
    expected = finished(data)["inputs"] * torch.tensor(STD)[:, None, None] * 255
    found = packed.PackedPreprocessor(SIZE).to("cuda")(dict(data))["inputs"].cpu()
    difference = (found * torch.tensor(STD)[:, None, None] * 255 - expected).abs()
    assert difference.mean() < {"image": 0.01, "crop": 0.5, "jpeg": 4}[output]
    assert np.isfinite(difference.numpy()).all()
