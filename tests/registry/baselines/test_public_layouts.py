"""What known_issues.yaml says of public layouts: the butterflies' cost, and what a shuffle's place does."""

from __future__ import annotations

import math
import re

import pytest
import torch
from helpers import ROOT
from torch import nn

from pipelines.analysis.structure import classifier
from pipelines.common import load_config
from registry.baselines.butterfly import ButterflyPointwise
from registry.cost.models import model_cost
from registry.ops.factorized import ChannelShuffle


def public_cost(cin: int, cout: int) -> int:
    """Return products a position of the public layout: base 4, butterflies of min(C_in, C_out), the rest padded."""
    n, levels = min(cin, cout), 0
    while 4**levels < n:
        levels += 1
    return math.ceil(max(cin, cout) / n) * 4 * n * levels


@pytest.mark.slow
@pytest.mark.parametrize(
    ("row", "ours", "public"),
    [("t2_mobilenetv3_bft_0_5", 14.75, 15.33), ("t2_shufflenetv2_bft", 21.05, 21.17)],
)
def test_both_butterfly_layouts_round_to_the_printed_madds(row, ours, public):
    with torch.device("meta"):
        net = classifier(row, 1000).eval()
    more = []

    def note(layer, inputs, out):
        cin, cout = inputs[0].shape[1], out.shape[1]
        own = sum(m.weight.numel() for m in layer.modules() if isinstance(m, nn.Conv2d))
        more.append(out.shape[2] * out.shape[3] * (public_cost(cin, cout) - own))

    for module in net.modules():
        if isinstance(module, ButterflyPointwise):
            module.register_forward_hook(note)
    with torch.no_grad():
        net(torch.zeros(1, 3, 224, 224, device="meta"), mode="tensor")
    total = sum(t.count for t in model_cost(load_config(row).model, (224, 224)).terms if t.kind in COUNTED)
    assert round(total / 1e6, 2) == ours
    assert round((total + sum(more)) / 1e6, 2) == public
    known = (ROOT / "papers/micronet/known_issues.yaml").read_text("utf-8")
    assert re.search(rf"{row}\.plain - (\d+) \+ (\d+)", known), row
    before, after = map(int, re.search(rf"{row}\.plain - (\d+) \+ (\d+)", known).groups())
    assert after - before == sum(more)


#: What the rule `plain` counts of these networks: products of weights and ReLUs.
COUNTED = ("conv", "fc", "head_fc", "relu")


def test_a_shuffle_before_a_depthwise_convolution_is_one_after_it_with_its_kernels_in_another_order():
    torch.manual_seed(0)
    before, after = (nn.Conv2d(12, 12, 3, padding=1, groups=12, bias=False).double() for _ in range(2))
    shuffle, x = ChannelShuffle(3), torch.randn(1, 12, 5, 5).double()
    order = shuffle(torch.arange(12).view(1, 12, 1, 1)).flatten()
    after.weight.data[order] = before.weight.data
    torch.testing.assert_close(before(shuffle(x)), shuffle(after(x)))
