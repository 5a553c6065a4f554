"""The backbone under what OpenMMLab and torch users do with one: every form of Shift-Max, in one small net.

Files of this folder run on Python 3.9 and torch 2.0 too, with pytest and the plugin's own dependencies alone
(tests/test_python_versions.py).
"""

from __future__ import annotations

import copy
import io
import pickle

import pytest
import torch
import torch.fx
from torch import nn

from registry.classification.models import ClassificationHead
from registry.micronet import MicroNet
from registry.ops.eager import SHIFTS, eager_shift_max
from registry.ops.fused import use_backend
from registry.ops.shift_max import DynamicShiftMax, StaticShiftMax, shift_max

#: Blocks A, B and C with a skip, in two strides.
SMALL = {
    "stem": (4, 2), "hidden": 8,
    "blocks": (
        {"kind": "A", "kernel": 3, "channels": 16, "squeeze": 8, "groups": (2, None), "stride": 2},
        {"kind": "B", "kernel": 3, "channels": 32, "squeeze": 16, "groups": (4, 4), "stride": 2},
        {"kind": "C", "kernel": 3, "channels": 32, "squeeze": 16, "groups": (4, 4)},
    ),
}  # fmt: skip


def small(**settings: object) -> MicroNet:
    torch.manual_seed(0)
    net = MicroNet(SMALL, **settings)
    net.init_weights()
    return net


