"""The compared networks are the published ones where a library or a paper fixes them."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torchvision.models import shufflenet_v2_x0_5

from registry.baselines import NETS, build_net
from registry.baselines.butterfly import ButterflyPointwise, prime_factors
from registry.baselines.shufflenet import ShuffleNetV2
from registry.baselines.weightnet import GeneratedConv2d, weightnet


@given(st.integers(1, 48), st.integers(1, 48))
def test_a_butterfly_joins_every_input_to_every_output_by_equal_paths(cin, cout):
    layer = ButterflyPointwise(cin, cout)
    for p in layer.parameters():
        nn.init.ones_(p)
    with torch.no_grad():
        matrix = layer(torch.eye(cin)[..., None, None]).flatten(1)
    assert (matrix > 0).all()
    assert matrix.max() - matrix.min() < 1e-5
    n = math.gcd(cin, cout)
    weights = sum(p.numel() for p in layer.parameters())
    assert weights == (cin * cout // n * sum(prime_factors(n)) if n > 1 else cin * cout)


def test_a_generated_kernel_convolves_each_image_with_its_own_kernel():
    torch.manual_seed(0)
    layer = GeneratedConv2d(16, 6, 4, 3, 2, 1, m=8, g=1)
    x, vector = torch.randn(3, 6, 9, 9), torch.randn(3, 16)
    kernels = layer.kernels(vector)
    assert kernels.shape == (3, 4, 6, 3, 3)
    assert not torch.equal(kernels[0], kernels[1])
    expected = torch.cat([nn.functional.conv2d(x[i : i + 1], kernels[i], None, 2, 1) for i in range(3)])
    torch.testing.assert_close(layer(x, vector), expected)


def test_own_shufflenetv2_computes_what_torchvisions_does():
    torch.manual_seed(0)
    theirs, own = shufflenet_v2_x0_5(num_classes=10).eval(), ShuffleNetV2((48, 96, 192), classes=10).eval()
    # torchvision lists the side branch first: match by unit, side before main where there is one.
    ours = []
    for child in (own.stem, *own.units, own.last, own.fc):
        parts = (child.side, child.main) if hasattr(child, "side") else (child,)
        ours += [m for part in parts for m in part.modules() if isinstance(m, nn.Conv2d | nn.BatchNorm2d | nn.Linear)]
    source = [m for m in theirs.modules() if isinstance(m, nn.Conv2d | nn.BatchNorm2d | nn.Linear)]
    for a, b in zip(ours, source, strict=True):
        a.load_state_dict(b.state_dict())
    x = torch.randn(2, 3, 96, 96)
    with torch.no_grad():
        torch.testing.assert_close(own(x), theirs(x))


def test_weightnet_has_the_published_size():
    params = sum(p.numel() for p in weightnet().parameters())
    assert params == 2_735_168


@pytest.mark.parametrize("name", NETS)
def test_unknown_arguments_are_named(name):
    with pytest.raises(ValueError, match=name.replace(".", r"\.")):
        build_net({"type": name, "wdth": 1}, 10)


def test_unknown_names_are_named():
    with pytest.raises(ValueError, match="known: MobileNetV3Small"):
        build_net({"type": "ResNet"}, 10)
