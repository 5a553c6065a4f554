"""The registered grid: each setting changes what it says, and its runs are the registered ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import ROOT
from mmengine.registry import MODELS

from pipelines.data import cifar_images
from pipelines.training import orderings
from pipelines.training.job import cifar_job
from pipelines.training.profiles import start_as_relu
from pipelines.training.run import resolve


@pytest.fixture
def known():
    return orderings.registered(ROOT)


def resolved(row, setting, known, tmp_path):
    job = cifar_job(row, setting, known.multiverse.seeds[0], known, ROOT, packed=False)
    return resolve(job, tmp_path / "w")


def test_every_row_runs_under_every_setting_with_fresh_seeds(known):
    runs = list(orderings.multiverse_runs(known))
    grid = known.multiverse
    assert len(runs) == len(set(runs)) == len(known.rows) * len(grid.settings) * len(grid.seeds)
    assert not {seed for _, _, seed in runs} & {*known.pilot.seeds, *known.confirm.seeds, *known.former.seeds}
    choices = {(s.stem_stride or known.train.stem_stride, s.start, s.lr) for s in grid.settings.values()}
    assert len(choices) == len(grid.settings)


def test_settings_change_strides_size_rate_and_start(known, tmp_path):
    for name, setting in known.multiverse.settings.items():
        config = resolved("t5_dynamic_shift_max", name, known, tmp_path)
        arch = config.model.backbone.arch
        assert arch.stem_stride == (setting.stem_stride or known.train.stem_stride)
        assert arch.blocks[0].stride == (setting.first_stride or known.train.first_stride)
        assert config.train_dataloader.dataset.get("size", 32) == (setting.image_size or known.train.image_size)
        assert config.optim_wrapper.optimizer.lr == setting.lr
        assert ("constants" in config.model.backbone.get("activation", {})) == (setting.start == "relu")


@pytest.mark.parametrize("j", [1, 2, 3])
@pytest.mark.parametrize("k", [2, 3])
def test_a_started_relu_is_one(j, k):
    backbone = {"type": "MicroNet", "arch": "m1", "activation": {"j": j, "k": k}}
    start_as_relu(backbone)
    built = MODELS.build(backbone)
    sites = [m for m in built.modules() if type(m).__name__ == "DynamicShiftMax" and getattr(m, "k", k) == k]
    assert sites
    constants = backbone["activation"]["constants"]
    x = torch.randn(64)
    pieces = [row[0] * x for row in constants]  # shifted channels weigh 0
    assert torch.equal(torch.stack(pieces).amax(0), x.relu())
    assert all(value == 0 for row in constants for value in row[1:])


@pytest.mark.parametrize("activation", [{"type": "ReLU"}, {"type": "StaticShiftMax"}, {"j": 2, "k": 1}])
def test_another_activation_keeps_its_start(activation):
    backbone = {"type": "MicroNet", "arch": "m1", "activation": dict(activation)}
    start_as_relu(backbone)
    assert backbone["activation"] == activation


def test_images_are_scaled_after_cropping(monkeypatch):
    images = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    packed = {"test_images": images, "test_labels": np.arange(4)}
    monkeypatch.setattr(cifar_images, "load", lambda *_: (packed, "pin"))
    plain = cifar_images.CifarImages("x", "test")[0]["inputs"]
    large = cifar_images.CifarImages("x", "test", size=64)[0]["inputs"]
    assert large.shape == (1, 3, 64, 64)
    assert torch.allclose(large.mean(), plain.mean(), atol=1e-3)
