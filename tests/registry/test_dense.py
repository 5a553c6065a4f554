"""The pose networks: closed-form cost against a trace, the operators of section 6.1 and of Table 8's baselines."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from registry.arch import get_arch
from registry.cost.trace import trace_cost
from registry.micronet import MicroNet
from registry.ops import dynamic
from registry.ops.attention import AttendedActivation, SpatialAttention
from registry.ops.dynamic import DynamicConv2d, DYReLU
from registry.ops.shift_max import DynamicShiftMax
from registry.ops.temperature import AnnealTemperature
from registry.plan import Plan
from registry.pose.archs import POSE_HEADS, UPSAMPLES, get_head
from registry.pose.head import HeadPlan
from registry.pose.mobile import NETS, mobile_backbone, mobile_head

SIZE = (64, 48)


def net(name: str, head: object = None) -> nn.Module:
    blocks = HeadPlan(name, head or name)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.backbone, self.head = MicroNet(name), blocks.build()
            self.final = nn.Conv2d(blocks.out_channels, 17, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.final(self.head(self.backbone(x)[-1]))

    return Net()


@pytest.mark.slow
@pytest.mark.parametrize("upsample", UPSAMPLES)
@pytest.mark.parametrize("name", sorted(POSE_HEADS))
def test_closed_form_is_what_the_network_does(name, upsample):
    head = get_head({"base": name, "upsample": upsample})
    model = net(name, head)
    traced = trace_cost(model, (3, *SIZE))
    backbone, features = Plan(get_arch(name), None).cost(SIZE)
    closed = backbone + HeadPlan(name, head).cost(features)
    assert closed.params == traced.params == sum(p.numel() for p in model.parameters())
    assert closed.by_kind() == traced.by_kind()
    assert model.eval()(torch.zeros(1, 3, *SIZE)).shape == (1, 17, 16, 12)


def test_table_10_s_last_block_does_not_expand():
    blocks = HeadPlan("pose_m0", "pose_m0").build()
    widths = [m.out_channels for m in blocks[2].modules() if isinstance(m, nn.Conv2d) and m.out_channels > 1]
    assert widths == [320, 320, 48]


def test_the_head_attends_in_every_layer_and_the_backbone_in_none():
    model = net("pose_m0")
    dynamic = [m for m in model.head.modules() if isinstance(m, DynamicShiftMax)]
    attended = [m for m in model.head.modules() if isinstance(m, AttendedActivation)]
    assert len(dynamic) == len(attended) == 8  # three in each Micro-C, two in Micro-A
    assert not any(isinstance(m, SpatialAttention) for m in model.backbone.modules())


def test_spatial_attention_starts_even_and_stays_a_weight():
    attention = SpatialAttention(6)
    x = torch.randn(2, 6, 8, 6)
    assert torch.allclose(attention(x), torch.full((2, 1, 8, 6), 1 / 3))
    nn.init.normal_(attention.score.weight, std=40)
    pi = attention(x)
    assert pi.min() >= 0
    assert pi.max() <= 1
    assert pi.std() > 0


def test_weighing_the_output_is_weighing_the_coefficients():
    """Dynamic ReLU's paper weighs a and b at every position; the maximum lets a positive weight out."""
    torch.manual_seed(0)
    act = DYReLU(4, spatial=True)
    nn.init.normal_(act.attention.score.weight)
    x = torch.randn(2, 4, 5, 5)
    hidden = F.relu(act.hyper.reduce(x.mean((2, 3))))
    theta = 2 * torch.sigmoid(act.hyper.generate(hidden)).view(2, 2, 2, 4) - 1
    slopes = theta[:, 0] * 1.0 + torch.tensor([1.0, 0.0]).view(1, 2, 1)
    intercepts = theta[:, 1] * 0.5
    pi = act.attention(x).unsqueeze(1)
    lines = pi * (slopes[..., None, None] * x.unsqueeze(1) + intercepts[..., None, None])
    assert torch.allclose(act(x), lines.amax(1), atol=1e-6)