def images(*size: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(*(size or (4, 3, 32, 32)), generator=torch.Generator().manual_seed(1)).to(dtype)


@pytest.mark.parametrize(
    ("norm_cfg", "kind"),
    [({"type": "SyncBN"}, nn.SyncBatchNorm), ({"type": "GN", "num_groups": 8}, nn.GroupNorm), ({"type": "BN"}, None)],
)
def test_norm_cfg_exchanges_every_norm(norm_cfg, kind):
    net = small(norm_cfg={**norm_cfg, "eps": 1e-3})
    norms = [m for m in net.modules() if isinstance(m, (nn.BatchNorm2d, nn.SyncBatchNorm, nn.GroupNorm))]
    assert len(norms) == len([m for m in small().modules() if isinstance(m, nn.BatchNorm2d)])
    assert all(isinstance(m, kind or nn.BatchNorm2d) and m.eps == 1e-3 for m in norms)
    with torch.no_grad():
        assert torch.isfinite(net.eval()(images())[0]).all()


def test_group_norm_trains_alone_and_frozen_norms_stay():
    net = small(norm_cfg={"type": "GN"}).train()
    net(images(1, 3, 32, 32))[0].square().sum().backward()
    assert all(p.grad is not None for p in net.parameters())
    frozen = small(norm_cfg={"type": "BN", "requires_grad": False}, norm_eval=True).train()
    norms = [m for m in frozen.modules() if isinstance(m, nn.BatchNorm2d)]
    frozen(images())[0].sum().backward()
    assert all(p.grad is None for m in norms for p in m.parameters())
    assert all(int(m.num_batches_tracked) == 0 for m in norms)


@pytest.mark.parametrize(
    ("norm_cfg", "message"), [({"type": "XN"}, "unknown norm_cfg"), ({"type": "GN", "size": 3}, "malformed norm_cfg")]
)
def test_a_wrong_norm_is_named(norm_cfg, message):
    with pytest.raises(ValueError, match=message):
        small(norm_cfg=norm_cfg)


@pytest.mark.parametrize("wiring", ["paper", "official"])
def test_recomputing_gives_the_same_bits_and_counts_once(wiring):
    results = []
    for with_cp in (False, True):
        net = small(with_cp=with_cp, wiring=wiring).train()
        x = images().requires_grad_()
        net(x)[0].square().sum().backward()
        results.append([x.grad, *(p.grad for p in net.parameters()), *net.buffers()])
    assert all(torch.equal(one, other) for one, other in zip(*results))


def test_recomputing_keeps_less():
    """Fewer bytes are saved for the backward pass."""
    kept = []
    for with_cp in (False, True):
        total = 0

        def count(t: torch.Tensor) -> torch.Tensor:
            nonlocal total
            total += t.numel()
            return t

        with torch.autograd.graph.saved_tensors_hooks(count, lambda t: t):
            small(with_cp=with_cp).train()(images())
        kept.append(total)
    assert kept[1] < 0.5 * kept[0]


@pytest.mark.parametrize(("out_indices", "stages"), [(2, (2,)), (-2, (1,)), ((0, 1), (0, 1)), (0, (0,))])
def test_what_is_not_asked_for_is_not_built(out_indices, stages):
    net = small(out_indices=out_indices).train()
    assert net.out_indices == stages
    outs = net(images())
    assert [tuple(o.shape[2:]) for o in outs] == [(32 >> (s + 1),) * 2 for s in stages]
    sum(o.sum() for o in outs).backward()
    assert all(p.grad is not None for p in net.parameters())  # DDP stops on a parameter without
    assert set(net.state_dict()) <= set(small().state_dict())


def test_data_parallel_trains_a_net_that_stops_early(tmp_path):
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        net = nn.parallel.DistributedDataParallel(small(out_indices=(1,)).train())
        for _ in range(2):  # the second pass complains of what the first left unused
            net(images())[0].sum().backward()
    finally:
        torch.distributed.destroy_process_group()


@pytest.mark.parametrize("kind", ["DynamicShiftMax", "DynamicReLU", "StaticShiftMax", "SE"])
def test_the_meta_device_leaves_nothing_undefined(kind, monkeypatch):
    """Memory that to_empty gives is filled with NaN; none of it may stay."""
    with torch.device("meta"):
        net = nn.Sequential(MicroNet(SMALL, {"type": kind}), ClassificationHead(32, 8, 10))

    def undefined(like: torch.Tensor, **settings: object) -> torch.Tensor:
        dtype = like.dtype
        return torch.full(like.shape, float("nan") if dtype.is_floating_point else -1, dtype=dtype, **settings)

    monkeypatch.setattr(torch, "empty_like", undefined)
    net.to_empty(device="cpu")
    assert any(torch.isnan(p).any() for p in net.parameters())
    torch.manual_seed(0)
    for part in net:
        part.init_weights()
    torch.manual_seed(0)
    usual = nn.Sequential(MicroNet(SMALL, {"type": kind}), ClassificationHead(32, 8, 10))
    torch.manual_seed(0)
    for part in usual:
        part.init_weights()
    for one, other in zip([*net.parameters(), *net.buffers()], [*usual.parameters(), *usual.buffers()]):
        assert torch.equal(one, other)


FORMS = ["eager", "lean", "auto"]


@pytest.mark.parametrize("form", FORMS)
def test_functional_transforms_see_through_it(form):
    net = small().eval()
    parameters = dict(net.named_parameters())
    batch = images()

    def loss(values: dict[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(net, values, (x,))[0].square().sum()

    with use_backend(form):
        each = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0))(parameters, batch[:, None])
        total = torch.func.grad(loss)(parameters, batch)
    net(batch)[0].square().sum().backward()
    for name, parameter in net.named_parameters():
        torch.testing.assert_close(total[name], parameter.grad, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(each[name].sum(0), parameter.grad, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shift", SHIFTS)
def test_it_is_differentiated_twice(form, shift):
    torch.manual_seed(0)
    x = torch.randn(2, 4, 2, 2, dtype=torch.float64, requires_grad=True)
    a = torch.randn(2, 2, 2, 4, dtype=torch.float64, requires_grad=True)
    with use_backend(form):
        assert torch.autograd.gradgradcheck(lambda x, a: shift_max(x, a, 2, shift), (x, a))
        # the coefficients come from x in a net: no path may count twice
        assert torch.autograd.gradgradcheck(lambda x: shift_max(x, x.mean() * a.detach(), 2, shift), (x,))
        assert torch.autograd.gradgradcheck(lambda a: shift_max(x.detach(), a, 2, shift), (a,))


def test_forward_mode_derivatives_pass():
    net, x = small().eval().double(), images(1, 3, 16, 16, dtype=torch.float64)
    with use_backend("lean"):
        _, forward = torch.func.jvp(lambda x: net(x)[0], (x,), (torch.ones_like(x),))
        with torch.autograd.forward_ad.dual_level():
            dual = net(torch.autograd.forward_ad.make_dual(x, torch.ones_like(x)))[0]
            assert torch.equal(torch.autograd.forward_ad.unpack_dual(dual).tangent, forward)
    step = 1e-6
    with torch.no_grad():
        difference = (net(x + step)[0] - net(x - step)[0]) / (2 * step)
    torch.testing.assert_close(forward, difference, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["eager", "lean"])
def test_traces_serve_other_sizes(form):
    net = small(out_indices=(0, 2)).eval()
    with use_backend(form), torch.no_grad():
        traced = torch.jit.trace(net, images(1, 3, 32, 32), check_trace=False)
        graph = torch.fx.symbolic_trace(net)
        for size in ((2, 3, 64, 32), (1, 3, 33, 17)):
            with use_backend("eager"):
                wanted = net(images(*size))
            for other in (traced, graph):
                for one, want in zip(other(images(*size)), wanted):
                    torch.testing.assert_close(one, want)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["eager", "lean"])
def test_copies_are_equal(form):
    net = small().eval()
    file = io.BytesIO()
    torch.save(net, file)
    file.seek(0)
    copies = [copy.deepcopy(net), pickle.loads(pickle.dumps(net)), torch.load(file, weights_only=False)]
    with use_backend(form), torch.no_grad():
        wanted = net(images())[0]
        assert all(torch.equal(other(images())[0], wanted) for other in copies)


@pytest.mark.parametrize("form", ["eager", "lean"])
def test_memory_formats_types_and_odd_sizes(form):
    net = small().double()
    with use_backend(form):
        wanted = net(images(dtype=torch.float64))[0]
        last = net.to(memory_format=torch.channels_last)
        got = last(images(dtype=torch.float64).to(memory_format=torch.channels_last))[0]
        torch.testing.assert_close(got, wanted)
        half = small().to(torch.bfloat16).train()
        out = half(images(dtype=torch.bfloat16))[0]
        out.float().square().sum().backward()
        assert out.dtype == torch.bfloat16
        assert all(torch.isfinite(p.grad).all() for p in half.parameters())
        with torch.autocast("cpu", torch.bfloat16):
            small().train()(images())[0].float().sum().backward()
        for size in ((1, 1), (7, 225), (33, 1)):
            shape = small().eval()(images(1, 3, *size))[0].shape
            assert tuple(shape) == (1, 32, -(-size[0] // 8), -(-size[1] // 8))


def test_constants_follow_the_modules_type():
    layer = DynamicShiftMax(8, 2, constants=((1.0, 0.25), (0.5, 0.0))).to(torch.bfloat16).double()
    assert layer.constants.flatten().tolist() == [1.0, 0.25, 0.5, 0.0]
    assert layer.constants.dtype == torch.float64
    assert "constants" not in layer.state_dict()
    with pytest.raises(ValueError, match="are not 2 rows"):
        DynamicShiftMax(8, 2, constants=((1.0, 0.25),))
    with pytest.raises(ValueError, match="StaticShiftMax has none"):
        MicroNet(SMALL, {"type": "StaticShiftMax", "constants": ((1, 0), (1, 0))})


def test_a_layer_alone_is_eq_5_in_every_form():
    layer = StaticShiftMax(8, 2)
    nn.init.normal_(layer.weight)
    x = images(2, 8, 3, 3)
    for form in FORMS:
        with use_backend(form):
            torch.testing.assert_close(layer(x), eager_shift_max(x, layer.weight, 2))
