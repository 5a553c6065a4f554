"""A network's count is what torch's own counter says of its products, and by hand what no counter says."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.registry import MODELS
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

import registry  # noqa: F401  registers the rows' networks
from papertally.counting.count import count_network
from pipelines.common import load_config
from registry.cost.trace import trace_cost

PRODUCTS = ("conv", "fc", "head_fc", "matmul", "matmul@attention")


def products(module: nn.Module, *size: int, device: str = "meta") -> int:
    terms = count_network(module, size, device).terms
    return sum(terms.get(kind, 0) for kind in PRODUCTS)


def torchs_own(module: nn.Module, *size: int) -> int:
    """Half of torch's floating-point operations."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        module.to("meta").eval()(torch.zeros(1, *size, device="meta"))
    assert counter.get_total_flops() % 2 == 0
    return counter.get_total_flops() // 2


@settings(max_examples=30, deadline=None)
@given(
    dims=st.integers(1, 3), transposed=st.booleans(), groups=st.sampled_from([1, 2, 4]), cin=st.integers(1, 3),
    cout=st.integers(1, 3), kernel=st.integers(1, 4), stride=st.integers(1, 3), dilation=st.integers(1, 2),
    bias=st.booleans(),
)  # fmt: skip
def test_convolutions_of_every_kind(dims, transposed, groups, cin, cout, kernel, stride, dilation, bias):
    layers = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d, nn.Conv1d, nn.Conv2d, nn.Conv3d)
    layer = layers[dims - 1 + (0 if transposed else 3)](
        groups * cin, groups * cout, kernel, stride, groups=groups, dilation=dilation, bias=bias, device="meta"
    )
    size = (groups * cin, *range(9, 9 + dims))
    found = count_network(layer, size)
    assert found.terms["conv"] == torchs_own(layer, *size)
    assert found.params == sum(p.numel() for p in layer.parameters()) == sum(found.parts.values())
    out = layer(torch.zeros(1, *size, device="meta")).numel()
    assert found.terms.get("conv_bias", 0) == (out if bias else 0)
    assert not found.unknown