@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize(("groups", "stride", "padding"), [(1, 1, 0), (1, 2, 1), (4, 2, 0), (8, 1, 1)])
def test_the_form_that_is_written_convolves_as_the_one_that_trains(kernel, groups, stride, padding, monkeypatch):
    torch.manual_seed(0)
    x = torch.randn(3, 8, 7, 6, dtype=torch.float64)
    kernels = torch.randn(3, 16, 8 // groups, kernel, kernel, dtype=torch.float64)
    trained = dynamic.convolve_each(x, kernels, stride, padding, groups)
    monkeypatch.setattr(dynamic, "_is_exporting", lambda: True)
    torch.testing.assert_close(dynamic.convolve_each(x, kernels, stride, padding, groups), trained)


@pytest.mark.parametrize(("groups", "stride"), [(1, 1), (4, 2), (8, 1)])
def test_dynamic_convolution_mixes_kernels_per_image(groups, stride):
    torch.manual_seed(0)
    conv = DynamicConv2d(8, 16, 3, stride, 1, groups)
    nn.init.normal_(conv.mix.weight, std=20)
    x = torch.randn(3, 8, 7, 6)
    weights = conv.mixture(x)
    assert torch.allclose(weights.sum(1), torch.ones(3))
    for i in range(3):
        kernel = sum(w * k for w, k in zip(weights[i], conv.weight, strict=True))
        expected = F.conv2d(x[i : i + 1], kernel, None, stride, 1, 1, groups)
        assert torch.allclose(conv(x)[i : i + 1], expected, atol=1e-5)
    cost = trace_cost(nn.Sequential(conv), (8, 7, 6))
    outputs = conv(x).shape[2] * conv(x).shape[3]
    assert cost.by_kind()["conv", "", 1, 1] == conv.weight[0].numel() * outputs


def test_a_high_temperature_evens_the_mixture():
    conv = DynamicConv2d(8, 8, 1)
    nn.init.normal_(conv.mix.weight, std=50)
    x = torch.randn(2, 8, 4, 4)
    warm = conv.mixture(x).std()
    conv.anneal(1)
    assert conv.temperature == 1
    assert conv.mixture(x).std() > warm
    assert "temperature" in conv.state_dict()  # a checkpoint evaluates as it was trained


def test_the_hook_anneals_over_its_epochs():
    class Runner:
        model, train_dataloader, iter = nn.Sequential(DynamicConv2d(4, 4, 1), SpatialAttention(4)), range(5), 0

    hook = AnnealTemperature(epochs=2)
    seen = []
    for step in range(15):
        Runner.iter = step
        hook.before_train_iter(Runner, step % 5)
        seen.append((float(Runner.model[0].temperature), float(Runner.model[1].temperature)))
    assert seen[0] == (30, 10)
    assert seen[5] == (15.5, 5.5)
    assert seen[10:] == [(1, 1)] * 5
    with pytest.raises(ValueError, match="at least 1"):
        AnnealTemperature(epochs=0)


@pytest.mark.slow
@pytest.mark.parametrize("dynamic", ["conv", "relu"])
@pytest.mark.parametrize("name", NETS)
def test_the_baselines_are_dynamic_throughout(name, dynamic):
    backbone, channels = mobile_backbone(name, dynamic)
    model = nn.Sequential(backbone, mobile_head(channels, dynamic))
    static = [m for m in model.modules() if isinstance(m, nn.Conv2d) and m.in_channels != 3]
    relus = [m for m in model.modules() if isinstance(m, nn.ReLU6 | nn.Hardswish | nn.ReLU)]
    if dynamic == "conv":
        assert not static
        assert any(isinstance(m, DynamicConv2d) and m.groups > 1 for m in model.modules())
    else:
        assert not relus
        assert all(m.attention is not None for m in model[1].modules() if isinstance(m, DYReLU))
    model(torch.randn(2, 3, 64, 64)).mean().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="known: pose_m0"):
        get_head("pose_m9")
    with pytest.raises(ValueError, match="malformed pose head"):
        get_head({"base": "pose_m0", "colour": 1})
    with pytest.raises(ValueError, match="unknown upsample"):
        get_head({"base": "pose_m0", "upsample": "never"})
    with pytest.raises(ValueError, match="unknown backbone"):
        mobile_backbone("VGG", None)
