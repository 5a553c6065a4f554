"""Convolutions run with their BatchNorm as one where nothing is learned or watched, and as two everywhere else."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from registry.micronet import MicroNet
from registry.ops import folded, fused, native


def layers(bias=False, norm=nn.BatchNorm2d):
    torch.manual_seed(0)
    out = nn.Sequential(
        nn.Conv2d(4, 8, (3, 1), (2, 1), (1, 0), groups=4, bias=bias), norm(8), nn.Sequential(nn.ReLU()),
        nn.Conv2d(8, 8, 1, groups=2, bias=False), norm(8), nn.Conv2d(8, 4, 1),
    )  # fmt: skip
    for module in out.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias)
            if module.track_running_stats:
                nn.init.uniform_(module.running_var, 0.5, 1.5)
                nn.init.normal_(module.running_mean)
    return out.double().eval()


@pytest.fixture(autouse=True)
def always(monkeypatch):
    monkeypatch.setattr(folded, "GAINS", 0)


@pytest.fixture
def norms(monkeypatch):
    """Return how often BatchNorm ran on its own."""
    seen = []
    real = nn.BatchNorm2d.forward
    monkeypatch.setattr(nn.BatchNorm2d, "forward", lambda self, x: (seen.append(self), real(self, x))[1])
    with native.disabled():  # a compiled BatchNorm is tested with its library
        yield seen


@pytest.mark.parametrize("bias", [False, True])
def test_folded_layers_give_the_same(norms, bias):
    net, x = layers(bias), torch.randn(2, 4, 6, 5).double()
    with torch.no_grad():
        wanted = net(x)
        norms.clear()
        got = folded.run(net, x)
    assert norms == []
    torch.testing.assert_close(got, wanted, rtol=1e-13, atol=1e-13)


def test_weights_are_read_anew_in_every_pass():
    net, x = layers(), torch.randn(2, 4, 6, 5).double()
    with torch.no_grad():
        folded.run(net, x)
        net[0].weight.data.mul_(2)
        net[1].running_mean.data.add_(1)
        torch.testing.assert_close(folded.run(net, x), net(x), rtol=1e-13, atol=1e-13)


def changed(name):
    """Return layers that must run one by one, and their input."""
    net, x = layers(), torch.randn(2, 4, 6, 5).double()
    if name == "hook":
        net[0].register_forward_hook(lambda *_: None)
        net[3].register_forward_hook(lambda *_: None)
    elif name == "training":
        net.train()
    elif name == "other norm":
        net = layers(norm=lambda c: nn.BatchNorm2d(c, track_running_stats=False))
    elif name == "parametrized":
        for i in (0, 3):
            nn.utils.parametrizations.weight_norm(net[i])
    return net, x


@pytest.mark.parametrize("name", ["hook", "training", "other norm", "parametrized"])
def test_what_must_run_apart_does(norms, name):
    net, x = changed(name)
    with torch.no_grad():
        folded.run(net, x)
    assert len(norms) == 2


def test_gradients_tracers_and_the_straightforward_form_see_both(norms):
    net, x = layers(), torch.randn(2, 4, 6, 5).double()
    folded.run(net, x)
    assert len(norms) == 2
    with torch.no_grad(), fused.use_backend("eager"):
        folded.run(net, x)
    assert len(norms) == 4
    net.requires_grad_(False)
    with torch.no_grad():
        graph = str(torch.jit.trace(lambda x: folded.run(net, x), x, check_trace=False).graph)
    assert graph.count("batch_norm") == 2


def test_a_network_gives_the_same_within_rounding():
    torch.manual_seed(0)
    net = MicroNet("m0", out_indices=(0, 2, 4))
    net.init_weights()
    net(torch.randn(2, 3, 32, 32))  # running statistics
    net.double().eval()
    x = torch.randn(1, 3, 64, 64).double()
    with torch.no_grad():
        got = net(x)
        with fused.use_backend("eager"):
            wanted = net(x)
    for one, other in zip(got, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)
        assert not torch.equal(one, other)  # it did fold