class Everything(nn.Module):
    """Products in every way that a forward pass can write them."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(12, 12)
        self.free = nn.Parameter(torch.zeros(5, 12, 3, 3))
        self.mixed = nn.Parameter(torch.zeros(12, 12))
        self.attention = nn.MultiheadAttention(12, 3, batch_first=True)
        self.recurrent = nn.LSTM(12, 6, 2, batch_first=True, bidirectional=True)

    def forward(self, x):
        x = F.conv2d(x, self.free, padding=1)
        x = F.pad(x.flatten(1)[:, :240], (0, 0)).reshape(1, 20, 12)
        x = torch.einsum("bnc,cd->bnd", self.linear(x), self.mixed)
        q, k = x.reshape(1, 20, 3, 4).transpose(1, 2).chunk(2, dim=2)
        y = F.scaled_dot_product_attention(q, k, k).transpose(1, 2).reshape(1, 10, 12)
        y = (y @ y.transpose(1, 2)).softmax(-1) @ y + self.attention(x, x, x, need_weights=False)[0][:, :10]
        return torch.baddbmm(y[:, :, :10], y, y.transpose(1, 2)) + self.recurrent(y)[0][:, :, :10]


@pytest.mark.slow
def test_products_however_written():
    net = Everything()
    assert products(net, 12, 8, 8) == torchs_own(Everything(), 12, 8, 8)
    found = count_network(net, (12, 8, 8))
    assert not found.unknown
    heads = 3 * 10 * 10 * (4 + 4) + 3 * 20 * 20 * (4 + 4)
    assert found.terms["matmul@attention"] == heads
    assert found.terms["matmul"] == 3 * 10 * 10 * 12
    assert found.terms["softmax"] == 300 + 1200 + 100
    assert found.terms["conv"] == 64 * net.free.numel()
    assert "head_fc" not in found.terms  # a recurrent layer's matrices are applied at every step


@pytest.mark.slow
def test_the_same_on_the_processor():
    net = Everything().to_empty(device="cpu")
    assert products(net, 12, 8, 8, device="cpu") == products(Everything(), 12, 8, 8)


@pytest.mark.slow
@pytest.mark.parametrize("row", ["t2_weightnet_8", "t2_mobilenetv3_bft_0_5", "t2_micronet_m1"])
def test_this_projects_own_counter_agrees(row):
    with torch.device("meta"):
        net = MODELS.build(load_config(row, plugins=False).model)
    ours, found = trace_cost(net, (3, 224, 224)).named(), count_network(net, (3, 224, 224))
    assert found.params == sum(p.numel() for p in net.parameters())

    def total(terms, *kinds):
        return sum(terms.get(kind, 0) for kind in kinds)

    for kinds in (("conv",), ("fc", "head_fc"), ("fc_bias", "head_bias"), ("conv_bias",), ("batch_norm",)):
        assert total(found.terms, *kinds) == total(ours, *kinds), kinds
    if "micronet" not in row:  # a Shift-Max is element-wise arithmetic to a counter that does not know it
        assert total(found.terms, "relu@body") == total(ours, "relu@body")
        assert total(found.terms, "activation@body") == total(ours, "activation@body")
    assert not found.unknown


def test_parameters_by_kind():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = nn.Conv2d(3, 4, 3, padding=1)
            self.norm, self.layer_norm = nn.BatchNorm2d(4), nn.LayerNorm(4)
            self.inner, self.head = nn.Linear(4, 6), nn.Linear(6, 10)
            self.position = nn.Parameter(torch.zeros(1, 4, 1, 1))
            self.never = nn.Linear(7, 7)
            self.tied = self.inner
            self.register_buffer("table", torch.zeros(11))

        def forward(self, x):
            x = F.relu(self.norm(self.stem(x) + self.position)).mean((2, 3))
            return self.head(F.gelu(self.tied(self.layer_norm(x))))

    found = count_network(Net(), (3, 8, 8))
    assert found.parts == {
        "conv": 108, "conv_bias": 4, "batch_norm": 8, "norm": 8, "fc": 24, "fc_bias": 6, "head_fc": 60,
        "head_bias": 10, "other": 4, "unused": 56, "buffers": 4 + 4 + 1 + 11,
    }  # fmt: skip
    assert found.params == sum(p.numel() for p in Net().parameters()) == sum(found.parts.values()) - 20
    assert found.terms == {
        "conv": 108 * 64, "conv_bias": 256, "elementwise": 256, "batch_norm": 256, "relu@body": 256, "pool": 256,
        "norm": 4, "fc": 24, "fc_bias": 6, "activation@vector": 6, "head_fc": 60, "head_bias": 10,
    }  # fmt: skip


def test_an_unknown_operator_is_named():
    class Mixer(nn.Module):
        def forward(self, x):
            return torch.fft.rfft2(x).real

    found = count_network(Mixer(), (3, 8, 8))
    assert found.unknown == {"_fft_r2c": 3 * 8 * 5}
    assert not found.terms


def test_a_networks_mode_is_left_as_it_was():
    net = nn.Sequential(nn.BatchNorm1d(3))
    count_network(net, (3,))
    assert net.training
    assert torch.backends.mha.get_fastpath_enabled()


class Tied(nn.Module):
    """An embedding whose matrix is the head's too."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.head = nn.Embedding(100, 32), nn.Linear(32, 100, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, x):
        return self.head(self.embedding(x))


def test_tied_parameters_count_once_wherever_the_network_was_built():
    for device in ("cpu", "meta"):
        net = Tied().to_empty(device=device) if device == "cpu" else Tied()
        net.head.weight = net.embedding.weight
        found = count_network(net, (10,), dtype=torch.int64)
        assert found.params == 3200, device
        assert net.head.weight is net.embedding.weight
