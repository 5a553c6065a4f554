"""The backbone builds as Table 1 prints it and behaves as OpenMMLab users expect."""

from __future__ import annotations

import pytest
import torch
from helpers import MICRONET
from mmengine.registry import MODELS
from torch import nn

from papertally.ledger.load import load_ledger
from registry.arch import ARCHS, get_arch
from registry.micronet import MicroNet


@pytest.mark.parametrize("model", ["m0", "m1", "m2", "m3"])
def test_architecture_equals_table_1(model):
    """Every printed Block, k, C, C/R and G, and the printed output sizes, are what is built."""
    spec = get_arch(model)
    printed, height, sizes = [], 0, []
    for row in load_ledger(MICRONET).tables["1"].architecture.rows:
        height = int(row.output.split("×")[0]) if row.output else height
        if cells := row.cells(model):
            printed.append(cells)
            sizes.append(height)
    built = [["stem", "3", str(spec.stem[0]), str(spec.stem[1])]]
    built += [[f"Micro-{b.kind}", str(b.kernel), str(b.channels), str(b.squeeze)] for b in spec.blocks]
    assert [cells[:4] for cells in printed] == built
    pairs = [tuple(None if g == "-" else int(g) for g in cells[4].strip("()").split(", ")) for cells in printed]
    assert pairs[1:] == [b.groups for b in spec.blocks]
    net = MicroNet(model).eval()
    x, seen = net.stem(torch.zeros(1, 3, 224, 224)), []
    seen.append(x.shape[-1])
    with torch.no_grad():
        for block in net.blocks:
            x, _ = block(x)
            seen.append(x.shape[-1])
    assert seen == sizes


@pytest.mark.parametrize("arch", [name for name, spec in ARCHS.items() if spec.ends])
def test_stages_have_strides_2_to_32(arch):
    net = MicroNet(arch, out_indices=(0, 1, 2, 3, 4)).eval()
    with torch.no_grad():
        outs = net(torch.zeros(1, 3, 64, 96))
    assert [tuple(o.shape) for o in outs] == [
        (1, c, 64 // s, 96 // s) for c, s in zip(net.out_channels, (2, 4, 8, 16, 32), strict=True)
    ]


def test_out_indices_count_from_the_end_and_stop_early():
    net = MicroNet("m0", out_indices=(-4, 2)).eval()
    assert net.out_indices == (1, 2)
    assert len(net(torch.zeros(1, 3, 32, 32))) == 2
    assert len(net.blocks) == 2 < len(get_arch("m0").blocks)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"arch": "m9"}, "unknown MicroNet"),
        ({"arch": {"base": "m0", "depth": 3}}, "malformed"),
        ({"out_indices": (5,)}, "stages 0 to 4"),
        ({"frozen_stages": 7}, "stages 0 to 4"),
        ({"wiring": "mine"}, "unknown wiring"),
        ({"activation": {"typ": "ReLU"}}, "malformed activation"),
        ({"activation": {"type": "GELU"}}, "unknown activation"),
    ],
)
def test_wrong_arguments_are_named(kwargs, message):
    with pytest.raises(ValueError, match=message):
        MicroNet(**kwargs)


def test_frozen_stages_get_no_gradient_and_keep_their_statistics():
    net = MicroNet("m0", frozen_stages=2)
    net.train()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    net(torch.randn(4, 3, 64, 64))[0].sum().backward()
    after = net.state_dict()
    frozen = [net.stem, *net.blocks[:2]]
    assert all(p.grad is None for m in frozen for p in m.parameters())
    assert any(p.grad is not None for p in net.blocks[2].parameters())
    moved = {k for k in after if "running_mean" in k and not torch.equal(after[k], before[k])}
    assert moved
    assert not any(k.startswith(("stem", "blocks.0.", "blocks.1.")) for k in moved)


def test_norm_eval_keeps_every_batch_norm():
    net = MicroNet("m0", norm_eval=True).train()
    assert not any(m.training for m in net.modules() if isinstance(m, nn.BatchNorm2d))


def test_init_cfg_is_mmengines():
    net = MicroNet("m0", init_cfg={"type": "Constant", "layer": "Conv2d", "val": 0.5})
    net.init_weights()
    assert torch.all(net.stem[0][0].weight == 0.5)
    default = MicroNet("m0")
    default.init_weights()
    hidden = default.blocks[0].act1.hyper.generate.weight
    assert float(hidden.detach().std()) == pytest.approx(0.01, rel=0.3)


def test_full_rank_partner_has_the_same_features_and_no_grouped_pointwise():
    with torch.no_grad():
        a, b = (
            MicroNet("m1", factorized=f, out_indices=(1, 4)).eval()(torch.zeros(1, 3, 64, 64)) for f in (True, False)
        )
    assert [x.shape for x in a] == [x.shape for x in b]
    partner = MicroNet("m1", factorized=False)
    convs = [m for m in partner.blocks.modules() if isinstance(m, nn.Conv2d)]
    assert all(m.groups == 1 for m in convs if m.kernel_size == (1, 1))
    assert all(m.kernel_size[0] == m.kernel_size[1] for m in convs)


@pytest.mark.parametrize("scope", ["mmpose", "mmseg", "mmdet"])
def test_every_framework_finds_it(scope):
    import importlib

    models = importlib.import_module(f"{scope}.registry").MODELS
    assert isinstance(models.build({"type": "MicroNet", "arch": "m0"}), MicroNet)
    assert MODELS.get("MicroNet") is MicroNet


@pytest.mark.parametrize(
    "activation", [{}, {"type": "ReLU"}, {"type": "StaticShiftMax"}, {"type": "DynamicReLU"}, {"j": 3, "k": 3}]
)
def test_gradients_reach_every_parameter(activation):
    torch.manual_seed(0)
    net = MicroNet("m0", activation=activation)
    net.init_weights()
    net.train()(torch.randn(4, 3, 64, 64))[0].square().sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in net.parameters())


def test_odd_and_tiny_inputs_pass():
    net = MicroNet("m0").eval()
    with torch.no_grad():
        assert net(torch.zeros(2, 3, 17, 33))[0].shape == (2, 576, 1, 2)
