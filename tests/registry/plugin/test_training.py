"""The plugin in mmengine: found by name, trained by its runner, resumed from its checkpoint, taken over as weights."""

from __future__ import annotations

import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import DefaultSampler
from mmengine.registry import MODELS
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import Dataset

import registry
from registry.arch import ARCHS
from registry.checkpoints import CheckpointError, read_file
from registry.cost.models import classifier_config, model_cost
from registry.cost.trace import trace_cost

MODEL = {
    "type": "Classifier", "backbone": {"type": "MicroNet", "arch": "m0"},
    "head": {"type": "ClassificationHead", "hidden": 8, "classes": 4, "dropout": 0.0},
}  # fmt: skip


class Noise(Dataset):
    """Four noise images with labels."""

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> dict:
        generator = torch.Generator().manual_seed(index)
        return {"inputs": torch.randn(3, 32, 32, generator=generator), "data_samples": torch.tensor(index)}


def runner(folder: object, epochs: int, resume: bool = False) -> Runner:
    """Return mmengine's runner of a small classifier."""
    data = Noise()
    loader = {
        "dataset": data, "batch_size": 2, "num_workers": 0, "sampler": DefaultSampler(data, shuffle=False),
        "collate_fn": {"type": "default_collate"},
    }  # fmt: skip
    return Runner(
        MODELS.build(MODEL), str(folder), train_dataloader=loader, train_cfg={"by_epoch": True, "max_epochs": epochs},
        optim_wrapper={"optimizer": {"type": "SGD", "lr": 0.01, "momentum": 0.9}}, resume=resume, log_level="ERROR",
        experiment_name=f"plugin{epochs}{resume}", randomness={"seed": 0},
        default_hooks={"logger": {"type": "LoggerHook", "interval": 1}},
    )  # fmt: skip


@pytest.mark.slow
def test_custom_imports_find_it_and_a_run_is_resumed(tmp_path):
    path = tmp_path / "config.py"
    path.write_text(
        f"custom_imports = dict(imports=[{registry.__name__!r}])\nmodel = dict(type='MicroNet', arch='m1')\n"
    )
    assert MODELS.build(Config.fromfile(path).model).out_channels == (768,)
    runner(tmp_path / "work", 1).train()
    straight = runner(tmp_path / "straight", 2)
    straight.train()
    resumed = runner(tmp_path / "work", 2, resume=True)
    resumed.train()
    assert (resumed.epoch, resumed.iter) == (2, 4)
    for one, other in zip(resumed.model.state_dict().values(), straight.model.state_dict().values()):
        torch.testing.assert_close(one, other)


@pytest.mark.slow
def test_weights_move_into_another_network(tmp_path):
    source = MODELS.build(MODEL)
    torch.save({"state_dict": source.state_dict(), "meta": {"epoch": 3}}, tmp_path / "weights.pth")
    assert set(read_file(tmp_path / "weights.pth")) == {"state_dict", "meta"}
    settings = {"type": "MicroNet", "arch": "m0", "out_indices": (1, 2)}
    init = {"type": "Pretrained", "checkpoint": str(tmp_path / "weights.pth"), "prefix": "backbone"}
    net = MODELS.build({**settings, "init_cfg": init})
    net.init_weights()
    assert torch.equal(net.stem[0][0].weight, source.backbone.stem[0][0].weight)
    (tmp_path / "weights.pth").write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match="not a readable checkpoint"):
        read_file(tmp_path / "weights.pth")


@pytest.mark.slow
@pytest.mark.parametrize("arch", sorted(ARCHS))
def test_every_architecture_trains_and_costs_what_it_does(arch):
    net = MODELS.build({"type": "MicroNet", "arch": arch}).train()
    net(torch.randn(2, 3, 32, 64))[0].square().sum().backward()
    assert all(p.grad is not None for p in net.parameters())
    if ARCHS[arch].ends:
        config = classifier_config(arch)
        assert model_cost(config, (32, 64)).by_kind() == trace_cost(MODELS.build(config), (3, 32, 64)).by_kind()


def test_released_weights_keep_their_form():
    """As released keys have it: the operators' order is all that counts."""
    from registry import official

    net = official._net("4M")
    names = [n for n, m in net.named_modules() if isinstance(m, (nn.Conv2d, nn.Linear, nn.BatchNorm2d, nn.BatchNorm1d))]
    numbers = {name: f"{'features' if i < len(names) - 4 else 'classifier'}.{i}" for i, name in enumerate(names)}
    state = {f"{numbers[k.rpartition('.')[0]]}.{k.rpartition('.')[2]}": v for k, v in net.state_dict().items()}
    built = official.build({"state_dict": state}, "4M")
    for one, other in zip(built.state_dict().values(), net.state_dict().values()):
        assert torch.equal(one, other)
