"""Table 5's rivals in their papers' ranges, one Dynamic ReLU in the repository, and what a shuffle in Micro-A does."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from registry.cost.models import classifier_config, model_cost
from registry.cost.trace import trace_cost
from registry.micronet import MicroNet
from registry.ops.activations import ActivationRule, DynamicReLU, OwnDynamicReLU, SqueezeExcitation
from registry.ops.dynamic import DYReLU

EXTREME = {"low": -100.0, "high": 100.0}


def saturated(layer, end):
    """Set a layer's hyper function to one end of its range, whatever the input."""
    for weight in (layer.hyper.generate.weight, layer.hyper.reduce.weight, layer.hyper.reduce.bias):
        nn.init.zeros_(weight)
    nn.init.constant_(layer.hyper.generate.bias, EXTREME[end])
    return layer.double()


@pytest.mark.parametrize(("rivals", "span"), [("own", (0.0, 1.0)), ("shift_max", (-1.0, 3.0))])
def test_se_weighs_channels_in_its_range(rivals, span):
    x = torch.rand(1, 8, 2, 2).double() + 0.1
    for end, factor in zip(EXTREME, span, strict=True):
        layer = ActivationRule("SE", rivals=rivals).spec_at("A2", 8, 2, 1).build()
        torch.testing.assert_close(saturated(layer, end)(x), x * factor)


@pytest.mark.parametrize(("rivals", "slope", "intercept"), [("own", 1.0, 0.5), ("shift_max", 2.0, 1.0)])
def test_dynamic_relu_has_its_ranges(rivals, slope, intercept):
    """K = 2 lines whose slopes start at 1 and 0: at the upper end the first is the larger for positive x."""
    x = torch.rand(1, 8, 2, 2).double() + 0.1
    layer = ActivationRule("DynamicReLU", rivals=rivals).spec_at("A1", 8, 2, 1).build()
    torch.testing.assert_close(saturated(layer, "high")(x), (1 + slope) * x + intercept)
    torch.testing.assert_close(saturated(layer, "low")(x), torch.maximum((1 - slope) * x, -slope * x) - intercept)


def test_one_dynamic_relu_serves_table_5_and_table_8():
    torch.manual_seed(0)
    own, table_8 = OwnDynamicReLU(16, 2, 2), DYReLU(16)
    table_8.load_state_dict(own.state_dict())
    x = torch.randn(2, 16, 3, 3)
    assert torch.equal(own(x), table_8(x))
    assert issubclass(DYReLU, DynamicReLU)


@pytest.mark.parametrize("kind", ["SE", "DynamicReLU"])
def test_neither_range_changes_a_cost(kind):
    """In closed form, and counted on the modules."""
    found = []
    for rivals in ("own", "shift_max"):
        config = classifier_config("m0", {"type": kind, "rivals": rivals})
        with torch.device("meta"):
            net = MicroNet("m0", activation={"type": kind, "rivals": rivals})
        found.append((model_cost(config, (224, 224)), trace_cost(net, (3, 224, 224))))
        assert any(isinstance(m, SqueezeExcitation) for m in net.modules()) == (kind == "SE" and rivals == "own")
    assert found[0] == found[1]


def test_unknown_rivals_are_named():
    with pytest.raises(ValueError, match="unknown rivals 'theirs'; known: shift_max, own"):
        ActivationRule("SE", rivals="theirs")


def reached(wiring, block):
    """Return which share of the stem's squeezed channels a channel after a block of M1 with ReLU sees, on average."""
    net = MicroNet("m1", activation={"type": "ReLU"}, wiring=wiring).double().eval()
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.ones_(module.weight)
    stem = list(net.stem[0])
    seen = []
    for channel in range(stem[0].out_channels):
        x = torch.zeros(1, stem[0].out_channels, 16, 16).double()
        x[:, channel] = 1
        for layer in [*stem[2:], *list(net.stem)[1:]]:
            x = layer(x)
        bottleneck = None
        for step in net.blocks[:block]:
            x, bottleneck = step(x, bottleneck)
        seen.append(x.abs().amax((0, 2, 3)) > 0)
    return torch.stack(seen).double().mean().item()


def test_a_shuffle_in_micro_a_connects_more_and_costs_nothing():
    assert [reached(wiring, 2) for wiring in ("paper", "shuffled", "official")] == [0.25, 0.75, 1.0]
    costs = [model_cost(classifier_config("m1", {"type": "ReLU"}, w), (224, 224)) for w in ("paper", "shuffled")]
    assert costs[0] == costs[1]
